//! Requests signed in their `Authorization` header, for a client that sends them itself.

use std::fmt;
use std::time::SystemTime;

use crate::bucket::Bucket;
use crate::canonical::{Headers, check_method, push_parameter, start_request};
use crate::chunk::ChunkSigner;
use crate::error::SignError;
use crate::payload::Payload;
use crate::presign::{check_key, check_query, query_order};
use crate::scope::ALGORITHM;
use crate::signer::{Moment, Signer};

/// A request to be signed in a header.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// In capitals: `PUT`, `GET` …
    pub method: &'a str,
    pub bucket: &'a Bucket,
    /// The object's key, as it is, not encoded; `None` for a request to the bucket itself.
    pub key: Option<&'a str>,
    /// Parameters, not encoded, in any order. `("uploads", "")` stands for `?uploads`.
    pub query: &'a [(&'a str, &'a str)],
    /// The headers to sign besides `host` and those that [`Authorized::headers`] adds. Chunked payloads need
    /// `x-amz-decoded-content-length` here, and `x-amz-trailer` where they have one.
    pub headers: &'a [(&'a str, &'a str)],
    pub payload: Payload,
}

/// A signed request: where to send it and with what besides its own headers.
pub struct Authorized {
    /// The URL, in the very spelling that was signed.
    pub url: String,
    /// `authorization`, `x-amz-content-sha256`, `x-amz-date` and, for temporary credentials, `x-amz-security-token`.
    pub headers: Vec<(&'static str, String)>,
    /// Signs the body's chunks, if `payload` said that they are.
    pub chunks: ChunkSigner,
}

/// Among the headers are a signature and a session token.
impl fmt::Debug for Authorized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Authorized")
            .field("url", &self.url)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

const SET_HERE: [&str; 3] = ["x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

impl Signer {
    /// Signs a request. See the S3 API reference, "Authenticating Requests: Using the Authorization Header".
    ///
    /// # Errors
    /// What is wrong with the request, or a `now` before 1970 or after 9999.
    pub fn authorize(
        &self,
        now: SystemTime,
        request: &Request<'_>,
    ) -> Result<Authorized, SignError> {
        check_method(request.method)?;
        check_key(request.key)?;
        check_query(request.query)?;
        if let Some((name, _)) = request
            .headers
            .iter()
            .find(|(name, _)| SET_HERE.iter().any(|set| set.eq_ignore_ascii_case(name)))
        {
            return Err(SignError::Header((*name).to_owned()));
        }
        self.at(now, |moment| self.write_authorization(request, moment))?
    }

    fn write_authorization(
        &self,
        request: &Request<'_>,
        moment: &Moment,
    ) -> Result<Authorized, SignError> {
        let (stamp, day) = (&moment.stamp, &moment.day);
        let payload = request.payload.to_string();
        let mut signed = request.headers.to_vec();
        signed.push(("x-amz-content-sha256", &payload));
        signed.push(("x-amz-date", stamp.as_str()));
        let token = self.credentials().session_token();
        signed.extend(token.map(|token| ("x-amz-security-token", token.expose())));
        let headers = Headers::new(request.bucket.host(), &signed)?;

        let mut url = String::new();
        let path = request.bucket.push_url(&mut url, request.key);
        let mut hash = start_request(request.method, &url[path..]);
        let query = url.len() + 1;
        for (index, position) in query_order(request.query)?.iter().enumerate() {
            let (name, value) = request.query[position];
            url.push(if index == 0 { '?' } else { '&' });
            push_parameter(&mut url, name.as_bytes(), value.as_bytes());
        }
        hash.update(url.get(query..).unwrap_or_default().as_bytes());
        let hash = headers.finish_request(hash, &mut url, &payload);
        let signature = moment.sign_request(&hash);

        let mut authorization = format!("{ALGORITHM} Credential={},SignedHeaders=", day.credential);
        headers.push_names(&mut authorization);
        authorization.push_str(",Signature=");
        authorization.push_str(signature.as_str());
        let mut added = vec![("authorization", authorization)];
        added.push(("x-amz-content-sha256", payload.clone()));
        added.push(("x-amz-date", stamp.as_str().to_owned()));
        added.extend(token.map(|token| ("x-amz-security-token", token.expose().to_owned())));
        Ok(Authorized {
            url,
            headers: added,
            chunks: ChunkSigner::new(day.scope.clone(), *stamp, signature),
        })
    }
}
