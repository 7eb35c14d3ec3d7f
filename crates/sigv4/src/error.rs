//! What can be wrong with something to be signed.

/// Why a request or form was not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    #[error(
        "the endpoint must be http:// or https:// with a host, and without user, query or fragment"
    )]
    Endpoint,
    #[error("`{0}` is no bucket name")]
    Bucket(String),
    #[error("a bucket cannot be a subdomain of an IP address: use the path style")]
    VirtualHostOnAddress,
    #[error("an object key must not be empty")]
    EmptyKey,
    #[error("`{0}` is no HTTP method in capitals")]
    Method(String),
    #[error(
        "header `{0}` cannot be signed: its name or value is not that of a header, or it is set by the signer"
    )]
    Header(String),
    #[error("query parameter `{0}` is set by the signer")]
    Query(String),
    #[error("more than 64 headers or query parameters")]
    TooMany,
    #[error("a lifetime must be between 1 second and 7 days")]
    Lifetime,
    #[error("the time must lie between the years 1970 and 9999")]
    Time,
    #[error("form field `{0}` is set by the signer")]
    Field(String),
}
