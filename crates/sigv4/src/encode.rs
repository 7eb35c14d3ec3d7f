//! The spellings of signatures: percent-encoding, hexadecimal, JSON strings, decimal numbers.

use std::borrow::Cow;

const UPPER_HEX: [u8; 16] = *b"0123456789ABCDEF";

/// What `UriEncode` encodes in a query; see "Create a canonical request" in the AWS IAM guide.
const IN_QUERY: u8 = 1;
/// What it encodes in an object key: the same without the slash.
const IN_PATH: u8 = 2;

const ENCODED: [u8; 256] = {
    let mut class = [IN_QUERY | IN_PATH; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            class[byte as usize] = 0;
        }
        byte += 1;
    }
    class[b'/' as usize] = IN_QUERY;
    class
};

pub(crate) const fn is_unreserved(byte: u8) -> bool {
    ENCODED[byte as usize] == 0
}

pub(crate) fn push_key(out: &mut String, key: &str) {
    if classify(&ENCODED, key) & IN_PATH == 0 {
        out.push_str(key);
    } else {
        push_path(out, key.as_bytes());
    }
}

pub(crate) fn push_path(out: &mut String, raw: &[u8]) {
    push_encoded(out, raw, IN_PATH);
}

pub(crate) fn push_query(out: &mut String, raw: &[u8]) {
    push_encoded(out, raw, IN_QUERY);
}

fn push_encoded(out: &mut String, raw: &[u8], encoded: u8) {
    let mut rest = raw;
    loop {
        let plain = rest
            .iter()
            .position(|&byte| ENCODED[usize::from(byte)] & encoded != 0)
            .unwrap_or(rest.len());
        let (head, tail) = rest.split_at(plain);
        out.push_str(std::str::from_utf8(head).unwrap_or_default());
        let Some((&byte, after)) = tail.split_first() else {
            return;
        };
        out.push('%');
        out.push(char::from(UPPER_HEX[usize::from(byte >> 4)]));
        out.push(char::from(UPPER_HEX[usize::from(byte & 15)]));
        rest = after;
    }
}

/// What a `+` means: itself in a path, a space in a query.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plus {
    Plus,
    Space,
}

/// `None` where a `%` is not followed by two hexadecimal digits.
pub(crate) fn decode(text: &str, plus: Plus) -> Option<Cow<'_, [u8]>> {
    let bytes = text.as_bytes();
    if !bytes
        .iter()
        .any(|&byte| byte == b'%' || (byte == b'+' && plus == Plus::Space))
    {
        return Some(Cow::Borrowed(bytes));
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(&byte) = rest.next() {
        decoded.push(match byte {
            b'%' => (nibble(*rest.next()?)? << 4) | nibble(*rest.next()?)?,
            b'+' if plus == Plus::Space => b' ',
            _ => byte,
        });
    }
    Some(Cow::Owned(decoded))
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// By arithmetic and not from a table, so that sixteen are worked out at a time.
const fn hex_digit(nibble: u8) -> u8 {
    nibble + if nibble < 10 { b'0' } else { b'a' - 10 }
}

pub(crate) fn hex(digest: &[u8; 32]) -> [u8; 64] {
    let mut text = [0; 64];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(digest) {
        *pair = [hex_digit(byte >> 4), hex_digit(byte & 15)];
    }
    text
}

/// Exactly 64 lower-case hexadecimal digits, else `None`.
pub(crate) fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    let text: &[u8; 64] = text.try_into().ok()?;
    let mut digest = [0; 32];
    for (byte, &[high, low]) in digest.iter_mut().zip(text.as_chunks::<2>().0) {
        if high.is_ascii_uppercase() || low.is_ascii_uppercase() {
            return None;
        }
        *byte = (nibble(high)? << 4) | nibble(low)?;
    }
    Some(digest)
}

pub(crate) fn push_number(out: &mut String, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
}

/// What a JSON string must escape. Everything past ASCII is escaped as well, as the S3 guide asks for policies.
const ESCAPED: [u8; 256] = {
    let mut class = [1; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        class[byte as usize] = 0;
        byte += 1;
    }
    class[b'"' as usize] = 1;
    class[b'\\' as usize] = 1;
    class
};

/// Of the bytes of a text, all the classes that there are. Eight at a time, which the compiler does not come upon by itself.
pub(crate) fn classify(classes: &[u8; 256], text: &str) -> u8 {
    let add = |class, byte: &u8| class | classes[usize::from(*byte)];
    let (eights, rest) = text.as_bytes().as_chunks::<8>();
    let class = eights
        .iter()
        .fold(0, |class, eight| eight.iter().fold(class, add));
    rest.iter().fold(class, add)
}

/// The inside of a JSON string.
pub(crate) fn push_json(out: &mut String, text: &str) {
    if classify(&ESCAPED, text) == 0 {
        return out.push_str(text);
    }
    for next in text.chars() {
        match next {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(next),
            _ => next
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| push_unit(out, *unit)),
        }
    }
}

fn push_unit(out: &mut String, unit: u16) {
    out.push_str("\\u");
    for byte in unit.to_be_bytes() {
        out.push(char::from(hex_digit(byte >> 4)));
        out.push(char::from(hex_digit(byte & 15)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(push: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        push(&mut out);
        out
    }

    #[test]
    fn keys_keep_their_slashes_and_queries_do_not() {
        assert_eq!(
            written(|out| push_path(out, "a/b c+ü~%".as_bytes())),
            "a/b%20c%2B%C3%BC~%25"
        );
        assert_eq!(written(|out| push_query(out, b"a/b=c&d")), "a%2Fb%3Dc%26d");
        assert_eq!(written(|out| push_path(out, b"")), "");
    }

    #[test]
    fn decoding_undoes_encoding() {
        assert_eq!(
            decode("a%2fb+c%C3%BC", Plus::Plus).unwrap(),
            "a/b+cü".as_bytes()
        );
        assert_eq!(decode("a+b", Plus::Space).unwrap(), b"a b".as_slice());
        for bad in ["%", "%2", "%zz", "a%+1"] {
            assert!(decode(bad, Plus::Space).is_none(), "{bad}");
        }
    }

    #[test]
    fn numbers_and_json_strings() {
        for value in [0, 9, 10, 604_800, u64::MAX] {
            assert_eq!(written(|out| push_number(out, value)), value.to_string());
        }
        for text in ["", "plain", "a\"b\\c\n\u{7f}", "日本 🦀"] {
            let json = format!("\"{}\"", written(|out| push_json(out, text)));
            assert!(json.is_ascii());
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn hexadecimal_is_lower_case() {
        let digest: [u8; 32] = std::array::from_fn(|n| u8::try_from(n * 8).unwrap());
        assert_eq!(unhex(&hex(&digest)), Some(digest));
        assert_eq!(
            unhex(&hex(&digest).map(|byte| byte.to_ascii_uppercase())),
            None
        );
    }
}
