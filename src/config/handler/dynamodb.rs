use std::time::Duration;

use crate::config::aws::{Aws, Written};
use crate::config::names;
use crate::config::section::Section;

/// `[….handler.dynamodb]`: put the body, a JSON object, into a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dynamodb {
    /// The table.
    pub table: String,
    /// How it is reached.
    pub aws: Aws,
    /// An item that is there already stays.
    pub if_absent: bool,
    /// The attribute that gets the message's id where the body does not have it.
    pub id_attribute: Option<String>,
    /// How long the item stands, where the body does not say.
    pub ttl: Option<Duration>,
    /// The attribute that gets the end of an item in seconds since 1970.
    pub ttl_attribute: String,
}

/// As pylon's tables have it.
const TTL_ATTRIBUTE: &str = "ttl";
const LONGEST_TTL: Duration = Duration::from_hours(24 * 365 * 100);

pub(super) fn read(section: &mut Section<'_>, base: &Written) -> Dynamodb {
    let table = section.formed("table", names::table);
    if !section.has("table") {
        section.missing("table", "\"orders\"");
    }
    let aws = Written::read(section).over(base).resolve();
    let if_absent = section.flag("if_absent");
    let id_attribute = section.formed("id_attribute", attribute);
    let ttl = section.duration("ttl", Duration::from_secs(1)..=LONGEST_TTL);
    let ttl_attribute = section.formed("ttl_attribute", attribute);
    Dynamodb {
        table: table.unwrap_or_default(),
        aws,
        if_absent: if_absent.unwrap_or(false),
        id_attribute,
        ttl,
        ttl_attribute: ttl_attribute.unwrap_or_else(|| TTL_ATTRIBUTE.to_owned()),
    }
}

fn attribute(name: &str) -> Result<String, String> {
    if name.is_empty() || name.len() > 255 {
        return Err("the name of an attribute has 1 to 255 bytes".to_owned());
    }
    Ok(name.to_owned())
}
