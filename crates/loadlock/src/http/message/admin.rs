//! The audit log and revocations, as they travel.
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that was done, or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    #[schema(format = DateTime)]
    pub at: String,
    #[schema(example = "promote")]
    pub act: String,
    /// `ok`, or the code of the error or of the rejection.
    #[schema(example = "ok")]
    pub outcome: String,
    /// `user NAME`, `key NAME`, `upload token`, `anonymous`, `service` or `operator`.
    #[schema(example = "key shop")]
    pub actor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The upload's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    /// In bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// In the final bucket; in the staging bucket as far as the upload's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// From where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// One page of the audit log, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// Leads to the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Whose permissions are to be taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// `owner`, `api_key`, `upload` or `profile`.
    #[schema(example = "owner")]
    pub kind: String,
    /// The owner's name, the upload's id …
    #[schema(example = "u17")]
    pub subject: String,
    /// For those who read it later; 255 characters at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// That somebody's permissions are taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revocation {
    #[schema(example = "owner")]
    pub kind: String,
    #[schema(example = "u17")]
    pub subject: String,
    #[schema(format = DateTime)]
    pub at: String,
    /// Who did it, as the audit log names them.
    #[schema(example = "key shop")]
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many uploads it stops that have not reached an end; said when it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_uploads: Option<u64>,
}

/// One page of revocations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revocations {
    pub revocations: Vec<Revocation>,
    /// Leads to the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
