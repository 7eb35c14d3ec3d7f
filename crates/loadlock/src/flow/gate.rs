//! The gate: whom a profile lets begin anything, before a file is looked at.

use crate::{
    app::App,
    auth::{Caller, Claims, Who},
    error::{Error, Kind},
    records::{Denied, Subject},
    upload::{Owner, Profile, Upload},
};

/// Lets a caller begin under this profile, or says why not; of what was revoked just now the records tell.
pub(super) async fn enter(app: &App, caller: &Caller, profile: &Profile) -> Result<(), Error> {
    let subjects = subjects(caller, profile);
    refuse(app.records.foresee_revoked(&subjects).await?)?;
    admitted(caller, profile)
}

/// The same where something is handed out for an owner without another look.
pub(super) async fn enter_now(
    app: &App,
    caller: &Caller,
    profile: &Profile,
    owner: &Owner,
) -> Result<(), Error> {
    let mut subjects = subjects(caller, profile);
    subjects.push(Subject::Owner(owner.clone()));
    refuse(app.records.revoked(&subjects).await?)?;
    admitted(caller, profile)
}

/// Whose permissions it takes, but for an owner's whom an application's server names.
fn subjects(caller: &Caller, profile: &Profile) -> Vec<Subject> {
    let mut subjects = vec![Subject::Profile(profile.name.clone())];
    match &caller.who {
        Who::User { owner, .. } => subjects.push(Subject::Owner(owner.clone())),
        Who::Server { name, .. } => subjects.push(Subject::ApiKey(name.clone())),
        Who::Nobody => subjects.push(Subject::Owner(Owner::anonymous())),
        Who::Upload { .. } => {}
    }
    subjects
}

fn refuse(revoked: Option<Subject>) -> Result<(), Error> {
    revoked.map_or(Ok(()), |subject| Err(Denied::Revoked(subject).into()))
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
            let owner = Subject::Owner(upload.owner.clone());
            let revoked = app.records.foresee_revoked(&[owner]).await?;
            if let Err(error) = refuse(revoked) {
                *file = Err(error);
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
