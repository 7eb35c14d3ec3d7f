//! A provider's public keys (RFC 7517): fetched when a token needs them, kept, and still good for a while when the provider is not.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use jiff::{Timestamp, fmt::rfc2822};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use reqwest::{
    Client, StatusCode, Url,
    header::{ACCEPT, DATE, HeaderValue},
    redirect::Policy,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{sync::Mutex, time::timeout};

use crate::{
    auth::jwt::Jwt,
    config::is_loopback_authority,
    error::{Error, Kind},
};

/// Keys that are older than this are fetched again while they serve …
const YOUNG: Duration = Duration::from_mins(5);
/// … and serve up to this age unasked, so that a key that was dropped ends. Of a provider that failed the last time nothing is awaited …
const FRESH: Duration = Duration::from_mins(10);
/// … and of another no longer than this …
const GRACE: Duration = Duration::from_secs(1);
/// … while they are not as old as this.
const STALE: Duration = Duration::from_hours(24);
/// After one fetch there is none for this long, whatever keys are asked for, and none for the second after one that failed.
const PAUSE: Duration = Duration::from_secs(30);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
/// Within this a provider must have given its keys, and no longer than this may an answer be.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_BYTES: usize = 256 << 10;
/// More keys than this are not looked at, and not more than this under one name.
const MOST_KEYS: usize = 64;
const MOST_NAMESAKES: usize = 4;

/// Why there are no keys, or none of use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// There was no answer that says anything.
    #[error("{0}")]
    Away(String),
    /// What was answered is not as it should be.
    #[error("{0}")]
    Wrong(String),
}

/// What a provider serves.
#[derive(Debug)]
pub(super) struct Serves {
    keys: Arc<[Key]>,
    /// By its own clock.
    pub(super) at: Option<Timestamp>,
}

impl Serves {
    /// How many keys verify signatures by one of these.
    pub(super) fn usable(&self, algorithms: &[Algorithm]) -> usize {
        let fits = |key: &&Key| algorithms.iter().any(|algorithm| key.is_for(*algorithm));
        self.keys.iter().filter(fits).count()
    }
}

/// Whether keys may be had from there: nobody on the way may change them.
pub(crate) fn is_fetchable(url: &Url) -> bool {
    let here = || url.host_str().is_some_and(is_loopback_authority);
    url.scheme() == "https" || url.scheme() == "http" && here()
}

/// One provider's keys.
#[derive(Debug)]
pub(super) struct ProviderKeys {
    issuer: String,
    /// None: where its discovery document says.
    at: Option<Url>,
    http: Client,
    held: RwLock<Held>,
    /// One at a time fetches; who has to wait for that finds what came.
    fetching: Arc<Mutex<()>>,
}

#[derive(Debug, Clone, Default)]
struct Held {
    keys: Arc<[Key]>,
    fetched_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
    failed: bool,
}

#[derive(Debug)]
struct Key {
    name: Option<String>,
    algorithm: Option<KeyAlgorithm>,
    verifies: DecodingKey,
}

impl ProviderKeys {
    /// The keys that this issuer's discovery document leads to.
    pub(super) fn discovered(issuer: &str) -> Result<Self, Error> {
        let url: Result<Url, _> = issuer.parse();
        let http = client(&url.map_err(|error| Kind::Internal.caused_by(error))?)?;
        Ok(Self::new(issuer, None, http))
    }

    /// The keys of this issuer that are served there.
    pub(super) fn at(issuer: &str, url: &Url) -> Result<Self, Error> {
        Ok(Self::new(issuer, Some(url.clone()), client(url)?))
    }

    fn new(issuer: &str, at: Option<Url>, http: Client) -> Self {
        Self {
            issuer: issuer.to_owned(),
            at,
            http,
            held: RwLock::default(),
            fetching: Arc::default(),
        }
    }

    /// The keys that may have signed a token. The provider is waited for only where none is known, or none that is fresh.
    pub(super) async fn fitting(
        self: &Arc<Self>,
        jwt: &Jwt<'_>,
        now: Timestamp,
    ) -> Result<Vec<DecodingKey>, Error> {
        let held = self.held();
        let keys = held.fitting(jwt);
        let serve = !keys.is_empty() && held.is_younger(STALE, now);
        if serve && held.is_younger(YOUNG, now) {
            return Ok(keys);
        }
        let asked = self.ask(now);
        if serve && (held.failed || held.is_younger(FRESH, now)) {
            return Ok(keys);
        }
        let patience = if serve { GRACE } else { PATIENCE };
        // Too late is as failed: what is held then decides.
        let _ = timeout(patience, asked).await;
        let held = self.held();
        if held.is_younger(STALE, now) {
            return Ok(held.fitting(jwt));
        }
        let says = format!(
            "the keys of the issuer `{}` cannot be had right now",
            self.issuer
        );
        Err(Kind::Unavailable.because(says))
    }

    fn held(&self) -> Held {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.clone()
    }

    /// Asks the provider, unless somebody has lately, and ends when it has answered, whoever asked. That goes on by itself: a caller
    /// who goes away takes nobody's answer along.
    fn ask(self: &Arc<Self>, now: Timestamp) -> impl Future<Output = ()> + use<> {
        let fetching = Arc::clone(&self.fetching);
        if let Ok(turn) = Arc::clone(&fetching).try_lock_owned() {
            let this = Arc::clone(self);
            tokio::spawn(async move {
                this.refresh(now).await;
                drop(turn);
            });
        }
        async move { drop(fetching.lock().await) }
    }

    async fn refresh(&self, now: Timestamp) {
        let mut held = self.held();
        if !held.may_try(now) {
            return;
        }
        held.tried_at = Some(now);
        let fetched = timeout(PATIENCE, self.fetch()).await;
        let fetched =
            fetched.unwrap_or_else(|_| Err(Trouble::Away("it does not answer".to_owned())));
        held.failed = fetched.is_err();
        match fetched {
            Ok(Serves { keys, .. }) => {
                held.keys = keys;
                held.fetched_at = Some(now);
            }
            Err(error) => {
                let issuer = &self.issuer;
                tracing::warn!(issuer, %error, "an issuer's keys cannot be fetched");
            }
        }
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// What the provider serves right now.
    pub(super) async fn fetch(&self) -> Result<Serves, Trouble> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let (set, at) = self.json::<Set>(self.address().await?).await?;
        let keys = set.keys.into_iter().filter_map(Key::read);
        let keys = keys.take(MOST_KEYS).collect();
        Ok(Serves { keys, at })
    }

    /// Where its keys are.
    pub(super) async fn address(&self) -> Result<Url, Trouble> {
        match &self.at {
            Some(url) => Ok(url.clone()),
            None => self.discover().await,
        }
    }

    async fn discover(&self) -> Result<Url, Trouble> {
        #[derive(Deserialize)]
        struct Document {
            issuer: String,
            jwks_uri: String,
        }
        let issuer = self.issuer.trim_end_matches('/');
        let url = format!("{issuer}/.well-known/openid-configuration");
        let url = url.parse().map_err(wrong)?;
        let (found, _) = self.json::<Document>(url).await?;
        if found.issuer != self.issuer {
            let says = format!("its discovery document is of `{}`", found.issuer);
            return Err(Trouble::Wrong(says));
        }
        let keys: Url = found.jwks_uri.parse().map_err(wrong)?;
        if is_fetchable(&keys) {
            Ok(keys)
        } else {
            let says = "its keys are not served by https";
            Err(Trouble::Wrong(says.to_owned()))
        }
    }

    async fn json<T: DeserializeOwned>(&self, url: Url) -> Result<(T, Option<Timestamp>), Trouble> {
        let request = self.http.get(url).header(ACCEPT, "application/json");
        let mut answer = request.send().await.map_err(whole)?;
        if answer.status() != StatusCode::OK {
            let says = format!("{} answers {}", answer.url(), answer.status());
            return Err(Trouble::Away(says));
        }
        let at = answer.headers().get(DATE).and_then(moment);
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(whole)? {
            if body.len() + piece.len() > LONGEST_BYTES {
                let says = format!("the answer of {} has no end", answer.url());
                return Err(Trouble::Wrong(says));
            }
            body.extend_from_slice(&piece);
        }
        let said = serde_json::from_slice(&body).map_err(wrong)?;
        Ok((said, at))
    }
}

/// An error with its causes: the outermost alone says little.
fn whole(error: reqwest::Error) -> Trouble {
    Trouble::Away(Kind::Unavailable.caused_by(error).sources())
}

fn wrong(error: impl std::error::Error) -> Trouble {
    Trouble::Wrong(error.to_string())
}

/// RFC 9110, section 5.6.7.
fn moment(date: &HeaderValue) -> Option<Timestamp> {
    let at = rfc2822::parse(date.to_str().ok()?).ok()?;
    Some(at.timestamp())
}

fn client(server: &Url) -> Result<Client, Error> {
    let builder = Client::builder()
        .user_agent(concat!("loadlock/", env!("CARGO_PKG_VERSION")))
        .timeout(PATIENCE)
        .redirect(Policy::none());
    // A proxy from the environment is no way to this very machine.
    let here = server.host_str().is_some_and(is_loopback_authority);
    let builder = if here { builder.no_proxy() } else { builder };
    builder
        .build()
        .map_err(|error| Kind::Internal.caused_by(error))
}

impl Held {
    /// Without a key's name only one key can be meant (OpenID Connect Core 1.0, section 10.1).
    fn fitting(&self, jwt: &Jwt<'_>) -> Vec<DecodingKey> {
        let fits = self.keys.iter().filter(|key| key.fits(jwt));
        let keys: Vec<DecodingKey> = fits.map(|key| key.verifies.clone()).collect();
        let most = if jwt.key_id().is_some() {
            MOST_NAMESAKES
        } else {
            1
        };
        if keys.len() > most { Vec::new() } else { keys }
    }

    fn is_younger(&self, age: Duration, now: Timestamp) -> bool {
        self.fetched_at.is_some_and(|at| apart(at, now) < age)
    }

    fn may_try(&self, now: Timestamp) -> bool {
        let pause = if self.failed {
            PAUSE_AFTER_FAILURE
        } else {
            PAUSE
        };
        self.tried_at.is_none_or(|at| apart(at, now) >= pause)
    }
}

/// In either direction: a clock that was set back must not make anything last.
fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.duration_since(other).unsigned_abs()
}

impl Key {
    /// A key of the set, if it is one that verifies signatures and is public. A set may hold others.
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let public = matches!(
            jwk.algorithm,
            AlgorithmParameters::RSA(_)
                | AlgorithmParameters::EllipticCurve(_)
                | AlgorithmParameters::OctetKeyPair(_)
        );
        let common = &jwk.common;
        let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
        let operations = common.key_operations.as_deref();
        let verifies = operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
        if !public || !signs || !verifies {
            return None;
        }
        Some(Self {
            name: common.key_id.clone(),
            algorithm: common.key_algorithm,
            verifies: DecodingKey::from_jwk(&jwk).ok()?,
        })
    }

    fn fits(&self, jwt: &Jwt<'_>) -> bool {
        let named = jwt.key_id();
        self.is_for(jwt.algorithm()) && (named.is_none() || named == self.name.as_deref())
    }

    fn is_for(&self, algorithm: Algorithm) -> bool {
        self.verifies.family() == algorithm.family()
            && self.algorithm.is_none_or(|own| own == algorithm.into())
    }
}
