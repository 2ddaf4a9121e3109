//! How the names in the settings are written in a policy.

use super::super::arn::Arn;
use super::super::plan::account;
use crate::aws::Connection;
use crate::config::QueueAddress;
use crate::error::Result;

/// The account and region in which names of queues are meant.
pub(super) struct Owner {
    account: String,
    pub(super) partition: String,
    region: String,
}

impl Owner {
    pub(super) async fn of(given: Option<&str>, connection: &Connection) -> Result<Self> {
        let region = connection.region().to_owned();
        let (account, partition) = match given {
            Some(account) => (account.to_owned(), partition_of(&region).to_owned()),
            None => account(connection).await?,
        };
        Ok(Self { account, partition, region })
    }

    pub(super) fn table(&self, name: &str) -> String {
        let Self { account, partition, region } = self;
        format!("arn:{partition}:dynamodb:{region}:{account}:table/{name}")
    }

    /// `NAME`, `NAME:ALIAS`, `ACCOUNT:function:NAME` or an ARN.
    pub(super) fn function(&self, function: &str) -> String {
        if function.starts_with("arn:") {
            return function.to_owned();
        }
        let Self { account, partition, region } = self;
        let (account, name) = match function.split_once(":function:") {
            Some((account, name)) => (account, name),
            None => (account.as_str(), function),
        };
        format!("arn:{partition}:lambda:{region}:{account}:function:{name}")
    }

    /// A version is none of a parameter's name.
    pub(super) fn parameter(&self, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        let Self { account, partition, region } = self;
        let name = name.split(':').next().unwrap_or(name).trim_start_matches('/');
        format!("arn:{partition}:ssm:{region}:{account}:parameter/{name}")
    }

    pub(super) fn queue(&self, address: &str) -> String {
        let mut arn = Arn {
            partition: self.partition.clone(),
            service: "sqs".to_owned(),
            region: self.region.clone(),
            account: self.account.clone(),
            resource: address.to_owned(),
        };
        match QueueAddress::read(address) {
            Ok(QueueAddress::Arn { .. }) => return address.to_owned(),
            Ok(QueueAddress::Url { url, region, name }) => {
                // https://HOST/ACCOUNT/NAME
                let account = url.rsplit('/').nth(1).filter(|part| is_account(part));
                arn.account = account.map_or(arn.account, str::to_owned);
                arn.region = region.unwrap_or(arn.region);
                arn.resource = name;
            }
            Ok(QueueAddress::Name(_)) | Err(_) => {}
        }
        arn.to_string()
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A bucket, or an access point in place of one.
pub(super) fn bucket_arn(region: &str, bucket: &str) -> String {
    if bucket.starts_with("arn:") {
        return bucket.to_owned();
    }
    format!("arn:{}:s3:::{bucket}", partition_of(region))
}

/// AWS keeps China and its government regions apart.
fn partition_of(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}
