//! Against an S3 that answers by script.

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::*;
use crate::handlers::samples;
use crate::template::Template;

const CHECKSUM: &str = "x-amz-checksum-crc64nvme";

/// Takes every object, and answers with this for its checksum.
#[derive(Debug, Clone)]
struct S3(Option<&'static str>);

impl HttpConnector for S3 {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let mut answer = HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::empty());
        if let Some(checksum) = self.0 {
            answer.headers_mut().insert(CHECKSUM, checksum);
        }
        HttpConnectorFuture::ready(Ok(answer))
    }
}

async fn put_into(s3: S3) -> Verdict {
    let connector = SharedHttpConnector::new(s3);
    let aws = Aws::through(http_client_fn(move |_, _| connector.clone()));
    let settings = config::S3 {
        bucket: "bodies".to_owned(),
        aws: config::Aws { sealed: true, ..config::Aws::default() },
        key: Template::read("{message_id}").unwrap(),
        content_type: None,
        storage_class: None,
        kms_key_id: None,
    };
    let (delivery, _keeper) = samples::delivery(samples::message("123456789"));
    build(&settings, "bodies", &aws).call(delivery).await
}

#[tokio::test]
async fn only_an_object_of_the_same_bytes_is_done() {
    // The CRC64NVME of "123456789" is ae8b14860a799888, by the catalogue of CRCs.
    assert_eq!(put_into(S3(Some("rosUhgp5mIg="))).await, Ok(Outcome::Done));
    let verdict = put_into(S3(Some("AAAAAAAAAAA="))).await;
    let Ok(Outcome::Retry { reason, .. }) = &verdict else { panic!("{verdict:?}") };
    assert!(reason.contains("other bytes"), "{reason}");
    // A store that knows no checksums names none.
    assert_eq!(put_into(S3(None)).await, Ok(Outcome::Done));
}
