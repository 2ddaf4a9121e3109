//! What DynamoDB answers when it refuses: a code, a text, and what some codes carry along.

use hyper::StatusCode;
use serde_json::{Map, Value as Json, json};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(super) code: &'static str,
    pub(super) message: String,
    /// The item that failed its condition, or the reasons of a cancelled transaction.
    pub(super) more: Map<String, Json>,
}

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), more: Map::new() }
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    pub(super) fn no_table(name: &str) -> Self {
        let text = format!("Requested resource not found: Table: {name} not found");
        Self::new("ResourceNotFoundException", text)
    }

    pub(super) fn missing(parameter: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value null at '{parameter}' failed to satisfy \
             constraint: Member must not be null"
        ))
    }

    #[must_use]
    pub(super) fn with(mut self, name: &str, value: Json) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self.code {
            "InternalServerError" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn json(&self) -> Json {
        let family = match self.code {
            "ValidationException" | "SerializationException" | "UnknownOperationException" => {
                "com.amazon.coral.validate"
            }
            _ => "com.amazonaws.dynamodb.v20120810",
        };
        let mut answer = self.more.clone();
        answer.insert("__type".to_owned(), json!(format!("{family}#{}", self.code)));
        answer.insert("message".to_owned(), json!(self.message));
        Json::Object(answer)
    }
}
