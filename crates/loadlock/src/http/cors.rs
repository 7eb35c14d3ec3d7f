//! Which web pages may call the API.
use std::time::Duration;

use axum::http::{
    HeaderName, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use tower_http::cors::{AllowOrigin, CorsLayer};

const MAX_AGE: Duration = Duration::from_mins(10);

/// For any page on this machine, whatever its port; the layer stands outside the routes, so that errors carry it too.
pub(super) fn loopback() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(|origin: &HeaderValue, _| {
            origin.to_str().is_ok_and(is_loopback_origin)
        }))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
        ])
        .max_age(MAX_AGE)
}

fn is_loopback_origin(origin: &str) -> bool {
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(is_loopback_authority)
}

/// Whether `host` or `host:port` names this very machine.
pub fn is_loopback_authority(authority: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|host| match authority.strip_prefix(host) {
            Some("") => true,
            Some(rest) => rest
                .strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok()),
            None => false,
        })
}

#[cfg(test)]
mod tests {
    use super::is_loopback_origin;

    #[test]
    fn only_pages_of_this_machine_are_let_in() {
        let check = |origin: &str, expected: bool| {
            assert_eq!(is_loopback_origin(origin), expected, "{origin}");
        };
        check("http://localhost", true);
        check("http://localhost:5173", true);
        check("https://127.0.0.1:8443", true);
        check("http://[::1]:3000", true);
        check("http://localhost.example.com", false);
        check("http://127.0.0.1.example.com:80", false);
        check("http://127.0.0.1:80@example.com", false);
        check("http://localhost:99999", false);
        check("ftp://localhost", false);
        check("null", false);
        check("https://example.com", false);
    }
}
