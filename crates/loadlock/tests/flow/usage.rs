//! Whatever happens to uploads, in whatever order and however late: what quotas go by is what the rows say.

use std::{net::IpAddr, time::Duration};

use jiff::Timestamp;
use loadlock::{
    clock::{Ids, after},
    flow::{self, Begin},
    records::{Change, FileChange, NewBegin, NewClaim, Outcome, Records},
    upload::{
        File, Inspected, Metadata, Method, Narrowed, ObjectKey, Owner, Promote, Quarantined, Quota,
        Quotas, Rejection, State, Upload, inspection::Confirmed, quota::Allowances,
    },
};
use proptest::prelude::*;
use sqlx::SqlitePool;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::world::{World, me, png};

/// One step of somebody's: which upload it is about, what is done, and a number to vary it.
type Step = (u8, u8, u16);

struct Flow {
    records: Records,
    ids: Ids,
    now: Timestamp,
    /// As they were read at some time, the present one last.
    seen: Vec<Vec<Upload>>,
    _dir: TempDir,
}

fn allowances() -> Allowances {
    let owner = Quota {
        open_files: Some(5),
        stored_bytes: Some(200_000),
        ..Quota::default()
    };
    let all = Quota {
        uploads_per_day: Some(12),
        ..Quota::default()
    };
    Allowances {
        total: Quota::default(),
        profiles: [("a".to_owned(), Quotas { owner, all })].into(),
    }
}

impl Flow {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("records.db");
        Self {
            records: Records::open_within(&path, allowances()).await.unwrap(),
            ids: Ids::seeded(1),
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
            seen: Vec::new(),
            _dir: dir,
        }
    }

    async fn begin(&mut self, kind: u8, number: u16) {
        let (address, owner) = match kind % 4 {
            0 => (Some(IpAddr::from([203, 0, 113, 7])), Owner::anonymous()),
            1 => (
                Some(IpAddr::from([0xdb80, 0, 0, number % 2, 0, 0, 0, number])),
                Owner::anonymous(),
            ),
            2 => (None, "me".parse().unwrap()),
            _ => (
                Some(IpAddr::from([198, 51, 100, 1])),
                "other".parse().unwrap(),
            ),
        };
        let upload = Upload {
            id: self.ids.upload_id(self.now).unwrap(),
            profile: if number.is_multiple_of(3) { "b" } else { "a" }.to_owned(),
            owner,
            api_key: None,
            address,
            filename: "f".to_owned(),
            content_type: None,
            size_bytes: (number % 7 < 3).then_some(u64::from(number)),
            reserved_bytes: u64::from(number),
            lingers: false,
            checksum: None,
            metadata: Metadata::new(),
            method: Method::Post,
            narrowed: Narrowed::default(),
            staged_key: ObjectKey::new("in/x".to_owned()),
            multipart_id: None,
            return_to: None,
            grant_expires_at: after(self.now, Duration::from_mins(15)),
            expires_at: after(self.now, Duration::from_hours(12)),
            claim: None,
            state: State::Issued,
            attempt: 0,
        };
        let begin = NewBegin {
            uploads: vec![upload],
            reply: None,
        };
        let (outcome, recorded) = self.records.begin(begin).await.unwrap();
        assert_eq!(outcome, Outcome::Done);
        self.seen
            .extend(recorded.into_iter().flatten().map(|upload| vec![upload]));
    }

    /// A step of an upload, as somebody saw it who may be late.
    async fn change(&mut self, (which, what, number): Step) {
        let Some(n) = usize::from(which).checked_rem(self.seen.len()) else {
            return;
        };
        let history = &self.seen[n];
        let late = number.is_multiple_of(5);
        let from = if late {
            history.first()
        } else {
            history.last()
        };
        let from = from.unwrap().clone();
        let Some((to, file)) = self.step(&from, what, number).await else {
            return;
        };
        let change = Change {
            from: &from,
            to: &to,
            due: None,
            file,
            by: None,
        };
        let done = match to.claim.filter(|_| from.claim.is_none()) {
            Some(id) => {
                let claim = NewClaim {
                    id,
                    owner: "me".to_owned(),
                    metadata: Metadata::new(),
                };
                self.records.claim(&claim, &[change], self.now).await
            }
            None => self.records.change(&[change], self.now).await,
        };
        let done = done.unwrap();
        if done == Outcome::Done {
            self.seen[n].push(to);
        }
    }

    async fn step(&self, from: &Upload, what: u8, number: u16) -> Option<(Upload, FileChange)> {
        let upload = from.clone();
        let found = u64::from(number).min(upload.reserved_bytes);
        let promote = if number.is_multiple_of(2) {
            Promote::OnClaim
        } else {
            Promote::OnComplete
        };
        let keep = FileChange::Keep;
        let stepped = match what {
            0..=2 => upload.receive(),
            3..=5 => upload.pass(inspected(found), promote, self.now),
            6 => upload.claim(self.ids.upload_id(self.now).unwrap()),
            7..=9 => {
                let stored = upload.store(ObjectKey::new("f".to_owned())).ok()?;
                let file = file(&stored, from);
                return Some((stored, FileChange::Insert(Box::new(file))));
            }
            10 => upload.reject(Rejection::ChecksumMismatch),
            11 => upload.lose(),
            12 => upload.release(),
            13 => upload.expire(),
            14 => upload.abort(),
            15 => upload.give_up(),
            24 => upload.quarantine(Rejection::ChecksumMismatch, kept(found)),
            25 | 26 if from.lingers => {
                let found = if let State::Ready { inspected, .. } = &from.state {
                    Some(inspected.size_bytes)
                } else {
                    let file = self.records.file(from.id).await.unwrap();
                    file.map(|file| file.size_bytes)
                };
                Ok(upload.clear(found))
            }
            27 if from.state.kept().is_some() => Ok(upload.forget_kept()),
            25..=27 => return None,
            _ => return Some((upload.delete(self.now).ok()?, FileChange::Delete)),
        };
        Some((stepped.ok()?, keep))
    }
}

fn kept(size_bytes: u64) -> Quarantined {
    Quarantined {
        key: ObjectKey::new("quarantine/x".to_owned()),
        until: Timestamp::UNIX_EPOCH,
        size_bytes: Some(size_bytes),
    }
}

fn inspected(size_bytes: u64) -> Inspected {
    Inspected {
        source: ObjectKey::new("in/x".to_owned()),
        key: ObjectKey::new("f".to_owned()),
        confirmed: Confirmed::No,
        etag: "e".to_owned(),
        size_bytes,
        content_type: "image/png".parse().unwrap(),
        dimensions: None,
    }
}

fn file(stored: &Upload, from: &Upload) -> File {
    let State::Ready { inspected, .. } = &from.state else {
        unreachable!("only what is ready is stored");
    };
    File {
        id: stored.id,
        profile: stored.profile.clone(),
        owner: stored.owner.clone(),
        filename: "f".to_owned(),
        content_type: inspected.content_type.clone(),
        size_bytes: inspected.size_bytes,
        checksum: None,
        dimensions: None,
        metadata: Metadata::new(),
        created_at: stored.created_at(),
        key: inspected.key.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn counters_never_drift_from_their_rows(
        steps in prop::collection::vec((any::<u8>(), 0_u8..28, any::<u16>()), 0..120)
    ) {
        Runtime::new().unwrap().block_on(async {
            let mut flow = Flow::new().await;
            for (which, what, number) in steps {
                match what {
                    17..=21 => flow.begin(which, number).await,
                    22 => flow.now = after(flow.now, Duration::from_hours(5)),
                    _ => flow.change((which, what, number)).await,
                }
            }
            assert_eq!(flow.records.recount().await.unwrap(), []);
        });
    }
}

#[tokio::test]
async fn what_was_miscounted_is_put_right_and_what_was_forgotten_is_cleared_away() {
    let world = World::new().await;
    world.begin(png()).await;
    let form = Begin {
        method: Some(Method::Post),
        ..png()
    };
    let form = world.begin(form).await.upload.id;
    flow::abort(&world.app, &me(), form).await.unwrap();
    let path = world.app.config.records.to_str().unwrap();
    let database = SqlitePool::connect(path).await.unwrap();
    for wrong in [
        "UPDATE usage SET open_files = open_files + 7 WHERE profile = 'image' AND owner = 'me'",
        "DELETE FROM usage WHERE profile = ''",
        // As a service leaves it that does not know that it counts.
        "UPDATE uploads SET next_attempt_at = NULL WHERE lingers <> 0",
    ] {
        let done = sqlx::query(wrong).execute(&database).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{wrong}");
    }
    let wrong = world.app.records.repair().await.unwrap();
    assert_eq!(wrong.len(), 2);
    assert_eq!(world.app.records.recount().await.unwrap(), []);
    assert_eq!(world.app.records.repair().await.unwrap(), []);
    world.end().await;
}
