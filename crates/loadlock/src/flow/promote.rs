//! Promote: the server-side copy, staging to final, of the very bytes that were inspected.

use futures_util::{StreamExt as _, stream};

use crate::{
    app::App,
    bucket::{Final, Promoted},
    error::Error,
    flow::{self, revoke, work::is_promotable},
    records::{Change, FileChange, Outcome},
    upload::{
        File, Inspected, Metadata, Profile, Read, Refused, Rejection, State, Upload,
        inspection::Confirmed,
        name::{self, content_disposition},
    },
};

/// How many files of one claim are copied at a time.
const AT_ONCE: usize = 4;

/// Promotes a leased upload, together with all others of its claim: they become visible in one transaction.
pub(super) async fn promote(app: &App, leased: &Upload) -> Result<(), Error> {
    let members = members(app, leased).await?;
    if let Some(steps) = revoked(app, &members).await? {
        return take(app, steps).await.map(drop);
    }
    let form = match leased.claim {
        Some(claim) => app.records.claim_metadata(claim).await?.unwrap_or_default(),
        None => Metadata::new(),
    };
    let uploads: Vec<&Upload> = members.iter().filter(|one| is_promotable(one)).collect();
    let mut copies = Vec::with_capacity(uploads.len());
    for upload in &uploads {
        copies.push(copy(app, upload, &form));
    }
    // Each is heard out, also after one has failed: a copy that is given up half-way may still be made, later.
    let results: Vec<_> = stream::iter(copies).buffered(AT_ONCE).collect().await;
    let files = results.into_iter().collect::<Result<Vec<_>, _>>()?;
    let whole = files.iter().all(Option::is_some);
    let mut steps = Vec::with_capacity(members.len());
    for (upload, file) in uploads.into_iter().zip(files) {
        steps.push(match file {
            Some(file) if whole => {
                let stored = upload.clone().store(file.key.clone());
                (upload, stored, FileChange::Insert(Box::new(file)))
            }
            Some(_) => given_back(upload),
            None => (upload, upload.clone().lose(), FileChange::Keep),
        });
    }
    if !whole {
        steps.extend(members.iter().filter(|one| is_shown(one)).map(given_back));
    }
    if take(app, steps).await? == Outcome::Done {
        tracing::info!(id = %leased.id, stored = whole, "promote");
    } else if let Some(steps) = revoked(app, &members).await? {
        // Revoked while it was copied.
        let _ = take(app, steps).await?;
    }
    Ok(())
}

/// If some that were to be promoted hang on something revoked: these are rejected, and the others wait for another claim.
async fn revoked<'a>(app: &App, members: &'a [Upload]) -> Result<Option<Vec<Step<'a>>>, Error> {
    let mut steps = Vec::with_capacity(members.len());
    let mut found = false;
    for upload in members {
        if is_promotable(upload) && revoke::is_revoked(app, upload).await? {
            let rejected = upload.clone().reject(Rejection::Revoked);
            steps.push((upload, rejected, FileChange::Keep));
            found = true;
        } else if is_promotable(upload) || is_shown(upload) {
            steps.push(given_back(upload));
        }
    }
    Ok(found.then_some(steps))
}

/// Ends a leased upload whose work has failed for too long; of a claim, all that it would have promoted.
pub(super) async fn give_up(app: &App, leased: &Upload) -> Result<(), Error> {
    if !is_promotable(leased) {
        let steps = vec![(leased, leased.clone().give_up(), FileChange::Keep)];
        return take(app, steps).await.map(drop);
    }
    let members = members(app, leased).await?;
    let mut steps = Vec::with_capacity(members.len());
    for upload in &members {
        if is_promotable(upload) {
            steps.push((upload, upload.clone().give_up(), FileChange::Keep));
        } else if is_shown(upload) {
            steps.push(given_back(upload));
        }
    }
    take(app, steps).await.map(drop)
}

/// All that the claim took, or the one upload, if it needs none.
async fn members(app: &App, leased: &Upload) -> Result<Vec<Upload>, Error> {
    match leased.claim {
        Some(claim) => app.records.claimed(claim).await,
        None => Ok(vec![leased.clone()]),
    }
}

fn is_shown(upload: &Upload) -> bool {
    matches!(
        upload.state,
        State::Stored {
            deleted_at: None,
            ..
        }
    )
}

type Step<'a> = (&'a Upload, Result<Upload, Refused>, FileChange);

/// All or none: what can still be had waits for another claim, and a file stored before is as it was.
///
/// A copy that was made stays: the next promotion makes it again, under the same key, and any end clears it away. Deleted
/// here, it could be the one that a faster worker has just recorded.
fn given_back(upload: &Upload) -> Step<'_> {
    let file = if is_shown(upload) {
        FileChange::SetMetadata(upload.metadata.clone())
    } else {
        FileChange::Keep
    };
    (upload, upload.clone().release(), file)
}

/// Takes all steps in one transaction.
async fn take(app: &App, steps: Vec<Step<'_>>) -> Result<Outcome, Error> {
    let now = app.clock.now();
    let mut taken = Vec::with_capacity(steps.len());
    for (from, to, file) in steps {
        let to = to.map_err(|why| flow::refused(from, why))?;
        taken.push((from, to, file));
    }
    let changes: Vec<Change<'_>> = taken
        .iter_mut()
        .map(|(from, to, file)| Change {
            from,
            to,
            due: Some(to.next_due(now)),
            file: std::mem::replace(file, FileChange::Keep),
            by: None,
        })
        .collect();
    app.records.change(&changes, now).await
}

/// Copies one file, which may have been done before; `None` if what was inspected is gone.
async fn copy(app: &App, upload: &Upload, form: &Metadata) -> Result<Option<File>, Error> {
    let State::Ready { inspected, .. } = &upload.state else {
        return Ok(None);
    };
    let profile = flow::profile(app, &upload.profile)?;
    let file = file(app, upload, inspected, form);
    let to = object_of(&file, profile);
    match app.bucket.promote(inspected, &to).await? {
        Promoted::Done => {
            app.bucket.check_encryption(&to).await?;
            Ok(Some(file))
        }
        Promoted::Gone => Ok(None),
    }
}

/// How a file of this profile lies in the final bucket.
pub(crate) fn object_of(file: &File, profile: &Profile) -> Final {
    let storage = &profile.storage;
    let disposition = storage.disposition_of(&file.content_type);
    let usual = match profile.read {
        Read::Public => "public, max-age=31536000, immutable",
        Read::Signed | Read::Owner => "private, max-age=31536000, immutable",
    };
    Final {
        key: file.key.clone(),
        content_disposition: content_disposition(disposition, &file.filename),
        cache_control: storage.cache_control.as_deref().unwrap_or(usual).to_owned(),
        class: storage.class.clone(),
        encryption: storage.encryption.clone(),
        tags: storage.tags_of(file),
    }
}

fn file(app: &App, upload: &Upload, inspected: &Inspected, form: &Metadata) -> File {
    let mut metadata = upload.metadata.clone();
    metadata.extend(form.clone());
    File {
        id: upload.id,
        profile: upload.profile.clone(),
        owner: upload.owner.clone(),
        filename: match upload.filename.as_str() {
            "" => name::unnamed(&inspected.content_type),
            given => given.to_owned(),
        },
        content_type: inspected.content_type.clone(),
        size_bytes: inspected.size_bytes,
        checksum: match inspected.confirmed {
            Confirmed::Yes => upload.checksum.clone(),
            Confirmed::No => None,
        },
        dimensions: inspected.dimensions,
        metadata,
        created_at: app.clock.now(),
        key: inspected.key.clone(),
    }
}
