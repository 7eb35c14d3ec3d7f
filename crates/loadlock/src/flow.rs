//! One upload from end to end.
//!
//! ```text
//! begin ──► (client sends to S3) ──► complete ──► inspect ──► promote ──► stored
//!   └─ sign: more part URLs             └─ end: reject / abort / expire ──► gone
//! ```

mod begin;
mod claim;
mod complete;
mod end;
mod files;
mod sign;

pub use self::{
    begin::{Begin, Begun, begin},
    claim::{Claim, claim},
    complete::{Progress, complete, look},
    end::abort,
    files::{
        DisplayUrls, FilePage, FileQuery, ShownFile, delete_file, display_urls, file, files, open,
    },
    sign::{HeldPart, Signed, sign},
};
pub use crate::bucket::grant::{DisplayUrl, Grant, SignedPart};
use crate::{
    app::App,
    auth::Caller,
    error::{Error, Kind},
    upload::{Profile, Upload, UploadId},
};

/// All profiles, for anyone to read.
pub fn profiles(app: &App) -> &[Profile] {
    &app.config.profiles
}

/// The profile of this name.
pub fn profile<'a>(app: &'a App, name: &str) -> Result<&'a Profile, Error> {
    app.config
        .profile(name)
        .ok_or_else(|| Kind::NotFound.because(format!("there is no profile `{name}`")))
}

/// An upload that this caller may see. Another's is as unknown as none.
async fn visible(app: &App, caller: &Caller, id: UploadId) -> Result<Upload, Error> {
    let upload = app.records.upload(id).await?;
    let may = |upload: &Upload| match caller {
        Caller::User { owner } => upload.owner == *owner,
        Caller::Server { .. } => true,
        Caller::Upload { id } => upload.id == *id,
    };
    upload
        .filter(may)
        .ok_or_else(|| Kind::NotFound.because(format!("there is no upload `{id}`")))
}
