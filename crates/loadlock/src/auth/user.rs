//! User tokens: JWTs by which an application says who its user is, signed with a secret that it shares with the service.

use jiff::Timestamp;
use jsonwebtoken::Algorithm;

use super::{
    Claims, Secret, Who,
    jwt::{Jwt, Times, is_meant_for, owner, seconds, shared, text},
};

/// Whom a token must be meant for.
const AUDIENCE: &str = "loadlock";
/// How far ahead a token may expire, in seconds: none is good for ever.
const LONGEST: f64 = 24.0 * 60.0 * 60.0;
/// How far the application's clock may be ahead of ours, in seconds.
const LEEWAY: f64 = 30.0;

/// Whom a token speaks for, if one of the secrets signed it and it is good now. There is one algorithm, so that a header can
/// choose none.
pub(super) fn holder(jwt: &Jwt<'_>, secrets: &[Secret], now: Timestamp) -> Option<Who> {
    if jwt.algorithm() != Algorithm::HS256 {
        return None;
    }
    let said = jwt.signed_by(&shared(secrets))?;
    let times = Times::of(&said)?;
    let now = seconds(now);
    let good = is_meant_for(&said, &[AUDIENCE])
        && now < times.exp
        && times.exp <= now + LONGEST + LEEWAY
        && times.have_begun(now, LEEWAY);
    let owner = owner(text(&said, "sub")?).filter(|_| good)?;
    let claims = Claims::new(said);
    Some(Who::User { owner, claims })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each says that it is of u17, for Loadlock, until an hour after the beginning of 2026.
    #[test]
    fn tokens_that_other_libraries_signed_are_taken() {
        let secrets = [Secret::new("0123456789abcdef0123456789abcdef".to_owned())];
        let check = |token: &str| {
            let jwt = Jwt::read(token).unwrap();
            let at = |time: &str| match holder(&jwt, &secrets, time.parse().unwrap()) {
                Some(Who::User { owner, .. }) => owner.to_string(),
                _ => String::new(),
            };
            assert_eq!(at("2026-01-01T00:59:59.999Z"), "u17");
            assert_eq!(at("2026-01-01T01:00:00Z"), "");
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
