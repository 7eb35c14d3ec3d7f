//! Sign: what the store already holds of a multipart upload, and fresh URLs for more parts.

use jiff::Timestamp;

use crate::{
    app::App,
    auth::Caller,
    bucket::grant::SignedPart,
    error::{Error, Kind},
    upload::{PartNumber, UploadId},
};

/// Fresh URLs, and what is there already.
#[derive(Debug, Clone)]
pub struct Signed {
    pub part_size_bytes: u64,
    pub held: Vec<HeldPart>,
    pub parts: Vec<SignedPart>,
    pub expires_at: Timestamp,
}

/// A part the store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldPart {
    pub number: PartNumber,
    pub size_bytes: u64,
}

/// Signs the parts asked for (numbers as the client gave them) and lists those the store holds.
pub async fn sign(
    app: &App,
    caller: &Caller,
    id: UploadId,
    numbers: &[u64],
) -> Result<Signed, Error> {
    Err(Kind::Unavailable.into())
}
