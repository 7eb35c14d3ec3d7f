//! Presigned URLs: a request whose signature is in its query.

use std::time::{Duration, SystemTime};

use crate::bucket::Bucket;
use crate::canonical::{
    Headers, Target, check_method, compare_encoded, compare_parameters, push_parameter,
};
use crate::encode::push_number;
use crate::error::SignError;
use crate::order::Order;
use crate::scope::Signature;
use crate::signer::{Day, Signer};
use crate::stamp::Stamp;

pub(crate) const MAX_LIFETIME: Duration = Duration::from_hours(7 * 24);

/// A request to be signed into a URL. The fields may be set as they are; [`Presign::new`] fills in the empty ones.
#[derive(Clone, Copy, Debug)]
pub struct Presign<'a> {
    /// In capitals: `PUT`, `GET` …
    pub method: &'a str,
    pub bucket: &'a Bucket,
    /// The object's key, as it is, not encoded; `None` for a request to the bucket itself.
    ///
    /// A browser resolves `.` and `..` between slashes before it sends a URL, encoded or not: such keys can be signed, but only
    /// clients that send a path as it is can use them.
    pub key: Option<&'a str>,
    /// Further parameters, not encoded, in any order. `("uploads", "")` stands for `?uploads`.
    pub query: &'a [(&'a str, &'a str)],
    /// Headers that the client must send exactly so, in any order. `host` is always signed.
    /// An `x-amz-content-sha256` among them takes the place of `UNSIGNED-PAYLOAD`.
    pub headers: &'a [(&'a str, &'a str)],
    /// From one second to seven days; a fraction of a second is dropped.
    pub expires: Duration,
}

impl<'a> Presign<'a> {
    /// A request for an object, with no further query or headers.
    pub const fn new(method: &'a str, bucket: &'a Bucket, key: &'a str, expires: Duration) -> Self {
        Self {
            method,
            bucket,
            key: Some(key),
            query: &[],
            headers: &[],
            expires,
        }
    }
}

impl Signer {
    /// Appends the presigned URL to `out`, which is left as it was on an error. It allocates only if `out` must grow, and once
    /// a day. See the S3 API reference, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
    ///
    /// # Errors
    /// What is wrong with the request, or a `now` before 1970 or after 9999.
    pub fn presign(
        &self,
        out: &mut String,
        now: SystemTime,
        request: &Presign<'_>,
    ) -> Result<(), SignError> {
        let lifetime = request.expires.as_secs();
        if lifetime == 0 || request.expires > MAX_LIFETIME {
            return Err(SignError::Lifetime);
        }
        check_method(request.method)?;
        check_key(request.key)?;
        check_query(request.query)?;
        let headers = Headers::new(request.bucket.host(), request.headers)?;
        let order = query_order(request.query)?;
        self.on_day(now, |stamp, day| {
            out.push_str(request.bucket.origin());
            let path = out.len();
            request.bucket.push_path(out, request.key);
            let query = out.len() + 1;
            out.push('?');
            self.push_query(
                out,
                &Query {
                    request,
                    headers: &headers,
                    order: &order,
                    stamp,
                    day,
                },
            );
            let target = Target {
                path: path..query - 1,
                query: query..out.len(),
            };
            let hash = headers.hash_request(out, request.method, &target, headers.payload());
            push_signature(out, &day.scope.sign_request(stamp, &hash));
        })
    }

    /// The canonical query. No name falls between two of the signer's own: it would have to begin with `X-Amz-`, and is refused.
    fn push_query(&self, out: &mut String, query: &Query<'_>) {
        let mut given = query
            .order
            .iter()
            .map(|position| query.request.query[position])
            .peekable();
        while let Some((name, value)) =
            given.next_if(|(name, _)| compare_encoded(name.as_bytes(), OWN.as_bytes()).is_lt())
        {
            push_parameter(out, name.as_bytes(), value.as_bytes());
            out.push('&');
        }
        out.push_str(&query.day.query);
        out.push_str(query.stamp.time_of_day());
        out.push_str("&X-Amz-Expires=");
        push_number(out, query.request.expires.as_secs());
        out.push_str(self.token_query());
        out.push_str("&X-Amz-SignedHeaders=");
        query.headers.push_names(out, "%3B");
        for (name, value) in given {
            out.push('&');
            push_parameter(out, name.as_bytes(), value.as_bytes());
        }
    }
}

/// How the signer's own parameters begin.
const OWN: &str = "X-Amz-";

struct Query<'a> {
    request: &'a Presign<'a>,
    headers: &'a Headers<'a>,
    order: &'a Order,
    stamp: &'a Stamp,
    day: &'a Day,
}

fn push_signature(out: &mut String, signature: &Signature) {
    out.push_str("&X-Amz-Signature=");
    out.push_str(signature.as_str());
}

pub(crate) fn check_key(key: Option<&str>) -> Result<(), SignError> {
    if key.is_some_and(str::is_empty) {
        Err(SignError::EmptyKey)
    } else {
        Ok(())
    }
}

pub(crate) fn check_query(query: &[(&str, &str)]) -> Result<(), SignError> {
    match query
        .iter()
        .find(|(name, _)| name.is_empty() || name.starts_with(OWN))
    {
        Some((name, _)) => Err(SignError::Query((*name).to_owned())),
        None => Ok(()),
    }
}

pub(crate) fn query_order(query: &[(&str, &str)]) -> Result<Order, SignError> {
    let bytes = |position: usize| (query[position].0.as_bytes(), query[position].1.as_bytes());
    Order::of(query.len(), |a, b| compare_parameters(bytes(a), bytes(b))).ok_or(SignError::TooMany)
}
