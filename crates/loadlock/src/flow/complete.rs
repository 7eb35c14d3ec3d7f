//! Complete: the bytes are there; and the way from there on, as far as it goes without the client.

use std::time::Duration;

use crate::{
    app::App,
    auth::Caller,
    error::{Error, Kind},
    upload::{File, Upload, UploadId},
};

/// An upload as it stands, with its file once it is stored and not deleted.
#[derive(Debug, Clone)]
pub struct Progress {
    pub upload: Upload,
    pub file: Option<File>,
}

/// Completes an upload and says how far it has come. A rejected one is the error `rejected`.
pub async fn complete(app: &App, caller: &Caller, id: UploadId) -> Result<Progress, Error> {
    Err(Kind::Unavailable.into())
}

/// How an upload stands, at the latest after `wait`; at once when nothing more will happen without a claim.
pub async fn look(
    app: &App,
    caller: &Caller,
    id: UploadId,
    wait: Duration,
) -> Result<Progress, Error> {
    Err(Kind::Unavailable.into())
}
