//! Uploads: begin, look, sign, complete, claim, abort.
use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, de::IgnoredAny};

use super::{
    extract::{Asked, Asking, Beginning, Body, Creating, Id, parse_id},
    message::{
        self, BeginManyRequest, BeginRequest, Begun, BegunMany, ClaimRequest, Claimed, FileRequest,
        SignRequest, Signed, Upload,
    },
    render,
};
use crate::{
    app::App,
    error::{Error, Kind},
    flow,
};

/// The longest that a look may wait.
const MAX_WAIT: u64 = 30;
/// The header's description.
pub(super) const IDEMPOTENCY: &str =
    "1 to 255 visible ASCII characters; the same request under the same key begins nothing twice.";

pub(super) const BEGIN: &[Kind] = &[
    Kind::InvalidRequest,
    Kind::Forbidden,
    Kind::Revoked,
    Kind::Refused,
    Kind::QuotaExceeded,
    Kind::NotFound,
    Kind::AlreadyReceived,
    Kind::UploadEnded,
    Kind::FileTooLarge,
    Kind::BodyTooLarge,
    Kind::FileTooSmall,
    Kind::TypeNotAllowed,
    Kind::MethodNotOffered,
    Kind::MetadataRefused,
    Kind::ChecksumRequired,
    Kind::TooManyFiles,
    Kind::IdempotencyMismatch,
];

/// Begin an upload, or several.
///
/// Checks each announced file against its profile and answers with a grant: the signed permission to send exactly this
/// file to the store. The bytes go there, never here. Of several files each is begun or refused by itself.
#[utoipa::path(
    post, path = "/v1/uploads", tag = "uploads", operation_id = "begin",
    params(("idempotency-key" = Option<String>, Header, pattern = "^[!-~]{1,255}$", description = IDEMPOTENCY)),
    request_body = message::Begin,
    responses(
        (status = 201, description = "A grant; send the bytes to the store.", body = Begun),
        (status = 200, description = "What became of each of several files.", body = BegunMany),
    )
)]
pub(super) async fn begin_upload(
    State(app): State<App>,
    Beginning(caller): Beginning,
    sent: Creating,
) -> Result<Response, Error> {
    let once = sent.idempotency.as_ref();
    Ok(match asked(&sent)? {
        message::Begin::One(request) => {
            let begun = flow::begin(&app, &caller, begin(request)?, once).await?;
            (StatusCode::CREATED, Json(render::begun(&app, begun))).into_response()
        }
        message::Begin::Many(request) => {
            let begun = flow::begin_many(&app, &caller, begin_many(request), once).await?;
            Json(render::begun_many(&app, begun)).into_response()
        }
    })
}

/// Whether `files` is there decides how the rest is read.
fn asked(sent: &Creating) -> Result<message::Begin, Error> {
    #[derive(Deserialize)]
    struct Form {
        files: Option<IgnoredAny>,
    }
    match sent.json() {
        Ok(Form { files: Some(_) }) => sent.json().map(message::Begin::Many),
        _ => sent.json().map(message::Begin::One),
    }
}

fn begin(request: BeginRequest) -> Result<flow::Begin, Error> {
    Ok(flow::Begin {
        profile: request.profile,
        filename: request.filename,
        content_type: request.content_type,
        size_bytes: request.size,
        checksum: request.checksum.map(TryInto::try_into).transpose()?,
        metadata: request.metadata.unwrap_or_default(),
        method: request.method.map(Into::into),
        return_to: request.return_to,
        owner: request.owner,
    })
}

fn begin_many(request: BeginManyRequest) -> flow::BeginMany {
    let BeginManyRequest {
        profile,
        owner,
        metadata,
        files,
    } = request;
    flow::BeginMany {
        profile,
        owner,
        metadata: metadata.unwrap_or_default(),
        files: files.into_iter().map(announced).collect(),
    }
}

fn announced(file: FileRequest) -> flow::Named<flow::Announced> {
    let checksum = file.checksum.map(TryInto::try_into).transpose();
    flow::Named {
        reference: file.reference,
        file: checksum.map(|checksum| flow::Announced {
            filename: file.filename,
            content_type: file.content_type,
            size_bytes: file.size,
            checksum,
            metadata: file.metadata.unwrap_or_default(),
            method: file.method.map(Into::into),
        }),
    }
}

pub(super) const CLAIM: &[Kind] = &[
    Kind::InvalidRequest,
    Kind::Forbidden,
    Kind::Revoked,
    Kind::NotFound,
    Kind::NotReady,
    Kind::AlreadyClaimed,
    Kind::UploadEnded,
    Kind::BodyTooLarge,
    Kind::MetadataRefused,
    Kind::TooManyFiles,
];

/// Claim inspected uploads together with a form.
///
/// For an application's server (API key). All or none; the same claim again gets the same answer.
#[utoipa::path(
    post, path = "/v1/uploads/claim", tag = "uploads", operation_id = "claim",
    params(("idempotency-key" = Option<String>, Header, description = "Taken, and not needed: a claim is repeatable by its nature.")),
    request_body = ClaimRequest,
    responses((status = 200, description = "The files, in the order asked for.", body = Claimed))
)]
pub(super) async fn claim_uploads(
    State(app): State<App>,
    Asking(caller): Asking,
    sent: Creating,
) -> Result<Json<Claimed>, Error> {
    let request: ClaimRequest = sent.json()?;
    let claim = flow::Claim {
        ids: request
            .ids
            .iter()
            .map(|id| parse_id(id))
            .collect::<Result<_, _>>()?,
        owner: request.owner,
        metadata: request.metadata.unwrap_or_default(),
    };
    let files = flow::claim(&app, &caller, claim).await?;
    let files = files
        .into_iter()
        .map(|file| render::shown_file(&app, file))
        .collect();
    Ok(Json(Claimed { files }))
}

pub(super) const LOOK: &[Kind] = &[Kind::InvalidRequest, Kind::NotFound];

/// How long to wait.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Look {
    /// Seconds, up to 30, to hold the answer until the upload is ready to be claimed, stored or ended.
    #[serde(default)]
    #[param(minimum = 0, maximum = 30)]
    wait: u64,
}

/// Look how an upload stands.
#[utoipa::path(
    get, path = "/v1/uploads/{id}", tag = "uploads", operation_id = "look",
    params(("id" = String, Path, description = "The upload's id."), Look),
    responses((status = 200, description = "The upload as it stands.", body = Upload))
)]
pub(super) async fn look_at_upload(
    State(app): State<App>,
    Asking(caller): Asking,
    Id(id): Id,
    Asked(look): Asked<Look>,
) -> Result<Json<Upload>, Error> {
    if look.wait > MAX_WAIT {
        return Err(Kind::InvalidRequest.because(format!("`wait` is 0 to {MAX_WAIT} seconds")));
    }
    let progress = flow::look(&app, &caller, id, Duration::from_secs(look.wait)).await?;
    Ok(Json(render::progress(&app, progress)))
}

pub(super) const SIGN: &[Kind] = &[
    Kind::InvalidRequest,
    Kind::Revoked,
    Kind::NotFound,
    Kind::UploadEnded,
    Kind::BodyTooLarge,
];

/// Sign parts.
///
/// Fresh URLs for parts of a multipart upload, and what the store already holds: all that is needed to resume.
#[utoipa::path(
    post, path = "/v1/uploads/{id}/parts", tag = "uploads", operation_id = "sign",
    request_body = SignRequest,
    params(("id" = String, Path, description = "The upload's id.")),
    responses((status = 200, description = "What is held, and what was asked for.", body = Signed))
)]
pub(super) async fn sign_parts(
    State(app): State<App>,
    Asking(caller): Asking,
    Id(id): Id,
    Body(request): Body<SignRequest>,
) -> Result<Json<Signed>, Error> {
    let numbers: Vec<u64> = request.parts.into_iter().map(u64::from).collect();
    let signed = flow::sign(&app, &caller, id, &numbers).await?;
    Ok(Json(render::signed(signed)))
}

pub(super) const COMPLETE: &[Kind] = &[
    Kind::Revoked,
    Kind::NotFound,
    Kind::NotReceived,
    Kind::UploadEnded,
    Kind::Rejected,
];

/// Complete an upload: all bytes are sent.
///
/// However often it is called, and whoever else noticed first, the answer is the same.
#[utoipa::path(
    post, path = "/v1/uploads/{id}/complete", tag = "uploads", operation_id = "complete",
    params(("id" = String, Path, description = "The upload's id.")),
    responses(
        (status = 200, description = "Inspected: `ready` to be claimed, or `stored`.", body = Upload),
        (status = 202, description = "Still being inspected or promoted: look with `?wait=`.", body = Upload),
    )
)]
pub(super) async fn complete_upload(
    State(app): State<App>,
    Asking(caller): Asking,
    Id(id): Id,
) -> Result<(StatusCode, Json<Upload>), Error> {
    let progress = flow::complete(&app, &caller, id).await?;
    let settled = progress.upload.state.is_settled();
    let status = if settled {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(render::progress(&app, progress))))
}

pub(super) const ABORT: &[Kind] = &[Kind::NotFound, Kind::AlreadyClaimed, Kind::AlreadyStored];

/// Abort an upload.
#[utoipa::path(
    delete, path = "/v1/uploads/{id}", tag = "uploads", operation_id = "abort",
    params(("id" = String, Path, description = "The upload's id.")),
    responses((status = 200, description = "It has ended.", body = Upload))
)]
pub(super) async fn abort_upload(
    State(app): State<App>,
    Asking(caller): Asking,
    Id(id): Id,
) -> Result<Json<Upload>, Error> {
    let upload = flow::abort(&app, &caller, id).await?;
    Ok(Json(render::upload(upload)))
}
