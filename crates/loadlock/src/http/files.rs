//! Files: records, display URLs, the stable address.
use axum::{
    Json,
    extract::State,
    http::{
        HeaderValue, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, LOCATION, VARY},
    },
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;

use super::{
    extract::{Asked, Asking, Body, Id, MaybeAsking},
    message::{File, FilePage, Urls, UrlsRequest},
    render,
};
use crate::{
    app::App,
    error::{Error, Kind},
    flow,
};

/// A redirect is forgotten this long before its URL dies, so that it is not followed too late.
const MARGIN_SECONDS: i64 = 30;

pub(super) const LIST: &[Kind] = &[Kind::InvalidRequest, Kind::Forbidden];
pub(super) const URLS: &[Kind] = &[Kind::InvalidRequest, Kind::Forbidden, Kind::BodyTooLarge];
pub(super) const ONE: &[Kind] = &[Kind::Forbidden, Kind::NotFound];
pub(super) const OPEN: &[Kind] = &[Kind::Unauthenticated, Kind::Forbidden, Kind::NotFound];

/// Which files.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// Whose; a user sees their own in any case.
    owner: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// At most so many; 50 if not said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// List files, the newest first.
#[utoipa::path(
    get, path = "/v1/files", tag = "files", operation_id = "files", params(Page),
    responses((status = 200, description = "One page.", body = FilePage))
)]
pub(super) async fn list_files(
    State(app): State<App>,
    Asking(caller): Asking,
    Asked(Page {
        owner,
        cursor,
        limit,
    }): Asked<Page>,
) -> Result<Json<FilePage>, Error> {
    let page = flow::files(
        &app,
        &caller,
        flow::FileQuery {
            owner,
            cursor,
            limit,
        },
    )
    .await?;
    let files = page
        .files
        .into_iter()
        .map(|file| render::file(&app, file))
        .collect();
    Ok(Json(FilePage {
        files,
        next_cursor: page.next_cursor,
    }))
}

/// Show one file, with a display URL.
#[utoipa::path(
    get, path = "/v1/files/{id}", tag = "files", operation_id = "file",
    params(("id" = String, Path, description = "The file's id, which was the upload's.")),
    responses((status = 200, description = "The file.", body = File))
)]
pub(super) async fn show_file(
    State(app): State<App>,
    Asking(caller): Asking,
    Id(id): Id,
) -> Result<Json<File>, Error> {
    let shown = flow::file(&app, &caller, id).await?;
    Ok(Json(render::shown_file(&app, shown)))
}

/// Delete a file, its record and its bytes. Deleting twice is no error.
#[utoipa::path(
    delete, path = "/v1/files/{id}", tag = "files", operation_id = "delete_file",
    params(("id" = String, Path, description = "The file's id.")),
    responses((status = 204, description = "It is gone."))
)]
pub(super) async fn delete_file(
    State(app): State<App>,
    Asking(caller): Asking,
    Id(id): Id,
) -> Result<StatusCode, Error> {
    flow::delete_file(&app, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Display URLs for many files in one call.
///
/// The time of signing is rounded, so that a browser's cache works.
#[utoipa::path(
    post, path = "/v1/files/urls", tag = "files", operation_id = "urls",
    responses((status = 200, description = "A URL for each file there is.", body = Urls))
)]
pub(super) async fn sign_urls(
    State(app): State<App>,
    Asking(caller): Asking,
    Body(request): Body<UrlsRequest>,
) -> Result<Json<Urls>, Error> {
    if request.ids.len() > 100 {
        return Err(Kind::InvalidRequest.because("`ids` takes at most 100 ids"));
    }
    let (known, mut missing): (Vec<_>, Vec<_>) = request
        .ids
        .into_iter()
        .map(|text| text.parse().map_err(|_| text))
        .partition(Result::is_ok);
    let ids: Vec<_> = known.into_iter().flatten().collect();
    let found = flow::display_urls(&app, &caller, &ids).await?;
    missing.extend(found.missing.iter().map(|id| Err(id.to_string())));
    Ok(Json(Urls {
        urls: found
            .urls
            .iter()
            .map(|(id, display)| render::display_url(*id, display))
            .collect(),
        missing: missing.into_iter().filter_map(Result::err).collect(),
    }))
}

/// The stable address of a file's bytes: a redirect to a fresh display URL.
///
/// For `<img src>` and for a database. Who may follow it, the file's profile says.
#[utoipa::path(
    get, path = "/f/{id}", tag = "files", operation_id = "open",
    params(("id" = String, Path, description = "The file's id.")),
    responses((status = 302, description = "To the bytes; may be kept as long as the URL lives.", headers(
        ("location" = String, description = "A display URL."),
        ("cache-control" = String, description = "`private, max-age=…`, fitting the URL's lifetime."),
    ))),
    security((), ("user" = []), ("api_key" = []))
)]
pub(super) async fn open_file(
    State(app): State<App>,
    MaybeAsking(caller): MaybeAsking,
    Id(id): Id,
) -> Result<Response, Error> {
    let display = flow::open(&app, caller.as_ref(), id).await?;
    let seconds = display.expires_at.as_second() - app.clock.now().as_second() - MARGIN_SECONDS;
    let location = HeaderValue::try_from(display.url.expose())
        .map_err(|error| Kind::Internal.caused_by(error))?;
    let keep = HeaderValue::try_from(format!("private, max-age={}", seconds.max(0)))
        .map_err(|error| Kind::Internal.caused_by(error))?;
    Ok((
        StatusCode::FOUND,
        [
            (LOCATION, location),
            (CACHE_CONTROL, keep),
            (VARY, HeaderValue::from_name(AUTHORIZATION)),
        ],
    )
        .into_response())
}
