//! One upload from end to end.
//!
//! ```text
//! begin ──► (client sends to S3) ──► complete ──► inspect ──► promote ──► stored
//!   └─ sign: more part URLs             └─ end: reject / abort / expire ──► gone
//! ```

mod audit;
mod authorize;
mod begin;
mod claim;
mod complete;
mod credentials;
mod end;
mod files;
mod gate;
mod inspect;
mod links;
mod open;
mod promote;
mod return_to;
mod revoke;
mod sign;
mod sign_in;
mod upload_url;
mod usage;
mod work;

pub(crate) use self::{
    audit::clear_audit,
    credentials::{sweep, tend},
    promote::object_of,
    work::{LEASE, work},
};
pub use self::{
    audit::{AuditPage, AuditQuery, audit},
    begin::{Announced, Begin, BeginMany, Begun, Idempotency, Named, begin, begin_many},
    claim::{Claim, claim},
    complete::{Progress, complete, look},
    credentials::{Keys, Sent, Vend, complete_session, vend},
    end::abort,
    files::{DisplayUrls, FilePage, FileQuery, ShownFile, delete_file, display_urls, file, files},
    links::{FileLink, FileLinks, content_url, links},
    open::{Admitted, Opened, Visitor, open},
    return_to::return_to,
    revoke::{RevocationPage, Revoke, Revoked, restore, revocations, revoke},
    sign::{HeldPart, Signed, sign},
    sign_in::{SignIn, SignedIn, sign_in},
    upload_url::{UploadUrl, upload_url},
    usage::{Measured, ProfileUsage, UsageReport, usage},
};
pub use crate::bucket::grant::{DisplayUrl, Grant, Reading, SignedPart};
use crate::{
    app::App,
    auth::{Caller, Who},
    error::{Error, Kind},
    upload::{Profile, Refused, Upload, UploadId},
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
    let may = |upload: &Upload| match &caller.who {
        Who::User { owner, .. } => upload.owner == *owner,
        Who::Server { scope, .. } => scope.covers(&upload.profile),
        Who::Upload { id } => upload.id == *id,
        Who::Nobody => false,
    };
    let found = app.records.upload(id).await?;
    found.filter(may).ok_or_else(|| unknown(id))
}

async fn reload(app: &App, id: UploadId) -> Result<Upload, Error> {
    app.records.upload(id).await?.ok_or_else(|| unknown(id))
}

fn unknown(id: UploadId) -> Error {
    Kind::NotFound.because(format!("there is no upload `{id}`"))
}

/// Why an upload does not take a step, for its caller.
fn refused(upload: &Upload, why: Refused) -> Error {
    let (id, state) = (upload.id, upload.state.name());
    match why {
        Refused::Stored => Kind::AlreadyStored.because(format!("upload `{id}` is already stored")),
        Refused::Claimed => {
            Kind::AlreadyClaimed.because(format!("upload `{id}` is claimed and being stored"))
        }
        Refused::Ended => Kind::UploadEnded.because(format!("upload `{id}` is {state}")),
        Refused::Early => Kind::NotReady.because(format!("upload `{id}` is {state}")),
    }
}
