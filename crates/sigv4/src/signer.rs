//! The signer: credentials and a region, with all that stays the same for a day worked out once.

use std::fmt;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::SystemTime;

use crate::credentials::Credentials;
use crate::encode::push_query;
use crate::error::SignError;
use crate::form::FormPrefix;
use crate::scope::{ALGORITHM, Scope};
use crate::stamp::Stamp;

/// Signs for one key pair, region and service. Share it by reference: it is `Sync`, and keeps the derived key of the day.
pub struct Signer {
    credentials: Credentials,
    region: String,
    service: String,
    /// `&X-Amz-Security-Token=…`, or nothing.
    token_query: String,
    day: RwLock<Option<Day>>,
}

/// What is the same from midnight to midnight, UTC.
pub(crate) struct Day {
    number: u64,
    pub(crate) scope: Scope,
    /// `AKID/20130524/us-east-1/s3/aws4_request`
    pub(crate) credential: String,
    /// `X-Amz-Algorithm=…&X-Amz-Credential=…&X-Amz-Date=20130524T`
    pub(crate) query: String,
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
        let mut token_query = String::new();
        if let Some(token) = credentials.session_token() {
            token_query.push_str("&X-Amz-Security-Token=");
            push_query(&mut token_query, token.expose().as_bytes());
        }
        Self {
            credentials,
            region: region.into(),
            service: service.into(),
            token_query,
            day: RwLock::new(None),
        }
    }

    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    pub(crate) fn token_query(&self) -> &str {
        &self.token_query
    }

    /// Runs `sign` with the stamp of `now` and the day it lies in.
    pub(crate) fn on_day<T>(
        &self,
        now: SystemTime,
        sign: impl FnOnce(&Stamp, &Day) -> T,
    ) -> Result<T, SignError> {
        let stamp = Stamp::of(now).ok_or(SignError::Time)?;
        let kept: RwLockReadGuard<'_, _> = self.day.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(day) = kept.as_ref().filter(|day| day.number == stamp.day()) {
            return Ok(sign(&stamp, day));
        }
        drop(kept);
        let day = self.work_out(&stamp);
        let signed = sign(&stamp, &day);
        *self.day.write().unwrap_or_else(PoisonError::into_inner) = Some(day);
        Ok(signed)
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
            number: stamp.day(),
            scope,
            credential,
            query,
            form,
        }
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
