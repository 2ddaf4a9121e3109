//! From the `[aws]` settings to the SDK's configuration.

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::meta::region::RegionProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::config;
use crate::error::{Error, Kind, Result};

/// What any call that sets no timeout of its own may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The region of a sealed connection whose settings name none.
const SEALED_REGION: &str = "us-east-1";

pub(super) async fn sdk_config(
    settings: &config::Aws,
    http: Option<SharedHttpClient>,
) -> Result<SdkConfig> {
    if settings.sealed {
        return Ok(sealed(settings, http));
    }
    let mut loader = loader(http);
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(credentials) = &settings.credentials {
        loader = loader.credentials_provider(as_sdk(credentials));
    }
    let sdk = loader.region(region_chain(settings)).load().await;
    if sdk.region().is_none() {
        return Err(Error::new(Kind::Credentials, "no AWS region is configured")
            .hint("set region in the settings, AWS_REGION, or a region in the AWS profile"));
    }
    match &settings.role_arn {
        Some(role) => Ok(assume(role, sdk).await),
        None => Ok(sdk),
    }
}

/// Asks nothing but the one endpoint: neither profile nor environment is read.
fn sealed(settings: &config::Aws, http: Option<SharedHttpClient>) -> SdkConfig {
    let region = settings.region.clone().unwrap_or_else(|| SEALED_REGION.to_owned());
    let credentials = settings.credentials.as_ref().map_or_else(
        || Credentials::new("longshore", "longshore", None, None, "longshore local"),
        as_sdk,
    );
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .identity_cache(IdentityCache::lazy().build())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    builder.set_endpoint_url(settings.endpoint_url.clone());
    builder.set_http_client(Some(http.unwrap_or_else(|| client(settings))));
    builder.build()
}

/// What requests go through, as the SDK itself would make it.
pub(super) fn client(settings: &config::Aws) -> SharedHttpClient {
    if settings.sealed {
        // The SDK's own would go through HTTP_PROXY, even to this host. This one knows neither
        // proxies nor TLS.
        return aws_smithy_http_client::Builder::new().build_http();
    }
    aws_smithy_http_client::Builder::new().build_with_connector_fn(|settings, components| {
        let provider = Provider::Rustls(CryptoMode::AwsLc);
        let mut builder = Connector::builder().tls_provider(provider);
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.set_proxy_config(Some(ProxyConfig::from_env()));
        builder.build()
    })
}

fn loader(http: Option<SharedHttpClient>) -> ConfigLoader {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts())
        // Our own bandwidth limits and silent long polls look like stalls to it.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    let loader = match AppName::new("longshore") {
        Ok(name) => loader.app_name(name),
        Err(_) => loader,
    };
    match http {
        Some(http) => loader.http_client(http),
        None => loader,
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .build()
}

fn region_chain(settings: &config::Aws) -> RegionProviderChain {
    let own = settings.region.clone().map(Region::new);
    let mut chain = aws_config::default_provider::region::DefaultRegionChain::builder();
    if let Some(profile) = &settings.profile {
        chain = chain.profile_name(profile);
    }
    RegionProviderChain::first_try(own)
        .or_else(chain.build())
        .or_else(settings.fallback_region.clone().map(Region::new))
}

async fn assume(role: &str, sdk: SdkConfig) -> SdkConfig {
    let provider =
        AssumeRoleProvider::builder(role).session_name("longshore").configure(&sdk).build().await;
    sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(provider)).build()
}

fn as_sdk(credentials: &config::Credentials) -> Credentials {
    Credentials::new(
        &credentials.access_key_id,
        credentials.secret_access_key.reveal(),
        credentials.session_token.as_ref().map(|token| token.reveal().to_owned()),
        None,
        "longshore settings",
    )
}
