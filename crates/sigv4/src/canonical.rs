//! The canonical request: method, path, query, signed headers and payload, in AWS's one spelling.

use std::cmp::Ordering;

use crate::encode::{classify, is_unreserved, push_query};
use crate::error::SignError;
use crate::order::{MOST, Order};
use crate::sha256::Sha256;

pub(crate) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The headers that a request signs, `host` among them, in canonical order.
pub(crate) struct Headers<'a> {
    host: &'a str,
    rest: &'a [(&'a str, &'a str)],
    order: Order,
    /// A bit for each of `rest` that is in its canonical spelling already.
    plain: u64,
}

impl<'a> Headers<'a> {
    pub(crate) fn new(host: &'a str, rest: &'a [(&'a str, &'a str)]) -> Result<Self, SignError> {
        let mut plain = 0;
        for (position, &(name, value)) in rest.iter().enumerate().take(MOST) {
            let class = classify(&NAME, name) | classify(&VALUE, value);
            if class & REFUSED != 0 || name.is_empty() || is_reserved(name) {
                return Err(SignError::Header(name.to_owned()));
            }
            plain |= u64::from(class == PLAIN) << position;
        }
        let name = |position: usize| rest.get(position).map_or("host", |&(name, _)| name);
        let all_plain = plain.count_ones() as usize == rest.len();
        let order = Order::of(rest.len() + 1, |a, b| {
            if all_plain {
                name(a).cmp(name(b))
            } else {
                compare_names(name(a), name(b))
            }
        });
        Ok(Self {
            host,
            rest,
            order: order.ok_or(SignError::TooMany)?,
            plain,
        })
    }

    /// Name, value, and whether both may be written as they are.
    fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str, bool)> {
        self.order
            .iter()
            .map(|position| match self.rest.get(position) {
                Some(&(name, value)) => (name, value, self.plain & (1 << position) != 0),
                None => ("host", self.host, true),
            })
    }

    /// `content-type;host`
    pub(crate) fn push_names(&self, out: &mut String) {
        self.push_joined(out, ";", push_lowercase);
    }

    /// `content-type%3Bhost`
    pub(crate) fn push_query_names(&self, out: &mut String) {
        self.push_joined(out, "%3B", push_encoded_lowercase);
    }

    #[inline]
    fn push_joined(&self, out: &mut String, separator: &str, spell: fn(&mut String, &str)) {
        let mut last = "";
        for (name, _, plain) in self.iter() {
            if last.eq_ignore_ascii_case(name) {
                continue;
            }
            if !last.is_empty() {
                out.push_str(separator);
            }
            if plain {
                out.push_str(name);
            } else {
                spell(out, name);
            }
            last = name;
        }
    }

    /// The lines `name:value`; values of one name are joined by commas.
    fn push_lines(&self, out: &mut String) {
        let mut last = "";
        for (name, value, plain) in self.iter() {
            if last.eq_ignore_ascii_case(name) {
                out.push(',');
            } else {
                if !last.is_empty() {
                    out.push('\n');
                }
                if plain {
                    out.push_str(name);
                } else {
                    push_lowercase(out, name);
                }
                out.push(':');
            }
            push_value(out, value, plain);
            last = name;
        }
        out.push('\n');
    }

    /// The SHA-256 of a canonical request, of which `hash` has taken all up to the query. The rest is written behind what is in
    /// `scratch` and cut off again: text in one piece is hashed fastest, and a reused buffer has the room.
    pub(crate) fn finish_request(
        &self,
        mut hash: Sha256,
        scratch: &mut String,
        payload: &str,
    ) -> [u8; 32] {
        let end = scratch.len();
        scratch.push('\n');
        self.push_lines(scratch);
        scratch.push('\n');
        self.push_names(scratch);
        scratch.push('\n');
        scratch.push_str(payload);
        hash.update(&scratch.as_bytes()[end..]);
        scratch.truncate(end);
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

fn push_lowercase(out: &mut String, name: &str) {
    out.push_str(name);
    let start = out.len() - name.len();
    out[start..].make_ascii_lowercase();
}

fn push_encoded_lowercase(out: &mut String, name: &str) {
    for byte in name.bytes() {
        push_query(out, &[byte.to_ascii_lowercase()]);
    }
}

/// A header's value without the blanks around it, and with one space for several within.
fn push_value(out: &mut String, value: &str, plain: bool) {
    if plain {
        return out.push_str(value);
    }
    let words = value.split([' ', '\t']).filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
        out.push_str(if index == 0 { "" } else { " " });
        out.push_str(word);
    }
}

/// In its canonical spelling.
const PLAIN: u8 = 0;
/// A capital in a name or what a query encodes, a blank in a value.
const TO_SPELL: u8 = 1;
/// What no name or no value may contain.
const REFUSED: u8 = 2;

/// A token, as RFC 9110 section 5.6.2 has it.
const NAME: [u8; 256] = {
    let mut class = [REFUSED; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        if is_unreserved(byte) && !byte.is_ascii_uppercase() {
            class[byte as usize] = PLAIN;
        } else if is_unreserved(byte) || is_token_mark(byte) {
            class[byte as usize] = TO_SPELL;
        }
        byte += 1;
    }
    class
};

/// Anything but control characters.
const VALUE: [u8; 256] = {
    let mut class = [PLAIN; 256];
    let mut byte = 0;
    while byte < 32 {
        class[byte] = REFUSED;
        byte += 1;
    }
    class[0x7f] = REFUSED;
    class[b' ' as usize] = TO_SPELL;
    class[b'\t' as usize] = TO_SPELL;
    class
};

const fn is_token_mark(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~'
    )
}

/// The first two lines of a canonical request, before its query.
pub(crate) fn start_request(method: &str, path: &str) -> Sha256 {
    let mut hash = Sha256::new();
    for line in [method, path] {
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    hash
}

/// A header's value as it came, spelt as `push_value` spells one to be sent.
pub(crate) fn hash_value(hash: &mut Sha256, value: &[u8]) {
    let words = value
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty());
    for (index, word) in words.enumerate() {
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

fn is_reserved(name: &str) -> bool {
    name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case("authorization")
}
