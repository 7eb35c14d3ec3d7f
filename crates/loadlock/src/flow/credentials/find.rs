//! Finding: what lies below a session's prefix becomes uploads, each object one, as many as the profile and quotas take.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep};

use crate::{
    app::App,
    bucket::Listed,
    clock::after,
    error::{Error, Kind},
    flow::{self, credentials::Sent, work::LEASE},
    records::{Act, Answer, Entry, NewBegin, Outcome, Reply},
    upload::{ObjectKey, Profile, Rejection, Session, Upload},
};

/// How often a session is looked for files while it lives: more rarely, the longer it lives.
const SOONEST: Duration = Duration::from_mins(1);
const LATEST: Duration = Duration::from_mins(10);
const PARTS: u32 = 32;
/// How long it is looked at a time, well within a lease: somebody may have filled the prefix.
const LOOK: Duration = Duration::from_mins(1);
/// Between two tries to have a session that somebody else is looking after.
const AGAIN: Duration = Duration::from_millis(100);

/// Looks after a leased session: when its time is over once more, and then never again.
pub(crate) async fn tend(app: &App, session: Session) -> Result<(), Error> {
    let now = app.clock.now();
    let is_over = now >= session.closes_at();
    let done = look_after(app, &session, is_over).await;
    let due = match &done {
        Ok(_) if is_over => None,
        // Its profile is gone, say: that does not pass.
        Err(error) if is_over && !error.kind().retryable() => None,
        Ok(Sight::Whole) => Some(next_look(&session, now)),
        Ok(Sight::Part) | Err(_) => Some(after(now, SOONEST)),
    };
    let due = match due {
        None if app.records.close_session(&session).await? == Outcome::Done => None,
        // It was made to last longer meanwhile.
        None => Some(after(now, SOONEST)),
        due => due,
    };
    if let Some(due) = due {
        app.records.schedule_session(&session, due).await?;
    }
    done.map(drop)
}

async fn look_after(app: &App, session: &Session, is_over: bool) -> Result<Sight, Error> {
    let mut search = Search::start(app, session).await?;
    let sight = search.all(Instant::now() + LOOK).await?;
    search.tell_surplus().await?;
    if is_over {
        search.end().await?;
    }
    Ok(sight)
}

fn next_look(session: &Session, now: Timestamp) -> Timestamp {
    let lives = session.expires_at.duration_since(session.id.time());
    let lives = Duration::try_from(lives).unwrap_or_default();
    let pause = (lives / PARTS).clamp(SOONEST, LATEST);
    let last = session.closes_at().max(after(now, SOONEST));
    after(now, pause).min(last)
}

/// Finds all that a session has sent so far, or what it has sent to these keys.
pub(super) async fn sent(
    app: &App,
    session: &Session,
    keys: Option<&[ObjectKey]>,
    deadline: Instant,
) -> Result<Sent, Error> {
    let leased = leased(app, session, deadline).await?;
    let found = found(app, &leased, keys, deadline).await;
    app.records.release_session(&leased).await?;
    found
}

async fn found(
    app: &App,
    session: &Session,
    keys: Option<&[ObjectKey]>,
    deadline: Instant,
) -> Result<Sent, Error> {
    let mut search = Search::start(app, session).await?;
    let is_over = app.clock.now() >= session.closes_at();
    match keys {
        Some(keys) => search.these(keys, is_over).await?,
        None if is_over => {}
        None => drop(search.all(deadline).await?),
    }
    search.tell_surplus().await?;
    let asked = |key: &ObjectKey| keys.is_none_or(|keys| keys.contains(key));
    let uploads = search.uploads.into_iter();
    let waiting = search.waiting.into_iter();
    let waiting = waiting.map(|(object, why)| (object.key, why));
    Ok(Sent {
        uploads: uploads.filter(|it| asked(&it.staged_key)).collect(),
        waiting: waiting.filter(|(key, _)| asked(key)).collect(),
    })
}

/// One at a time finds: else two would let in twice as many.
async fn leased(app: &App, session: &Session, deadline: Instant) -> Result<Session, Error> {
    loop {
        let now = app.clock.now();
        let until = after(now, LEASE);
        if let Some(leased) = app.records.lease_session(session.id, now, until).await? {
            return Ok(leased);
        }
        if Instant::now() + AGAIN >= deadline {
            let says = "these credentials' files are being looked for: try again";
            return Err(Kind::Unavailable.because(says));
        }
        sleep(AGAIN).await;
    }
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    Whole,
    Part,
}

/// One look at a leased session.
struct Search<'a> {
    app: &'a App,
    session: &'a Session,
    profile: &'a Profile,
    /// All of the session, whenever they were found.
    uploads: Vec<Upload>,
    /// What quotas leave no room for as yet, or is revoked.
    waiting: Vec<(Listed, Error)>,
    /// How many were more than the profile takes.
    surplus: u64,
}

impl<'a> Search<'a> {
    async fn start(app: &'a App, session: &'a Session) -> Result<Self, Error> {
        Ok(Self {
            app,
            session,
            profile: flow::profile(app, &session.profile)?,
            uploads: app.records.session_uploads(session).await?,
            waiting: Vec::new(),
            surplus: 0,
        })
    }

    /// Takes whatever the session has written, page by page, until the deadline.
    async fn all(&mut self, deadline: Instant) -> Result<Sight, Error> {
        let prefix = self.session.prefix.as_str();
        let mut next = None;
        loop {
            let page = self.app.bucket.list_staged(prefix, next).await?;
            for object in page.objects {
                if Instant::now() >= deadline {
                    return Ok(Sight::Part);
                }
                if self.is_new(&object) {
                    self.admit(object).await?;
                }
            }
            next = page.next;
            if next.is_none() {
                return Ok(Sight::Whole);
            }
        }
    }

    /// Takes what lies under these keys; nothing, if some have nothing of this session.
    async fn these(&mut self, keys: &[ObjectKey], is_over: bool) -> Result<(), Error> {
        let mut objects = Vec::new();
        let mut missing = Vec::new();
        for key in keys {
            if self.is_known(key) {
                continue;
            }
            match self.app.bucket.find_staged(key).await? {
                Some(object) if !is_over && self.is_new(&object) => objects.push(object),
                _ => missing.push(key.as_str()),
            }
        }
        if !missing.is_empty() {
            let (lacking, all) = (missing.len(), keys.len());
            let says = format!("{lacking} of {all} files have not arrived");
            let details = json!({ "missing_keys": missing });
            return Err(Kind::NotReceived.because(says).with_details(details));
        }
        for object in objects {
            // The same may be asked for twice.
            if self.is_new(&object) {
                self.admit(object).await?;
            }
        }
        Ok(())
    }

    fn is_known(&self, key: &ObjectKey) -> bool {
        let waits = self.waiting.iter().any(|(object, _)| object.key == *key);
        waits || self.uploads.iter().any(|it| it.staged_key == *key)
    }

    fn is_new(&self, object: &Listed) -> bool {
        !self.is_known(&object.key) && self.session.covers(object.modified_at)
    }

    /// Makes an upload of an object, or lets it wait for room. What is more than the profile takes is deleted.
    async fn admit(&mut self, object: Listed) -> Result<(), Error> {
        let count = self.uploads.len() + self.waiting.len() + 1;
        if self.profile.check_count(count).is_err() {
            self.surplus += 1;
            return self.app.bucket.delete_listed(&object).await.map(drop);
        }
        match begin(self.app, self.upload(&object)).await {
            Ok(upload) => self.uploads.push(upload),
            // What is revoked may be restored.
            Err(error) if matches!(error.kind(), Kind::QuotaExceeded | Kind::Revoked) => {
                self.waiting.push((object, error));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What is of no size that the profile takes is rejected as soon as it is inspected, and needs no room.
    fn upload(&self, object: &Listed) -> Upload {
        let sizes = self.profile.min_size_bytes..=self.profile.max_size_bytes;
        let reserved = Some(object.size_bytes).filter(|size| sizes.contains(size));
        let key = object.key.clone();
        self.session.upload(key, reserved.unwrap_or(0))
    }

    /// Rejects what still waits: there will be no other time.
    async fn end(self) -> Result<(), Error> {
        for (object, why) in &self.waiting {
            if !self.app.bucket.delete_listed(object).await? {
                continue;
            }
            let outcome = match why.kind() {
                Kind::Revoked => Rejection::Revoked,
                _ => Rejection::OverQuota,
            };
            let entry = Entry::new(Act::Reject, None, self.app.clock.now());
            let entry = Entry {
                outcome: outcome.code().into(),
                size_bytes: Some(object.size_bytes),
                detail: Some(why.message().to_owned()),
                ..entry.of(&self.upload(object))
            };
            self.app.records.tell(&[entry]).await?;
            tracing::info!(id = %self.session.id, error = %why, "a file of a session is not taken");
        }
        Ok(())
    }

    /// Of what is too much there may be any number: one entry for all.
    async fn tell_surplus(&self) -> Result<(), Error> {
        let surplus = self.surplus;
        if surplus == 0 {
            return Ok(());
        }
        let entry = Entry::new(Act::Reject, None, self.app.clock.now());
        let entry = Entry {
            outcome: Kind::TooManyFiles.code().into(),
            owner: Some(self.session.owner.to_string()),
            profile: Some(self.session.profile.clone()),
            key: Some(self.session.prefix.open().to_owned()),
            detail: Some(format!("{surplus} files more than the profile takes")),
            ..entry
        };
        tracing::info!(id = %self.session.id, surplus, "files of a session are too many");
        self.app.records.tell(&[entry]).await
    }
}

/// Records the upload, once: who finds an object at the same time finds the same.
async fn begin(app: &App, upload: Upload) -> Result<Upload, Error> {
    let id = upload.id;
    let digest = |part: &str| {
        let hash = Sha256::new().chain_update(part);
        hash.chain_update(id.to_bytes()).finalize().into()
    };
    let reply = Reply {
        key: digest("found"),
        fingerprint: digest(""),
        answers: vec![Answer::Begun(id)],
        at: app.clock.now(),
    };
    let new = NewBegin {
        uploads: vec![upload],
        reply: Some(reply),
    };
    match app.records.begin(new).await? {
        (Outcome::Done, mut uploads) => uploads.pop().ok_or(Kind::Internal)?.map_err(Error::from),
        (Outcome::Lost, _) => flow::reload(app, id).await,
    }
}
