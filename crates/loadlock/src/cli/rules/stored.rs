//! A bucket's rules as the store has them: read, and written.
use aws_sdk_s3::{
    Client,
    config::http::{HttpRequest, HttpResponse},
    error::{BuildError, ProvideErrorMetadata, SdkError},
    types::{
        BucketLifecycleConfiguration, CorsConfiguration, CorsRule, LifecycleRule,
        PublicAccessBlockConfiguration, TransitionDefaultMinimumObjectSize,
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use md5::{Digest as _, Md5};

use crate::cli::{put::transfer::element, report::cause};

/// Why the store did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Refusal {
    /// There is no such bucket, or nothing of the kind at it.
    Absent,
    /// The store does not know such a thing.
    Lacking,
    /// It took what it was given, and does not have it.
    Forgotten,
    /// It may not be done with these credentials.
    Denied(String),
    Failed(String),
}

/// What stores answer that have never heard of a request.
const UNKNOWN: [&str; 5] = [
    "NotImplemented",
    "XNotImplemented",
    "MethodNotAllowed",
    "UnsupportedOperation",
    "NotSupported",
];

impl<E> From<SdkError<E, HttpResponse>> for Refusal
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    fn from(failure: SdkError<E, HttpResponse>) -> Self {
        let status = failure
            .raw_response()
            .map(|response| response.status().as_u16());
        let code = failure.code().unwrap_or_default();
        match (code, status) {
            // 200: an answer of another kind, where the parameter that makes the request what it is was passed over.
            (_, Some(200 | 405 | 501)) => Self::Lacking,
            (code, _) if UNKNOWN.contains(&code) => Self::Lacking,
            (_, Some(404)) => Self::Absent,
            (_, Some(403)) => Self::Denied(said(&failure)),
            _ => Self::Failed(said(&failure)),
        }
    }
}

impl From<BuildError> for Refusal {
    fn from(error: BuildError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// The store's own words, or what kept it from answering. Never the request.
fn said<E>(failure: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let status = failure
        .raw_response()
        .map(|response| response.status().as_u16());
    match (failure.code(), failure.message(), status) {
        (Some(code), Some(message), _) if !message.is_empty() => format!("{code}: {message}"),
        (Some(code), _, _) => code.to_owned(),
        (None, _, Some(status)) => format!("the store answered {status}"),
        (None, _, None) => format!("the store cannot be reached: {}", cause(failure)),
    }
}

/// Nothing there is an empty list.
fn or_none<T>(found: Result<Vec<T>, Refusal>) -> Result<Vec<T>, Refusal> {
    match found {
        Err(Refusal::Absent) => Ok(Vec::new()),
        found => found,
    }
}

/// Some stores want it where newer SDKs send another checksum.
fn content_md5(request: &mut HttpRequest) {
    if let Some(bytes) = request.body().bytes() {
        let md5 = BASE64_STANDARD.encode(Md5::digest(bytes));
        request.headers_mut().insert("content-md5", md5);
    }
}

pub(in crate::cli) async fn pages(client: &Client, bucket: &str) -> Result<Vec<CorsRule>, Refusal> {
    let found = client.get_bucket_cors().bucket(bucket).send().await;
    or_none(
        found
            .map(|found| found.cors_rules.unwrap_or_default())
            .map_err(Refusal::from),
    )
}

pub(in crate::cli) async fn put_pages(
    client: &Client,
    bucket: &str,
    rules: Vec<CorsRule>,
) -> Result<(), Refusal> {
    let all = CorsConfiguration::builder().set_cors_rules(Some(rules));
    let put = client.put_bucket_cors().bucket(bucket);
    let put = put.cors_configuration(all.build()?).customize();
    put.mutate_request(content_md5).send().await?;
    Ok(())
}

/// The rules, and from which size on they apply to transitions: a setting of all rules together.
pub(in crate::cli) type Expiry = (
    Vec<LifecycleRule>,
    Option<TransitionDefaultMinimumObjectSize>,
);

pub(in crate::cli) async fn expiry(client: &Client, bucket: &str) -> Result<Expiry, Refusal> {
    let get = client.get_bucket_lifecycle_configuration().bucket(bucket);
    match get.send().await.map_err(Refusal::from) {
        Ok(found) => Ok((
            found.rules.unwrap_or_default(),
            found.transition_default_minimum_object_size,
        )),
        Err(Refusal::Absent) => Ok((Vec::new(), None)),
        Err(refusal) => Err(refusal),
    }
}

pub(in crate::cli) async fn put_expiry(
    client: &Client,
    bucket: &str,
    (rules, least): Expiry,
) -> Result<(), Refusal> {
    let all = BucketLifecycleConfiguration::builder().set_rules(Some(rules));
    let put = client.put_bucket_lifecycle_configuration().bucket(bucket);
    let put = put
        .set_transition_default_minimum_object_size(least)
        .lifecycle_configuration(all.build()?)
        .customize();
    put.mutate_request(content_md5).send().await?;
    Ok(())
}

/// How a store understands a public access block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Dialect {
    S3,
    /// Takes `BlockPublicAcls` for a ban on writing of any kind.
    Ceph,
}

/// The settings, if there are some.
pub(in crate::cli) type Access = (Vec<PublicAccessBlockConfiguration>, Dialect);

pub(in crate::cli) async fn access(client: &Client, bucket: &str) -> Result<Access, Refusal> {
    let failure = match client.get_public_access_block().bucket(bucket).send().await {
        Ok(found) => {
            let found = found.public_access_block_configuration;
            return Ok((found.into_iter().collect(), Dialect::S3));
        }
        Err(failure) => failure,
    };
    let body = failure.raw_response().and_then(|raw| raw.body().bytes());
    match body.and_then(misnamed) {
        Some(settings) => Ok((vec![settings], Dialect::Ceph)),
        None => Ok((or_none(Err(failure.into()))?, Dialect::S3)),
    }
}

/// Ceph gives the right answer under a name of its own.
fn misnamed(body: &[u8]) -> Option<PublicAccessBlockConfiguration> {
    let text = str::from_utf8(body).ok()?;
    let setting = |name| element(text, name)?.parse::<bool>().ok();
    let settings = PublicAccessBlockConfiguration::builder()
        .block_public_acls(setting("BlockPublicAcls")?)
        .ignore_public_acls(setting("IgnorePublicAcls")?)
        .block_public_policy(setting("BlockPublicPolicy")?)
        .restrict_public_buckets(setting("RestrictPublicBuckets")?);
    Some(settings.build())
}

pub(in crate::cli) async fn put_access(
    client: &Client,
    bucket: &str,
    settings: PublicAccessBlockConfiguration,
) -> Result<(), Refusal> {
    let put = client.put_public_access_block().bucket(bucket);
    let put = put.public_access_block_configuration(settings).customize();
    put.mutate_request(content_md5).send().await?;
    Ok(())
}
