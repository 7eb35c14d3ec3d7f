//! The audit log for those who may read it, what is noted in it where no record changes, and its end.

use std::time::Duration;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::{
    app::App,
    auth::{Caller, Scope, Who},
    clock::from_millis,
    error::{Error, Kind},
    records::{Act, Entry, Filter, Place},
    upload::Upload,
};

const PAGE: u32 = 50;
const MOST: u32 = 500;
/// How many old entries are cleared away in one transaction.
const CLEARED: u32 = 500;

/// Which entries, as they are asked for; all of what is said holds.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    pub owner: Option<String>,
    pub act: Option<String>,
    /// A code, or `not_ok`.
    pub outcome: Option<String>,
    pub upload: Option<String>,
    pub profile: Option<String>,
    pub actor: Option<String>,
    /// A time of RFC 3339, or a day (UTC).
    pub since: Option<String>,
    pub until: Option<String>,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// 1 to 500; 50 if not said.
    pub limit: Option<u32>,
}

/// One page of entries.
#[derive(Debug, Clone)]
pub struct AuditPage {
    pub entries: Vec<Entry>,
    pub next_cursor: Option<String>,
}

impl AuditQuery {
    /// What is asked for, if it makes sense.
    pub fn filter(&self) -> Result<Filter, Error> {
        let act = |name: &String| {
            let known = || Act::ALL.iter().map(|act| act.name()).collect::<Vec<_>>();
            Act::named(name).ok_or_else(|| {
                let known = known().join(", ");
                Kind::InvalidRequest.because(format!("`act` is one of {known}"))
            })
        };
        let upload = self.upload.as_deref().map(str::parse).transpose();
        Ok(Filter {
            owner: self.owner.clone(),
            act: self.act.as_ref().map(act).transpose()?,
            outcome: self.outcome.clone(),
            upload: upload
                .map_err(|error| Kind::InvalidRequest.because(format!("`upload`: {error}")))?,
            profile: self.profile.clone(),
            actor: self.actor.clone(),
            since: time("since", self.since.as_deref())?,
            until: time("until", self.until.as_deref())?,
        })
    }
}

fn time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Error> {
    let Some(text) = text else { return Ok(None) };
    let day = |text: &str| text.parse::<Date>()?.to_zoned(TimeZone::UTC);
    let day = |text: &str| day(text).map(|day| day.timestamp());
    // A bare day first: it is no timestamp.
    let found = day(text).or_else(|_| text.parse::<Timestamp>());
    found.map(Some).map_err(|_| {
        Kind::InvalidRequest.because(format!(
            "`{name}` is a time such as 2026-11-22T05:30:00Z, or a day"
        ))
    })
}

/// Whoever may look over everybody's shoulder, and take permissions back: an application's server with all profiles.
pub(super) fn check_admin(caller: &Caller) -> Result<(), Error> {
    match &caller.who {
        Who::Server {
            scope: Scope::AllProfiles,
            ..
        } => Ok(()),
        Who::Nobody => Err(Kind::Unauthenticated.into()),
        _ => Err(Kind::Forbidden.because("only an API key for all profiles may do that")),
    }
}

/// A page of the log, the newest first.
pub async fn audit(app: &App, caller: &Caller, query: &AuditQuery) -> Result<AuditPage, Error> {
    check_admin(caller)?;
    let filter = query.filter()?;
    let before = query.cursor.as_deref().map(place).transpose()?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&limit) {
        return Err(Kind::InvalidRequest.because(format!("`limit` is 1 to {MOST}")));
    }
    let found = app.records.audit(&filter, before, limit).await?;
    let full = found.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let last = found.last().filter(|_| full);
    Ok(AuditPage {
        next_cursor: last.map(|(Place { at, id }, _)| format!("{at}.{id}")),
        entries: found.into_iter().map(|(_, entry)| entry).collect(),
    })
}

fn place(cursor: &str) -> Result<Place, Error> {
    let read = || {
        let (at, id) = cursor.split_once('.')?;
        Some(Place {
            at: at.parse().ok()?,
            id: id.parse().ok()?,
        })
    };
    read().ok_or_else(|| Kind::InvalidRequest.because("`cursor` is not one of ours"))
}

/// Notes what was done to an upload without changing its record.
pub(super) fn done(app: &App, caller: &Caller, act: Act, upload: &Upload) -> Entry {
    Entry::new(act, Some(caller), app.clock.now()).of(upload)
}

/// Notes that somebody was refused something; what is our own fault is none of it. Of a stranger there is nothing to tell.
pub(super) fn refused(app: &App, error: &Error, entry: Entry) {
    refused_files(app, error, entry, 1);
}

/// The same where several files were refused alike.
pub(super) fn refused_files(app: &App, error: &Error, entry: Entry, files: usize) {
    let stranger = error.kind() == Kind::Unauthenticated && entry.actor.is_anonymous();
    if error.kind().status() >= 500 || stranger {
        return;
    }
    let mut entry = entry.refused(error);
    if files > 1 {
        entry.detail = Some(format!("{files} files: {}", error.message()));
    }
    app.records.note(entry);
}

/// Clears away what is older than it is to be kept, some at a time: nobody waits long for the one writer.
pub(crate) async fn clear_audit(app: &App) -> Result<(), Error> {
    let Some(keep) = app.config.audit.keep else {
        return Ok(());
    };
    let oldest = before(app.clock.now(), keep);
    while app.records.clear_audit(oldest, CLEARED).await? == u64::from(CLEARED) {
        tokio::task::yield_now().await;
    }
    Ok(())
}

fn before(at: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    from_millis(at.as_millisecond().saturating_sub(by))
}
