//! Time and chance, handed in: the system's in service, a test's own in tests.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use ulid::Ulid;

use crate::{
    error::{Error, Kind},
    upload::UploadId,
};

/// Where the time comes from: the embedded store's clock, so that one hand moves both in a test.
#[derive(Debug, Clone)]
pub struct Clock(loadlock_store::clock::Clock);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(loadlock_store::clock::Clock::system())
    }

    /// The time now, in whole milliseconds, as the records keep it.
    pub fn now(&self) -> Timestamp {
        let since = self.0.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

impl From<loadlock_store::clock::Clock> for Clock {
    fn from(clock: loadlock_store::clock::Clock) -> Self {
        Self(clock)
    }
}

/// A time from unix milliseconds; out of range becomes the nearest there is.
pub fn from_millis(millis: i64) -> Timestamp {
    let end = if millis < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_millisecond(millis).unwrap_or(end)
}

/// `at` moved on by `by`, or the end of time.
pub fn after(at: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    from_millis(at.as_millisecond().saturating_add(by))
}

/// The day of a time, in UTC, from 1970-01-01 on.
pub fn day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}

/// `now`, set back to the start of a quarter of `lifetime`: what is signed then is the same for a while, and lives for three
/// quarters of its lifetime at least.
pub fn rounded(now: Timestamp, lifetime: Duration) -> Timestamp {
    let quarter = i64::try_from(lifetime.as_secs() / 4 * 1000).unwrap_or(i64::MAX);
    let millis = now.as_millisecond();
    from_millis(millis - millis.rem_euclid(quarter.max(1000)))
}

/// Where ids and secrets come from.
#[derive(Clone)]
pub struct Ids(Chance);

#[derive(Clone)]
enum Chance {
    System,
    Seeded { seed: u64, drawn: Arc<AtomicU64> },
}

impl Ids {
    /// The operating system's randomness.
    pub fn random() -> Self {
        Self(Chance::System)
    }

    /// The same ids and secrets on every run: for tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Chance::Seeded {
            seed,
            drawn: Arc::default(),
        })
    }

    /// A new id, ordered by time.
    pub fn upload_id(&self, now: Timestamp) -> Result<UploadId, Error> {
        let mut random = [0; 16];
        self.fill(&mut random)?;
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let ulid = Ulid::from_parts(millis, u128::from_le_bytes(random));
        Ok(UploadId::from_bytes(ulid.to_bytes()))
    }

    /// 32 bytes nobody can guess.
    pub fn secret(&self) -> Result<[u8; 32], Error> {
        let mut secret = [0; 32];
        self.fill(&mut secret)?;
        Ok(secret)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that draws randomness"
    )]
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        match &self.0 {
            Chance::System => getrandom::fill(out).map_err(|error| Kind::Internal.caused_by(error)),
            Chance::Seeded { seed, drawn } => {
                let draw = drawn.fetch_add(1, Ordering::SeqCst);
                let block = Sha256::new()
                    .chain_update(seed.to_le_bytes())
                    .chain_update(draw.to_le_bytes())
                    .finalize();
                out.iter_mut()
                    .zip(block.iter())
                    .for_each(|(to, from)| *to = *from);
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Chance::System => "Ids(random)",
            Chance::Seeded { .. } => "Ids(seeded)",
        })
    }
}
