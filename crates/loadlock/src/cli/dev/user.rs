//! The demo's user: made here, and signed in.
use crate::{
    app::App,
    auth::{Claims, Secret},
    demo,
    error::{Error, Kind},
    flow::{self, SignIn, SignedIn},
    records::{Act, Entry, Outcome, User},
};

/// Signs the demo's user in. Where there is none yet, or they have another password, they get this one.
pub(super) async fn sign_in(app: &App, password: &Secret) -> Result<SignedIn, Error> {
    match attempt(app, password).await {
        Err(error) if error.kind() == Kind::SignInFailed => {}
        signed_in => return signed_in,
    }
    let hash = app
        .passwords
        .hash(password.clone(), app.ids.secret()?)
        .await?;
    let entry = Entry {
        owner: Some(demo::USER.to_owned()),
        ..Entry::new(Act::User, None, app.clock.now())
    };
    let set = app.records.set_password(demo::USER, &hash, entry.clone());
    if set.await? == Outcome::Lost {
        let user = User {
            name: demo::USER
                .parse()
                .map_err(|error| Kind::Internal.caused_by(error))?,
            password: hash,
            claims: Claims::default(),
            created_at: app.clock.now(),
            disabled_at: None,
        };
        // Nobody else is at work on this directory.
        let _ = app.records.add_user(&user, entry).await?;
    }
    attempt(app, password).await
}

async fn attempt(app: &App, password: &Secret) -> Result<SignedIn, Error> {
    let (name, password) = (demo::USER.to_owned(), password.clone());
    flow::sign_in(app, None, SignIn { name, password }).await
}
