//! Files: records, display URLs, the stable address.
use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{CACHE_CONTROL, LOCATION, VARY},
    },
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    extract::{Asked, Asking, Body, Id, MaybeAsking},
    message::{File, FilePage, Links, LinksRequest, Sealed, Urls, UrlsRequest},
    render,
};
use crate::{
    app::App,
    error::{Error, Kind},
    flow::{self, Admitted},
    upload::UploadId,
};

/// A redirect is forgotten this long before its URL dies, so that it is not followed too late.
const MARGIN_SECONDS: i64 = 30;

pub(super) const LIST: &[Kind] = &[Kind::InvalidRequest, Kind::Forbidden];
pub(super) const URLS: &[Kind] = &[Kind::InvalidRequest, Kind::Forbidden, Kind::BodyTooLarge];
pub(super) const LINKS: &[Kind] = &[
    Kind::InvalidRequest,
    Kind::Forbidden,
    Kind::Revoked,
    Kind::BodyTooLarge,
];
pub(super) const ONE: &[Kind] = &[Kind::Forbidden, Kind::NotFound];
pub(super) const OPEN: &[Kind] = &[
    Kind::InvalidRequest,
    Kind::Unauthenticated,
    Kind::Forbidden,
    Kind::NotFound,
    Kind::NotReceived,
    Kind::NotReady,
    Kind::RateLimited,
];

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
    post, path = "/v1/files/urls", tag = "files", operation_id = "urls", request_body = UrlsRequest,
    responses((status = 200, description = "A URL for each file there is.", body = Urls))
)]
pub(super) async fn sign_urls(
    State(app): State<App>,
    Asking(caller): Asking,
    Body(request): Body<UrlsRequest>,
) -> Result<Json<Urls>, Error> {
    let wanted = Wanted::new(request.ids)?;
    let found = flow::display_urls(&app, &caller, &wanted.known()).await?;
    Ok(Json(Urls {
        urls: found
            .urls
            .iter()
            .map(|(id, display)| render::display_url(*id, display))
            .collect(),
        missing: wanted.missing(&found.missing),
    }))
}

/// Stable addresses for many files in one call, to be given away.
///
/// Where a profile is read by signed links, they carry one: whoever has it can open the file, without a sign-in, until it
/// ends or its secret is dropped.
#[utoipa::path(
    post, path = "/v1/files/links", tag = "files", operation_id = "links", request_body = LinksRequest,
    responses((status = 200, description = "An address for each file there is.", body = Links))
)]
pub(super) async fn sign_links(
    State(app): State<App>,
    Asking(caller): Asking,
    Body(request): Body<LinksRequest>,
) -> Result<Json<Links>, Error> {
    let wanted = Wanted::new(request.ids)?;
    let lifetime = request
        .expires_in
        .map(|seconds| Duration::from_secs(seconds.get().into()));
    let found = flow::links(&app, &caller, &wanted.known(), lifetime).await?;
    Ok(Json(Links {
        links: found.links.iter().map(render::link).collect(),
        missing: wanted.missing(&found.missing),
    }))
}

/// Ids as they were asked for, with what they name, if they can name anything.
struct Wanted(Vec<(Option<UploadId>, String)>);

impl Wanted {
    fn new(ids: Vec<String>) -> Result<Self, Error> {
        if ids.len() > 100 {
            return Err(Kind::InvalidRequest.because("`ids` takes at most 100 ids"));
        }
        let read = |text: String| (text.parse().ok(), text);
        Ok(Self(ids.into_iter().map(read).collect()))
    }

    fn known(&self) -> Vec<UploadId> {
        self.0.iter().filter_map(|(id, _)| *id).collect()
    }

    /// As they were written, in the order they were asked for.
    fn missing(self, unknown: &[UploadId]) -> Vec<String> {
        let missing = |id: Option<UploadId>| id.is_none_or(|id| unknown.contains(&id));
        let all = self.0.into_iter();
        all.filter_map(|(id, text)| missing(id).then_some(text))
            .collect()
    }
}

/// What opens a file beside a sign-in. Other parameters mean nothing here.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Opener {
    /// The text of a link, as `content_url` and the links carry it.
    #[param(value_type = Option<String>)]
    s: Option<Sealed>,
}

/// The stable address of a file's bytes: a redirect to a fresh display URL.
///
/// For `<img src>`, `<video src>` and a database. Who may follow it, the file's profile says. `HEAD` is answered alike, with a
/// URL signed for `HEAD`. An upload that is not stored yet is completed first, and waited for.
#[utoipa::path(
    get, path = "/f/{id}", tag = "files", operation_id = "open",
    params(("id" = String, Path, description = "The file's id."), Opener),
    responses((status = 302, description = "To the bytes; may be kept as long as the URL lives.", headers(
        ("location" = String, description = "A display URL."),
        ("cache-control" = String, description = "`max-age=…`, fitting the URL's lifetime; `public` or `private`, as the profile is."),
    ))),
    security((), ("user" = []), ("api_key" = []))
)]
pub(super) async fn open_file(
    State(app): State<App>,
    MaybeAsking(caller): MaybeAsking,
    method: Method,
    Id(id): Id,
    Asked(given): Asked<Opener>,
) -> Result<Response, Error> {
    let visitor = flow::Visitor {
        caller: caller.as_ref(),
        link: given.s.as_ref().map(|text| text.0.as_str()),
        reading: if method == Method::HEAD {
            flow::Reading::Head
        } else {
            flow::Reading::Get
        },
    };
    let opened = flow::open(&app, visitor, id).await?;
    redirect(&opened, app.clock.now())
}

fn redirect(opened: &flow::Opened, now: Timestamp) -> Result<Response, Error> {
    let display = &opened.display;
    let (kept, until) = match opened.admitted {
        Admitted::Anybody => ("public", None),
        Admitted::Link { until } => ("private", until),
        Admitted::Caller => ("private", None),
    };
    let until = until.map_or(display.expires_at, |until| until.min(display.expires_at));
    let seconds = until.as_second() - now.as_second() - MARGIN_SECONDS;
    let location = HeaderValue::try_from(display.url.expose())
        .map_err(|error| Kind::Internal.caused_by(error))?;
    let keep = HeaderValue::try_from(format!("{kept}, max-age={}", seconds.max(0)))
        .map_err(|error| Kind::Internal.caused_by(error))?;
    let mut headers = HeaderMap::from_iter([(LOCATION, location), (CACHE_CONTROL, keep)]);
    if opened.admitted == Admitted::Caller {
        // The next to sign in here may be another, by a token or by the application's cookie.
        headers.insert(VARY, HeaderValue::from_static("authorization, cookie"));
    }
    Ok((StatusCode::FOUND, headers).into_response())
}
