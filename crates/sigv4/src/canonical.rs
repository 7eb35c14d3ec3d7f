//! The canonical request: method, path, query, signed headers and payload, in AWS's one spelling.

use std::cmp::Ordering;

use crate::encode::{is_unreserved, push_query};
use crate::error::SignError;
use crate::order::Order;
use crate::sha256::Sha256;

pub(crate) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The headers that a request signs, `host` among them, in canonical order.
pub(crate) struct Headers<'a> {
    host: &'a str,
    rest: &'a [(&'a str, &'a str)],
    order: Order,
}

impl<'a> Headers<'a> {
    pub(crate) fn new(host: &'a str, rest: &'a [(&'a str, &'a str)]) -> Result<Self, SignError> {
        for &(name, value) in rest {
            if !is_name(name)
                || !is_value(value)
                || matches!(name.len(), 4 | 13) && is_reserved(name)
            {
                return Err(SignError::Header(name.to_owned()));
            }
        }
        let name = |position: usize| rest.get(position).map_or("host", |&(name, _)| name);
        let order = Order::of(rest.len() + 1, |a, b| compare_names(name(a), name(b)));
        Ok(Self {
            host,
            rest,
            order: order.ok_or(SignError::TooMany)?,
        })
    }

    fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.order.iter().map(|position| {
            self.rest
                .get(position)
                .copied()
                .unwrap_or(("host", self.host))
        })
    }

    /// `content-type%3Bhost` for a `separator` of `%3B`.
    pub(crate) fn push_names(&self, out: &mut String, separator: &str) {
        let mut last = "";
        for (name, _) in self
            .iter()
            .filter(|(name, _)| !std::mem::replace(&mut last, name).eq_ignore_ascii_case(name))
        {
            out.push_str(name);
            let start = out.len() - name.len();
            out[start..].make_ascii_lowercase();
            out.push_str(separator);
        }
        out.truncate(out.len() - separator.len());
    }

    /// The lines `name:value`; values of one name are joined by commas. Then the empty line and the names.
    fn hash(&self, hash: &mut Sha256) {
        let mut last = "";
        for (name, value) in self.iter() {
            if last.eq_ignore_ascii_case(name) {
                hash.update(b",");
            } else {
                hash.update(if last.is_empty() { b"" } else { b"\n" });
                hash_name(hash, name);
                hash.update(b":");
            }
            hash_value(hash, value.as_bytes());
            last = name;
        }
        hash.update(b"\n\n");
        last = "";
        for (name, _) in self.iter() {
            if !last.eq_ignore_ascii_case(name) {
                hash.update(if last.is_empty() { b"" } else { b";" });
                hash_name(hash, name);
            }
            last = name;
        }
    }

    /// The SHA-256 of the canonical request. `path` and `query` are canonical already.
    pub(crate) fn hash_request(
        &self,
        method: &str,
        path: &str,
        query: &str,
        payload: &str,
    ) -> [u8; 32] {
        let mut hash = start_request(method, path, query);
        self.hash(&mut hash);
        hash.update(b"\n");
        hash.update(payload.as_bytes());
        hash.finish()
    }

    /// What the headers say of the payload: nothing means that it is not signed.
    pub(crate) fn payload(&self) -> &'a str {
        let given = self.rest.iter().find(|(name, _)| {
            name.len() == 20 && name.eq_ignore_ascii_case("x-amz-content-sha256")
        });
        given.map_or(UNSIGNED_PAYLOAD, |&(_, value)| value)
    }
}

/// The first three lines of a canonical request.
pub(crate) fn start_request(method: &str, path: &str, query: &str) -> Sha256 {
    let mut hash = Sha256::new();
    for line in [method, path, query] {
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    hash
}

fn hash_name(hash: &mut Sha256, name: &str) {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        for byte in name.bytes() {
            hash.update(&[byte.to_ascii_lowercase()]);
        }
    } else {
        hash.update(name.as_bytes());
    }
}

/// A header's value without the spaces around it, and with one space for several within.
pub(crate) fn hash_value(hash: &mut Sha256, value: &[u8]) {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let value = value.trim_ascii();
    if !value.contains(&b'\t') && !value.windows(2).any(|pair| pair == b"  ") {
        return hash.update(value);
    }
    for (index, word) in value
        .split(is_space)
        .filter(|word| !word.is_empty())
        .enumerate()
    {
        hash.update(if index == 0 { b"" } else { b" " });
        hash.update(word);
    }
}

fn compare_names(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let differ = a
        .iter()
        .zip(b)
        .map(|(a, b)| a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()))
        .find(|order| order.is_ne());
    differ.unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// Parameters in canonical order: by encoded name, then by encoded value.
pub(crate) fn compare_parameters(a: (&[u8], &[u8]), b: (&[u8], &[u8])) -> Ordering {
    compare_encoded(a.0, b.0).then_with(|| compare_encoded(a.1, b.1))
}

/// As if both were percent-encoded: what is encoded begins with `%` and so sorts before all that is not.
pub(crate) fn compare_encoded(a: &[u8], b: &[u8]) -> Ordering {
    let rank = |byte: u8| (is_unreserved(byte), byte);
    let differ = a
        .iter()
        .zip(b)
        .map(|(&a, &b)| rank(a).cmp(&rank(b)))
        .find(|order| order.is_ne());
    differ.unwrap_or_else(|| a.len().cmp(&b.len()))
}

pub(crate) fn push_parameter(out: &mut String, name: &[u8], value: &[u8]) {
    push_query(out, name);
    out.push('=');
    push_query(out, value);
}

pub(crate) fn check_method(method: &str) -> Result<(), SignError> {
    let fine = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    if fine {
        Ok(())
    } else {
        Err(SignError::Method(method.to_owned()))
    }
}

/// A token, as RFC 9110 section 5.6.2 has it.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_value(value: &str) -> bool {
    !value
        .bytes()
        .any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f)
}

fn is_reserved(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case("authorization")
}
