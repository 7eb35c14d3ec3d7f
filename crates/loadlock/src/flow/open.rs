//! Open: a file's stable address, for whom its profile lets read. What is not stored yet is completed on the way.

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    complete::{PATIENCE, settle},
    files::{display, missing},
};
use crate::{
    app::App,
    auth::{Caller, Link, Who},
    bucket::grant::{DisplayUrl, Reading},
    error::{Error, Kind},
    flow,
    upload::{ObjectKey, Read, State, Upload, UploadId},
};

/// Who stands at a stable address, and with what. In an `<img src>` that is nobody.
#[derive(Debug, Clone, Copy)]
pub struct Visitor<'a> {
    pub caller: Option<&'a Caller>,
    /// The text of a link.
    pub link: Option<&'a str>,
    pub reading: Reading,
}

/// Where the bytes are, and who may be told so again.
#[derive(Debug, Clone)]
pub struct Opened {
    pub display: DisplayUrl,
    pub admitted: Admitted,
}

/// On what grounds somebody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// All are.
    Anybody,
    /// Their link opens the file, until then if it ends.
    Link { until: Option<Timestamp> },
    /// It is they themselves.
    Caller,
}

/// The stable address: a fresh display URL. An upload that is not stored yet is driven there first, as its completion would,
/// and waited for.
pub async fn open(app: &App, visitor: Visitor<'_>, id: UploadId) -> Result<Opened, Error> {
    let found = app.records.upload(id).await?;
    let upload = found.ok_or_else(|| missing(id))?;
    let admitted = admit(app, visitor, &upload)?;
    let profile = upload.profile.clone();
    let key = stored(app, visitor.caller, upload).await?;
    Ok(Opened {
        display: display(app, (&profile, &key), visitor.reading)?,
        admitted,
    })
}

/// Whoever may not know of a file is told that there is none.
fn admit(app: &App, visitor: Visitor<'_>, upload: &Upload) -> Result<Admitted, Error> {
    // A file outlives its profile; nobody says any more that others may read it.
    let profile = app.config.profile(&upload.profile);
    let read = profile.map_or(Read::Owner, |profile| profile.read);
    let link = visitor.link.filter(|_| read == Read::Signed);
    let secrets = &app.config.secrets;
    let link = link.map(|text| Link::read(text, upload.id, secrets, app.clock.now()));
    match (read, link, visitor.caller.map(|caller| &caller.who)) {
        (Read::Public, ..) => Ok(Admitted::Anybody),
        (_, Some(Link::Opens { until }), _) => Ok(Admitted::Link { until }),
        (_, _, Some(Who::Server { scope, .. })) if scope.covers(&upload.profile) => {
            Ok(Admitted::Caller)
        }
        (_, _, Some(Who::User { owner, .. })) if *owner == upload.owner => Ok(Admitted::Caller),
        (_, _, Some(Who::Upload { .. })) => Err(flow::files::no_files()),
        (_, Some(Link::Expired { at }), _) => {
            Err(Kind::Forbidden.because(format!("this link has expired at {at:.0}")))
        }
        (Read::Owner, _, None | Some(Who::Nobody)) => Err(Kind::Unauthenticated.into()),
        _ => Err(missing(upload.id)),
    }
}

/// The key of the stored object, once there is one; waits for it, as long as nobody's claim is needed.
async fn stored(app: &App, by: Option<&Caller>, upload: Upload) -> Result<ObjectKey, Error> {
    let id = upload.id;
    let upload = if upload.state.is_settled() {
        upload
    } else {
        // Anybody may ask, so that only so many are served at a time.
        let _place = app.waiting.try_acquire().map_err(|_| {
            Kind::Unavailable.because("too many wait for their uploads: try again soon")
        })?;
        settle(
            app,
            by.or(Some(&Who::Nobody.into())),
            id,
            Instant::now() + PATIENCE,
        )
        .await?
    };
    match upload.state {
        State::Stored {
            key,
            deleted_at: None,
        } => Ok(key),
        State::Ready {
            claim_by: Some(_), ..
        } => Err(Kind::NotReady.because(format!("upload `{id}` waits to be claimed"))),
        State::Issued => Err(Kind::NotReceived.into()),
        State::Received { .. } | State::Ready { .. } => {
            Err(Kind::NotReady.because(format!("upload `{id}` is not stored yet")))
        }
        State::Stored { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Aborted { .. } => Err(missing(id)),
    }
}
