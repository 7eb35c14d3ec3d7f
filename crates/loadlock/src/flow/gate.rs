//! The gate: whom a profile lets begin anything, before a file is looked at.

use crate::{
    app::App,
    auth::{Caller, Claims, Who},
    error::{Error, Kind},
    upload::Profile,
};

/// Lets a caller begin under this profile, or says why not.
#[expect(
    clippy::unused_async,
    reason = "who is revoked is known to the records"
)]
pub(super) async fn enter(_app: &App, caller: &Caller, profile: &Profile) -> Result<(), Error> {
    admitted(caller, profile)
}

fn admitted(caller: &Caller, profile: &Profile) -> Result<(), Error> {
    let (name, admits) = (&profile.name, &profile.admits);
    match &caller.who {
        Who::Server { scope, .. } if scope.covers(name) => Ok(()),
        Who::Server { .. } => {
            Err(Kind::Forbidden.because(format!("this API key is not for profile `{name}`")))
        }
        Who::User { claims, .. } => match admits.claims.iter().find(|it| !says(claims, it)) {
            None => Ok(()),
            Some((claim, _)) => Err(Kind::Forbidden.because(format!(
                "profile `{name}` is for some users only, by the claim `{claim}` of their token"
            ))),
        },
        Who::Nobody if admits.anonymous => Ok(()),
        Who::Nobody => Err(Kind::Unauthenticated.because(format!(
            "sign in: profile `{name}` takes nothing of strangers"
        ))),
        Who::Upload { .. } => {
            Err(Kind::Forbidden.because("an upload token is for its one upload only"))
        }
    }
}

fn says(claims: &Claims, (name, values): &(&String, &Vec<String>)) -> bool {
    claims
        .all(name)
        .any(|said| values.iter().any(|value| value == said))
}
