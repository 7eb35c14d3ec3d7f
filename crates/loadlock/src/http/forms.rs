//! For clients that know nothing of Loadlock: a form's way back, and the classic tutorial's contract.
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header::LOCATION},
    response::{IntoResponse as _, Response},
};

use super::{
    extract::{Beginning, Creating, Id},
    message::{UploadUrl, UploadUrlRequest},
    render, uploads,
};
use crate::{
    app::App,
    error::{Error, Kind},
    flow,
};

pub(super) const RETURN: &[Kind] = &[Kind::NotFound, Kind::RateLimited];

/// Whereto the store sends a browser that has sent a form: completes the upload, and leads back to the application.
///
/// The application's address, `return_to` of the begin, gets `upload`, `state` and, of a rejected one, `reason` in its query.
#[utoipa::path(
    get, path = "/v1/uploads/{id}/return", tag = "uploads", operation_id = "return",
    params(("id" = String, Path, description = "The upload's id.")),
    responses((status = 303, description = "To the application.", headers(
        ("location" = String, description = "`return_to` with `upload`, `state` and perhaps `reason`."),
    )))
)]
pub(super) async fn return_person(State(app): State<App>, Id(id): Id) -> Result<Response, Error> {
    let address = flow::return_to(&app, id).await?;
    let location =
        HeaderValue::try_from(address).map_err(|error| Kind::Internal.caused_by(error))?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response())
}

pub(super) const UPLOAD_URL: &[Kind] = uploads::BEGIN;

/// Begin an upload for a client that only knows how to PUT.
///
/// The contract of many tutorials. PUT the bytes to `put_url` with the `content-type` announced; `get_url` is the file's
/// stable address from then on. No size is declared, so none is signed: the profile's limits hold at promotion.
#[utoipa::path(
    post, path = "/upload_url", tag = "uploads", operation_id = "upload_url",
    params(("idempotency-key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = uploads::IDEMPOTENCY)),
    request_body = UploadUrlRequest,
    responses((status = 201, description = "Where to PUT, and where to get.", body = UploadUrl))
)]
pub(super) async fn sign_upload_url(
    State(app): State<App>,
    Beginning(caller): Beginning,
    sent: Creating,
) -> Result<(StatusCode, Json<UploadUrl>), Error> {
    let request: UploadUrlRequest = sent.json()?;
    let wanted = flow::UploadUrl {
        path: path(&request)?,
        content_type: request.content_type,
        owner: request.owner,
    };
    let begun = flow::upload_url(&app, &caller, wanted, sent.idempotency.as_ref()).await?;
    Ok((StatusCode::CREATED, Json(render::upload_url(&app, begun)?)))
}

/// `path` as it is, or made of `directory` and `extension`.
fn path(request: &UploadUrlRequest) -> Result<String, Error> {
    match (&request.path, &request.directory, &request.extension) {
        (Some(path), None, None) => Ok(path.clone()),
        (None, Some(directory), Some(extension)) => {
            let directory = directory.trim_end_matches('/');
            let extension = extension.trim_start_matches('.');
            Ok(format!("{directory}/unnamed.{extension}"))
        }
        _ => {
            Err(Kind::InvalidRequest
                .because("either `path` is wanted, or `directory` and `extension`"))
        }
    }
}
