//! Presigned URLs: a request whose signature is in its query.

use std::time::{Duration, SystemTime};

use crate::bucket::Bucket;
use crate::canonical::{
    Headers, check_method, compare_encoded, compare_parameters, push_parameter, start_request,
};
use crate::encode::push_number;
use crate::error::SignError;
use crate::order::Order;
use crate::signer::{Moment, Signer};

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
        let order = query_order(request.query)?;
        let start = out.len();
        let written = self.at(now, |moment| self.write_url(out, request, &order, moment));
        written.flatten().inspect_err(|_| out.truncate(start))
    }

    /// What is written is hashed piece by piece: the processor writes on while it waits for the hash.
    ///
    /// No name falls between two of the signer's own: it would have to begin with `X-Amz-`, and is refused.
    fn write_url(
        &self,
        out: &mut String,
        request: &Presign<'_>,
        order: &Order,
        moment: &Moment,
    ) -> Result<(), SignError> {
        let path = request.bucket.push_url(out, request.key);
        let mut hash = start_request(request.method, &out[path..]);
        out.push('?');
        let query = out.len();
        let mut given = order
            .iter()
            .map(|position| request.query[position])
            .peekable();
        while let Some((name, value)) =
            given.next_if(|(name, _)| compare_encoded(name.as_bytes(), OWN.as_bytes()).is_lt())
        {
            push_parameter(out, name.as_bytes(), value.as_bytes());
            out.push('&');
        }
        out.push_str(&moment.query);
        let hashed = out.len();
        hash.update(&out.as_bytes()[query..]);

        let headers = Headers::new(request.bucket.host(), request.headers)?;
        push_number(out, request.expires.as_secs());
        out.push_str(self.last_query());
        headers.push_query_names(out);
        for (name, value) in given {
            out.push('&');
            push_parameter(out, name.as_bytes(), value.as_bytes());
        }
        hash.update(&out.as_bytes()[hashed..]);
        let hash = headers.finish_request(hash, out, headers.payload());

        out.push_str("&X-Amz-Signature=");
        out.push_str(moment.sign_request(&hash).as_str());
        Ok(())
    }
}

/// How the signer's own parameters begin.
const OWN: &str = "X-Amz-";

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
