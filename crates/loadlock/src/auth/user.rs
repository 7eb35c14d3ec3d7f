//! User tokens: JWTs by which an application says who its user is, signed with a secret that it shares with the service.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};
use sha2::Sha256;

use super::Secret;
use crate::upload::Owner;

/// Whom a token must be meant for.
const AUDIENCE: &str = "loadlock";
/// How far ahead a token may expire, in seconds: none is good for ever.
const LONGEST: f64 = 24.0 * 60.0 * 60.0;
/// How far the application's clock may be ahead of ours, in seconds.
const LEEWAY: f64 = 30.0;

/// All of a header that is read (RFC 7515, section 4.1): keys that it brings are nobody's.
#[derive(Deserialize)]
struct Header {
    alg: String,
    /// What must be understood; nothing is.
    crit: Option<IgnoredAny>,
}

/// RFC 7519, section 4.1; times are seconds of the Unix epoch, whole or not.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The owner that a token speaks for, if one of the secrets signed it and it is good now.
pub(super) fn owner(token: &str, secrets: &[Secret], now: Timestamp) -> Option<Owner> {
    let claims = signed(token, secrets)?;
    let meant = match &claims.aud {
        Audience::One(audience) => audience == AUDIENCE,
        Audience::Several(all) => all.iter().any(|audience| audience == AUDIENCE),
    };
    let now = now.as_duration().as_secs_f64();
    let begun = |at: Option<f64>| at.is_none_or(|at| at <= now + LEEWAY);
    let good = meant
        && now < claims.exp
        && claims.exp <= now + LONGEST + LEEWAY
        && begun(claims.nbf)
        && begun(claims.iat);
    good.then(|| claims.sub.parse().ok()).flatten()
}

/// What a token says that one of the secrets signed. There is one algorithm, HS256 (RFC 7518, section 3.2), so that a header
/// can choose none: it may only say the same.
fn signed(token: &str, secrets: &[Secret]) -> Option<Claims> {
    let (message, signature) = token.rsplit_once('.')?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    let ours = secrets.iter().any(|secret| {
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).is_ok_and(|mac| {
            let mac = mac.chain_update(message.as_bytes());
            mac.verify_slice(&signature).is_ok()
        })
    });
    let (header, claims) = message.split_once('.').filter(|_| ours)?;
    let header: Header = json(header)?;
    let plain = header.alg == "HS256" && header.crit.is_none();
    plain.then(|| json(claims)).flatten()
}

fn json<T: for<'a> Deserialize<'a>>(part: &str) -> Option<T> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each says that it is of u17, for Loadlock, until an hour after the beginning of 2026.
    #[test]
    fn tokens_that_other_libraries_signed_are_taken() {
        let secrets = [Secret::new("0123456789abcdef0123456789abcdef".to_owned())];
        let check = |token: &str| {
            let at = |time: &str| owner(token, &secrets, time.parse().unwrap());
            let expected: Owner = "u17".parse().unwrap();
            assert_eq!(at("2026-01-01T00:59:59.999Z"), Some(expected));
            assert_eq!(at("2026-01-01T01:00:00Z"), None);
        };
        // Python's PyJWT, and jsonwebtoken for Node.
        check(
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1MTciLCJhdWQiOiJsb2FkbG9jayIsImV4cCI6MTc2NzIyOTIwMH0.QIYpKvU2SlYjBBHnqQtqPFlwImlNyN5tw-65SdXLmnI",
        );
        check(
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3NjcyMjU2MDAsImV4cCI6MTc2NzIyOTIwMCwiYXVkIjoibG9hZGxvY2siLCJzdWIiOiJ1MTcifQ.1agRaPWRFrXgN6EE-wfZYenFlWYuY7RQj5mZRol9A78",
        );
    }
}
