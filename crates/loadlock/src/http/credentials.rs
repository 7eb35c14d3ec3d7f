//! Temporary credentials: handed out, and what was sent with them.
use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};

use super::{
    extract::{Asking, Body, Creating, Id, OwnToken},
    message::{
        Credentials, CredentialsRequest, Method, Reason, Sent, SentRequest, SentUpload, SentWaiting,
    },
    render,
};
use crate::{
    app::App,
    bucket::Style,
    error::{Error, Kind},
    flow,
    upload::{ObjectKey, Upload},
};

pub(super) const VEND: &[Kind] = &[
    Kind::InvalidRequest,
    Kind::Forbidden,
    Kind::Revoked,
    Kind::QuotaExceeded,
    Kind::NotFound,
    Kind::BodyTooLarge,
    Kind::MethodNotOffered,
    Kind::MetadataRefused,
];

/// Get temporary credentials.
///
/// For clients that speak S3 themselves: keys that may write below one prefix of the staging bucket for a while. S3 bounds neither
/// the size nor the number of what they send; the profile's limits hold at inspection, and nothing is promoted before.
#[utoipa::path(
    post, path = "/v1/credentials", tag = "uploads", operation_id = "vend",
    params(("idempotency-key" = Option<String>, Header, description = "Taken, and not needed: credentials that nobody uses end by themselves.")),
    request_body = CredentialsRequest,
    responses((status = 201, description = "Keys, and where they write.", body = Credentials))
)]
pub(super) async fn vend_credentials(
    State(app): State<App>,
    Asking(caller): Asking,
    OwnToken(token): OwnToken,
    sent: Creating,
) -> Result<(StatusCode, Json<Credentials>), Error> {
    let request: CredentialsRequest = sent.json()?;
    let vend = flow::Vend {
        profile: request.profile,
        owner: request.owner,
        metadata: request.metadata.unwrap_or_default(),
        lifetime: request.lifetime.map(Duration::from_secs),
        token,
    };
    let vended = flow::vend(&app, &caller, vend).await?;
    Ok((StatusCode::CREATED, Json(credentials(&app, &vended))))
}

pub(super) const SENT: &[Kind] = &[
    Kind::InvalidRequest,
    Kind::NotFound,
    Kind::NotReceived,
    Kind::BodyTooLarge,
    Kind::TooManyFiles,
];

/// Say what was sent with temporary credentials.
///
/// Each object becomes an upload, which is inspected, claimed and promoted as any other. What nobody names here is found all the
/// same, a little later. An object that is written again once it was found changes nothing.
#[utoipa::path(
    post, path = "/v1/credentials/{id}/complete", tag = "uploads", operation_id = "complete_credentials",
    params(("id" = String, Path, description = "The credentials' id.")),
    request_body = SentRequest,
    responses((status = 200, description = "The uploads found, and how far each has come.", body = Sent))
)]
pub(super) async fn complete_credentials(
    State(app): State<App>,
    Asking(caller): Asking,
    Id(id): Id,
    Body(request): Body<SentRequest>,
) -> Result<Json<Sent>, Error> {
    let found = flow::complete_session(&app, &caller, id, request.keys).await?;
    Ok(Json(sent(&found)))
}

fn credentials(app: &App, vended: &flow::Keys) -> Credentials {
    let flow::Keys {
        session,
        credentials,
    } = vended;
    let store = &app.config.store;
    let token = credentials.session_token();
    Credentials {
        id: session.id.to_string(),
        method: Method::Credentials,
        access_key_id: credentials.access_key().to_owned(),
        secret_access_key: render::sealed(credentials.secret()),
        session_token: token.map_or_else(|| String::new().into(), render::sealed),
        expires_at: render::time(session.expires_at),
        endpoint: store.public_endpoint.clone(),
        region: store.region.clone(),
        path_style: store.style == Style::Path,
        bucket: store.staging_bucket.clone(),
        prefix: session.prefix.as_str().to_owned(),
    }
}

fn sent(found: &flow::Sent) -> Sent {
    let one = |upload: &Upload| SentUpload {
        key: upload.staged_key.to_string(),
        id: upload.id.to_string(),
        state: (&upload.state).into(),
        reason: render::reason(&upload.state),
    };
    let waits = |(key, why): &(ObjectKey, Error)| SentWaiting {
        key: key.to_string(),
        reason: Reason {
            code: why.kind().code().to_owned(),
            message: why.message().to_owned(),
        },
    };
    Sent {
        uploads: found.uploads.iter().map(one).collect(),
        waiting: found.waiting.iter().map(waits).collect(),
    }
}
