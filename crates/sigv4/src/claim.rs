//! What every signature presented to a server has: whose it is, its scope, its time, and its sixty-four digits.

use std::fmt;

use crate::credentials::{Credentials, Secret};
use crate::refusal::{Place, Refusal};
use crate::scope::{Scope, Signature};
use crate::stamp::Stamp;
use crate::verify::Rules;

pub(crate) struct Claim {
    pub(crate) place: Place,
    pub(crate) access_key: String,
    pub(crate) session_token: Option<Secret>,
    pub(crate) stamp: Stamp,
    date: String,
    region: String,
    service: String,
    signature: String,
}

impl Claim {
    /// Reads a credential, `AKID/20130524/us-east-1/s3/aws4_request`. A slash in an access key is part of it.
    pub(crate) fn parse(
        place: Place,
        credential: &str,
        stamp: Stamp,
        signature: &str,
    ) -> Option<Self> {
        let mut parts = credential.rsplitn(5, '/');
        let (end, service, region, date, access_key) = (
            parts.next()?,
            parts.next()?,
            parts.next()?,
            parts.next()?,
            parts.next()?,
        );
        let fine = end == "aws4_request"
            && [service, region, access_key]
                .iter()
                .all(|part| !part.is_empty());
        let date_fine = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
        (fine && date_fine).then(|| Self {
            place,
            access_key: access_key.to_owned(),
            session_token: None,
            stamp,
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signature: signature.to_owned(),
        })
    }

    pub(crate) fn check_scope(&self, rules: &Rules<'_>) -> Result<(), Refusal> {
        let place = self.place;
        if self.region != rules.region {
            return Err(Refusal::Region {
                place,
                given: self.region.clone(),
                expected: rules.region.to_owned(),
            });
        }
        if self.service != rules.service {
            return Err(Refusal::Service {
                place,
                given: self.service.clone(),
                expected: rules.service.to_owned(),
            });
        }
        if self.date != self.stamp.date() {
            return Err(Refusal::ScopeDate { place });
        }
        Ok(())
    }

    /// The access key is no part of what is signed, so that one user's signature must not pass for another's with the same secret.
    pub(crate) fn check_owner(&self, credentials: &Credentials) -> Result<(), Refusal> {
        if self.access_key != credentials.access_key() {
            return Err(Refusal::SignatureMismatch);
        }
        if self.session_token.as_ref() != credentials.session_token() {
            return Err(Refusal::SessionToken);
        }
        Ok(())
    }

    pub(crate) fn scope(&self, credentials: &Credentials) -> Scope {
        Scope::derive(
            credentials.secret(),
            &self.date,
            &self.region,
            &self.service,
        )
    }

    pub(crate) fn check_signature(&self, expected: &Signature) -> Result<(), Refusal> {
        if expected.matches(&self.signature) {
            Ok(())
        } else {
            Err(Refusal::SignatureMismatch)
        }
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("place", &self.place)
            .field("access_key", &self.access_key)
            .field("date", &self.stamp.as_str())
            .finish_non_exhaustive()
    }
}
