//! Temporary credentials, and what was sent with them.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Method, Reason, Sealed, State};

/// For what credentials are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialsRequest {
    /// One that has `credentials` among its methods.
    #[schema(example = "image")]
    pub profile: String,
    /// Whose files these will be; for application servers only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Form data of every file that will be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Seconds they should live, 900 at least; the service may give less than asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 900, maximum = 43_200)]
    pub lifetime: Option<u64>,
}

/// Keys that may write below `prefix` of `bucket` until `expires_at`, and do nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Credentials {
    /// Of the session: for its completion.
    #[schema(example = "01KAN3V9Q5W2M8Z7T4R6Y1XHBE")]
    pub id: String,
    /// `credentials`.
    pub method: Method,
    pub access_key_id: String,
    #[schema(value_type = String)]
    pub secret_access_key: Sealed,
    #[schema(value_type = String)]
    pub session_token: Sealed,
    #[schema(format = DateTime)]
    pub expires_at: String,
    #[schema(format = "uri")]
    pub endpoint: String,
    pub region: String,
    /// Whether addresses name the bucket in their path.
    pub path_style: bool,
    pub bucket: String,
    /// With a slash at its end; every key must begin with it.
    pub prefix: String,
}

/// Which files have been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SentRequest {
    /// Whole keys, prefix and all; left out: whatever lies below the prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
}

/// The files found, each an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sent {
    pub uploads: Vec<SentUpload>,
    /// Files for which there is no room as yet; they are found again, until an hour after the keys have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<SentWaiting>,
}

/// A file that waits for room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SentWaiting {
    pub key: String,
    /// The quota that is in the way.
    pub reason: Reason,
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SentUpload {
    pub key: String,
    /// The upload's id, as of any other.
    #[schema(example = "01KAN3V9Q5W2M8Z7T4R6Y1XHBE")]
    pub id: String,
    pub state: State,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}
