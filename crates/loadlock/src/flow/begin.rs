//! Begin: apply the profile, record, sign.

use crate::{
    app::App,
    auth::{Caller, Secret},
    bucket::grant::Grant,
    error::{Error, Kind},
    upload::{Checksum, Metadata, Method, Upload},
};

/// What a client asks to send.
#[derive(Debug, Clone)]
pub struct Begin {
    /// A profile's name.
    pub profile: String,
    pub filename: String,
    /// A media type.
    pub content_type: String,
    pub size_bytes: u64,
    pub checksum: Option<Checksum>,
    pub metadata: Metadata,
    pub method: Option<Method>,
    /// Named by an application's server only.
    pub owner: Option<String>,
}

/// An upload that may now be sent.
#[derive(Debug, Clone)]
pub struct Begun {
    pub upload: Upload,
    pub token: Secret,
    pub grant: Grant,
}

/// Begins one upload: checks it against its profile, records it, and signs a grant.
pub async fn begin(app: &App, caller: &Caller, begin: Begin) -> Result<Begun, Error> {
    Err(Kind::Unavailable.into())
}
