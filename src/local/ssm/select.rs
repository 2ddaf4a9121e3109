//! Several parameters at once: by path, or by what they are called and are.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::name::Selector;
use super::parameter::Parameter;
use super::{Ask, Parameters, invalid};
use crate::local::fault::Fault;

/// The most parameters of a page with values, and of one without.
const PATH_PAGE: usize = 10;
const DESCRIBE_PAGE: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Filter {
    key: String,
    option: Option<String>,
    #[serde(default)]
    values: Vec<String>,
}

impl Filter {
    fn check(&self) -> Result<(), Fault> {
        let option = self.option.as_deref().unwrap_or("Equals");
        let known: &[&str] = match self.key.as_str() {
            "Name" => &["Equals", "BeginsWith", "Contains"],
            "Type" => &["Equals", "BeginsWith"],
            "Path" => &["Equals", "OneLevel", "Recursive"],
            key => {
                let text = format!("longshore's embedded SSM has no filter by {key}");
                return Err(Fault::new("InvalidFilterKey", text));
            }
        };
        if known.contains(&option) {
            return Ok(());
        }
        let text = format!("{option} is no option of {}; it has {}", self.key, known.join(", "));
        Err(Fault::new("InvalidFilterOption", text))
    }

    fn lets_through(&self, parameter: &Parameter) -> bool {
        let option = self.option.as_deref().unwrap_or("Equals");
        let name = parameter.name.as_str();
        self.values.iter().any(|wanted| match (self.key.as_str(), option) {
            ("Type", "BeginsWith") => parameter.kind.starts_with(wanted.as_str()),
            ("Type", _) => parameter.kind == *wanted,
            ("Path", option) => is_below(name, wanted, option == "Recursive"),
            (_, "BeginsWith") => name.starts_with(wanted.as_str()),
            (_, "Contains") => name.contains(wanted.as_str()),
            _ => name == wanted,
        })
    }
}

pub(super) fn by_path(all: &Parameters, ask: &Ask, region: &str) -> Result<Json, Fault> {
    let path = ask.path.as_deref().unwrap_or_default();
    if !path.starts_with('/') {
        return Err(invalid(
            "The parameter doesn't meet the parameter name requirements. The parameter name must \
             begin with a forward slash \"/\".",
        ));
    }
    check_all(&ask.parameter_filters)?;
    let below = all.values().filter(|parameter| {
        is_below(&parameter.name, path, ask.recursive)
            && ask.parameter_filters.iter().all(|filter| filter.lets_through(parameter))
    });
    page(ask, PATH_PAGE, below, |parameter| {
        parameter.tell(Selector::Latest, ask.with_decryption, region)
    })
}

pub(super) fn describe(all: &Parameters, ask: &Ask, region: &str) -> Result<Json, Fault> {
    check_all(&ask.parameter_filters)?;
    let wanted = all.values().filter(|parameter| {
        ask.parameter_filters.iter().all(|filter| filter.lets_through(parameter))
    });
    page(ask, DESCRIBE_PAGE, wanted, |parameter| Ok(parameter.describe(region)))
}

fn check_all(filters: &[Filter]) -> Result<(), Fault> {
    filters.iter().try_for_each(Filter::check)
}

fn is_below(name: &str, path: &str, recursive: bool) -> bool {
    let path = path.trim_end_matches('/');
    // At the top, a name without a slash is like one with it.
    let name = name.strip_prefix('/').unwrap_or(name);
    let rest = match path.strip_prefix('/').unwrap_or(path) {
        "" => Some(name),
        path => name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')),
    };
    rest.is_some_and(|rest| recursive || !rest.contains('/'))
}

/// A token is the number of parameters that came before.
fn page<'p>(
    ask: &Ask,
    most: usize,
    matching: impl Iterator<Item = &'p Parameter>,
    tell: impl Fn(&Parameter) -> Result<Json, Fault>,
) -> Result<Json, Fault> {
    let size = ask.max_results.unwrap_or(most);
    if !(1..=most).contains(&size) {
        return Err(invalid(format!("maxResults: a number from 1 to {most}")));
    }
    let begin = match ask.next_token.as_deref() {
        None | Some("") => 0,
        Some(token) => token
            .parse::<usize>()
            .map_err(|_| Fault::new("InvalidNextToken", "The specified token is not valid."))?,
    };
    let mut left = matching.skip(begin);
    let page: Vec<Json> = left.by_ref().take(size).map(tell).collect::<Result<_, _>>()?;
    let mut told = Map::new();
    if left.next().is_some() {
        told.insert("NextToken".to_owned(), json!((begin + page.len()).to_string()));
    }
    told.insert("Parameters".to_owned(), json!(page));
    Ok(Json::Object(told))
}
