//! Sign-in of local users.
use axum::{Json, extract::State};

use super::{
    extract::{Body, Whence},
    message::{SignInRequest, SignedIn},
    render,
};
use crate::{
    app::App,
    auth::Secret,
    error::{Error, Kind},
    flow::{self, SignIn},
};

pub(super) const SIGN_IN: &[Kind] = &[
    Kind::InvalidRequest,
    Kind::SignInFailed,
    Kind::BodyTooLarge,
    Kind::RateLimited,
];

/// Sign a local user in: a name and a password for a token.
///
/// The token is good for an hour, and no longer than the user and their password. A wrong name and a wrong password are
/// answered alike; attempts are limited per name and address, per address, and per name.
#[utoipa::path(
    post, path = "/v1/sign-in", tag = "users", operation_id = "sign_in", request_body = SignInRequest,
    responses((status = 200, description = "The token.", body = SignedIn)),
    security(())
)]
pub(super) async fn sign_in(
    State(app): State<App>,
    Whence(address): Whence,
    Body(SignInRequest { name, password }): Body<SignInRequest>,
) -> Result<Json<SignedIn>, Error> {
    let password = Secret::new(password.0);
    let signed_in = flow::sign_in(&app, address, SignIn { name, password }).await?;
    Ok(Json(render::signed_in(&signed_in)))
}
