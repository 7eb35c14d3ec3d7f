//! Promote: the server-side copy, staging to final, of the very bytes that were inspected.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    app::App,
    bucket::{Final, Promoted},
    clock::after,
    error::Error,
    flow::{self, work::is_promotable},
    records::{Change, FileChange, Outcome},
    upload::{
        File, Inspected, Metadata, Profile, Read, State, Upload,
        key::KeyFacts,
        name::{Disposition, content_disposition},
    },
};

/// How many files of one claim are copied at a time.
const AT_ONCE: usize = 4;

/// Promotes a leased upload, together with all others of its claim: they become visible in one transaction.
pub(super) async fn promote(app: &App, leased: &Upload) -> Result<(), Error> {
    let uploads = match leased.claim {
        Some(claim) => app.records.claimed(claim).await?,
        None => vec![leased.clone()],
    };
    let uploads: Vec<Upload> = uploads.into_iter().filter(is_promotable).collect();
    let form = match leased.claim {
        Some(claim) => app.records.claim_metadata(claim).await?.unwrap_or_default(),
        None => Metadata::new(),
    };
    let copies: Vec<_> = uploads
        .iter()
        .map(|upload| copy(app, upload, &form))
        .collect();
    let files: Vec<Option<File>> = stream::iter(copies).buffered(AT_ONCE).try_collect().await?;
    let now = app.clock.now();
    let whole = files.iter().all(Option::is_some);
    let mut steps = Vec::with_capacity(uploads.len());
    for (upload, file) in uploads.iter().zip(files) {
        let (next, change) = match file {
            Some(file) if whole => (
                upload.clone().store(file.key.clone()),
                FileChange::Insert(Box::new(file)),
            ),
            // All or none: what can still be had waits for another claim.
            Some(_) if upload.claim.is_some() => {
                let ready = flow::profile(app, &upload.profile)?.lifetimes.ready;
                (upload.clone().release(after(now, ready)), FileChange::Keep)
            }
            _ => (upload.clone().lose(), FileChange::Keep),
        };
        let next = next.map_err(|why| flow::refused(upload, why))?;
        steps.push((upload, next, change));
    }
    let changes: Vec<Change<'_>> = steps
        .iter_mut()
        .map(|(from, to, file)| Change {
            from,
            to,
            due: Some(to.next_due(now)),
            file: std::mem::replace(file, FileChange::Keep),
        })
        .collect();
    if app.records.change(&changes, now).await? == Outcome::Done {
        tracing::info!(id = %leased.id, files = changes.len(), stored = whole, "promote");
    }
    Ok(())
}

/// Copies one file, which may have been done before; `None` if what was inspected is gone.
async fn copy(app: &App, upload: &Upload, form: &Metadata) -> Result<Option<File>, Error> {
    let State::Ready { inspected, .. } = &upload.state else {
        return Ok(None);
    };
    let profile = flow::profile(app, &upload.profile)?;
    let file = file(app, upload, profile, inspected, form);
    let disposition = if inspected.content_type.is_safe_inline() {
        Disposition::Inline
    } else {
        Disposition::Attachment
    };
    let to = Final {
        key: file.key.clone(),
        content_disposition: content_disposition(disposition, &upload.filename),
        cache_control: match profile.read {
            Read::Public => "public, max-age=31536000, immutable",
            Read::Owner => "private, max-age=31536000, immutable",
        },
    };
    match app.bucket.promote(inspected, &to).await? {
        Promoted::Done => Ok(Some(file)),
        Promoted::Gone => Ok(None),
    }
}

fn file(
    app: &App,
    upload: &Upload,
    profile: &Profile,
    inspected: &Inspected,
    form: &Metadata,
) -> File {
    let facts = KeyFacts {
        profile: &profile.name,
        owner: &upload.owner,
        id: upload.id,
        extension: &inspected.extension,
        created_at: upload.created_at(),
    };
    let mut metadata = upload.metadata.clone();
    metadata.extend(form.clone());
    File {
        id: upload.id,
        profile: upload.profile.clone(),
        owner: upload.owner.clone(),
        filename: upload.filename.clone(),
        content_type: inspected.content_type.clone(),
        size_bytes: inspected.size_bytes,
        checksum: upload.checksum.clone(),
        dimensions: inspected.dimensions,
        metadata,
        created_at: app.clock.now(),
        key: profile.key.key(facts),
    }
}
