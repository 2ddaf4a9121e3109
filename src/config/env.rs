//! The only reader of environment variables, and of the files that hold secrets.
//!
//! The AWS SDK reads its own variables (`AWS_REGION`, `AWS_ENDPOINT_URL`, credentials) by itself.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::aws::Secret;

/// Names the settings file when `--config` does not.
pub const CONFIG: &str = "LONGSHORE_CONFIG";
/// Says what is logged, over `[log] level`: `debug`, or `warn,longshore::queue=debug`.
pub const LOG: &str = "LONGSHORE_LOG";
/// The URL of a database for `longshore sql`, where its command line names none.
pub const SQL_URL: &str = "LONGSHORE_SQL_URL";
/// The password for `longshore sql`, over that of the URL.
pub const SQL_PASSWORD: &str = "LONGSHORE_SQL_PASSWORD";

/// Where systemd puts what `LoadCredential=` names.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// A secret is short; whoever names a larger file has named the wrong one.
const LARGEST_SECRET: u64 = 64 * 1024;

/// What the reading of settings takes from the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Environment {
    pub(super) credentials_directory: Option<PathBuf>,
    /// iniesta's variables, and those that stand over or beside them.
    pub(super) variables: BTreeMap<String, String>,
}

impl Environment {
    pub(super) fn read() -> Self {
        Self {
            credentials_directory: value(CREDENTIALS_DIRECTORY).map(PathBuf::from),
            variables: variables(),
        }
    }

    /// A variable, also one that is set to nothing.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// True where a variable whose name begins so is set to something.
    pub(super) fn has_any(&self, prefix: &str) -> bool {
        self.variables.iter().any(|(name, value)| name.starts_with(prefix) && !value.is_empty())
    }
}

fn variables() -> BTreeMap<String, String> {
    const OTHERS: [&str; 6] = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "MMT_ENV",
    ];
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with("INIESTA_") || OTHERS.contains(&name.as_str()))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect()
}

/// An environment variable; one that is set to nothing counts as absent.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn value(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// What a command inherits: `PATH`, `HOME`, `LANG`, `LC_*`, `TZ`, `TMPDIR`, and the variables that
/// its settings name.
pub fn inherited(named: &[String]) -> Vec<(OsString, OsString)> {
    let always = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];
    std::env::vars_os()
        .filter(|(name, _)| {
            name.to_str().is_some_and(|name| {
                always.contains(&name)
                    || name.starts_with("LC_")
                    || named.iter().any(|named| named == name)
            })
        })
        .collect()
}

/// The settings file: the one named on the command line, else `$LONGSHORE_CONFIG`, else
/// [`super::SYSTEM_FILE`].
pub fn settings_file(named: Option<&Path>) -> PathBuf {
    match (named, value(CONFIG)) {
        (Some(named), _) => named.to_owned(),
        (None, Some(file)) => PathBuf::from(file),
        (None, None) => PathBuf::from(super::SYSTEM_FILE),
    }
}

/// Where copies lie that can be made again: `$CACHE_DIRECTORY` (systemd's), else
/// `$XDG_CACHE_HOME/longshore`, else `~/.cache/longshore`; nothing without a home.
pub fn cache_directory() -> Option<PathBuf> {
    let absolute = |name| value(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("CACHE_DIRECTORY")
        .or_else(|| Some(absolute("XDG_CACHE_HOME")?.join("longshore")))
        .or_else(|| Some(absolute("HOME")?.join(".cache/longshore")))
}

/// The contents of a file that holds a secret and was named on the command line, without the newline
/// at its end. Blocks while it reads.
///
/// # Errors
/// Why it cannot be read.
pub fn secret_file(file: &Path) -> Result<Secret, String> {
    secret(file, &Environment::default())
}

/// The contents of a secret file, without the newline at its end.
///
/// A relative name is looked for among the systemd credentials first.
pub(super) fn secret(file: &Path, environment: &Environment) -> Result<Secret, String> {
    let among_credentials = environment
        .credentials_directory
        .as_deref()
        .filter(|_| file.is_relative())
        .map(|directory| directory.join(file))
        .filter(|path| path.exists());
    let path = among_credentials.as_deref().unwrap_or(file);
    let shown = path.display();
    let size = std::fs::metadata(path).map_err(|error| format!("{shown}: {error}"))?;
    if !size.is_file() || size.len() > LARGEST_SECRET {
        return Err(format!("{shown} is not a file that holds a secret"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let text = text.trim_end_matches(['\n', '\r']);
    if text.is_empty() {
        return Err(format!("{shown} is empty"));
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_secret_file_is_a_systemd_credential_first() {
        let credentials = tempfile::tempdir().unwrap();
        std::fs::write(credentials.path().join("key"), "from systemd\n").unwrap();
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(elsewhere.path(), "two\nlines\r\n").unwrap();
        let environment = Environment {
            credentials_directory: Some(credentials.path().to_owned()),
            ..Environment::default()
        };

        let read =
            |file: &Path| secret(file, &environment).map(|secret| secret.reveal().to_owned());
        assert_eq!(read(Path::new("key")), Ok("from systemd".to_owned()));
        assert_eq!(read(elsewhere.path()), Ok("two\nlines".to_owned()));
        let missing = read(Path::new("no-such-credential")).unwrap_err();
        assert!(missing.contains("no-such-credential: No such file"), "{missing}");
        assert!(read(credentials.path()).unwrap_err().contains("is not a file"));
    }

    #[test]
    fn a_command_inherits_what_is_named_and_nothing_else() {
        let inherits = |named: &[String]| -> Vec<OsString> {
            inherited(named).into_iter().map(|(name, _)| name).collect()
        };
        assert!(inherits(&[]).contains(&OsString::from("PATH")));
        assert!(!inherits(&[]).contains(&OsString::from("CARGO_MANIFEST_DIR")));
        let named = ["CARGO_MANIFEST_DIR".to_owned()];
        assert!(inherits(&named).contains(&OsString::from("CARGO_MANIFEST_DIR")));
    }
}
