//! Which failures pass by themselves, and how long to wait for that.
use std::time::Duration;

use crate::cli::report::cause;

/// Attempts after the first; with the waits between them about half a minute.
const RETRIES: u32 = 7;
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// Nobody is kept waiting for longer without being told why.
const PATIENCE: Duration = Duration::from_mins(2);

/// Why an attempt failed, by what to do about it.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The network or a server hiccuped: try again.
    Passing(anyhow::Error),
    /// The service wants to be left alone for so long.
    Later(anyhow::Error, Duration),
    /// The store says that the grant is too old: only a fresh one helps.
    Expired(anyhow::Error),
    /// It will fail the same way again.
    Lasting(anyhow::Error),
}

impl From<Trouble> for anyhow::Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Passing(error)
            | Trouble::Later(error, _)
            | Trouble::Expired(error)
            | Trouble::Lasting(error) => error,
        }
    }
}

/// The service's own refusal.
#[derive(Debug, thiserror::Error)]
#[error("{message} ({code})")]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
}

/// Repeats an attempt until it succeeds, fails for good, or has had its chances.
pub(super) async fn retrying<T, F>(mut attempt: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, Trouble>>,
{
    let mut wait = FIRST_WAIT;
    for _ in 0..RETRIES {
        let (error, asked) = match attempt().await {
            Ok(value) => return Ok(value),
            Err(Trouble::Lasting(error)) => return Err(error),
            Err(Trouble::Later(error, asked)) if asked > PATIENCE => return Err(error),
            Err(Trouble::Later(error, asked)) => (error, asked),
            Err(Trouble::Passing(error) | Trouble::Expired(error)) => (error, Duration::ZERO),
        };
        let pause = wait + asked;
        tracing::debug!(error = format!("{error:#}"), ?pause, "trying again");
        tokio::time::sleep(pause).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    Ok(attempt().await?)
}

/// What a failed request came to, without its URL: that may be signed.
pub(super) fn unreachable(whom: &str, error: reqwest::Error) -> Trouble {
    let cause = cause(&error.without_url());
    Trouble::Passing(anyhow::anyhow!("cannot reach {whom}: {cause}"))
}
