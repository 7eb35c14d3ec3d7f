//! What somebody uses, and may use.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What counts for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Whose; absent where an API key asked for nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "demo")]
    pub owner: Option<String>,
    /// The owner's, over all profiles; absent for an API key of some profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Measured>,
    pub profiles: Vec<ProfileUsage>,
}

/// A profile's part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileUsage {
    pub profile: String,
    /// The owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Measured>,
    /// That of all owners, for an API key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all: Option<Measured>,
}

/// What is used, beside its limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Measured {
    pub used: Used,
    pub limits: QuotaLimits,
}

/// What is stored, under way and begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Used {
    pub stored_bytes: u64,
    pub stored_files: u64,
    /// Of what has begun and is neither stored nor ended; of a form whose file is not known, the most that it may bring.
    pub open_bytes: u64,
    pub open_files: u64,
    /// From 00:00 UTC on.
    pub uploads_today: u64,
}

/// The most there may be; what is absent is not limited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuotaLimits {
    /// Of what is stored and what is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_files: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploads_per_day: Option<u64>,
}
