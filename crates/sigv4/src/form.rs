//! POST policies: forms that let a browser upload within stated conditions.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bucket::Bucket;
use crate::credentials::Secret;
use crate::encode::{push_json, push_number};
use crate::error::SignError;
use crate::presign::MAX_LIFETIME;
use crate::scope::{ALGORITHM, Scope, Signature};
use crate::sha256::Sha256;
use crate::signer::{Moment, Signer};
use crate::stamp::Stamp;

/// One condition of a POST policy (S3 API reference, "POST Policy", "Condition Matching").
///
/// Any field of a form can be named: `key`, `acl`, `Content-Type`, `Cache-Control`, `success_action_redirect`,
/// `success_action_status`, `tagging`, `x-amz-storage-class`, `x-amz-meta-*`, `x-amz-server-side-encryption*`,
/// `x-amz-checksum-*` …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition<'a> {
    /// The field must have this value, and the form is given it.
    ///
    /// In a value with `${filename}`, which S3 replaces by the name of the file, what stands before it is the condition; what
    /// comes after it is not enforced.
    Equals(&'a str, &'a str),
    /// The client fills the field in, and its value must start so; with `""` it may be anything. A `Content-Type` that lists
    /// several types must start so in each.
    StartsWith(&'a str, &'a str),
    /// The file's size in bytes, both ends included.
    Size { min: u64, max: u64 },
}

/// A form to be signed.
#[derive(Clone, Copy, Debug)]
pub struct PostPolicy<'a> {
    pub bucket: &'a Bucket,
    /// One for each field that the form will have; one on `key` is needed. The bucket's own is written without being asked for.
    pub conditions: &'a [Condition<'a>],
    /// From one second to seven days; a fraction of a second is dropped.
    pub expires: Duration,
}

/// Room for a form, to be used again for the next one.
#[derive(Default)]
pub struct FormBuffer {
    json: String,
    policy: String,
    credential: String,
}

/// A signed form. It is posted to [`Bucket::url`] as `multipart/form-data`, with the file last, as `file`.
pub struct PostForm<'a> {
    conditions: &'a [Condition<'a>],
    policy: &'a str,
    credential: &'a str,
    token: Option<&'a str>,
    stamp: Stamp,
    signature: Signature,
}

impl PostForm<'_> {
    /// The fields in order, except those that the client fills in and `file`.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let given = self
            .conditions
            .iter()
            .filter_map(|condition| match condition {
                Condition::Equals(field, value) => Some((*field, *value)),
                Condition::StartsWith(..) | Condition::Size { .. } => None,
            });
        let signed = [
            ("policy", self.policy),
            ("x-amz-algorithm", ALGORITHM),
            ("x-amz-credential", self.credential),
            ("x-amz-date", self.stamp.as_str()),
        ];
        given
            .chain(signed)
            .chain(self.token.map(|token| ("x-amz-security-token", token)))
            .chain([("x-amz-signature", self.signature.as_str())])
    }
}

/// Fields that the signer writes, or that are no fields.
const SET_HERE: [&str; 8] = [
    "bucket",
    "file",
    "policy",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-signature",
];

impl Signer {
    /// Signs a form into `buffer`. It allocates only if the buffer must grow, and once a day.
    /// See the S3 API reference, "Authenticating Requests: Browser-Based Uploads Using POST".
    ///
    /// # Errors
    /// What is wrong with the policy, or a `now` before 1970 or after 9999.
    pub fn post_form<'a>(
        &'a self,
        buffer: &'a mut FormBuffer,
        now: SystemTime,
        policy: &PostPolicy<'a>,
    ) -> Result<PostForm<'a>, SignError> {
        let lifetime = policy.expires.as_secs();
        if lifetime == 0 || policy.expires > MAX_LIFETIME {
            return Err(SignError::Lifetime);
        }
        let expiration = Stamp::of(now + Duration::from_secs(lifetime)).ok_or(SignError::Time)?;
        check_fields(policy.conditions)?;
        let (stamp, signature) = self.at(now, |Moment { stamp, day, .. }| {
            buffer.json.clear();
            buffer.json.push_str(&day.form.rest);
            push_policy(&mut buffer.json, policy, stamp, &expiration);
            buffer.credential.clear();
            buffer.credential.push_str(&day.credential);
            buffer.policy.clear();
            buffer.policy.push_str(&day.form.base64);
            let mut mac = day.form.mac.clone();
            for group in buffer.json.as_bytes().chunks(GROUP) {
                push_base64(&mut buffer.policy, &mut mac, group);
            }
            (*stamp, Signature::new(&day.scope.key.finish(mac)))
        })?;
        Ok(PostForm {
            conditions: policy.conditions,
            policy: &buffer.policy,
            credential: &buffer.credential,
            token: self.credentials().session_token().map(Secret::expose),
            stamp,
            signature,
        })
    }
}

/// As many bytes as are one block of the hash when they are encoded.
const BLOCK: usize = 48;
/// As many as are encoded before they are hashed.
const GROUP: usize = 4 * BLOCK;

/// Encodes and hashes a group: the processor can encode the next one while it waits for the hash.
fn push_base64(out: &mut String, mac: &mut Sha256, group: &[u8]) {
    let mut encoded = [0; GROUP / 3 * 4];
    let length = STANDARD
        .encode_slice(group, &mut encoded)
        .unwrap_or_default();
    mac.update(&encoded[..length]);
    out.push_str(std::str::from_utf8(&encoded[..length]).unwrap_or_default());
}

fn check_fields(conditions: &[Condition<'_>]) -> Result<(), SignError> {
    let taken = conditions.iter().find_map(|condition| match condition {
        Condition::Equals(field, _) | Condition::StartsWith(field, _) => (field.is_empty()
            || SET_HERE.iter().any(|set| set.eq_ignore_ascii_case(field)))
        .then_some(*field),
        Condition::Size { .. } => None,
    });
    taken.map_or(Ok(()), |field| Err(SignError::Field(field.to_owned())))
}

/// The policy from the time of day on, which follows [`FormPrefix`].
fn push_policy(json: &mut String, policy: &PostPolicy<'_>, stamp: &Stamp, expiration: &Stamp) {
    json.push_str(stamp.time_of_day());
    json.push_str("\"},{\"bucket\":\"");
    json.push_str(policy.bucket.name());
    json.push_str("\"}");
    for condition in policy.conditions {
        match *condition {
            Condition::Equals(field, value) => match variable(value) {
                Some(at) => push_condition(json, STARTS_WITH, field, &value[..at]),
                None => push_condition(json, EQUALS, field, value),
            },
            Condition::StartsWith(field, start) => push_condition(json, STARTS_WITH, field, start),
            Condition::Size { min, max } => {
                json.push_str(",[\"content-length-range\",");
                push_number(json, min);
                json.push(',');
                push_number(json, max);
                json.push(']');
            }
        }
    }
    json.push_str("],\"expiration\":\"");
    json.push_str(std::str::from_utf8(&expiration.extended()).unwrap_or_default());
    json.push_str("\"}");
}

const EQUALS: [&str; 3] = [",{\"", "\":\"", "\"}"];
const STARTS_WITH: [&str; 3] = [",[\"starts-with\",\"$", "\",\"", "\"]"];

/// Where a value stops being known when the form is signed.
fn variable(value: &str) -> Option<usize> {
    if value.as_bytes().contains(&b'$') {
        value.find("${filename}")
    } else {
        None
    }
}

#[inline]
fn push_condition(json: &mut String, around: [&str; 3], field: &str, value: &str) {
    json.push_str(around[0]);
    push_json(json, field);
    json.push_str(around[1]);
    push_json(json, value);
    json.push_str(around[2]);
}

/// How every policy of a day begins: encoded and hashed once. The order of a policy's members is free, and so the day's come first.
pub(crate) struct FormPrefix {
    base64: String,
    /// What is left of the prefix after the last whole [`BLOCK`].
    rest: String,
    mac: Sha256,
}

impl FormPrefix {
    pub(crate) fn new(scope: &Scope, credential: &str, token: Option<&Secret>, date: &str) -> Self {
        let mut json = format!("{{\"conditions\":[{{\"x-amz-algorithm\":\"{ALGORITHM}\"}}");
        push_condition(&mut json, EQUALS, "x-amz-credential", credential);
        if let Some(token) = token {
            push_condition(&mut json, EQUALS, "x-amz-security-token", token.expose());
        }
        json.push_str(",{\"x-amz-date\":\"");
        json.push_str(date);
        json.push('T');
        let rest = json.split_off(json.len() / BLOCK * BLOCK);
        let base64 = STANDARD.encode(json);
        let mut mac = scope.key.start();
        mac.update(base64.as_bytes());
        Self { base64, rest, mac }
    }
}

impl fmt::Debug for FormBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormBuffer").finish_non_exhaustive()
    }
}

impl fmt::Debug for PostForm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostForm")
            .field("credential", &self.credential)
            .finish_non_exhaustive()
    }
}
