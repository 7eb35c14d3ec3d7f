//! The three identities, and where each gets its key pair: told once, or renewed for as long as the service runs.

use std::{
    sync::{Arc, PoisonError, RwLock, Weak},
    time::{Duration, SystemTime},
};

use aws_config::{
    default_provider::credentials::DefaultCredentialsChain,
    environment::EnvironmentVariableRegionProvider,
    meta::region::RegionProviderChain,
    profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider},
    provider_config::ProviderConfig,
};
use aws_sdk_s3::config::{ProvideCredentials as _, Region, SharedCredentialsProvider};
use jiff::Timestamp;
use loadlock_sigv4::{Credentials, Signer};
use tokio::time::{sleep, timeout};

use crate::{
    clock::{Clock, after},
    error::{Error, Kind},
};

/// Signs what clients send; may put objects under one staging prefix and nothing else.
#[derive(Debug, Clone)]
pub struct UploaderIdentity(pub Source);

/// Inspects, promotes, deletes; never leaves the server and signs nothing that a client sees.
#[derive(Debug, Clone)]
pub struct ServerIdentity(pub Source);

/// Signs display URLs; may get objects of the final bucket and nothing else.
#[derive(Debug, Clone)]
pub struct ReaderIdentity(pub Source);

/// Where an identity's key pair comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It is this one.
    Pair(Credentials),
    /// A profile of the AWS configuration files.
    Profile(String),
    /// AWS's default chain: environment, configuration files, web identity, container, instance.
    Chain,
}

impl From<Credentials> for Source {
    fn from(pair: Credentials) -> Self {
        Self::Pair(pair)
    }
}

/// How long a source may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long before its end a key pair is renewed; a short-lived one at two thirds of its life.
const EARLY: Duration = Duration::from_mins(15);
/// Between two looks at the clock.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two questions to a source that fails, or knows nothing new.
const AGAIN: Duration = Duration::from_secs(5);

impl Source {
    /// The key pair that holds now: for tools that need it once. `region` is where AWS is asked, if nothing else says so.
    pub async fn credentials(&self, region: &str) -> Result<Credentials, Error> {
        Ok(ask(&self.provider(region).await).await?.0)
    }

    /// The same for the SDK, which asks again when it must.
    pub(super) async fn provider(&self, region: &str) -> SharedCredentialsProvider {
        // What the default chain would ask beyond these, the instance it runs on, is asked in vain on any other machine.
        let region = || {
            RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new())
                .or_else(Region::new(region.to_owned()))
        };
        match self {
            Self::Pair(pair) => SharedCredentialsProvider::new(for_sdk(pair)),
            Self::Profile(name) => {
                let region = region().region().await;
                let config = ProviderConfig::without_region().with_region(region);
                let profile = ProfileFileCredentialsProvider::builder()
                    .configure(&config)
                    .profile_name(name);
                SharedCredentialsProvider::new(profile.build())
            }
            Self::Chain => {
                let chain = DefaultCredentialsChain::builder().region(region());
                SharedCredentialsProvider::new(chain.build().await)
            }
        }
    }
}

/// For the person who starts the service.
pub(super) fn keyless(identity: &str) -> String {
    format!("there are no keys for the {identity} identity")
}

fn for_sdk(pair: &Credentials) -> aws_sdk_s3::config::Credentials {
    let token = pair.session_token().map(|token| token.expose().to_owned());
    let secret = pair.secret().expose();
    aws_sdk_s3::config::Credentials::new(pair.access_key(), secret, token, None, "loadlock")
}

/// A key pair, and when it ends.
async fn ask(
    provider: &SharedCredentialsProvider,
) -> Result<(Credentials, Option<SystemTime>), Error> {
    let answer = timeout(PATIENCE, provider.provide_credentials()).await;
    let given = answer
        .map_err(|late| Kind::Unavailable.caused_by(late))?
        .map_err(|failure| Kind::Unavailable.caused_by(failure))?;
    let pair = Credentials::new(given.access_key_id(), given.secret_access_key());
    let pair = match given.session_token() {
        Some(token) => pair.with_session_token(token),
        None => pair,
    };
    Ok((pair, given.expiry()))
}

/// Signs with the key pair that an identity has now.
#[derive(Debug)]
pub(super) struct Pen {
    region: String,
    present: RwLock<Arc<Present>>,
}

/// A key pair as it is used.
#[derive(Debug)]
pub(super) struct Present {
    pub(super) signer: Signer,
    /// What it signs dies with it. None: never.
    pub(super) expires_at: Option<Timestamp>,
    renew_at: Option<Timestamp>,
}

impl Pen {
    /// Asks the source, and goes on asking in good time for as long as the pen is used.
    pub(super) async fn new(
        source: &Source,
        region: &str,
        clock: &Clock,
    ) -> Result<Arc<Self>, Error> {
        let present =
            |pair, expiry| Arc::new(Present::new(Signer::new(pair, region), expiry, clock.now()));
        let pen = |present| {
            Arc::new(Self {
                region: region.to_owned(),
                present: RwLock::new(present),
            })
        };
        if let Source::Pair(pair) = source {
            return Ok(pen(present(pair.clone(), None)));
        }
        let provider = source.provider(region).await;
        let (pair, expiry) = ask(&provider).await?;
        let pen = pen(present(pair, expiry));
        if expiry.is_some() {
            tokio::spawn(renew(Arc::downgrade(&pen), provider, clock.clone()));
        }
        Ok(pen)
    }

    /// What to sign with at this moment.
    pub(super) fn at(&self, now: Timestamp) -> Result<Arc<Present>, Error> {
        let present = self.present.read().unwrap_or_else(PoisonError::into_inner);
        // A signature lives for whole seconds, and for one at least.
        let lives = |end: Timestamp| now.as_second() < end.as_second();
        if present.expires_at.is_none_or(lives) {
            return Ok(Arc::clone(&present));
        }
        Err(Kind::Unavailable.because("the store's keys have run out and could not be renewed"))
    }
}

impl Present {
    fn new(signer: Signer, expiry: Option<SystemTime>, now: Timestamp) -> Self {
        let expires_at = expiry.map(|expiry| Timestamp::try_from(expiry).unwrap_or(Timestamp::MAX));
        let renew_at = expires_at.map(|end| {
            let left = Duration::try_from(end.duration_since(now)).unwrap_or_default();
            let rest = left.saturating_sub(EARLY.min(left / 3));
            after(now, rest.max(AGAIN.min(left / 2)))
        });
        Self {
            signer,
            expires_at,
            renew_at,
        }
    }

    /// No later than the key pair lives.
    pub(super) fn until(&self, wanted: Timestamp) -> Timestamp {
        self.expires_at.map_or(wanted, |end| end.min(wanted))
    }
}

/// Looks at the clock rather than sleeping until then: a machine may have been suspended.
async fn renew(pen: Weak<Pen>, provider: SharedCredentialsProvider, clock: Clock) {
    loop {
        sleep(PAUSE).await;
        let Some(pen) = pen.upgrade() else { return };
        let due = {
            let present = pen.present.read().unwrap_or_else(PoisonError::into_inner);
            present.renew_at.is_some_and(|due| due <= clock.now())
        };
        if !due {
            continue;
        }
        match ask(&provider).await {
            Ok((pair, expiry)) => {
                let fresh = Present::new(Signer::new(pair, &pen.region), expiry, clock.now());
                let mut present = pen.present.write().unwrap_or_else(PoisonError::into_inner);
                *present = Arc::new(fresh);
            }
            Err(error) => {
                let source = error.sources();
                tracing::warn!(source, "the store's keys cannot be renewed");
                drop(pen);
                sleep(AGAIN).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_renewed_in_good_time_and_sooner_the_shorter_they_live() {
        fn check(lives_seconds: u64, renewed_after_seconds: i64) {
            let now = Timestamp::UNIX_EPOCH;
            let ends = SystemTime::from(now) + Duration::from_secs(lives_seconds);
            let signer = Signer::new(Credentials::new("id", "secret"), "us-east-1");
            let present = Present::new(signer, Some(ends), now);
            let renewed = present.renew_at.unwrap().as_second();
            assert_eq!(renewed, renewed_after_seconds, "{lives_seconds}");
        }
        check(6 * 3600, 6 * 3600 - 900);
        check(15 * 60, 10 * 60);
        check(60, 40);
        check(6, 4);
        check(0, 0);
    }
}
