//! Addresses of objects: signed ones that work for a while without credentials, and public ones.

use std::time::Duration;

use aws_sdk_s3::config::{Config, Credentials};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::Bucket;
use crate::aws::fault::fault;
use crate::error::{Error, Kind, Result};
use crate::units;

/// How long a signed address works unless somebody says otherwise: a day.
pub const PRESIGN_FOR: Duration = Duration::from_hours(24);
/// S3 takes no signature for longer (Signature Version 4): seven days.
pub const LONGEST_PRESIGN: Duration = Duration::from_hours(7 * 24);

impl Bucket {
    /// An address that reads this object for so long, for whoever has it. Nothing is sent; whether
    /// the object is there and may be read shows when the address is used. Signed with credentials
    /// that end sooner, it ends with them.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for no time at all and for more than [`LONGEST_PRESIGN`];
    /// [`Kind::Credentials`] without any.
    pub async fn presign_get(&self, key: &str, valid: Duration) -> Result<String> {
        let config = self.signing(key, valid)?;
        let call = self.client.get_object().bucket(&self.name).key(key);
        let signed = call.presigned(config).await.map_err(|error| self.unsigned(key, error))?;
        Ok(signed.uri().to_owned())
    }

    /// An address to which this object can be sent by PUT for so long. As
    /// [`presign_get`](Self::presign_get).
    ///
    /// # Errors
    /// As [`presign_get`](Self::presign_get).
    pub async fn presign_put(&self, key: &str, valid: Duration) -> Result<String> {
        let config = self.signing(key, valid)?;
        let call = self.client.put_object().bucket(&self.name).key(key);
        let signed = call.presigned(config).await.map_err(|error| self.unsigned(key, error))?;
        Ok(signed.uri().to_owned())
    }

    /// The object's own address, for those who may read it without a signature:
    /// `https://BUCKET.s3.REGION.amazonaws.com/KEY`, percent-encoded, or as this connection's
    /// endpoint wants it. Nothing is sent, and no credentials are needed.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for an empty key or a name that no bucket can have.
    pub async fn url(&self, key: &str) -> Result<String> {
        let config = self.signing(key, PRESIGN_FOR)?;
        // The address is that of a signed request, less the signature.
        let nobody = Credentials::new("nobody", "nobody", None, None, "an address only");
        let call = self.client.get_object().bucket(&self.name).key(key).customize();
        let call = call.config_override(Config::builder().credentials_provider(nobody));
        let signed = call.presigned(config).await.map_err(|error| self.unsigned(key, error))?;
        Ok(signed.uri().split('?').next().unwrap_or_default().to_owned())
    }

    fn signing(&self, key: &str, valid: Duration) -> Result<PresigningConfig> {
        let refused = |why: String| {
            Error::new(Kind::Invalid, format!("an address of {}", self.path(key))).because(why)
        };
        if valid < Duration::from_secs(1) || valid > LONGEST_PRESIGN {
            let asked = units::show(valid);
            return Err(refused(format!("a signature lives 1 s to 7 days, and not {asked}")));
        }
        PresigningConfig::expires_in(valid).map_err(|error| refused(error.to_string()))
    }

    fn unsigned<E>(&self, key: &str, error: SdkError<E, Response>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        fault(format!("an address of {}", self.path(key)), error)
    }
}
