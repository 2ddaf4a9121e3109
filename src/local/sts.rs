//! Just enough STS to say who one is.

use super::ACCOUNT;
use super::fault::Fault;
use super::xml;

/// Answers one operation with the XML inside its result.
pub(super) fn call(action: &str) -> Result<String, Fault> {
    if action != "GetCallerIdentity" {
        return Err(Fault::new(
            "InvalidAction",
            format!("the embedded STS of longshore has no operation {action}"),
        ));
    }
    let mut result = String::new();
    xml::element(&mut result, "Arn", &format!("arn:aws:iam::{ACCOUNT}:user/longshore-local"));
    xml::element(&mut result, "UserId", "AIDALONGSHORELOCAL000");
    xml::element(&mut result, "Account", ACCOUNT);
    Ok(result)
}
