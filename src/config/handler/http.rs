use crate::config::names;
use crate::config::section::Section;

/// `[….handler.http]`: POST the body to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Where to.
    pub url: String,
    /// The `Content-Type`.
    pub content_type: String,
}

/// The `Content-Type` of bodies whose settings name none.
const CONTENT_TYPE: &str = "application/json";

pub(super) fn read(section: &mut Section<'_>) -> Http {
    let url = section.formed("url", |text| names::web_url(text).map(|_| text.to_owned()));
    if !section.has("url") {
        section.missing("url", "\"http://127.0.0.1:8080/orders\"");
    }
    let content_type = super::content_type(section);
    Http {
        url: url.unwrap_or_default(),
        content_type: content_type.unwrap_or_else(|| CONTENT_TYPE.to_owned()),
    }
}
