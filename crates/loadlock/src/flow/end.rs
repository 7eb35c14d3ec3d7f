//! End: abort and expire, and clearing away what is left in the store.

use crate::{
    app::App,
    auth::Caller,
    error::{Error, Kind},
    upload::{Upload, UploadId},
};

/// Gives an upload up; one that has ended already stays as it ended.
pub async fn abort(app: &App, caller: &Caller, id: UploadId) -> Result<Upload, Error> {
    Err(Kind::Unavailable.into())
}
