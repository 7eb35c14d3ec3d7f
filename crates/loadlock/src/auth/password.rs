//! Passwords: argon2id, on threads of their own, a few at a time.

use std::{sync::Arc, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{
        self, CustomizedPasswordHasher as _, PasswordVerifier as _, phc::PasswordHash,
    },
};
use loadlock_sigv4::Secret;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::error::{Error, Kind};

/// OWASP, "Password Storage Cheat Sheet": argon2id with 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT: usize = 16;
const HASH: usize = 32;
/// How many are at work at once: each takes its memory and a processor.
const AT_ONCE: usize = 4;
/// How long the next waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longer ones are refused before any work is done.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// What takes the place of a password where there is none to compare with; that of nobody.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$HqB1QpQT6vlJkyGcxd7KSw$mhBipksU23/G4lJ7n7m/b5u0ahw+kP7iuU/8e1gTM/Q";

/// Makes and compares passwords' hashes. Clones share their places.
#[derive(Debug, Clone)]
pub struct Passwords(Arc<Semaphore>);

impl Default for Passwords {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Passwords {
    /// What is kept of a password: a PHC string.
    pub async fn hash(&self, password: Secret, random: [u8; 32]) -> Result<Secret, Error> {
        self.work(move || {
            let (salt, _) = random.split_at(SALT);
            let hash = params().and_then(|params| {
                let version = Some(Version::V0x13.into());
                let name = Some(Algorithm::Argon2id.as_str());
                let password = password.expose().as_bytes();
                Argon2::default().hash_password_customized(password, salt, name, version, params)
            });
            hash.map(|hash: PasswordHash| Secret::new(hash.to_string()))
                .map_err(|error| Kind::Internal.caused_by(error))
        })
        .await?
    }

    /// Whether it is the password that is kept. With none to compare with it is none, after as much work.
    pub async fn verify(&self, password: Secret, kept: Option<Secret>) -> Result<bool, Error> {
        self.work(move || {
            let text = kept.as_ref().map_or(NOBODYS, Secret::expose);
            let hash = PasswordHash::new(text).map_err(|error| Kind::Internal.caused_by(error))?;
            let password = password.expose().as_bytes();
            match Argon2::default().verify_password(password, &hash) {
                Ok(()) => Ok(kept.is_some()),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(Kind::Internal.caused_by(error)),
            }
        })
        .await?
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let place = Arc::clone(&self.0).acquire_owned();
        let place = timeout(PATIENCE, place).await;
        let Ok(Ok(place)) = place else {
            return Err(Kind::Unavailable.because("too many are signing in: try again soon"));
        };
        let work = move || {
            // Also of a caller who has hung up: the thread works on.
            let _place = place;
            work()
        };
        let done = spawn_blocking(work).await;
        done.map_err(|error| Kind::Internal.caused_by(error))
    }
}

fn params() -> Result<Params, password_hash::Error> {
    Params::new(MEMORY_KIB, PASSES, LANES, Some(HASH)).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text)
    }

    #[tokio::test]
    async fn a_password_is_kept_as_owasp_says_and_known_again() {
        let passwords = Passwords::default();
        let kept = passwords.hash(secret("hunter 42"), [7; 32]).await.unwrap();
        assert!(
            kept.expose()
                .starts_with("$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$"),
            "{}",
            kept.expose()
        );
        let check = async |password: &str, kept: Option<&Secret>| {
            let password = secret(password);
            passwords.verify(password, kept.cloned()).await.unwrap()
        };
        assert!(check("hunter 42", Some(&kept)).await);
        assert!(!check("hunter 43", Some(&kept)).await);
        assert!(!check("", Some(&kept)).await);
        assert!(!check("hunter 42", None).await);
    }

    /// What is done for an unknown name costs what a real comparison does.
    #[test]
    fn nobodys_password_is_hashed_like_any_other() {
        let nobodys = PasswordHash::new(NOBODYS).unwrap();
        let found = Params::try_from(&nobodys).unwrap();
        assert_eq!(found, params().unwrap());
        assert_eq!(nobodys.algorithm.as_str(), "argon2id");
        assert!(nobodys.salt.is_some() && nobodys.hash.is_some());
    }

    /// The clock stands still while something is at work, and goes on by itself where all wait.
    #[tokio::test(start_paused = true)]
    async fn while_four_are_at_work_the_next_waits_for_five_seconds_and_is_told_to_come_back() {
        let passwords = Passwords::default();
        let verify = async || passwords.verify(secret("x"), None).await;
        let places = u32::try_from(AT_ONCE).unwrap();
        let busy = passwords.0.acquire_many(places - 1).await.unwrap();
        assert!(!verify().await.unwrap());
        let last = passwords.0.acquire().await.unwrap();
        let start = tokio::time::Instant::now();
        let refused = verify().await.unwrap_err();
        assert_eq!(start.elapsed().as_secs(), 5);
        assert_eq!(
            (refused.kind().status(), refused.kind().retryable()),
            (503, true)
        );
        drop((busy, last));
        assert!(!verify().await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_that_is_none_lets_nobody_in() {
        let verify = Passwords::default()
            .verify(secret("x"), Some(secret("plain")))
            .await;
        assert_eq!(verify.unwrap_err().kind(), Kind::Internal);
    }
}
