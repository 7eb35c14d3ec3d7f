//! Revoke: permissions are taken back, and given again. What hangs on them is refused from then on; what is stored stays.

use crate::{
    app::App,
    auth::Caller,
    error::{Error, Kind},
    flow::{
        self,
        audit::{self, check_admin},
        complete::step,
    },
    records::{Act, Entry, Outcome, Revocation, Subject},
    upload::{File, Rejection, State, Upload},
};

/// How many revocations one page has.
const PAGE: u32 = 100;
const MAX_REASON_CHARS: usize = 255;

/// Refuses what hangs on something revoked.
pub(super) async fn check(app: &App, subjects: &[Subject]) -> Result<(), Error> {
    match app.records.revoked(subjects).await? {
        None => Ok(()),
        Some(subject) => Err(Kind::Revoked.because(format!("the {subject} is revoked"))),
    }
}

/// Refuses an act on an upload that hangs on something revoked, unless the upload has come to an end, good or bad.
pub(super) async fn check_open(
    app: &App,
    caller: &Caller,
    act: Act,
    upload: &Upload,
) -> Result<(), Error> {
    match upload.state {
        State::Issued | State::Received { .. } | State::Ready { .. } => {}
        State::Stored { .. }
        | State::Rejected { .. }
        | State::Expired { .. }
        | State::Aborted { .. } => return Ok(()),
    }
    let checked = check(app, &Subject::of(upload)).await;
    checked.inspect_err(|error| audit::refused(app, error, audit::done(app, caller, act, upload)))
}

/// Whether an upload hangs on something revoked.
pub(super) async fn is_revoked(app: &App, upload: &Upload) -> Result<bool, Error> {
    let found = app.records.revoked(&Subject::of(upload)).await?;
    Ok(found.is_some())
}

/// Whether a file hangs on something revoked: it stays, and nothing new leads to it.
pub(super) async fn is_file_revoked(app: &App, file: &File) -> Result<bool, Error> {
    let subjects = [
        Subject::Owner(file.owner.clone()),
        Subject::Profile(file.profile.clone()),
        Subject::Upload(file.id),
    ];
    Ok(app.records.revoked(&subjects).await?.is_some())
}

/// Ends a leased upload that hangs on something revoked.
pub(super) async fn reject(app: &App, leased: &Upload) -> Result<(), Error> {
    let rejected = leased.clone().reject(Rejection::Revoked);
    let rejected = rejected.map_err(|why| flow::refused(leased, why))?;
    step(app, leased, rejected).await?;
    tracing::info!(id = %leased.id, "revoked");
    Ok(())
}

/// What is to be revoked, as it is asked for.
#[derive(Debug, Clone)]
pub struct Revoke {
    /// `owner`, `api_key`, `upload` or `profile`.
    pub kind: String,
    /// The owner's name, the upload's id …
    pub subject: String,
    pub reason: Option<String>,
}

/// A revocation, and what still hangs on it.
#[derive(Debug, Clone)]
pub struct Revoked {
    pub revocation: Revocation,
    /// How many uploads have not reached an end yet.
    pub open_uploads: u64,
}

/// One page of revocations.
#[derive(Debug, Clone)]
pub struct RevocationPage {
    pub revocations: Vec<Revocation>,
    pub next_cursor: Option<String>,
}

/// Takes a subject's permissions back. Done twice it stays as it was done first.
pub async fn revoke(app: &App, caller: &Caller, wanted: &Revoke) -> Result<Revoked, Error> {
    check_admin(caller)?;
    let subject = subject(&wanted.kind, &wanted.subject)?;
    if let Subject::Upload(id) = subject {
        flow::reload(app, id).await?;
    }
    let reason = wanted.reason.as_deref();
    if reason.is_some_and(|text| text.chars().count() > MAX_REASON_CHARS) {
        return Err(Kind::InvalidRequest.because(format!(
            "`reason` has at most {MAX_REASON_CHARS} characters"
        )));
    }
    let entry = Entry::new(Act::Revoke, Some(caller), app.clock.now());
    if app.records.revoke(&subject, reason, entry).await? == Outcome::Done {
        tracing::info!(kind = subject.kind(), subject = subject.name(), "revoke");
    }
    let revocation = app.records.revocation(&subject).await?;
    Ok(Revoked {
        revocation: revocation.ok_or_else(|| Kind::Unavailable.because("it was just restored"))?,
        open_uploads: app.records.open_uploads(&subject).await?,
    })
}

/// Gives a subject its permissions again; nothing is wrong if it has them.
pub async fn restore(app: &App, caller: &Caller, kind: &str, name: &str) -> Result<(), Error> {
    check_admin(caller)?;
    let subject = subject(kind, name)?;
    let entry = Entry::new(Act::Restore, Some(caller), app.clock.now());
    if app.records.restore(&subject, entry).await? == Outcome::Done {
        tracing::info!(kind = subject.kind(), subject = subject.name(), "restore");
    }
    Ok(())
}

/// A page of revocations, by kind and name.
pub async fn revocations(
    app: &App,
    caller: &Caller,
    cursor: Option<&str>,
) -> Result<RevocationPage, Error> {
    check_admin(caller)?;
    let after = cursor.map(|cursor| {
        let parts = cursor.split_once(':').unwrap_or_default();
        Subject::new(parts.0, parts.1)
            .map_err(|_| Kind::InvalidRequest.because("`cursor` is not one of ours"))
    });
    let after = after.transpose()?;
    let revocations = app.records.revocations(after.as_ref(), PAGE).await?;
    let full = revocations.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
    let last = revocations.last().filter(|_| full);
    let place = |last: &Revocation| format!("{}:{}", last.subject.kind(), last.subject.name());
    Ok(RevocationPage {
        next_cursor: last.map(place),
        revocations,
    })
}

fn subject(kind: &str, name: &str) -> Result<Subject, Error> {
    Subject::new(kind, name).map_err(|error| Kind::InvalidRequest.because(error.to_string()))
}
