//! What services ask for on behalf of topics and buckets.

use super::arn::Arn;
use crate::toolkit::permission::Request;

/// SNS brings what is published to a topic (whose ARN is `source`) to a queue.
pub(super) fn delivery<'r>(topic: &'r Arn, source: &'r str, queue: &'r str) -> Request<'r> {
    Request {
        service: "sns.amazonaws.com",
        action: "sqs:SendMessage",
        resource: queue,
        source_arn: source,
        source_account: &topic.account,
    }
}

/// S3 tells a queue or a topic (whose ARN is `resource`) of a bucket's objects.
pub(super) fn notification<'r>(
    bucket: &'r str,
    account: &'r str,
    target: &Arn,
    resource: &'r str,
) -> Request<'r> {
    let action = if target.service == "sns" { "sns:Publish" } else { "sqs:SendMessage" };
    Request {
        service: "s3.amazonaws.com",
        action,
        resource,
        source_arn: bucket,
        source_account: account,
    }
}
