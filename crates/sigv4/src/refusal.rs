//! Why a server does not accept a signature, and S3's code for it.

use std::time::SystemTime;

/// Where a signature was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The `Authorization` header.
    Header,
    /// The query of a presigned URL.
    Query,
    /// The fields of a POST form.
    Form,
}

/// Why a signature, or what it was to permit, is refused. The texts name what is wrong, never a secret or a signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    #[error("signature version 2 is not supported: use AWS4-HMAC-SHA256")]
    SignatureV2,
    #[error("the authorization mechanism is not supported: use AWS4-HMAC-SHA256")]
    UnknownScheme,
    #[error("only one way of authorization may be used: a header or the query")]
    TwoWays,
    #[error("the path or query is not correctly percent-encoded")]
    Uri,
    #[error("`{name}` is missing")]
    Missing { place: Place, name: &'static str },
    #[error("`{name}` is given more than once")]
    Duplicate { place: Place, name: String },
    #[error("`{name}` is malformed")]
    Malformed { place: Place, name: &'static str },
    #[error("the region `{given}` is wrong; expecting `{expected}`")]
    Region {
        place: Place,
        given: String,
        expected: String,
    },
    #[error("the service `{given}` is wrong; expecting `{expected}`")]
    Service {
        place: Place,
        given: String,
        expected: String,
    },
    #[error("the date of the credential scope is not that of the request")]
    ScopeDate { place: Place },
    #[error("X-Amz-Expires must be between 1 and 604800 seconds")]
    Lifetime,
    #[error("Request has expired")]
    Expired { at: SystemTime },
    #[error("Request is not yet valid")]
    NotYetValid { from: SystemTime },
    #[error("the difference between the request time and the server's time is too large")]
    Skewed { request_time: SystemTime },
    #[error("`host` must be among the signed headers")]
    HostNotSigned,
    #[error("there were headers present in the request which were not signed: `{0}`")]
    HeaderNotSigned(String),
    #[error("the signed header `{0}` is not in the request")]
    SignedHeaderAbsent(String),
    #[error(
        "`x-amz-content-sha256` must be UNSIGNED-PAYLOAD, STREAMING-… or a SHA-256 in hexadecimal"
    )]
    ContentSha256,
    #[error("the session token is missing, or not that of the access key")]
    SessionToken,
    #[error("the signature does not match the one calculated from the key and the signing method")]
    SignatureMismatch,
    #[error("invalid policy: {0}")]
    PolicyDocument(&'static str),
    #[error("invalid according to policy: policy expired")]
    PolicyExpired { at: SystemTime },
    #[error("Invalid according to Policy: Policy Condition failed: {0}")]
    PolicyCondition(String),
    #[error("Invalid according to Policy: Extra input fields: {0}")]
    ExtraField(String),
}

impl Refusal {
    /// S3's error code (S3 API reference, "Error responses", "List of error codes").
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { place, .. }
            | Self::Duplicate { place, .. }
            | Self::Malformed { place, .. }
            | Self::Region { place, .. }
            | Self::Service { place, .. }
            | Self::ScopeDate { place } => match place {
                Place::Header => "AuthorizationHeaderMalformed",
                Place::Query => "AuthorizationQueryParametersError",
                Place::Form => "InvalidArgument",
            },
            Self::SignatureV2 | Self::TwoWays => "InvalidRequest",
            Self::UnknownScheme | Self::ContentSha256 => "InvalidArgument",
            Self::Uri => "InvalidURI",
            Self::Lifetime => "AuthorizationQueryParametersError",
            Self::Skewed { .. } => "RequestTimeTooSkewed",
            Self::SessionToken => "InvalidToken",
            Self::SignatureMismatch | Self::SignedHeaderAbsent(_) => "SignatureDoesNotMatch",
            Self::PolicyDocument(_) => "InvalidPolicyDocument",
            Self::Expired { .. }
            | Self::NotYetValid { .. }
            | Self::HostNotSigned
            | Self::HeaderNotSigned(_)
            | Self::PolicyExpired { .. }
            | Self::PolicyCondition(_)
            | Self::ExtraField(_) => "AccessDenied",
        }
    }

    /// The HTTP status that S3 gives [`Refusal::code`].
    pub fn status(&self) -> u16 {
        match self.code() {
            "AccessDenied" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed" => 403,
            _ => 400,
        }
    }
}
