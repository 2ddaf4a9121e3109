//! The form of a request to SNS, with the look-ups that its operations need.

use serde_json::Value;

use crate::local::fault::Fault;
use crate::local::form;

/// The form of a request as a tree, with the look-ups that SNS needs.
#[derive(Debug)]
pub(super) struct Input(pub(super) Value);

impl Input {
    pub(super) fn of(fields: &[(String, String)]) -> Self {
        Self(form::tree(fields))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    pub(super) fn needed(&self, name: &str) -> Result<&str, Fault> {
        self.text(name)
            .ok_or_else(|| Fault::new("InvalidParameter", format!("Invalid parameter: {name}")))
    }

    /// A map in the protocol's form `NAME.entry.1.key`, `NAME.entry.1.value`.
    pub(super) fn pairs(&self, name: &str) -> Vec<(&str, &str)> {
        let entries = self.0.get(name).and_then(|map| map.get("entry"));
        entries
            .map(form::numbered)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|entry| Some((entry.get("key")?.as_str()?, entry.get("value")?.as_str()?)))
            .collect()
    }
}
