//! Rate limits around the routes: who asks too often is told when to come back, and everybody how they stand.
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header::AUTHORIZATION, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::address;
use crate::{
    app::App,
    auth::{self, Caller, Who},
    error::Error,
    limits::Standing,
};

/// draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4.
pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// By what a request was counted; not there where it is not.
#[derive(Debug, Clone, Default)]
struct Counted(Arc<Mutex<Vec<Standing>>>);

/// Stands before the routes: counts what comes from an address before anybody's token is looked at.
pub(super) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let counted = Counted::default();
    if is_counted(&parts.method, parts.uri.path()) {
        parts.extensions.insert(counted.clone());
    }
    let address = address::client(&parts, &app);
    let mut answer = match address.map(|address| enter(&app, address, &parts)) {
        Some(Err(error)) => error.into_response(),
        None | Some(Ok(())) => next.run(Request::from_parts(parts, body)).await,
    };
    counted.tell(answer.headers_mut());
    answer
}

/// Looking is free, since it may be held; so are what everybody may read, and what a page full of pictures asks for.
fn is_counted(method: &Method, path: &str) -> bool {
    let is_look = || {
        let upload = path.strip_prefix("/v1/uploads/");
        *method == Method::GET && upload.is_some_and(|rest| !rest.contains('/'))
    };
    let is_api = path.starts_with("/v1/") && !path.starts_with("/v1/profiles");
    (is_api || path == "/upload_url") && !is_look()
}

fn enter(app: &App, address: IpAddr, parts: &Parts) -> Result<(), Error> {
    match parts.extensions.get::<Counted>() {
        Some(counted) if !is_server(parts) => counted.take(app.limits.address(address)),
        _ => Ok(()),
    }
}

/// Many people stand behind an application's server. One that only says so fails, and failures are counted by themselves; where
/// nobody looks at tokens it is as anybody.
fn is_server(parts: &Parts) -> bool {
    if let Some(caller) = parts.extensions.get::<Caller>() {
        return matches!(caller.who, Who::Server { .. });
    }
    let path = parts.uri.path();
    let is_looked_at = path != "/v1/sign-in" && !path.ends_with("/return");
    let header = parts.headers.get(AUTHORIZATION);
    let header = header.and_then(|header| header.to_str().ok());
    is_looked_at && header.is_some_and(auth::is_api_key)
}

/// Counts a request of whoever it has turned out to be from.
pub(super) fn count(app: &App, parts: &Parts, caller: &Caller) -> Result<(), Error> {
    match parts.extensions.get::<Counted>() {
        Some(counted) => counted.take(app.limits.caller(caller)),
        None => Ok(()),
    }
}

impl Counted {
    fn take(&self, standing: Option<Standing>) -> Result<(), Error> {
        let Some(standing) = standing else {
            return Ok(());
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(standing);
        standing.check()
    }

    fn tell(&self, headers: &mut HeaderMap) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return;
        }
        let policy = |standing: &Standing| {
            let (count, window) = (standing.rate.count, standing.rate.per.as_secs());
            format!("\"{}\";q={count};w={window}", standing.policy)
        };
        let state = |standing: &Standing| {
            let (left, wait) = (standing.left, standing.seconds());
            format!("\"{}\";r={left};t={wait}", standing.policy)
        };
        let list = |one: &dyn Fn(&Standing) -> String| {
            let each: Vec<String> = all.iter().map(one).collect();
            HeaderValue::try_from(each.join(", ")).ok()
        };
        headers.extend(list(&policy).map(|value| (RATE_LIMIT_POLICY, value)));
        headers.extend(list(&state).map(|value| (RATE_LIMIT, value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_something_is_counted() {
        let check = |method: Method, path: &str, expected: bool| {
            assert_eq!(is_counted(&method, path), expected, "{method} {path}");
        };
        check(Method::POST, "/v1/uploads", true);
        check(Method::GET, "/v1/uploads/01J", false);
        check(Method::DELETE, "/v1/uploads/01J", true);
        check(Method::POST, "/v1/uploads/01J/parts", true);
        check(Method::GET, "/v1/uploads/01J/return", true);
        check(Method::GET, "/v1/files", true);
        check(Method::POST, "/upload_url", true);
        check(Method::GET, "/v1/profiles/image", false);
        check(Method::GET, "/f/01J", false);
        check(Method::GET, "/healthz", false);
        check(Method::GET, "/docs/", false);
    }
}
