//! Parameters of AWS Systems Manager.
//!
//! Values are decrypted on reading, whatever their type, and never shown: not in logs, not in
//! errors, not by `Debug`.
//!
//! # As pylon has it
//! `pylon.aws.ParameterStore.get('some-key')` gives the text of the parameter:
//! ```no_run
//! # async fn example() -> longshore::error::Result<()> {
//! use longshore::aws::Aws;
//! use longshore::toolkit::ssm;
//!
//! let client = Aws::new().ssm("us-west-2").await?;
//! let parameter = ssm::get(&client, "some-key").await?;
//! assert_eq!(parameter.value.reveal(), "whoa this is a cool value");
//! # Ok(())
//! # }
//! ```

use aws_sdk_ssm::types::{ParameterStringFilter, ParameterType};
use futures_util::Stream;
use futures_util::stream::try_unfold;

use crate::again::again;
use crate::aws::fault::fault;
use crate::config::{Secret, parameter_name};
use crate::error::{Error, Kind, Result};

/// The most parameters of a page of `GetParametersByPath` and `DescribeParameters`.
const PATH_PAGE: i32 = 10;
const LIST_PAGE: i32 = 50;

/// A parameter with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, as it was created.
    pub name: String,
    /// Its value, decrypted.
    pub value: Secret,
    /// `String`, `StringList` (joined by commas) or `SecureString`.
    pub kind: String,
    /// Its version, from 1.
    pub version: i64,
}

/// What a list tells of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// `String`, `StringList` or `SecureString`.
    pub kind: String,
    /// Its version, from 1.
    pub version: i64,
}

/// A parameter to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewParameter {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Secret,
    /// `String`, `StringList` or `SecureString`.
    pub kind: String,
    /// The KMS key for a `SecureString`, where it is not the account's own `alias/aws/ssm`.
    pub key_id: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Writes a further version where it is there already.
    pub overwrite: bool,
}

impl NewParameter {
    /// An encrypted parameter that is not there yet.
    pub fn secure(name: impl Into<String>, value: Secret) -> Self {
        Self {
            name: name.into(),
            value,
            kind: ParameterType::SecureString.as_str().to_owned(),
            key_id: None,
            description: None,
            overwrite: false,
        }
    }
}

/// The parameter of this name or ARN, decrypted; a version or label may follow after a colon.
///
/// # Errors
/// [`Kind::Missing`] where there is none, [`Kind::Denied`] without `ssm:GetParameter` or, for an
/// encrypted one, `kms:Decrypt`; [`Kind::Invalid`] for what cannot be a name, of which nobody is
/// asked.
pub async fn get(client: &aws_sdk_ssm::Client, name: &str) -> Result<Parameter> {
    again(|| get_once(client, name)).await
}

/// As [`get`], asked for once.
pub(crate) async fn get_once(client: &aws_sdk_ssm::Client, name: &str) -> Result<Parameter> {
    let what = about("reading", name, client);
    check(&what, name)?;
    let request = client.get_parameter().name(name).with_decryption(true);
    let answer = request.send().await.map_err(|error| fault(&what, error))?;
    answer
        .parameter
        .and_then(read)
        .ok_or_else(|| Error::new(Kind::Transient, what).because("the answer holds no parameter"))
}

/// The parameters below this path, decrypted, page by page as they are asked for; with `recursive`
/// those of every level below it. In no order that AWS promises. A path without any is empty.
///
/// # Errors
/// As [`get`]; it needs `ssm:GetParametersByPath`. After an error the stream ends.
pub fn get_by_path<'a>(
    client: &'a aws_sdk_ssm::Client,
    path: &'a str,
    recursive: bool,
) -> impl Stream<Item = Result<Parameter>> + Send + 'a {
    let begin = (Vec::new().into_iter(), Some(None));
    try_unfold(begin, move |(mut page, mut next): (std::vec::IntoIter<Parameter>, _)| async move {
        loop {
            if let Some(parameter) = page.next() {
                return Ok(Some((parameter, (page, next))));
            }
            let Some(token) = next else { return Ok(None) };
            let request = client.get_parameters_by_path().path(path).recursive(recursive);
            let request = request.with_decryption(true).max_results(PATH_PAGE);
            let request = request.set_next_token(token);
            let what = format!("reading the parameters below {path} in {}", region(client));
            let answer =
                again(|| async { request.clone().send().await.map_err(|e| fault(&what, e)) })
                    .await?;
            let parameters = answer.parameters.unwrap_or_default().into_iter();
            page = parameters.filter_map(read).collect::<Vec<_>>().into_iter();
            next = answer.next_token.map(Some);
        }
    })
}

/// Writes a parameter and gives its version. Dropped midway, it may or may not have been written.
/// What passes by itself is tried again only where it may overwrite: a second try of a first version
/// would meet the first.
///
/// # Errors
/// [`Kind::Conflict`] where it is there already and `overwrite` is not wanted; [`Kind::Invalid`] for
/// what cannot be a name, of which nobody is asked.
pub async fn put(client: &aws_sdk_ssm::Client, parameter: &NewParameter) -> Result<i64> {
    let what = about("writing", &parameter.name, client);
    check(&what, &parameter.name)?;
    let request = client
        .put_parameter()
        .name(&parameter.name)
        .value(parameter.value.reveal())
        .r#type(parameter.kind.as_str().into())
        .set_key_id(parameter.key_id.clone())
        .set_description(parameter.description.clone())
        .overwrite(parameter.overwrite);
    let call = || async {
        request.clone().send().await.map_err(|error| {
            let error = fault(&what, error);
            if error.kind() != Kind::Conflict {
                return error;
            }
            error.hint("it is there already; overwrite it (--overwrite), or choose another name")
        })
    };
    let answer = if parameter.overwrite { again(call).await } else { call().await };
    Ok(answer?.version)
}

/// Deletes a parameter with all its versions. It is asked for once: a second time none is there.
///
/// # Errors
/// [`Kind::Missing`] where there is none.
pub async fn delete(client: &aws_sdk_ssm::Client, name: &str) -> Result<()> {
    let what = about("deleting", name, client);
    check(&what, name)?;
    let answer = client.delete_parameter().name(name).send().await;
    answer.map(drop).map_err(|error| fault(what, error))
}

/// The parameters whose names begin so, without their values, page by page; all for an empty
/// prefix. Needs `ssm:DescribeParameters`.
pub fn list<'a>(
    client: &'a aws_sdk_ssm::Client,
    prefix: &'a str,
) -> impl Stream<Item = Result<Listed>> + Send + 'a {
    let begin = (Vec::new().into_iter(), Some(None));
    try_unfold(begin, move |(mut page, mut next): (std::vec::IntoIter<Listed>, _)| async move {
        loop {
            if let Some(listed) = page.next() {
                return Ok(Some((listed, (page, next))));
            }
            let Some(token) = next else { return Ok(None) };
            let what = || format!("listing the parameters of {}", region(client));
            let mut request = client.describe_parameters().max_results(LIST_PAGE);
            if !prefix.is_empty() {
                let filter = ParameterStringFilter::builder().key("Name").option("BeginsWith");
                let filter = filter.values(prefix).build();
                let filter =
                    filter.map_err(|error| Error::new(Kind::Bug, what()).because(error))?;
                request = request.parameter_filters(filter);
            }
            let request = request.set_next_token(token);
            let call = || async { request.clone().send().await.map_err(|e| fault(what(), e)) };
            let answer = again(call).await?;
            let parameters = answer.parameters.unwrap_or_default().into_iter();
            let parameters = parameters.filter_map(|parameter| {
                let kind = parameter.r#type.map(|kind| kind.as_str().to_owned());
                let kind = kind.unwrap_or_default();
                Some(Listed { name: parameter.name?, kind, version: parameter.version })
            });
            page = parameters.collect::<Vec<_>>().into_iter();
            next = answer.next_token.map(Some);
        }
    })
}

fn read(parameter: aws_sdk_ssm::types::Parameter) -> Option<Parameter> {
    Some(Parameter {
        name: parameter.name?,
        value: Secret::new(parameter.value?),
        kind: parameter.r#type.map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        version: parameter.version,
    })
}

fn check(what: &str, name: &str) -> Result<()> {
    let refused = |why: String| Error::new(Kind::Invalid, what).because(why);
    parameter_name(name).map_err(refused)?;
    // Systems Manager asks for the first slash in words that do not name it.
    if name.contains('/') && !name.starts_with('/') && !name.starts_with("arn:") {
        return Err(refused(format!("{name:?} has levels and no slash in front"))
            .hint(format!("write /{name}")));
    }
    Ok(())
}

fn about(doing: &str, name: &str, client: &aws_sdk_ssm::Client) -> String {
    format!("{doing} parameter {name} in {}", region(client))
}

fn region(client: &aws_sdk_ssm::Client) -> &str {
    client.config().region().map_or("no region", AsRef::as_ref)
}
