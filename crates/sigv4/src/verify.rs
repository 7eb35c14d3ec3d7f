//! Verification of requests, for a server: what was presented, and whether its signature and its terms hold.

use std::time::{Duration, SystemTime};

use crate::canonical::{compare_parameters, hash_value, push_parameter, start_request};
use crate::chunk::ChunkSigner;
use crate::claim::Claim;
use crate::credentials::{Credentials, Secret};
use crate::encode::{Plus, decode, hex, push_path};
use crate::payload::Payload;
use crate::refusal::{Place, Refusal};
use crate::scope::{ALGORITHM, Signature};
use crate::sha256::Sha256;

pub(crate) mod form;
mod parse;
pub(crate) mod policy;

/// A request as it came over the wire.
#[derive(Clone, Copy)]
pub struct RequestParts<'a> {
    pub method: &'a str,
    /// Still encoded, from the first slash, without the query.
    pub path: &'a str,
    /// Still encoded, without the question mark.
    pub query: &'a str,
    /// In any order and case. HTTP/2's `:authority` is to be given as `host`.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// Query and headers hold signatures and session tokens.
impl std::fmt::Debug for RequestParts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestParts")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What a server demands of every signature.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub region: &'a str,
    pub service: &'a str,
    pub now: SystemTime,
    /// How far a client's clock may be off.
    pub max_skew: Duration,
}

impl<'a> Rules<'a> {
    /// S3's own: its service name, and fifteen minutes.
    pub const fn new(region: &'a str, now: SystemTime) -> Self {
        Self {
            region,
            service: "s3",
            now,
            max_skew: Duration::from_mins(15),
        }
    }
}

/// A signature that a request presents, well-formed but not yet verified. [`Presented::parse`] makes it.
pub struct Presented<'a> {
    parts: RequestParts<'a>,
    query: Parameters<'a>,
    terms: Terms,
    claim: Claim,
    signed_headers: String,
    payload: Payload,
}

/// The decoded query.
type Parameters<'a> = Vec<(std::borrow::Cow<'a, [u8]>, std::borrow::Cow<'a, [u8]>)>;

/// How long a signature stands.
#[derive(Clone, Copy)]
enum Terms {
    /// A header's: about now.
    Now,
    /// A presigned URL's.
    Lifetime(Duration),
}

/// A request whose signature holds.
#[derive(Debug)]
pub struct Verified {
    pub place: Place,
    /// What the client promised of the body. Whoever reads the body must check [`Payload::Sha256`] against it, and the chunks of a
    /// chunked one with [`Verified::chunks`].
    pub payload: Payload,
    /// Signs the chunks as the client did, if the payload has chunk signatures.
    pub chunks: Option<ChunkSigner>,
    signed_headers: String,
}

impl Verified {
    /// The names of the signed headers, in lower case. Others may have been added by anyone on the way.
    pub fn signed_headers(&self) -> impl Iterator<Item = &str> {
        self.signed_headers.split(';')
    }
}

impl Presented<'_> {
    /// Whose signature it claims to be: the key by which a server finds the credentials to verify it with.
    pub fn access_key(&self) -> &str {
        &self.claim.access_key
    }

    pub fn session_token(&self) -> Option<&Secret> {
        self.claim.session_token.as_ref()
    }

    pub const fn place(&self) -> Place {
        self.claim.place
    }

    /// Verifies the terms and then the signature, in constant time.
    ///
    /// A session token is accepted if `credentials` has the same.
    ///
    /// # Errors
    /// The first [`Refusal`] of: scope, time, session token, signed headers, signature.
    pub fn verify(
        &self,
        credentials: &Credentials,
        rules: &Rules<'_>,
    ) -> Result<Verified, Refusal> {
        self.claim.check_scope(rules)?;
        self.check_time(rules)?;
        self.claim.check_owner(credentials)?;
        self.check_signed_headers()?;
        let scope = self.claim.scope(credentials);
        let request = hex(&self.canonical_request()?);
        let signature = scope.sign_lines(ALGORITHM, &self.claim.stamp, &[&request]);
        self.claim.check_signature(&signature)?;
        Ok(self.verified(scope, signature))
    }

    fn verified(&self, scope: crate::scope::Scope, signature: Signature) -> Verified {
        let chunks = self
            .payload
            .has_chunk_signatures()
            .then(|| ChunkSigner::new(scope, self.claim.stamp, signature));
        Verified {
            place: self.place(),
            payload: self.payload,
            chunks,
            signed_headers: self.signed_headers.clone(),
        }
    }

    fn check_time(&self, rules: &Rules<'_>) -> Result<(), Refusal> {
        let signed = self.claim.stamp.to_system_time();
        match self.terms {
            Terms::Now
                if signed > rules.now + rules.max_skew || rules.now > signed + rules.max_skew =>
            {
                Err(Refusal::Skewed {
                    request_time: signed,
                })
            }
            Terms::Lifetime(_) if signed > rules.now + rules.max_skew => {
                Err(Refusal::NotYetValid { from: signed })
            }
            Terms::Lifetime(lifetime) if rules.now > signed + lifetime => Err(Refusal::Expired {
                at: signed + lifetime,
            }),
            Terms::Now | Terms::Lifetime(_) => Ok(()),
        }
    }

    /// `host` and every `x-amz-*` header must be signed, else a stranger could add to what was permitted. S3 does not ask it of
    /// others: browsers send a content type with presigned URLs that were signed without.
    fn check_signed_headers(&self) -> Result<(), Refusal> {
        let is_signed = |name: &str| {
            self.signed_headers
                .split(';')
                .any(|signed| signed.eq_ignore_ascii_case(name))
        };
        if !is_signed("host") {
            return Err(Refusal::HostNotSigned);
        }
        let unsigned = self.parts.headers.iter().find(|(name, _)| {
            name.get(..6)
                .is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
                && !is_signed(name)
        });
        unsigned.map_or(Ok(()), |(name, _)| {
            Err(Refusal::HeaderNotSigned(name.to_ascii_lowercase()))
        })
    }

    /// The SHA-256 of the canonical request. The path and query are encoded anew, as clients differ in what they encode.
    fn canonical_request(&self) -> Result<[u8; 32], Refusal> {
        let mut path = String::with_capacity(self.parts.path.len());
        push_path(
            &mut path,
            &decode(self.parts.path, Plus::Plus).ok_or(Refusal::Uri)?,
        );
        let mut hash = start_request(self.parts.method, &path);
        hash.update(self.canonical_query().as_bytes());
        hash.update(b"\n");
        for name in self.signed_headers.split(';') {
            self.hash_header(&mut hash, name)?;
        }
        hash.update(b"\n");
        hash.update(self.signed_headers.as_bytes());
        hash.update(b"\n");
        hash.update(self.payload.to_string().as_bytes());
        Ok(hash.finish())
    }

    fn canonical_query(&self) -> String {
        let mut parameters: Vec<(&[u8], &[u8])> = self
            .query
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        if matches!(self.terms, Terms::Lifetime(_)) {
            parameters.retain(|(name, _)| *name != b"X-Amz-Signature");
        }
        parameters.sort_unstable_by(|a, b| compare_parameters(*a, *b));
        let mut query = String::with_capacity(self.parts.query.len());
        for (name, value) in parameters {
            if !query.is_empty() {
                query.push('&');
            }
            push_parameter(&mut query, name, value);
        }
        query
    }

    fn hash_header(&self, hash: &mut Sha256, name: &str) -> Result<(), Refusal> {
        hash.update(name.as_bytes());
        let mut mark: &[u8] = b":";
        for (_, value) in self
            .parts
            .headers
            .iter()
            .filter(|(given, _)| given.eq_ignore_ascii_case(name))
        {
            hash.update(mark);
            hash_value(hash, value);
            mark = b",";
        }
        if mark == b":" {
            return Err(Refusal::SignedHeaderAbsent(name.to_owned()));
        }
        hash.update(b"\n");
        Ok(())
    }
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presented")
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}
