//! Repetitions: a begin that is asked for again under the same key is answered from the record of the first.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Begun, Each, begun};
use crate::{
    app::App,
    auth::{Caller, Who},
    clock::after,
    error::{Error, Kind},
    flow::{self, revoke},
    records::{Act, Answer, Reply},
    upload::{State, Upload},
};

const MAX_KEY_BYTES: usize = 255;
/// A UUID without its hyphens.
const MIN_STRANGERS_KEY_BYTES: usize = 32;

/// By what a repetition is told: a key of the caller's choice, and the request it came with.
#[derive(Debug, Clone)]
pub struct Idempotency {
    key: String,
    fingerprint: [u8; 32],
}

impl Idempotency {
    /// From the header's value and the request's body.
    pub fn new(key: &str, body: &[u8]) -> Result<Self, Error> {
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible || !(1..=MAX_KEY_BYTES).contains(&key.len()) {
            return Err(Kind::InvalidRequest.because(format!(
                "`idempotency-key` is 1 to {MAX_KEY_BYTES} visible ASCII characters"
            )));
        }
        Ok(Self {
            key: key.to_owned(),
            fingerprint: Sha256::digest(body).into(),
        })
    }

    /// A key is its caller's own: the same one of another is another.
    fn of(&self, caller: &Caller) -> [u8; 32] {
        let (kind, name) = match &caller.who {
            Who::User { owner, .. } => ("user", owner.as_str()),
            Who::Server { name, .. } => ("server", name.as_str()),
            Who::Upload { .. } => ("upload", ""),
            Who::Nobody => ("nobody", ""),
        };
        let parts = [kind, name, &self.key];
        Sha256::digest(parts.join("\0").as_bytes()).into()
    }

    /// Strangers share one name, so that their key is all that keeps one's upload from the others.
    fn check(&self, caller: &Caller) -> Result<(), Error> {
        if caller.who == Who::Nobody && self.key.len() < MIN_STRANGERS_KEY_BYTES {
            return Err(Kind::InvalidRequest.because(format!(
                "`idempotency-key`: without a sign-in it is {MIN_STRANGERS_KEY_BYTES} characters long at least, and random"
            )));
        }
        Ok(())
    }

    /// What is to be kept.
    pub(super) fn reply(&self, caller: &Caller, files: &Each<Upload>, at: Timestamp) -> Reply {
        let answer = |file: &Result<Upload, Error>| match file {
            Ok(upload) => Answer::Begun(upload.id),
            Err(error) => Answer::from(error),
        };
        Reply {
            key: self.of(caller),
            fingerprint: self.fingerprint,
            answers: files.iter().map(answer).collect(),
            at,
        }
    }
}

/// The answer to a request that was made before; none if it was not.
pub(super) async fn answer(
    app: &App,
    caller: &Caller,
    idempotency: &Idempotency,
) -> Result<Option<Each<Begun>>, Error> {
    idempotency.check(caller)?;
    let now = app.clock.now();
    let Some(reply) = app.records.reply(idempotency.of(caller), now).await? else {
        return Ok(None);
    };
    if reply.fingerprint != idempotency.fingerprint {
        return Err(Kind::IdempotencyMismatch.into());
    }
    let mut each = Vec::with_capacity(reply.answers.len());
    for answer in reply.answers {
        each.push(match answer {
            Answer::Begun(id) => {
                let upload = flow::reload(app, id).await?;
                // Its grant would be a fresh one.
                match revoke::check_open(app, caller, Act::Begin, &upload).await {
                    Ok(()) => again(app, upload, now),
                    Err(error) if error.kind() == Kind::Revoked => Err(error),
                    Err(error) => return Err(error),
                }
            }
            Answer::Refused {
                code,
                message,
                details,
            } => {
                let refused = Kind::of(&code).because(message);
                Err(match details {
                    Some(details) => refused.with_details(details),
                    None => refused,
                })
            }
        });
    }
    Ok(Some(each))
}

/// The answer for one who was not the first to record the request.
pub(super) async fn lost(
    app: &App,
    caller: &Caller,
    idempotency: Option<&Idempotency>,
) -> Result<Each<Begun>, Error> {
    let first = match idempotency {
        Some(idempotency) => answer(app, caller, idempotency).await?,
        None => None,
    };
    first
        .ok_or_else(|| Kind::Unavailable.because("the first request is still under way: try again"))
}

/// The same upload with a fresh grant for what remains of the first one's time, if it can still be sent.
fn again(app: &App, upload: Upload, now: Timestamp) -> Result<Begun, Error> {
    let (id, state) = (upload.id, upload.state.event());
    // A signature holds for a second at least.
    let lasts = after(now, Duration::from_secs(1)) <= upload.grant_expires_at;
    let over = upload.state.is_ended() || state == "deleted";
    let refused = match upload.state {
        State::Issued if lasts => return begun(app, upload, now),
        State::Issued => {
            Kind::UploadEnded.because(format!("the grant of upload `{id}` has expired"))
        }
        _ if over => Kind::UploadEnded.because(format!("upload `{id}` is {state}")),
        _ => Kind::AlreadyReceived.because(format!("upload `{id}` is {state}")),
    };
    Err(refused.with_details(json!({ "id": id, "state": state })))
}
