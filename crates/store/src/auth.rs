//! Authentication: the one place where signatures of requests are verified, by `loadlock-sigv4`.

use loadlock_sigv4::{Place, Presented, Refusal, RequestParts, Rules, Verified};

use crate::access::{Caller, People};
use crate::body::Framing;
use crate::error::{Code, S3Error, S3Result};
use crate::request::Request;

/// Finds out who signed a request. Nothing is done for anybody who did not.
///
/// `body`: the whole of it, for a service that is not S3.
pub(crate) fn authenticate<'i>(
    people: &'i People,
    rules: &Rules<'_>,
    request: &Request,
    body: Option<&[u8]>,
) -> S3Result<(Caller<'i>, Framing)> {
    let headers: Vec<(&str, &[u8])> = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    let parts = RequestParts {
        method: request.method.as_str(),
        path: request.uri.path(),
        query: request.uri.query().unwrap_or_default(),
        headers: &headers,
    };
    let presented = match body {
        Some(body) => Presented::parse_with_body(&parts, body),
        None => Presented::parse(&parts),
    };
    let presented = presented.map_err(refused)?.ok_or(Code::AccessDenied)?;
    let principal = people.find(presented.access_key(), presented.session_token(), rules.now)?;
    let Verified {
        place,
        payload,
        chunks,
        ..
    } = presented
        .verify(&principal.credentials, rules)
        .map_err(refused)?;
    let way = if place == Place::Query {
        "REST-QUERY-STRING"
    } else {
        "REST-HEADER"
    };
    Ok((
        Caller::new(principal, way, &request.attributes, &request.query),
        Framing { payload, chunks },
    ))
}

/// A refused signature as S3 words it. Refusals hold no secret and no signature.
pub(crate) fn refused(refusal: Refusal) -> S3Error {
    let code = Code::by_name(refusal.code()).unwrap_or(Code::AccessDenied);
    match refusal {
        Refusal::PolicyExpired { .. } => {
            S3Error::new(code, "Invalid according to Policy: Policy expired.")
        }
        Refusal::SignatureMismatch => code.into(),
        other => S3Error::new(code, other.to_string()),
    }
}
