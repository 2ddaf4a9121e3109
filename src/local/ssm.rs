//! The embedded Systems Manager: its parameters, in memory.
//!
//! Parameters are known by name alone: a request of any region finds them. They keep a hundred
//! versions, and AWS's rules for names, types, sizes and pages.
//!
//! Not there: labels, policies, tags, allowed patterns, the history, and everything of Systems
//! Manager that is no parameter. No key exists here, so every one may be named; what is encrypted and
//! not asked for in the clear comes as a text from which nothing can be told.

mod name;
mod parameter;
mod select;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use self::name::{Name, Selector};
use self::parameter::Parameter;
use self::select::Filter;
use super::clock::Clock;
use super::fault::Fault;
use super::guarded::Guarded;

/// All parameters, by the part of their names that tells them apart.
type Parameters = BTreeMap<String, Parameter>;

/// The most parameters that an account has in a region.
const MOST: usize = 10_000;
/// The most names of one request.
const MOST_NAMES: usize = 10;

#[derive(Debug)]
pub(super) struct Ssm {
    clock: Clock,
    parameters: Guarded<Parameters>,
}

/// One request; each operation takes what it knows of.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Ask {
    name: Option<String>,
    names: Vec<String>,
    path: Option<String>,
    value: Option<String>,
    r#type: Option<String>,
    key_id: Option<String>,
    description: Option<String>,
    data_type: Option<String>,
    tier: Option<String>,
    overwrite: bool,
    recursive: bool,
    with_decryption: bool,
    max_results: Option<usize>,
    next_token: Option<String>,
    parameter_filters: Vec<Filter>,
}

impl Ask {
    fn name(&self) -> Result<&str, Fault> {
        self.name.as_deref().ok_or_else(|| invalid("name: Member must not be null"))
    }
}

impl Ssm {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, parameters: Guarded::default() }
    }

    /// Answers one operation.
    pub(super) fn call(&self, region: &str, action: &str, input: Json) -> Result<Json, Fault> {
        for unknown in ["AllowedPattern", "Policies", "Tags"] {
            if input.get(unknown).is_some() {
                return Err(invalid(format!("longshore's embedded SSM has no {unknown}")));
            }
        }
        let ask: Ask = serde_json::from_value(input)
            .map_err(|error| Fault::new("SerializationException", error.to_string()))?;
        let mut all = self.parameters.lock();
        match action {
            "PutParameter" => put(&mut all, ask, self.clock.seconds()),
            "GetParameter" => {
                let told = get(&all, ask.name()?, ask.with_decryption, region)?;
                Ok(json!({ "Parameter": told }))
            }
            "GetParameters" => get_several(&all, &ask, region),
            "GetParametersByPath" => select::by_path(&all, &ask, region),
            "DescribeParameters" => select::describe(&all, &ask, region),
            "DeleteParameter" => {
                let name = Name::read(ask.name()?)?;
                all.remove(name.key()).map(|_| json!({})).ok_or_else(not_found)
            }
            "DeleteParameters" => delete_several(&mut all, &ask),
            _ => Err(Fault::new(
                "UnknownOperationException",
                format!("the embedded SSM of longshore has no operation {action}"),
            )),
        }
    }
}

fn put(all: &mut Parameters, mut ask: Ask, now: f64) -> Result<Json, Fault> {
    let written = ask.name.take().unwrap_or_default();
    let name = Name::to_create(&written)?;
    let is_full = all.len() >= MOST;
    let version = match all.get_mut(name.key()) {
        Some(_) if !ask.overwrite => {
            let text = "The parameter already exists. To overwrite this value, set the overwrite \
                        option in the request to true.";
            return Err(Fault::new("ParameterAlreadyExists", text));
        }
        Some(parameter) => parameter.change(ask, now)?,
        None if is_full => {
            return Err(Fault::new("ParameterLimitExceeded", "Too many parameters"));
        }
        None => {
            all.insert(name.key().to_owned(), Parameter::new(name.written(), ask, now)?);
            1
        }
    };
    Ok(json!({ "Version": version, "Tier": "Standard" }))
}

fn get(all: &Parameters, named: &str, decrypted: bool, region: &str) -> Result<Json, Fault> {
    let (name, selector) = Selector::split(named)?;
    let parameter = all.get(name.key()).ok_or_else(not_found)?;
    parameter.tell(selector, decrypted, region)
}

fn several(ask: &Ask) -> Result<&[String], Fault> {
    if (1..=MOST_NAMES).contains(&ask.names.len()) {
        return Ok(&ask.names);
    }
    Err(invalid(format!("names: Member must have length between 1 and {MOST_NAMES}")))
}

fn get_several(all: &Parameters, ask: &Ask, region: &str) -> Result<Json, Fault> {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for name in several(ask)? {
        match get(all, name, ask.with_decryption, region) {
            Ok(told) => found.push(told),
            Err(_) => wrong.push(name),
        }
    }
    Ok(json!({ "Parameters": found, "InvalidParameters": wrong }))
}

fn delete_several(all: &mut Parameters, ask: &Ask) -> Result<Json, Fault> {
    let (mut gone, mut wrong) = (Vec::new(), Vec::new());
    for named in several(ask)? {
        let removed = Name::read(named).ok().and_then(|name| all.remove(name.key()));
        if removed.is_some() { gone.push(named) } else { wrong.push(named) }
    }
    Ok(json!({ "DeletedParameters": gone, "InvalidParameters": wrong }))
}

fn not_found() -> Fault {
    Fault::new("ParameterNotFound", "The parameter is not there")
}

fn invalid(text: impl Into<String>) -> Fault {
    Fault::new("ValidationException", text)
}
