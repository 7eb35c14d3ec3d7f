//! Sign: what the store already holds of a multipart upload, and fresh URLs for more parts.

use jiff::Timestamp;

use crate::{
    app::App,
    auth::Caller,
    bucket::grant::SignedPart,
    clock::after,
    error::{Error, Kind},
    flow::{self, audit, revoke},
    records::{Act, Entry},
    upload::{PartNumber, PartPlan, State, Upload, UploadId},
};

/// How many parts one request may ask for.
const MOST: usize = 100;

/// Fresh URLs, and what is there already.
#[derive(Debug, Clone)]
pub struct Signed {
    pub part_size_bytes: u64,
    pub held: Vec<HeldPart>,
    pub parts: Vec<SignedPart>,
    pub expires_at: Timestamp,
}

/// A part the store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldPart {
    pub number: PartNumber,
    pub size_bytes: u64,
}

/// Signs the parts asked for (numbers as the client gave them) and lists those the store holds.
pub async fn sign(
    app: &App,
    caller: &Caller,
    id: UploadId,
    numbers: &[u64],
) -> Result<Signed, Error> {
    let upload = flow::visible(app, caller, id).await?;
    revoke::check_open(app, caller, Act::Sign, &upload).await?;
    let now = app.clock.now();
    let multipart_id = unfinished(&upload, now)?;
    let plan = upload.part_plan();
    let numbers = checked(plan, numbers)?;
    let held = app
        .bucket
        .list_parts(&upload.staged_key, multipart_id)
        .await?
        .ok_or_else(|| Kind::UploadEnded.because(format!("upload `{id}` takes no more parts")))?;
    let grant = flow::profile(app, &upload.profile)?.lifetimes.grant;
    let expires_at = after(now, grant).min(upload.expires_at);
    let expires_at = app.bucket.granted_until(expires_at, now)?;
    let parts = app
        .bucket
        .sign_parts(&upload, numbers.into_iter(), expires_at, now)?;
    app.records.note(Entry {
        detail: Some(format!("{} parts", parts.len())),
        ..audit::done(app, caller, Act::Sign, &upload)
    });
    tracing::debug!(%id, parts = parts.len(), "sign");
    Ok(Signed {
        part_size_bytes: plan.part_size_bytes(),
        held: held
            .iter()
            .map(|part| HeldPart {
                number: part.number,
                size_bytes: part.size_bytes,
            })
            .collect(),
        parts,
        expires_at,
    })
}

/// The store's id of a multipart upload that still takes parts.
fn unfinished(upload: &Upload, now: Timestamp) -> Result<&str, Error> {
    let id = upload.id;
    let Some(multipart_id) = &upload.multipart_id else {
        return Err(Kind::InvalidRequest.because(format!("upload `{id}` is not sent in parts")));
    };
    if upload.state != State::Issued {
        let state = upload.state.name();
        return Err(Kind::UploadEnded.because(format!("upload `{id}` is {state}")));
    }
    if now >= upload.expires_at {
        return Err(Kind::UploadEnded.because(format!("upload `{id}` has taken too long")));
    }
    Ok(multipart_id)
}

fn checked(plan: PartPlan, numbers: &[u64]) -> Result<Vec<PartNumber>, Error> {
    if numbers.len() > MOST {
        return Err(Kind::InvalidRequest.because(format!("`parts` takes at most {MOST} numbers")));
    }
    numbers
        .iter()
        .map(|number| {
            PartNumber::new(*number)
                .filter(|number| plan.size_of(*number).is_some())
                .ok_or_else(|| {
                    let count = plan.count();
                    Kind::InvalidRequest.because(format!(
                        "`parts`: there is no part {number}; they are 1 to {count}"
                    ))
                })
        })
        .collect()
}
