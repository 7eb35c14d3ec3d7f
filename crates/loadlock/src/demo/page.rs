//! The page and the client's modules, from the binary.
use axum::{
    Router,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse as _, Response},
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

struct Asset {
    /// Where it is served.
    path: &'static str,
    kind: &'static str,
    /// Its source, from the crate's folder.
    #[cfg(test)]
    file: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal $kind:ident $file:literal)*) => {
        &[$(Asset {
            path: $path,
            kind: $kind,
            #[cfg(test)]
            file: $file,
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $file)),
        }),*]
    };
}

const ASSETS: &[Asset] = assets! {
    "/" HTML "page/index.html"
    "/assets/entries.js" JS "page/entries.js"
    "/assets/favicon.svg" SVG "page/favicon.svg"
    "/assets/page.css" CSS "page/page.css"
    "/assets/page.js" JS "page/page.js"
    "/assets/uploads.js" JS "page/uploads.js"
    "/assets/words.js" JS "page/words.js"
    "/assets/client/api.js" JS "../../client/src/api.js"
    "/assets/client/checksum.js" JS "../../client/src/checksum.js"
    "/assets/client/errors.js" JS "../../client/src/errors.js"
    "/assets/client/index.js" JS "../../client/src/index.js"
    "/assets/client/limits.js" JS "../../client/src/limits.js"
    "/assets/client/multipart.js" JS "../../client/src/multipart.js"
    "/assets/client/progress.js" JS "../../client/src/progress.js"
    "/assets/client/queue.js" JS "../../client/src/queue.js"
    "/assets/client/request.js" JS "../../client/src/request.js"
    "/assets/client/retry.js" JS "../../client/src/retry.js"
    "/assets/client/send.js" JS "../../client/src/send.js"
    "/assets/client/upload.js" JS "../../client/src/upload.js"
};

/// Serves the page, which may talk to the API and the store by those addresses, whatever name it was opened by.
pub(super) fn router(api: &str, s3: &str) -> Router {
    let policy = format!(
        "default-src 'self'; connect-src 'self' {api} {s3}; img-src 'self' blob: data: {api} {s3}; \
         media-src 'self' blob: {api} {s3}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    );
    let policy = HeaderValue::try_from(policy).ok();
    ASSETS.iter().fold(Router::new(), |router, asset| {
        let headers = headers(asset, policy.clone());
        router.route(
            asset.path,
            get(async move |request: Request| answer(&request, headers, asset.bytes)),
        )
    })
}

fn headers(asset: &Asset, policy: Option<HeaderValue>) -> HeaderMap {
    let etag = format!(
        "\"{}\"",
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(asset.bytes))
    );
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    // Asked for again each time, and sent again only if it changed.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.extend(policy.map(|policy| (CONTENT_SECURITY_POLICY, policy)));
    headers.extend(HeaderValue::try_from(etag).ok().map(|etag| (ETAG, etag)));
    headers
}

/// The bytes, or 304 for a browser that has them.
fn answer(request: &Request, headers: HeaderMap, bytes: &'static [u8]) -> Response {
    let held = request.headers().get(IF_NONE_MATCH);
    if held.is_some() && held == headers.get(ETAG) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::ASSETS;

    #[test]
    fn every_file_of_page_and_client_is_served() {
        for folder in ["page", "../../client/src"] {
            for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
                let file = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
                assert!(
                    ASSETS.iter().any(|asset| asset.file == file),
                    "{file} is not among the assets"
                );
            }
        }
    }
}
