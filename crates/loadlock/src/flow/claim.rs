//! Claim: an application's server takes uploads together with its form.

use crate::{
    app::App,
    auth::Caller,
    error::{Error, Kind},
    flow::ShownFile,
    upload::{Metadata, UploadId},
};

/// What is claimed, for whom, with which form data.
#[derive(Debug, Clone)]
pub struct Claim {
    pub ids: Vec<UploadId>,
    pub owner: String,
    pub metadata: Metadata,
}

/// Takes all of the uploads or none, and answers with their files in the order asked for.
pub async fn claim(app: &App, caller: &Caller, claim: Claim) -> Result<Vec<ShownFile>, Error> {
    Err(Kind::Unavailable.into())
}
