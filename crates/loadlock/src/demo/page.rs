//! The page and the client's modules, from the binary.
use axum::{
    Router,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::{IntoResponse as _, Response},
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

macro_rules! page {
    ($name:literal, $kind:expr) => {
        (
            concat!("/assets/", $name),
            $kind,
            include_bytes!(concat!("../../page/", $name)),
        )
    };
}

macro_rules! client {
    ($name:literal) => {
        (
            concat!("/assets/client/", $name),
            SCRIPT,
            include_bytes!(concat!("../../../../client/src/", $name)),
        )
    };
}

/// Where each file is served, its type, and what it holds.
const ASSETS: &[(&str, &str, &[u8])] = &[
    ("/", HTML, include_bytes!("../../page/index.html")),
    page!("entries.js", SCRIPT),
    page!("favicon.svg", "image/svg+xml"),
    page!("page.css", "text/css; charset=utf-8"),
    page!("page.js", SCRIPT),
    page!("uploads.js", SCRIPT),
    page!("words.js", SCRIPT),
    client!("api.js"),
    client!("errors.js"),
    client!("index.js"),
    client!("limits.js"),
    client!("multipart.js"),
    client!("progress.js"),
    client!("queue.js"),
    client!("request.js"),
    client!("retry.js"),
    client!("send.js"),
    client!("upload.js"),
];

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Serves the page, which may talk to the API and the store by those addresses, whatever name it was opened by.
pub(super) fn router(api: &str, s3: &str) -> Router {
    let policy = format!(
        "default-src 'self'; connect-src 'self' {api} {s3}; img-src 'self' blob: {api} {s3}; media-src 'self' {api} {s3}; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    );
    let policy = HeaderValue::try_from(policy).ok();
    ASSETS
        .iter()
        .fold(Router::new(), |router, (path, kind, bytes)| {
            let etag = HeaderValue::try_from(format!(
                "\"{}\"",
                BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
            ))
            .ok();
            let policy = policy.clone();
            router.route(
                path,
                get(async move |request: Request| {
                    let mut headers = HeaderMap::new();
                    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
                    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
                    headers.extend(policy.map(|policy| (CONTENT_SECURITY_POLICY, policy)));
                    headers.extend(etag.clone().map(|etag| (ETAG, etag)));
                    answer(&request, headers, bytes)
                }),
            )
        })
}

/// The bytes, or 304 for a browser that has them.
fn answer(request: &Request, headers: HeaderMap, bytes: &'static [u8]) -> Response {
    let held = request.headers().get(IF_NONE_MATCH);
    if held.is_some() && held == headers.get(ETAG) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, bytes).into_response()
}
