//! Finding a signature in a request, in its header or its query.

use std::time::Duration;

use super::{Parameters, Presented, RequestParts, Terms};
use crate::claim::Claim;
use crate::credentials::Secret;
use crate::encode::{Plus, decode};
use crate::payload::Payload;
use crate::presign::MAX_LIFETIME;
use crate::refusal::{Place, Refusal};
use crate::scope::ALGORITHM;
use crate::stamp::Stamp;

const QUERY: Place = Place::Query;
const HEADER: Place = Place::Header;

/// Any of these in a query makes it a presigned one, and then the first six are needed.
const PARAMETERS: [&str; 8] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
];

impl<'a> Presented<'a> {
    /// Finds the signature of a request; `None` for an anonymous one.
    ///
    /// # Errors
    /// Signature version 2, an unknown scheme, two signatures at once, and whatever is missing, doubled or malformed.
    pub fn parse(parts: &RequestParts<'a>) -> Result<Option<Self>, Refusal> {
        Self::parse_as(parts, None)
    }

    /// The same for a service other than S3, whose clients sign a body's hash without sending it: `body` is the whole of it.
    /// Only the path `/` is the same to both.
    ///
    /// # Errors
    /// As [`Presented::parse`].
    pub fn parse_with_body(parts: &RequestParts<'a>, body: &[u8]) -> Result<Option<Self>, Refusal> {
        Self::parse_as(parts, Some(Payload::of(body)))
    }

    fn parse_as(
        parts: &RequestParts<'a>,
        payload: Option<Payload>,
    ) -> Result<Option<Self>, Refusal> {
        let query = parse_query(parts.query).ok_or(Refusal::Uri)?;
        let has = |name: &str| query.iter().any(|(given, _)| **given == *name.as_bytes());
        let authorization = one_header(parts, "authorization")?;
        let presigned = PARAMETERS[..6].iter().any(|name| has(name));
        match authorization {
            Some(_) if presigned => Err(Refusal::TwoWays),
            Some(value) => Self::from_header(*parts, query, value, payload).map(Some),
            None if presigned => Self::from_query(*parts, query, payload).map(Some),
            None if has("AWSAccessKeyId") || has("Signature") => Err(Refusal::SignatureV2),
            None => Ok(None),
        }
    }

    fn from_header(
        parts: RequestParts<'a>,
        query: Parameters<'a>,
        value: &str,
        payload: Option<Payload>,
    ) -> Result<Self, Refusal> {
        let malformed = |name| Refusal::Malformed {
            place: HEADER,
            name,
        };
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        match scheme {
            ALGORITHM => {}
            "AWS" => return Err(Refusal::SignatureV2),
            _ => return Err(Refusal::UnknownScheme),
        }
        let [credential, signed_headers, signature] = authorization_parts(rest)?;
        let date = one_header(&parts, "x-amz-date")?.ok_or(Refusal::Missing {
            place: HEADER,
            name: "x-amz-date",
        })?;
        let stamp = Stamp::parse(date).ok_or(malformed("x-amz-date"))?;
        let mut claim =
            Claim::parse(HEADER, credential, stamp, signature).ok_or(malformed("Credential"))?;
        claim.session_token = one_header(&parts, "x-amz-security-token")?.map(Secret::new);
        check_names(signed_headers)
            .then_some(())
            .ok_or(malformed("SignedHeaders"))?;
        let payload = match (payload, one_header(&parts, "x-amz-content-sha256")?) {
            (Some(payload), _) => payload,
            (None, Some(value)) => Payload::parse(value).ok_or(Refusal::ContentSha256)?,
            (None, None) => {
                return Err(Refusal::Missing {
                    place: HEADER,
                    name: "x-amz-content-sha256",
                });
            }
        };
        Ok(Self {
            parts,
            query,
            terms: Terms::Now,
            claim,
            signed_headers: signed_headers.to_owned(),
            payload,
        })
    }

    fn from_query(
        parts: RequestParts<'a>,
        query: Parameters<'a>,
        payload: Option<Payload>,
    ) -> Result<Self, Refusal> {
        let malformed = |name| Refusal::Malformed { place: QUERY, name };
        let mut values: [Option<&str>; 8] = [None; 8];
        for (name, value) in &query {
            let Some(index) = PARAMETERS
                .iter()
                .position(|known| known.as_bytes() == &**name)
            else {
                continue;
            };
            let value = std::str::from_utf8(value).map_err(|_| malformed(PARAMETERS[index]))?;
            if values[index].replace(value).is_some() {
                return Err(Refusal::Duplicate {
                    place: QUERY,
                    name: PARAMETERS[index].to_owned(),
                });
            }
        }
        let need = |index: usize| {
            values[index].ok_or(Refusal::Missing {
                place: QUERY,
                name: PARAMETERS[index],
            })
        };
        if need(0)? != ALGORITHM {
            return Err(malformed(PARAMETERS[0]));
        }
        let stamp = Stamp::parse(need(2)?).ok_or(malformed(PARAMETERS[2]))?;
        let mut claim =
            Claim::parse(QUERY, need(1)?, stamp, need(5)?).ok_or(malformed(PARAMETERS[1]))?;
        claim.session_token = values[6]
            .or(one_header(&parts, "x-amz-security-token")?)
            .map(Secret::new);
        let lifetime = parse_lifetime(need(3)?)?;
        let signed_headers = need(4)?.to_owned();
        check_names(&signed_headers)
            .then_some(())
            .ok_or(malformed(PARAMETERS[4]))?;
        let promised = one_header(&parts, "x-amz-content-sha256")?.or(values[7]);
        let payload = match (payload, promised) {
            (Some(payload), _) => payload,
            (None, Some(value)) => Payload::parse(value).ok_or(Refusal::ContentSha256)?,
            (None, None) => Payload::Unsigned,
        };
        Ok(Self {
            parts,
            query,
            terms: Terms::Lifetime(lifetime),
            claim,
            signed_headers,
            payload,
        })
    }
}

fn parse_query(query: &str) -> Option<Parameters<'_>> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, Plus::Space)?, decode(value, Plus::Space)?))
        })
        .collect()
}

/// A header that must not be given twice. Blanks around its value are no part of it.
fn one_header<'a>(
    parts: &RequestParts<'a>,
    name: &'static str,
) -> Result<Option<&'a str>, Refusal> {
    let mut values = parts
        .headers
        .iter()
        .filter(|(given, _)| given.eq_ignore_ascii_case(name))
        .map(|(_, value)| *value);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::Duplicate {
            place: HEADER,
            name: name.to_owned(),
        });
    }
    let value = std::str::from_utf8(value).map_err(|_| Refusal::Malformed {
        place: HEADER,
        name,
    })?;
    Ok(Some(value.trim_ascii()))
}

/// `Credential=…, SignedHeaders=…, Signature=…`, in any order, the blanks optional.
fn authorization_parts(text: &str) -> Result<[&str; 3], Refusal> {
    const NAMES: [&str; 3] = ["Credential", "SignedHeaders", "Signature"];
    let malformed = |name| Refusal::Malformed {
        place: HEADER,
        name,
    };
    let mut values = [None; 3];
    for part in text.split(',') {
        let (name, value) = part
            .trim_ascii()
            .split_once('=')
            .ok_or(malformed("Authorization"))?;
        let index = NAMES
            .iter()
            .position(|known| *known == name)
            .ok_or(malformed("Authorization"))?;
        if values[index].replace(value).is_some() {
            return Err(Refusal::Duplicate {
                place: HEADER,
                name: name.to_owned(),
            });
        }
    }
    let need = |index: usize| {
        values[index].ok_or(Refusal::Missing {
            place: HEADER,
            name: NAMES[index],
        })
    };
    Ok([need(0)?, need(1)?, need(2)?])
}

/// Lower case, in order, none twice: as every client writes them.
fn check_names(names: &str) -> bool {
    let mut last = "";
    names.split(';').all(|name| {
        let fine = name > last
            && !name
                .bytes()
                .any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii_graphic());
        last = name;
        fine
    })
}

fn parse_lifetime(text: &str) -> Result<Duration, Refusal> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Malformed {
            place: QUERY,
            name: "X-Amz-Expires",
        });
    }
    let lifetime = Duration::from_secs(text.parse().map_err(|_| Refusal::Lifetime)?);
    if lifetime.is_zero() || lifetime > MAX_LIFETIME {
        Err(Refusal::Lifetime)
    } else {
        Ok(lifetime)
    }
}
