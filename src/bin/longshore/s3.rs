//! `longshore s3`: objects and buckets by their verbs.

mod ask;
mod buckets;
mod list;
mod one;
mod options;
mod place;
mod remove;
mod transfer;
mod tree;

use longshore::error::Result;
use longshore::toolkit::s3::Bucket;

use crate::reach::connections;
use crate::tool::{Told, Tool};

/// Lists, copies, reads and deletes objects and buckets. An object is named `s3://BUCKET/KEY`, a
/// bucket `s3://BUCKET`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    #[command(alias = "list")]
    Ls(list::Args),
    #[command(alias = "copy")]
    Cp(transfer::Copy),
    #[command(alias = "move")]
    Mv(transfer::Move),
    Put(transfer::Put),
    Get(transfer::Get),
    #[command(alias = "delete")]
    Rm(remove::Args),
    Cat(ask::Cat),
    #[command(aliases = ["stat", "head-object"])]
    Head(ask::Object),
    Exists(ask::Exists),
    Presign(ask::Presign),
    Url(ask::Url),
    #[command(alias = "create-bucket")]
    Mb(buckets::Make),
    #[command(alias = "delete-bucket")]
    Rb(buckets::Remove),
}

pub(crate) async fn run(tool: Tool<Verb>) -> Result<u8> {
    let Tool { verb, reach, told } = tool;
    let client = connections().connect(&reach.aws()?).await?.s3;
    let s3 = S3 { client, told };
    match verb {
        Verb::Ls(args) => list::run(&args, &s3).await,
        Verb::Cp(args) => transfer::copy(args, &s3).await,
        Verb::Mv(args) => transfer::move_(args, &s3).await,
        Verb::Put(args) => transfer::put(args, &s3).await,
        Verb::Get(args) => transfer::get(args, &s3).await,
        Verb::Rm(args) => remove::run(&args, &s3).await,
        Verb::Cat(args) => ask::cat(&args, &s3).await,
        Verb::Head(args) => ask::head(&args, &s3).await,
        Verb::Exists(args) => ask::exists(&args, &s3).await,
        Verb::Presign(args) => ask::presign(&args, &s3).await,
        Verb::Url(args) => ask::url(&args, &s3).await,
        Verb::Mb(args) => buckets::make(&args, &s3).await,
        Verb::Rb(args) => buckets::remove(&args, &s3).await,
    }
}

/// The connection, and how answers are told.
struct S3 {
    client: aws_sdk_s3::Client,
    told: Told,
}

impl S3 {
    fn bucket(&self, name: &str) -> Bucket {
        Bucket::new(self.client.clone(), name)
    }
}
