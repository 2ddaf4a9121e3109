//! How objects are written and fetched.

use std::collections::BTreeMap;
use std::path::PathBuf;

use longshore::toolkit::s3::Put;
use longshore::toolkit::s3::cache::Cache;
use longshore::units;

use crate::say;

/// How objects are written.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Upload {
    /// Write a file also where the object has the same content already
    #[arg(long)]
    pub(super) force: bool,
    /// The storage class, such as `INTELLIGENT_TIERING`
    #[arg(long, value_name = "CLASS")]
    storage_class: Option<String>,
    /// Encrypt with this KMS key: its id, ARN or alias
    #[arg(long, value_name = "KEY")]
    sse_kms_key_id: Option<String>,
    /// The media type [default: by the end of the key]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// The object's own metadata; may be repeated, or written as a JSON object
    #[arg(long, value_name = "NAME=VALUE,…", value_parser = metadata)]
    metadata: Vec<BTreeMap<String, String>>,
    /// Who may do what with it, such as public-read; the bucket must have ACLs enabled
    #[arg(long, value_name = "ACL")]
    acl: Option<String>,
}

/// How objects are fetched.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Download {
    /// Keep what is fetched, and take it from there where it is the same
    #[arg(long)]
    cached: bool,
    /// Where it is kept [default: `$CACHE_DIRECTORY/s3`, else `$XDG_CACHE_HOME/longshore/s3`, else
    /// `~/.cache/longshore/s3`]
    #[arg(long, visible_alias = "cache-dir", value_name = "DIR", requires = "cached")]
    cache_directory: Option<PathBuf>,
    /// Keep so much at most, and never more than 5 % of the free disk [default: 1GB]
    #[arg(long, value_name = "SIZE", requires = "cached", value_parser = units::size)]
    cache_limit: Option<u64>,
}

impl Upload {
    /// Written also where the content is the same: what else is asked for would be left undone.
    pub(super) fn is_forced(&self) -> bool {
        let is_plain = self.metadata.is_empty()
            && self.storage_class.is_none()
            && self.sse_kms_key_id.is_none()
            && self.content_type.is_none()
            && self.acl.is_none();
        self.force || !is_plain
    }

    pub(super) fn put(&self) -> Put {
        let mut put = Put::new();
        put.metadata = self
            .metadata
            .iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        put.storage_class.clone_from(&self.storage_class);
        put.kms_key.clone_from(&self.sse_kms_key_id);
        put.content_type.clone_from(&self.content_type);
        put.acl.clone_from(&self.acl);
        put
    }
}

impl Download {
    /// The cache where one is wanted and can be used. Where it cannot, that is told, and the object
    /// comes without it.
    pub(super) fn cache(&self) -> Option<Cache> {
        if !self.cached {
            return None;
        }
        let cache = match &self.cache_directory {
            Some(directory) => Ok(Cache::at(directory)),
            None => Cache::of_this_user(),
        };
        match cache.and_then(|cache| cache.check().map(|()| cache)) {
            Ok(cache) => Some(match self.cache_limit {
                Some(bytes) => cache.most(bytes),
                None => cache,
            }),
            Err(error) => {
                let told = error.told();
                say::note(format_args!(
                    "{told}; nothing is kept: name a directory that this user may write to, with \
                     --cache-directory"
                ));
                None
            }
        }
    }
}

/// As the aws CLI takes it: `a=b,c=d`, or JSON where a value has a comma.
fn metadata(text: &str) -> Result<BTreeMap<String, String>, String> {
    if text.starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| format!("no JSON object of texts: {error}"));
    }
    text.split(',').map(crate::sqs::pair).collect()
}
