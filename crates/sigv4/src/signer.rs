//! The signer: credentials and a region, with all that stays the same for a day or a second worked out once.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use crate::credentials::Credentials;
use crate::encode::{hex, push_query};
use crate::error::SignError;
use crate::form::FormPrefix;
use crate::scope::{ALGORITHM, Scope, Signature};
use crate::sha256::Sha256;
use crate::stamp::Stamp;

/// Signs for one key pair, region and service. Share it by reference: it is `Sync`, and keeps the derived key of the day.
pub struct Signer {
    credentials: Credentials,
    region: String,
    service: String,
    /// The signer's own parameters after the lifetime's number: `&X-Amz-Security-Token=…`, if any, and `&X-Amz-SignedHeaders=`
    last_query: String,
    moment: RwLock<Option<Moment>>,
}

/// What is the same for a second.
pub(crate) struct Moment {
    pub(crate) stamp: Stamp,
    /// The signer's own parameters up to the lifetime's number: `X-Amz-Algorithm=…&X-Amz-Date=20130524T000000Z&X-Amz-Expires=`
    pub(crate) query: String,
    /// The beginning of the string to sign.
    to_sign: Sha256,
    pub(crate) day: Day,
}

/// What is the same from midnight to midnight, UTC.
pub(crate) struct Day {
    pub(crate) scope: Scope,
    /// `AKID/20130524/us-east-1/s3/aws4_request`
    pub(crate) credential: String,
    /// `X-Amz-Algorithm=…&X-Amz-Credential=…&X-Amz-Date=20130524T`
    query: String,
    pub(crate) form: FormPrefix,
}

impl Signer {
    /// A signer for S3 in `region`.
    pub fn new(credentials: Credentials, region: impl Into<String>) -> Self {
        Self::with_service(credentials, region, "s3")
    }

    /// A signer for another service. Paths are encoded as S3 wants them, once and as they are.
    pub fn with_service(
        credentials: Credentials,
        region: impl Into<String>,
        service: impl Into<String>,
    ) -> Self {
        let mut last_query = String::new();
        if let Some(token) = credentials.session_token() {
            last_query.push_str("&X-Amz-Security-Token=");
            push_query(&mut last_query, token.expose().as_bytes());
        }
        last_query.push_str("&X-Amz-SignedHeaders=");
        Self {
            credentials,
            region: region.into(),
            service: service.into(),
            last_query,
            moment: RwLock::new(None),
        }
    }

    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn last_query(&self) -> &str {
        &self.last_query
    }

    /// Runs `sign` with what is kept for `now`.
    pub(crate) fn at<T>(
        &self,
        now: SystemTime,
        sign: impl FnOnce(&Moment) -> T,
    ) -> Result<T, SignError> {
        let kept = self.moment.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(moment) = kept.as_ref().filter(|moment| moment.stamp.is_of(now)) {
            return Ok(sign(moment));
        }
        drop(kept);
        let stamp = Stamp::of(now).ok_or(SignError::Time)?;
        let mut kept = self.moment.write().unwrap_or_else(PoisonError::into_inner);
        let moment = match kept.take() {
            Some(old) if old.stamp.day() == stamp.day() => Moment::new(old.day, stamp, old.query),
            _ => Moment::new(self.work_out(&stamp), stamp, String::new()),
        };
        Ok(sign(kept.insert(moment)))
    }

    fn work_out(&self, stamp: &Stamp) -> Day {
        let scope = Scope::derive(
            self.credentials.secret(),
            stamp.date(),
            &self.region,
            &self.service,
        );
        let credential = [self.credentials.access_key(), &scope.text].join("/");
        let mut query = format!("X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential=");
        push_query(&mut query, credential.as_bytes());
        query.push_str("&X-Amz-Date=");
        query.push_str(stamp.date());
        query.push('T');
        let form = FormPrefix::new(
            &scope,
            &credential,
            self.credentials.session_token(),
            stamp.date(),
        );
        Day {
            scope,
            credential,
            query,
            form,
        }
    }
}

impl Moment {
    /// `query` lends its room.
    fn new(day: Day, stamp: Stamp, mut query: String) -> Self {
        query.clear();
        for part in [&day.query, stamp.time_of_day(), "&X-Amz-Expires="] {
            query.push_str(part);
        }
        Self {
            stamp,
            query,
            to_sign: day.scope.start_lines(ALGORITHM, &stamp),
            day,
        }
    }

    /// Signs a canonical request, given as its SHA-256.
    pub(crate) fn sign_request(&self, canonical_request: &[u8; 32]) -> Signature {
        let lines: [&[u8]; 1] = [&hex(canonical_request)];
        self.day.scope.finish_lines(self.to_sign.clone(), &lines)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("credentials", &self.credentials)
            .field("region", &self.region)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
