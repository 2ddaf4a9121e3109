//! One parameter with its versions.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::name::Selector;
use super::{Ask, invalid};
use crate::local::ACCOUNT;
use crate::local::fault::Fault;

const KINDS: [&str; 3] = ["String", "StringList", "SecureString"];
const SECURE: &str = "SecureString";
/// The key of an account that names none.
const OWN_KEY: &str = "alias/aws/ssm";
/// The most bytes of a value: of the standard tier, and of the advanced one.
const LONGEST: usize = 4_096;
const LONGEST_ADVANCED: usize = 8_192;
/// The most versions that are kept.
const MOST_VERSIONS: usize = 100;

#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) kind: String,
    key_id: String,
    description: Option<String>,
    data_type: String,
    versions: VecDeque<Version>,
}

#[derive(Debug)]
struct Version {
    number: i64,
    value: String,
    /// Seconds since 1970.
    modified: f64,
}

fn sound(ask: &Ask) -> Result<String, Fault> {
    let value = ask.value.clone().unwrap_or_default();
    let is_advanced = matches!(ask.tier.as_deref(), Some("Advanced" | "Intelligent-Tiering"));
    let longest = if is_advanced { LONGEST_ADVANCED } else { LONGEST };
    if value.is_empty() {
        return Err(invalid("value: Member must have length greater than or equal to 1"));
    }
    if value.len() > longest {
        return Err(invalid(format!(
            "Standard tier parameters support a maximum parameter value of {LONGEST} characters, \
             advanced ones {LONGEST_ADVANCED}."
        )));
    }
    Ok(value)
}

impl Parameter {
    pub(super) fn new(name: &str, ask: Ask, now: f64) -> Result<Self, Fault> {
        let value = sound(&ask)?;
        let kind = ask
            .r#type
            .filter(|kind| !kind.is_empty())
            .ok_or_else(|| invalid("A parameter type is required when you create a parameter."))?;
        if !KINDS.contains(&kind.as_str()) {
            return Err(invalid(format!("type: {kind:?} is none of {}", KINDS.join(", "))));
        }
        Ok(Self {
            name: name.to_owned(),
            kind,
            key_id: ask.key_id.unwrap_or_else(|| OWN_KEY.to_owned()),
            description: ask.description,
            data_type: ask.data_type.unwrap_or_else(|| "text".to_owned()),
            versions: VecDeque::from([Version { number: 1, value, modified: now }]),
        })
    }

    /// A further version; gives its number.
    pub(super) fn change(&mut self, ask: Ask, now: f64) -> Result<i64, Fault> {
        let value = sound(&ask)?;
        if ask.r#type.is_some_and(|kind| kind != self.kind) {
            return Err(Fault::new(
                "HierarchyTypeMismatchException",
                "The type of a parameter cannot be changed; create a new, unique parameter.",
            ));
        }
        self.key_id = ask.key_id.unwrap_or_else(|| self.key_id.clone());
        self.description = ask.description.or_else(|| self.description.take());
        let number = self.versions.back().map_or(1, |last| last.number + 1);
        if self.versions.len() >= MOST_VERSIONS {
            self.versions.pop_front();
        }
        self.versions.push_back(Version { number, value, modified: now });
        Ok(number)
    }

    /// The parameter with its value.
    pub(super) fn tell(
        &self,
        selector: Selector<'_>,
        decrypted: bool,
        region: &str,
    ) -> Result<Json, Fault> {
        let version = match selector {
            Selector::Latest => self.versions.back(),
            Selector::Version(wanted) => self.versions.iter().find(|one| one.number == wanted),
            Selector::Label(_) => None,
        };
        let version = version.ok_or_else(|| {
            Fault::new("ParameterVersionNotFound", "The parameter has no such version or label.")
        })?;
        let is_hidden = self.kind == SECURE && !decrypted;
        let hidden = || STANDARD.encode(Sha256::digest(&version.value));
        let value = if is_hidden { hidden() } else { version.value.clone() };
        let mut told = json!({
            "Name": self.name,
            "Type": self.kind,
            "Value": value,
            "Version": version.number,
            "LastModifiedDate": version.modified,
            "ARN": self.arn(region),
            "DataType": self.data_type,
        });
        let selector = match selector {
            Selector::Latest => None,
            Selector::Version(number) => Some(format!(":{number}")),
            Selector::Label(label) => Some(format!(":{label}")),
        };
        if let (Some(selector), Some(told)) = (selector, told.as_object_mut()) {
            told.insert("Selector".to_owned(), json!(selector));
        }
        Ok(told)
    }

    /// What is told of it without its value.
    pub(super) fn describe(&self, region: &str) -> Json {
        let last = self.versions.back();
        let mut told = json!({
            "Name": self.name,
            "ARN": self.arn(region),
            "Type": self.kind,
            "Version": last.map_or(0, |last| last.number),
            "LastModifiedDate": last.map_or(0.0, |last| last.modified),
            "LastModifiedUser": format!("arn:aws:iam::{ACCOUNT}:root"),
            "Tier": "Standard",
            "Policies": [],
            "DataType": self.data_type,
        });
        if let Some(told) = told.as_object_mut() {
            if self.kind == SECURE {
                told.insert("KeyId".to_owned(), json!(self.key_id));
            }
            if let Some(description) = &self.description {
                told.insert("Description".to_owned(), json!(description));
            }
        }
        told
    }

    fn arn(&self, region: &str) -> String {
        let name = self.name.trim_start_matches('/');
        format!("arn:aws:ssm:{region}:{ACCOUNT}:parameter/{name}")
    }
}
