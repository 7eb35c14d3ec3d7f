//! JSON Web Tokens (RFC 7519): what one says once somebody's key is known to have signed it. The time is ours.

use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, dangerous::insecure_decode_claims, decode,
    decode_header,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Denied, Secret, Who, issuers::By, user};
use crate::{app::App, limits::Standing, upload::Owner};

/// No token is longer, in bytes.
const LONGEST: usize = 8 << 10;

/// A token as it came. Nothing of it is believed yet.
pub(super) struct Jwt<'t> {
    token: &'t str,
    header: Header,
}

/// What a token's claims hold once it is verified.
pub(super) type Said = Map<String, Value>;

impl<'t> Jwt<'t> {
    /// A token that could be one: of an algorithm that there is (`none` is none), and without anything that must be understood
    /// (RFC 7515, section 4.1.11), as nothing is. One that brings its own key, or says where to find one, is refused, whoever
    /// signed it (sections 4.1.2, 4.1.3, 4.1.5 and 4.1.6).
    pub(super) fn read(token: &'t str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let header = decode_header(token).ok()?;
        let brings_keys = header.jwk.is_some()
            || header.jku.is_some()
            || header.x5u.is_some()
            || header.x5c.is_some();
        let plain = header.crit.is_none() && !brings_keys;
        plain.then_some(Self { token, header })
    }

    pub(super) fn as_str(&self) -> &str {
        self.token
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.header.alg
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// What it is for by its own word (RFC 8725, section 3.11), in small letters: `jwt`, `at+jwt`, `logout+jwt`.
    pub(super) fn kind(&self) -> String {
        let kind = self.header.typ.as_deref().unwrap_or("jwt");
        let kind = kind.to_ascii_lowercase();
        kind.trim_start_matches("application/").to_owned()
    }

    /// Whose it claims to be: which settings it is to be held to, and nothing more.
    pub(super) fn issuer(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Unverified {
            iss: String,
        }
        let claims = insecure_decode_claims::<Unverified>(self.token);
        claims.ok().map(|claims| claims.iss)
    }

    /// Whether it is over by its own word, whoever wrote it.
    fn has_ended(&self, now: Timestamp, leeway: Duration) -> bool {
        #[derive(Deserialize)]
        struct Unverified {
            exp: f64,
        }
        let claims = insecure_decode_claims::<Unverified>(self.token);
        claims.is_ok_and(|claims| claims.exp + leeway.as_secs_f64() <= seconds(now))
    }

    /// What it says, if one of these keys signed it by its algorithm. The keys must be for algorithms that its issuer may use.
    pub(super) fn signed_by(&self, keys: &[DecodingKey]) -> Option<Said> {
        let mut signature_only = Validation::new(self.header.alg);
        signature_only.required_spec_claims.clear();
        // By the machine's clock, which is not ours.
        signature_only.validate_exp = false;
        signature_only.validate_aud = false;
        let mut said = keys
            .iter()
            .filter_map(|key| decode(self.token, key, &signature_only).ok());
        said.next().map(|data| data.claims)
    }
}

/// The keys of those who sign with one of these.
pub(super) fn shared(secrets: &[Secret]) -> Vec<DecodingKey> {
    let key = |secret: &Secret| DecodingKey::from_secret(secret.expose().as_bytes());
    secrets.iter().map(key).collect()
}

/// RFC 7519, section 4.1; seconds of the Unix epoch, whole or not.
#[derive(Deserialize)]
pub(super) struct Times {
    pub(super) exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

impl Times {
    /// A token's; without an end it has none.
    pub(super) fn of(said: &Said) -> Option<Self> {
        Self::deserialize(said).ok()
    }

    /// Whether the token is good already, by an issuer's clock that is this many seconds ahead at most.
    pub(super) fn have_begun(&self, now: f64, leeway: f64) -> bool {
        let begun = |at: Option<f64>| at.is_none_or(|at| at <= now + leeway);
        begun(self.nbf) && begun(self.iat)
    }
}

/// A time as tokens have it.
pub(super) fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

/// What a claim says, where it is a text.
pub(super) fn text<'s>(said: &'s Said, claim: &str) -> Option<&'s str> {
    said.get(claim).and_then(Value::as_str)
}

/// Whether a token is meant for one of these (RFC 7519, section 4.1.3).
pub(super) fn is_meant_for<S: AsRef<str>>(said: &Said, audience: &[S]) -> bool {
    let meant = |value: &Value| audience.iter().any(|one| value == one.as_ref());
    match said.get("aud") {
        Some(Value::Array(several)) => several.iter().any(meant),
        Some(one) => meant(one),
        None => false,
    }
}

/// The owner of this name, if a token may speak for it.
pub(super) fn owner(name: &str) -> Option<Owner> {
    let owner: Owner = name.parse().ok()?;
    (!owner.is_anonymous()).then_some(owner)
}

/// Whom a JWT speaks for: by the issuer that it claims to be of, else by the application's own secrets.
pub(super) async fn holder(
    app: &App,
    token: &str,
    barred: Option<&Standing>,
) -> Result<Who, Denied> {
    let now = app.clock.now();
    if let Some(who) = app.issuers.remembered(token, now) {
        return Ok(who);
    }
    let jwt = Jwt::read(token).ok_or(Denied::Unknown)?;
    let issuer = app.issuers.claimed_by(&jwt);
    let leeway = issuer.as_ref().map_or(Duration::ZERO, By::leeway);
    // Whoever signed it: what nobody looks at any further is no guess either.
    if jwt.has_ended(now, leeway) {
        return Err(Denied::Ended("this token has expired: get another"));
    }
    let who = match (issuer, barred) {
        (Some(issuer), Some(barred)) if issuer.serves_keys() => {
            return Err(barred.refusal().into());
        }
        (Some(issuer), _) => issuer.holder(&jwt, now).await?,
        (None, _) => user::holder(&jwt, &app.config.user_secrets, now),
    };
    who.ok_or(Denied::Unknown)
}
