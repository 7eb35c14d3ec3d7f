//! The gate: whom a profile lets begin anything, before a file is looked at.

use crate::{
    app::App,
    auth::{Caller, Claims, Who},
    error::{Error, Kind},
    flow::revoke,
    records::Subject,
    upload::{Owner, Profile, Upload},
};

/// Lets a caller begin under this profile, or says why not.
pub(super) async fn enter(app: &App, caller: &Caller, profile: &Profile) -> Result<(), Error> {
    let mut subjects = vec![Subject::Profile(profile.name.clone())];
    match &caller.who {
        Who::User { owner, .. } => subjects.push(Subject::Owner(owner.clone())),
        Who::Server { name, .. } => subjects.push(Subject::ApiKey(name.clone())),
        Who::Nobody => subjects.push(Subject::Owner(Owner::anonymous())),
        Who::Upload { .. } => {}
    }
    revoke::check(app, &subjects).await?;
    admitted(caller, profile)
}

/// An application's server begins for owners of its choice, who may be revoked.
pub(super) async fn check_owners(
    app: &App,
    caller: &Caller,
    files: &mut [Result<Upload, Error>],
) -> Result<(), Error> {
    let Who::Server { .. } = caller.who else {
        return Ok(());
    };
    for file in files {
        if let Ok(upload) = file {
            let checked = revoke::check(app, &[Subject::Owner(upload.owner.clone())]).await;
            match checked {
                Err(error) if error.kind() == Kind::Revoked => *file = Err(error),
                checked => checked?,
            }
        }
    }
    Ok(())
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
