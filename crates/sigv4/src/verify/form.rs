//! Verification of POST forms: whose policy it is, and that it was signed and has not expired.

use std::fmt;
use std::time::Duration;

use super::Rules;
use super::policy::Policy;
use crate::claim::Claim;
use crate::credentials::{Credentials, Secret};
use crate::presign::MAX_LIFETIME;
use crate::refusal::{Place, Refusal};
use crate::scope::{ALGORITHM, Signature};
use crate::stamp::Stamp;

const FORM: Place = Place::Form;

/// The signature of a POST form, well-formed but not yet verified.
pub struct PresentedForm<'a> {
    claim: Claim,
    policy: &'a str,
}

impl<'a> PresentedForm<'a> {
    /// Finds the signature in a form's fields, in any order and case; `None` for an anonymous form.
    ///
    /// # Errors
    /// Signature version 2, and whatever is missing, doubled or malformed.
    pub fn parse(fields: &[(&'a str, &'a str)]) -> Result<Option<Self>, Refusal> {
        let malformed = |name| Refusal::Malformed { place: FORM, name };
        if one_field(fields, "awsaccesskeyid")?
            .or(one_field(fields, "signature")?)
            .is_some()
        {
            return Err(Refusal::SignatureV2);
        }
        let policy = one_field(fields, "policy")?;
        let signature = one_field(fields, "x-amz-signature")?;
        let credential = one_field(fields, "x-amz-credential")?;
        if policy.or(signature).or(credential).is_none() {
            return Ok(None);
        }
        if need("x-amz-algorithm", one_field(fields, "x-amz-algorithm")?)? != ALGORITHM {
            return Err(malformed("x-amz-algorithm"));
        }
        let stamp = Stamp::parse(need("x-amz-date", one_field(fields, "x-amz-date")?)?)
            .ok_or(malformed("x-amz-date"))?;
        let (credential, signature) = (
            need("x-amz-credential", credential)?,
            need("x-amz-signature", signature)?,
        );
        let mut claim = Claim::parse(FORM, credential, stamp, signature)
            .ok_or(malformed("x-amz-credential"))?;
        claim.session_token = one_field(fields, "x-amz-security-token")?.map(Secret::new);
        Ok(Some(Self {
            claim,
            policy: need("policy", policy)?,
        }))
    }

    /// Whose signature it claims to be.
    pub fn access_key(&self) -> &str {
        &self.claim.access_key
    }

    pub fn session_token(&self) -> Option<&Secret> {
        self.claim.session_token.as_ref()
    }

    /// Verifies the signature and reads the policy, whose conditions are yet to be checked ([`Policy::check`]).
    ///
    /// A form may be used until its policy expires, but not for more than seven days after it was signed.
    ///
    /// # Errors
    /// The first [`Refusal`] of: scope, time, session token, signature, policy document, its expiration.
    pub fn verify(&self, credentials: &Credentials, rules: &Rules<'_>) -> Result<Policy, Refusal> {
        self.claim.check_scope(rules)?;
        let signed = self.claim.stamp.to_system_time();
        if signed > rules.now + rules.max_skew {
            return Err(Refusal::NotYetValid { from: signed });
        }
        if rules.now.duration_since(signed).unwrap_or(Duration::ZERO) > MAX_LIFETIME {
            return Err(Refusal::Expired {
                at: signed + MAX_LIFETIME,
            });
        }
        self.claim.check_owner(credentials)?;
        let mac = self
            .claim
            .scope(credentials)
            .key
            .mac(self.policy.as_bytes());
        self.claim.check_signature(&Signature::new(&mac))?;
        let policy = Policy::parse(self.policy)?;
        if rules.now > policy.expires_at() {
            return Err(Refusal::PolicyExpired {
                at: policy.expires_at(),
            });
        }
        Ok(policy)
    }
}

fn one_field<'a>(fields: &[(&'a str, &'a str)], name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = fields
        .iter()
        .filter(|(given, _)| given.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value);
    let value = values.next();
    if values.next().is_some() {
        return Err(Refusal::Duplicate {
            place: FORM,
            name: name.to_owned(),
        });
    }
    Ok(value)
}

fn need<'a>(name: &'static str, value: Option<&'a str>) -> Result<&'a str, Refusal> {
    value.ok_or(Refusal::Missing { place: FORM, name })
}

impl fmt::Debug for PresentedForm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedForm")
            .field("claim", &self.claim)
            .finish_non_exhaustive()
    }
}
