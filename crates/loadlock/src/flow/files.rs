//! Files: records, display URLs, deletion.

use std::time::Duration;

use crate::{
    app::App,
    auth::{Caller, Scope, Who},
    bucket::grant::{DisplayUrl, Reading},
    error::{Error, Kind},
    flow::{self, end},
    records::{Change, FileChange, Outcome},
    upload::{File, ObjectKey, Owner, State, UploadId},
};

/// How long a display URL lives where no profile says it any more.
const DISPLAY: Duration = Duration::from_hours(1);
const PAGE: u32 = 50;
const MOST: u32 = 100;
/// How often a deletion is tried again when the upload moves under its hands.
const TRIES: usize = 5;

/// A file with a URL that shows it.
#[derive(Debug, Clone)]
pub struct ShownFile {
    pub file: File,
    pub display: DisplayUrl,
}

/// Which files: newest first.
#[derive(Debug, Clone, Default)]
pub struct FileQuery {
    /// A server may ask for any owner's or everyone's; a user sees their own.
    pub owner: Option<String>,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// 1 to 100; 50 if not said.
    pub limit: Option<u32>,
}

/// One page of files.
#[derive(Debug, Clone)]
pub struct FilePage {
    pub files: Vec<File>,
    pub next_cursor: Option<String>,
}

/// Display URLs for those files that exist and may be seen.
#[derive(Debug, Clone)]
pub struct DisplayUrls {
    pub urls: Vec<(UploadId, DisplayUrl)>,
    pub missing: Vec<UploadId>,
}

/// A page of files.
pub async fn files(app: &App, caller: &Caller, query: FileQuery) -> Result<FilePage, Error> {
    let owner = whose(caller, query.owner.as_deref())?;
    let scope = match &caller.who {
        Who::Server { scope, .. } => scope,
        _ => &Scope::AllProfiles,
    };
    let before = query.cursor.as_deref().map(str::parse).transpose();
    let before = before.map_err(|_| Kind::InvalidRequest.because("`cursor` is not one of ours"))?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&limit) {
        return Err(Kind::InvalidRequest.because(format!("`limit` is 1 to {MOST}")));
    }
    let files = app
        .records
        .files((owner.as_ref(), scope), before, limit)
        .await?;
    let full = files.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let last = files.last().filter(|_| full);
    Ok(FilePage {
        next_cursor: last.map(|file| file.id.to_string()),
        files,
    })
}

fn whose(caller: &Caller, named: Option<&str>) -> Result<Option<Owner>, Error> {
    let named = named.map(str::parse::<Owner>).transpose();
    let named = named.map_err(|error| Kind::InvalidRequest.because(format!("`owner`: {error}")))?;
    match &caller.who {
        Who::Server { .. } => Ok(named),
        Who::User { owner, .. } if named.as_ref().is_none_or(|named| named == owner) => {
            Ok(Some(owner.clone()))
        }
        Who::User { .. } => Err(Kind::Forbidden.because("another owner's files are not yours")),
        Who::Upload { .. } => Err(no_files()),
        Who::Nobody => Err(Kind::Unauthenticated.into()),
    }
}

pub(super) fn no_files() -> Error {
    Kind::Forbidden.because("an upload token is for its one upload only")
}

/// One file.
pub async fn file(app: &App, caller: &Caller, id: UploadId) -> Result<ShownFile, Error> {
    let file = found(app, caller, id).await?;
    show(app, file.ok_or_else(|| missing(id))?)
}

/// A file that this caller may see; another's is as unknown as none.
pub(super) async fn found(app: &App, caller: &Caller, id: UploadId) -> Result<Option<File>, Error> {
    let file = app.records.file(id).await?;
    match &caller.who {
        Who::Server { scope, .. } => Ok(file.filter(|file| scope.covers(&file.profile))),
        Who::User { owner, .. } => Ok(file.filter(|file| file.owner == *owner)),
        Who::Upload { .. } => Err(no_files()),
        Who::Nobody => Err(Kind::Unauthenticated.into()),
    }
}

pub(super) fn missing(id: UploadId) -> Error {
    Kind::NotFound.because(format!("there is no file `{id}`"))
}

/// A file with a URL that shows it.
pub(super) fn show(app: &App, file: File) -> Result<ShownFile, Error> {
    Ok(ShownFile {
        display: display(app, (&file.profile, &file.key), Reading::Get)?,
        file,
    })
}

/// A URL that shows what lies at a key, for as long as the profile of that name says.
pub(super) fn display(
    app: &App,
    (profile, key): (&str, &ObjectKey),
    reading: Reading,
) -> Result<DisplayUrl, Error> {
    let profile = app.config.profile(profile);
    let lifetime = profile.map_or(DISPLAY, |profile| profile.lifetimes.display);
    let now = app.clock.now();
    app.bucket.display(key, reading, lifetime, now)
}

/// Deletes record and object; nothing is wrong if it is gone already.
pub async fn delete_file(app: &App, caller: &Caller, id: UploadId) -> Result<(), Error> {
    for _ in 0..TRIES {
        let upload = match flow::visible(app, caller, id).await {
            Err(error) if error.kind() == Kind::NotFound => return Err(missing(id)),
            upload => upload?,
        };
        if matches!(caller.who, Who::Upload { .. }) {
            return Err(no_files());
        }
        match upload.state {
            State::Stored {
                deleted_at: None, ..
            } => {}
            State::Stored { .. } => return Ok(()),
            // What is not stored yet could still be: the upload is to be aborted.
            _ => return Err(missing(id)),
        }
        let now = app.clock.now();
        let deleted = upload.clone().delete(now);
        let deleted = deleted.map_err(|why| flow::refused(&upload, why))?;
        let change = Change {
            from: &upload,
            to: &deleted,
            due: Some(now),
            file: FileChange::Delete,
            by: Some(caller),
        };
        if app.records.change(&[change], now).await? == Outcome::Done {
            tracing::info!(%id, "delete");
            end::clear(app, &deleted).await;
            return Ok(());
        }
    }
    Err(Kind::Unavailable.because(format!("file `{id}` is changing: try again")))
}

/// Display URLs for files.
pub async fn display_urls(
    app: &App,
    caller: &Caller,
    ids: &[UploadId],
) -> Result<DisplayUrls, Error> {
    let mut urls = Vec::with_capacity(ids.len());
    let mut missing = Vec::new();
    for id in ids {
        match found(app, caller, *id).await? {
            Some(file) => urls.push((*id, show(app, file)?.display)),
            None => missing.push(*id),
        }
    }
    Ok(DisplayUrls { urls, missing })
}
