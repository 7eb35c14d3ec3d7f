//! The API over HTTP: routes as a table; a handler extracts, calls one flow and replies.
//!
//! The only place that knows axum and the API's JSON. Nothing here decides anything about an upload.
use axum::{
    Router,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS},
    },
    middleware,
    response::{IntoResponse as _, Response},
};
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    error::{Error, Kind},
};

use document::{HOLDERS, OWNERS, SERVERS, open_to_all, refusing, signed_in};

mod address;
mod admin;
mod cors;
mod credentials;
mod document;
mod envelope;
mod extract;
mod files;
mod forms;
mod health;
mod limits;
pub mod message;
mod profiles;
mod render;
mod sign_in;
mod trace;
mod uploads;
mod usage;

/// The service's routes with everything around them: the document, tracing, CORS, security headers, errors in our envelope.
///
/// An application may nest them below a path, which `public_url` then ends in. If a middleware of its own puts a
/// [`Caller`](crate::auth::Caller) into a request's extensions, that is who is asking, whatever the `authorization` header says;
/// an upload token there goes before it.
/// Where it does so by a cookie, that should be `SameSite=Lax` or `Strict`: not every call here needs a header that other sites
/// cannot send.
///
/// Whoever serves the router tells from where a connection comes by `into_make_service_with_connect_info::<SocketAddr>()`;
/// else nothing is limited by address.
pub fn router(app: App) -> Router {
    let (routes, document) = table().split_for_parts();
    routes
        .merge(document::pages(document, &app.config.api_url))
        .fallback(no_such_address)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(app.clone(), limits::guard))
        .layer(middleware::map_response(safe_headers))
        .layer(cors::layer(app.config.origins.clone()))
        .layer(trace::layer())
        .with_state(app)
}

/// The `OpenAPI` document of these routes.
pub fn document() -> OpenApi {
    table().into_openapi()
}

/// Every route of the service, who may use it, and how it may refuse.
#[rustfmt::skip] // one line each, as a table
fn table() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::opening())
        .routes(open_to_all(OWNERS, routes!(uploads::begin_upload), uploads::BEGIN))
        .routes(signed_in(SERVERS, routes!(uploads::claim_uploads), uploads::CLAIM))
        .routes(signed_in(HOLDERS, routes!(uploads::look_at_upload), uploads::LOOK))
        .routes(signed_in(HOLDERS, routes!(uploads::sign_parts), uploads::SIGN))
        .routes(signed_in(HOLDERS, routes!(uploads::complete_upload), uploads::COMPLETE))
        .routes(signed_in(HOLDERS, routes!(uploads::abort_upload), uploads::ABORT))
        .routes(signed_in(OWNERS, routes!(credentials::vend_credentials), credentials::VEND))
        .routes(signed_in(OWNERS, routes!(credentials::complete_credentials), credentials::SENT))
        .routes(refusing(routes!(forms::return_person), forms::RETURN))
        .routes(open_to_all(OWNERS, routes!(forms::sign_upload_url), forms::UPLOAD_URL))
        .routes(signed_in(OWNERS, routes!(files::list_files), files::LIST))
        .routes(signed_in(OWNERS, routes!(files::sign_urls), files::URLS))
        .routes(signed_in(OWNERS, routes!(files::sign_links), files::LINKS))
        .routes(signed_in(OWNERS, routes!(files::show_file), files::ONE))
        .routes(signed_in(OWNERS, routes!(files::delete_file), files::ONE))
        .routes(refusing(routes!(files::open_file), files::OPEN))
        .routes(refusing(routes!(sign_in::sign_in), sign_in::SIGN_IN))
        .routes(signed_in(OWNERS, routes!(usage::show_usage), usage::USAGE))
        .routes(refusing(routes!(profiles::list_profiles), &[]))
        .routes(refusing(routes!(profiles::show_profile), profiles::ONE))
        .routes(signed_in(SERVERS, routes!(admin::list_entries), admin::AUDIT))
        .routes(signed_in(SERVERS, routes!(admin::revoke_subject), admin::REVOKE))
        .routes(signed_in(SERVERS, routes!(admin::list_revocations), admin::AUDIT))
        .routes(signed_in(SERVERS, routes!(admin::restore_subject), admin::AUDIT))
        .routes(refusing(routes!(health::live), &[]))
        .routes(refusing(routes!(health::ready), &[]))
}

async fn no_such_address() -> Response {
    Kind::NotFound
        .because("there is nothing at this address")
        .into_response()
}

async fn no_such_method() -> Response {
    Error::from(Kind::MethodNotAllowed).into_response()
}

/// What every answer carries. An answer may hold grants and display URLs: kept by nobody unless its route says otherwise.
async fn safe_headers(mut answer: Response) -> Response {
    let may_keep = answer.status() == StatusCode::NOT_MODIFIED;
    let headers = answer.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !may_keep {
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
    }
    answer
}
