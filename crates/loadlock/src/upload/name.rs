//! File names as people give them: kept for display, never used in keys.

use super::MediaType;

/// Longest name kept, in bytes of UTF-8.
const MAX_BYTES: usize = 255;
const UNNAMED: &str = "unnamed";

/// A name for display: the last path segment, without control and direction-changing characters, of bounded length.
pub fn clean(raw: &str) -> String {
    let last = raw.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().filter(|&c| !is_hidden(c)).collect();
    match name.trim() {
        "" | "." | ".." => UNNAMED.to_owned(),
        name => shortened(name),
    }
}

/// Cut before the extension, if there is a short one.
fn shortened(name: &str) -> String {
    let dot = name.rfind('.').filter(|dot| name.len() - dot <= 16);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let mut end = stem.len().min(MAX_BYTES - extension.len());
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    let kept = stem.get(..end).unwrap_or_default();
    // What is cut off at a blank does not end in one.
    let kept = if end < stem.len() {
        kept.trim_end()
    } else {
        kept
    };
    format!("{kept}{extension}")
}

/// Control characters, line separators, and the marks that turn text around (`gpj.exe` shown as `exe.jpg`).
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The extension, in lower case, if it is 1 to 10 letters and digits.
pub fn extension(name: &str) -> Option<String> {
    let (stem, extension) = name.rsplit_once('.')?;
    let sound = !stem.is_empty()
        && (1..=10).contains(&extension.len())
        && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    sound.then(|| extension.to_ascii_lowercase())
}

/// What files of this type usually end in, else what the name ends in.
pub fn extension_of(media: &MediaType, filename: &str) -> String {
    let usual = match media.as_str() {
        "image/jpeg" => Some("jpg"),
        "image/png" => Some("png"),
        "image/gif" => Some("gif"),
        "image/webp" => Some("webp"),
        "image/avif" => Some("avif"),
        "video/mp4" => Some("mp4"),
        "video/webm" => Some("webm"),
        "video/quicktime" => Some("mov"),
        "application/pdf" => Some("pdf"),
        "text/plain" => Some("txt"),
        _ => None,
    };
    usual
        .map(str::to_owned)
        .or_else(|| extension(filename))
        .unwrap_or_else(|| "bin".to_owned())
}

/// A name for a file that came without one.
pub fn unnamed(media: &MediaType) -> String {
    format!("{UNNAMED}.{}", extension_of(media, ""))
}

/// How a browser treats what it is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    Inline,
    Attachment,
}

/// A `Content-Disposition` in ASCII: RFC 6266, the name also as RFC 8187 says.
pub fn content_disposition(disposition: Disposition, name: &str) -> String {
    let word = match disposition {
        Disposition::Inline => "inline",
        Disposition::Attachment => "attachment",
    };
    let plain: String = name
        .chars()
        .map(|c| match c {
            ' '..='~' if !matches!(c, '"' | '\\' | '%') => c,
            _ => '_',
        })
        .collect();
    if plain == name {
        return format!("{word}; filename=\"{plain}\"");
    }
    format!(
        "{word}; filename=\"{plain}\"; filename*=UTF-8''{}",
        ext_value(name)
    )
}

/// RFC 8187, `value-chars`.
fn ext_value(name: &str) -> String {
    use std::fmt::Write as _;
    name.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_made_harmless() {
        fn check(input: &str, expected: &str) {
            assert_eq!(clean(input), expected, "{input:?}");
        }
        check("photo.jpg", "photo.jpg");
        check("../../etc/passwd", "passwd");
        check("C:\\Users\\me\\a.txt", "a.txt");
        check("a\r\nSet-Cookie: x.png", "aSet-Cookie: x.png");
        check("\u{202e}gpj.exe", "gpj.exe");
        check("写真 😀.jpg", "写真 😀.jpg");
        check("\"quoted\".png", "\"quoted\".png");
        check("", "unnamed");
        check("..", "unnamed");
        check("a/", "unnamed");
        assert_eq!(clean(&format!("{}.jpeg", "é".repeat(500))).len(), 255);
        check(&format!("{} y", "x".repeat(254)), &"x".repeat(254));
    }

    #[test]
    fn dispositions_are_plain_ascii() {
        fn check(name: &str, expected: &str) {
            assert_eq!(content_disposition(Disposition::Inline, name), expected);
        }
        check("a b.png", "inline; filename=\"a b.png\"");
        check(
            "a\"b.png",
            "inline; filename=\"a_b.png\"; filename*=UTF-8''a%22b.png",
        );
        check(
            "é.png",
            "inline; filename=\"_.png\"; filename*=UTF-8''%C3%A9.png",
        );
    }

    #[test]
    fn extensions_are_short_and_plain() {
        assert_eq!(extension("a.JPG").as_deref(), Some("jpg"));
        assert_eq!(extension("a.tar.gz").as_deref(), Some("gz"));
        assert_eq!(extension(".env"), None);
        assert_eq!(extension("a."), None);
        assert_eq!(extension("a.j/pg"), None);
    }

    proptest! {
        #[test]
        fn any_name_ends_short_and_without_control_characters(raw in ".{0,400}") {
            let name = clean(&raw);
            prop_assert!(!name.is_empty() && name.len() <= MAX_BYTES);
            prop_assert!(!name.chars().any(char::is_control));
            prop_assert!(!name.contains(['/', '\\']));
            prop_assert_eq!(&clean(&name), &name);
            let header = content_disposition(Disposition::Attachment, &name);
            prop_assert!(header.bytes().all(|b| (b' '..=b'~').contains(&b)));
            prop_assert_eq!(header.matches('"').count(), 2);
        }
    }
}
