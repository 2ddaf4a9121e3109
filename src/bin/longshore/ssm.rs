//! `longshore ssm`: parameters by their verbs.

use std::io::Read;
use std::pin::pin;

use clap::builder::PossibleValuesParser;
use futures_util::TryStreamExt;
use longshore::config::Secret;
use longshore::error::{Error, Kind, Result};
use longshore::toolkit::ssm::{self, NewParameter, Parameter};
use serde_json::json;

use crate::consent;
use crate::reach::connections;
use crate::tool::Tool;

/// More is taken by no parameter.
const MOST_BYTES: u64 = 64 * 1024;

/// Reads, writes, lists and deletes parameters of Systems Manager. The names of the aws CLI
/// (get-parameter, …) will do as well.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Print a parameter's value, decrypted
    #[command(alias = "get-parameter")]
    Get {
        /// Its name or ARN; :VERSION may follow
        name: String,
    },
    /// Print the names and values of the parameters below a path, decrypted
    #[command(alias = "get-parameters-by-path")]
    Below {
        /// The path, such as /shop
        path: String,
        /// Those of every level below it, too
        #[arg(long)]
        recursive: bool,
    },
    /// Write a parameter
    #[command(alias = "put-parameter")]
    Put(Put),
    /// Delete a parameter with all its versions
    #[command(alias = "delete-parameter")]
    Delete {
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// List parameters without their values
    #[command(alias = "describe-parameters")]
    List {
        /// Only those whose names begin so
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Put {
    name: String,
    /// Its value, which others on this host see on the command line; without it, or as `-`,
    /// standard input without the newline at its end
    value: Option<String>,
    #[arg(long = "type", value_name = "TYPE", default_value = "SecureString",
          value_parser = PossibleValuesParser::new(["String", "StringList", "SecureString"]))]
    kind: String,
    /// Write a further version where it is there already
    #[arg(long)]
    overwrite: bool,
    /// The KMS key that encrypts it [default: the account's own]
    #[arg(long, value_name = "KEY")]
    key_id: Option<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
}

pub(crate) async fn run(tool: Tool<Verb>) -> Result<u8> {
    let Tool { verb, reach, told } = tool;
    let client = connections().connect(&reach.aws()?).await?.ssm;
    match verb {
        Verb::Get { name } => {
            let parameter = ssm::get(&client, &name).await?;
            told.of(parameter.value.reveal(), document(&parameter));
        }
        Verb::Below { path, recursive } => {
            let mut all = pin!(ssm::get_by_path(&client, &path, recursive));
            while let Some(one) = all.try_next().await? {
                told.of(format!("{}={}", one.name, one.value.reveal()), document(&one));
            }
        }
        Verb::Put(wanted) => {
            let new = wanted.parameter()?;
            let (version, name) = (ssm::put(&client, &new).await?, new.name);
            let words = format!("wrote {name}, version {version}");
            told.of(words, json!({ "parameter": name, "version": version }));
        }
        Verb::Delete { name, yes } => {
            consent::given(yes, &format!("delete parameter {name} with all its versions"))?;
            ssm::delete(&client, &name).await?;
            told.of(format!("deleted {name}"), json!({ "deleted": name }));
        }
        Verb::List { prefix } => {
            let mut all = pin!(ssm::list(&client, &prefix));
            while let Some(one) = all.try_next().await? {
                told.of(
                    format!("{}  {}  version {}", one.name, one.kind, one.version),
                    json!({ "parameter": one.name, "type": one.kind, "version": one.version }),
                );
            }
        }
    }
    Ok(0)
}

fn document(parameter: &Parameter) -> serde_json::Value {
    let Parameter { name, value, kind, version } = parameter;
    json!({ "parameter": name, "type": kind, "version": version, "value": value.reveal() })
}

impl Put {
    fn parameter(self) -> Result<NewParameter> {
        let Self { name, value, kind, overwrite, key_id, description } = self;
        let value = match value.filter(|value| value != "-") {
            Some(value) => value,
            None => standard_input()?,
        };
        Ok(NewParameter { name, value: Secret::new(value), kind, key_id, description, overwrite })
    }
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    let wrong = |why: String| Error::new(Kind::Usage, "reading the value").because(why);
    let read = std::io::stdin().lock().take(MOST_BYTES + 1).read_to_string(&mut text);
    let count = read.map_err(|error| wrong(error.to_string()))?;
    if u64::try_from(count).unwrap_or(u64::MAX) > MOST_BYTES {
        return Err(wrong("it is longer than any parameter may be".to_owned()));
    }
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
