//! Claim: an application's server takes uploads together with its form.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::json;

use crate::{
    app::App,
    auth::Caller,
    error::{Error, Kind},
    flow::{self, ShownFile, complete::settle, files::show},
    records::{Change, FileChange, NewClaim, Outcome},
    upload::{Metadata, Owner, Promote, State, Upload, UploadId},
};

/// How many uploads one claim may take.
const MOST: usize = 100;
/// How often a claim is tried again when uploads move under its hands.
const TRIES: usize = 5;
/// How long the copies are waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is claimed, for whom, with which form data.
#[derive(Debug, Clone)]
pub struct Claim {
    pub ids: Vec<UploadId>,
    pub owner: String,
    pub metadata: Metadata,
}

/// Takes all of the uploads or none, and answers with their files in the order asked for.
pub async fn claim(app: &App, caller: &Caller, claim: Claim) -> Result<Vec<ShownFile>, Error> {
    let Caller::Server { .. } = caller else {
        return Err(Kind::Forbidden.because("only an API key may claim"));
    };
    let owner: Owner = claim
        .owner
        .parse()
        .map_err(|error| Kind::InvalidRequest.because(format!("`owner`: {error}")))?;
    let ids: BTreeSet<UploadId> = claim.ids.iter().copied().collect();
    if ids.is_empty() || ids.len() > MOST {
        return Err(Kind::InvalidRequest.because(format!("`ids` takes 1 to {MOST} ids")));
    }
    take(app, &ids, &owner, &claim.metadata).await?;
    let files = promoted(app, &ids).await?;
    tracing::info!(files = files.len(), "claim");
    Ok(claim
        .ids
        .iter()
        .filter_map(|id| files.get(id).cloned())
        .collect())
}

/// Records the claim over all uploads that no claim has yet.
async fn take(
    app: &App,
    ids: &BTreeSet<UploadId>,
    owner: &Owner,
    form: &Metadata,
) -> Result<(), Error> {
    for _ in 0..TRIES {
        let uploads = present(app, ids, owner).await?;
        let mut free = Vec::new();
        for upload in uploads {
            match upload.claim {
                None => free.push(upload),
                Some(earlier) => check_same(app, &upload, earlier, form).await?,
            }
        }
        if free.is_empty() || record(app, &free, owner, form).await? == Outcome::Done {
            return Ok(());
        }
    }
    Err(Kind::Unavailable.because("the uploads are changing: try again"))
}

/// The owner's uploads, driven as far as they go by themselves: a claim may come before the completion.
async fn present(app: &App, ids: &BTreeSet<UploadId>, owner: &Owner) -> Result<Vec<Upload>, Error> {
    let mut uploads = Vec::with_capacity(ids.len());
    for id in ids {
        let upload = app.records.upload(*id).await?;
        let upload = upload.filter(|upload| upload.owner == *owner);
        uploads.push(upload.ok_or_else(|| flow::unknown(*id))?);
    }
    for upload in &mut uploads {
        if upload.claim.is_none() && !upload.state.is_settled() {
            *upload = match settle(app, upload.id, PATIENCE).await {
                Err(error) if error.kind() == Kind::NotReceived => continue,
                settled => settled?,
            };
        }
    }
    let waiting = |upload: &Upload| match &upload.state {
        State::Ready { claim_by, .. } => claim_by.is_some() || upload.claim.is_some(),
        State::Stored { deleted_at, .. } => deleted_at.is_none(),
        _ => false,
    };
    if uploads.iter().all(waiting) {
        return Ok(uploads);
    }
    Err(not_ready(&uploads))
}

fn not_ready(uploads: &[Upload]) -> Error {
    let states: Vec<_> = uploads
        .iter()
        .map(|upload| json!({ "id": upload.id, "state": upload.state.name() }))
        .collect();
    Error::from(Kind::NotReady).with_details(json!({ "uploads": states }))
}

async fn check_same(
    app: &App,
    upload: &Upload,
    earlier: UploadId,
    form: &Metadata,
) -> Result<(), Error> {
    if app.records.claim_metadata(earlier).await?.as_ref() == Some(form) {
        return Ok(());
    }
    let id = upload.id;
    Err(Kind::AlreadyClaimed.because(format!("upload `{id}` is claimed with other metadata")))
}

async fn record(
    app: &App,
    free: &[Upload],
    owner: &Owner,
    form: &Metadata,
) -> Result<Outcome, Error> {
    let now = app.clock.now();
    let claim = NewClaim {
        id: app.ids.upload_id(now)?,
        owner: owner.to_string(),
        metadata: form.clone(),
    };
    let mut steps = Vec::with_capacity(free.len());
    for upload in free {
        let metadata = merged(app, upload, form)?;
        let next = upload.clone().claim(claim.id);
        steps.push((next.map_err(|why| flow::refused(upload, why))?, metadata));
    }
    // The first one to be promoted stands for all of the claim: it alone is due.
    let promoting = |upload: &Upload| matches!(upload.state, State::Ready { .. });
    let first = free
        .iter()
        .find(|upload| promoting(upload))
        .map(|upload| upload.id);
    let changes: Vec<Change<'_>> = free
        .iter()
        .zip(&steps)
        .map(|(from, (to, metadata))| Change {
            from,
            to,
            due: (!promoting(from) || first == Some(from.id)).then_some(now),
            file: match from.state {
                State::Stored { .. } => FileChange::SetMetadata(metadata.clone()),
                _ => FileChange::Keep,
            },
        })
        .collect();
    app.records.claim(&claim, &changes, now).await
}

/// An upload's form data with the claim's, held against the profile's rules.
fn merged(app: &App, upload: &Upload, form: &Metadata) -> Result<Metadata, Error> {
    let profile = flow::profile(app, &upload.profile)?;
    let mut metadata = upload.metadata.clone();
    metadata.extend(form.clone());
    profile.check_metadata(&metadata)?;
    if profile.promote == Promote::OnClaim {
        profile.check_required(&metadata)?;
    }
    Ok(metadata)
}

/// Waits for the copies.
async fn promoted(
    app: &App,
    ids: &BTreeSet<UploadId>,
) -> Result<BTreeMap<UploadId, ShownFile>, Error> {
    let mut files = BTreeMap::new();
    for id in ids {
        let upload = settle(app, *id, PATIENCE).await?;
        match app.records.file(*id).await? {
            Some(file) => files.insert(*id, show(app, file)?),
            None => return Err(not_ready(&[upload])),
        };
    }
    Ok(files)
}
