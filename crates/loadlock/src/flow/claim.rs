//! Claim: an application's server takes uploads together with its form.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    app::App,
    auth::{Caller, Who},
    error::{Error, Kind},
    flow::{self, ShownFile, complete::settle, files::show, revoke},
    records::{Act, Change, FileChange, NewClaim, Outcome},
    upload::{Metadata, Owner, Promote, State, Upload, UploadId, profile::check_entries},
};

/// How many uploads one claim may take.
const MOST: usize = 100;
/// How often a claim is tried again when uploads move under its hands.
const TRIES: usize = 5;
/// How long a claim takes at most, in all: less than HTTP clients usually wait for an answer.
const PATIENCE: Duration = Duration::from_secs(45);
/// How many uploads of one claim are driven at a time.
const AT_ONCE: usize = 8;

/// What is claimed, for whom, with which form data.
#[derive(Debug, Clone)]
pub struct Claim {
    pub ids: Vec<UploadId>,
    pub owner: String,
    pub metadata: Metadata,
}

/// Takes all of the uploads or none, and answers with their files in the order asked for.
pub async fn claim(app: &App, caller: &Caller, claim: Claim) -> Result<Vec<ShownFile>, Error> {
    let Who::Server { .. } = &caller.who else {
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
    let deadline = Instant::now() + PATIENCE;
    for id in &ids {
        flow::visible(app, caller, *id).await?;
    }
    let wanted = Wanted {
        caller,
        ids: &ids,
        owner: &owner,
        form: &claim.metadata,
        deadline,
    };
    take(app, &wanted).await?;
    let files = promoted(app, &wanted).await?;
    tracing::info!(files = files.len(), "claim");
    Ok(claim
        .ids
        .iter()
        .filter_map(|id| files.get(id).cloned())
        .collect())
}

/// A claim that makes sense, and by whom.
struct Wanted<'a> {
    caller: &'a Caller,
    ids: &'a BTreeSet<UploadId>,
    owner: &'a Owner,
    form: &'a Metadata,
    deadline: Instant,
}

/// Records the claim, unless it is recorded already.
async fn take(app: &App, wanted: &Wanted<'_>) -> Result<(), Error> {
    for _ in 0..TRIES {
        let uploads = present(app, wanted).await?;
        let taken = uploads
            .iter()
            .find_map(|upload| Some((upload.id, upload.claim?)));
        let outcome = match taken {
            None => record(app, &uploads, wanted).await?,
            Some((id, earlier)) => check_same(app, id, earlier, wanted).await?,
        };
        if outcome == Outcome::Done {
            return Ok(());
        }
    }
    Err(Kind::Unavailable.because("the uploads are changing: try again"))
}

/// The owner's uploads, driven as far as they go by themselves: a claim may come before the completion.
async fn present(app: &App, wanted: &Wanted<'_>) -> Result<Vec<Upload>, Error> {
    let mut uploads = Vec::with_capacity(wanted.ids.len());
    for id in wanted.ids {
        let upload = app.records.upload(*id).await?;
        let upload = upload.filter(|upload| upload.owner == *wanted.owner);
        let upload = upload.ok_or_else(|| flow::unknown(*id))?;
        // What a claim has taken is answered as it stands: this may be the same one again.
        if upload.claim.is_none() {
            revoke::check_open(app, wanted.caller, Act::Claim, &upload).await?;
        }
        uploads.push(upload);
    }
    check_counts(app, &uploads)?;
    let mut driven = Vec::with_capacity(uploads.len());
    for upload in uploads {
        driven.push(drive(app, wanted, upload));
    }
    let uploads: Vec<Upload> = stream::iter(driven).buffered(AT_ONCE).try_collect().await?;
    let waiting = |upload: &Upload| match &upload.state {
        State::Ready { claim_by, .. } => claim_by.is_some() || upload.claim.is_some(),
        State::Stored { deleted_at, .. } => deleted_at.is_none(),
        _ => false,
    };
    if uploads.iter().all(waiting) {
        return Ok(uploads);
    }
    Err(unfit(&uploads))
}

async fn drive(app: &App, wanted: &Wanted<'_>, upload: Upload) -> Result<Upload, Error> {
    if upload.claim.is_some() || upload.state.is_settled() {
        return Ok(upload);
    }
    match settle(app, Some(wanted.caller), upload.id, wanted.deadline).await {
        Err(error) if error.kind() == Kind::NotReceived => Ok(upload),
        settled => settled,
    }
}

/// Each profile says how many of its files one form may bring.
fn check_counts(app: &App, uploads: &[Upload]) -> Result<(), Error> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for upload in uploads {
        *counts.entry(&upload.profile).or_default() += 1;
    }
    for (name, count) in counts {
        if let Some(profile) = app.config.profile(name) {
            profile.check_count(count)?;
        }
    }
    Ok(())
}

/// Why not all can be claimed, with the state of each.
fn unfit(uploads: &[Upload]) -> Error {
    let states: Vec<_> = uploads
        .iter()
        .map(|upload| json!({ "id": upload.id, "state": upload.state.event() }))
        .collect();
    let over = uploads
        .iter()
        .find(|upload| upload.state.is_ended() || upload.state.event() == "deleted");
    let error = match over {
        Some(upload) => {
            let (id, state) = (upload.id, upload.state.event());
            Kind::UploadEnded.because(format!("upload `{id}` is {state}"))
        }
        None => Kind::NotReady.into(),
    };
    error.with_details(json!({ "uploads": states }))
}

/// `Done` if the earlier claim is this one; `Lost` if it no longer has the upload.
async fn check_same(
    app: &App,
    id: UploadId,
    earlier: UploadId,
    wanted: &Wanted<'_>,
) -> Result<Outcome, Error> {
    let members = app.records.claimed(earlier).await?;
    let members: BTreeSet<UploadId> = members.iter().map(|member| member.id).collect();
    if !members.contains(&id) {
        return Ok(Outcome::Lost);
    }
    let same_form = app.records.claim_metadata(earlier).await?.as_ref() == Some(wanted.form);
    if same_form && members == *wanted.ids {
        return Ok(Outcome::Done);
    }
    let other = if same_form { "uploads" } else { "metadata" };
    Err(Kind::AlreadyClaimed.because(format!("upload `{id}` is claimed with other {other}")))
}

async fn record(app: &App, free: &[Upload], wanted: &Wanted<'_>) -> Result<Outcome, Error> {
    let now = app.clock.now();
    let claim = NewClaim {
        id: app.ids.upload_id(now)?,
        owner: wanted.owner.to_string(),
        metadata: wanted.form.clone(),
    };
    let mut steps = Vec::with_capacity(free.len());
    for upload in free {
        let metadata = merged(app, upload, wanted.form)?;
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
            by: Some(wanted.caller),
        })
        .collect();
    app.records.claim(&claim, &changes, now).await
}

/// An upload's form data with the claim's, held against the profile's rules.
fn merged(app: &App, upload: &Upload, form: &Metadata) -> Result<Metadata, Error> {
    let profile = flow::profile(app, &upload.profile)?;
    let mut metadata = upload.metadata.clone();
    metadata.extend(form.clone());
    if let Some(name) = (upload.narrowed.fields.iter())
        .find(|name| metadata.get(*name) != upload.metadata.get(*name))
    {
        return Err(Kind::MetadataRefused.because(format!(
            "`metadata.{name}` is the authorizer's word, which no claim changes"
        )));
    }
    // What came with the begin was held against the rules there.
    profile.check_metadata(form)?;
    check_entries(&metadata)?;
    if profile.promote == Promote::OnClaim {
        profile.check_required(&metadata)?;
    }
    Ok(metadata)
}

/// Waits for the copies.
async fn promoted(app: &App, wanted: &Wanted<'_>) -> Result<BTreeMap<UploadId, ShownFile>, Error> {
    // One after another: whichever is driven first promotes all of the claim, and the others find it done.
    let mut uploads = Vec::with_capacity(wanted.ids.len());
    for id in wanted.ids {
        uploads.push(settle(app, Some(wanted.caller), *id, wanted.deadline).await?);
    }
    let mut files = BTreeMap::new();
    for id in wanted.ids {
        match app.records.file(*id).await? {
            Some(file) => files.insert(*id, show(app, file)?),
            None => return Err(unfit(&uploads)),
        };
    }
    Ok(files)
}
