//! Sign-in of local users.
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Sealed;

/// Who somebody says they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    #[schema(example = "anna", max_length = 255)]
    pub name: String,
    #[schema(value_type = String, max_length = 1024)]
    pub password: Sealed,
}

/// A token for what is theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// To be sent as `Authorization: Bearer …`.
    #[schema(value_type = String)]
    pub token: Sealed,
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// Whose uploads and files these are.
    #[schema(example = "anna")]
    pub owner: String,
}
