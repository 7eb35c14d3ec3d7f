//! Browser forms: taking `multipart/form-data` apart while it arrives.
//!
//! The fields before the file are small and kept, together at most [`MAX_PREDATA`]; the file is handed on as it comes;
//! what follows the file is ignored, as S3 does. Sans-IO: the caller pushes bytes and asks.

use std::fmt;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use crate::error::{Code, S3Error, S3Result};

/// S3's limit on everything before the file.
const MAX_PREDATA: usize = 20 * 1024;

/// What stands for the file's name in a field.
const VARIABLE: &str = "${filename}";

/// The fields of a form, names in lower case, in the order they came.
#[derive(Default)]
pub(crate) struct Fields {
    pub(crate) fields: Vec<(String, String)>,
    /// The file's name as the browser gave it, without directories.
    pub(crate) filename: String,
}

/// Among the fields are a policy and its signature.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.fields.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Fields {
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// Replaces `${filename}` in every field by the file's name; the policy itself is not one of them.
    pub(crate) fn fill_in_filename(&mut self) {
        for (name, value) in &mut self.fields {
            if name != "policy" && value.contains(VARIABLE) {
                *value = value.replace(VARIABLE, &self.filename);
            }
        }
    }
}

/// A part of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    More,
    Data(Bytes),
    End,
}

#[derive(Debug)]
enum Stage {
    Fields,
    File,
    Done,
}

pub(crate) struct FormDecoder {
    delimiter: memmem::Finder<'static>,
    buffer: BytesMut,
    stage: Stage,
    begun: bool,
    consumed: usize,
    fields: Fields,
}

impl FormDecoder {
    /// For a request with this `Content-Type`.
    pub(crate) fn new(content_type: &str) -> S3Result<Self> {
        let boundary = boundary(content_type).ok_or_else(|| malformed("no usable boundary"))?;
        let delimiter = format!("\r\n--{boundary}");
        Ok(Self {
            delimiter: memmem::Finder::new(delimiter.as_bytes()).into_owned(),
            // The first delimiter has no line before it; this gives it one.
            buffer: BytesMut::from(&b"\r\n"[..]),
            stage: Stage::Fields,
            begun: false,
            consumed: 0,
            fields: Fields::default(),
        })
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.stage, Stage::Done) {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The fields, once the file begins; `None` while more bytes are needed.
    pub(crate) fn fields(&mut self) -> S3Result<Option<Fields>> {
        while matches!(self.stage, Stage::Fields) {
            if !self.begin()? || !self.read_part()? {
                if self.consumed + self.buffer.len() > MAX_PREDATA {
                    return Err(Code::MaxPostPreDataLengthExceeded.into());
                }
                return Ok(None);
            }
            if self.consumed > MAX_PREDATA {
                return Err(Code::MaxPostPreDataLengthExceeded.into());
            }
        }
        Ok(Some(std::mem::take(&mut self.fields)))
    }

    /// The next part of the file.
    pub(crate) fn file(&mut self) -> Piece {
        if matches!(self.stage, Stage::Done) {
            return Piece::End;
        }
        if let Some(end) = self.delimiter.find(&self.buffer) {
            let data = self.buffer.split_to(end).freeze();
            self.buffer.clear();
            self.stage = Stage::Done;
            return if data.is_empty() {
                Piece::End
            } else {
                Piece::Data(data)
            };
        }
        // The last bytes may be the beginning of the delimiter.
        let sure = self
            .buffer
            .len()
            .saturating_sub(self.delimiter.needle().len() - 1);
        if sure == 0 {
            Piece::More
        } else {
            Piece::Data(self.buffer.split_to(sure).freeze())
        }
    }

    /// Passes the first delimiter; false while it is not whole.
    fn begin(&mut self) -> S3Result<bool> {
        let needle = self.delimiter.needle();
        if self.begun {
            return Ok(true);
        }
        let length = needle.len().min(self.buffer.len());
        if self.buffer[..length] != needle[..length] {
            return Err(malformed("it does not begin with its boundary"));
        }
        self.begun = length == needle.len();
        if self.begun {
            self.consume(length);
        }
        Ok(self.begun)
    }

    /// Reads one part behind a delimiter; false while it is not whole. The file's part is read up to its content.
    fn read_part(&mut self) -> S3Result<bool> {
        let Some(mark) = self.buffer.get(..2) else {
            return Ok(false);
        };
        if mark == b"--" {
            return Err(S3Error::new(
                Code::InvalidArgument,
                "POST requires exactly one file upload per request.",
            )
            .with("ArgumentName", "file"));
        }
        if mark != b"\r\n" {
            return Err(malformed("a boundary is not followed by a line end"));
        }
        let Some(head_end) = memmem::find(&self.buffer, b"\r\n\r\n") else {
            return Ok(false);
        };
        let head = std::str::from_utf8(&self.buffer[2..head_end.max(2)])
            .map_err(|_| malformed("a part's head is not UTF-8"))?;
        let (name, filename) =
            disposition(head).ok_or_else(|| malformed("a part without a name"))?;
        let name = name.to_ascii_lowercase();
        let content = head_end + 4;
        if name == "file" {
            let filename = filename.unwrap_or_default();
            base_name(&filename).clone_into(&mut self.fields.filename);
            self.consume(content);
            self.stage = Stage::File;
            return Ok(true);
        }
        let Some(length) = self.delimiter.find(&self.buffer[content..]) else {
            return Ok(false);
        };
        let value = std::str::from_utf8(&self.buffer[content..content + length]);
        let value = value
            .map_err(|_| malformed("a field's value is not UTF-8"))?
            .to_owned();
        if self.fields.value(&name).is_some() {
            return Err(S3Error::argument(&name, "given more than once"));
        }
        self.fields.fields.push((name, value));
        self.consume(content + length + self.delimiter.needle().len());
        Ok(true)
    }

    fn consume(&mut self, length: usize) {
        let _ = self.buffer.split_to(length);
        self.consumed += length;
    }
}

/// The boundary of a `multipart/form-data` content type: 1 to 70 characters.
fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    let sound = (1..=70).contains(&boundary.len())
        && boundary.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    sound.then_some(boundary)
}

/// The name, and the file name if there is one, of a part with this head.
fn disposition(head: &str) -> Option<(String, Option<String>)> {
    let value = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-disposition")
            .then_some(value.trim())
    })?;
    let (kind, parameters) = value.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    Some((
        parameter(parameters, "name")?,
        parameter(parameters, "filename"),
    ))
}

/// One parameter of `; a=b; c="d"`. A quoted value ends at the next quote that no backslash escapes; a backslash before
/// anything else is itself (old browsers sent whole Windows paths), and `%22` is a quote, as browsers write it.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_start_matches([';', ' ', '\t']).trim();
        let (value, next) = if let Some(quoted) = after.strip_prefix('\"') {
            quoted_value(quoted)?
        } else {
            let end = after.find(';').unwrap_or(after.len());
            (after[..end].trim().to_owned(), &after[end..])
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = next;
    }
}

fn quoted_value(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => {
                let value = value
                    .replace("%22", "\"")
                    .replace("%0D", "\r")
                    .replace("%0A", "\n");
                return Some((value, &quoted[at + 1..]));
            }
            '\\' if matches!(characters.peek(), Some((_, '"'))) => {
                characters.next();
                value.push('"');
            }
            other => value.push(other),
        }
    }
    None
}

fn base_name(filename: &str) -> &str {
    filename.rsplit(['/', '\\']).next().unwrap_or_default()
}

fn malformed(why: &'static str) -> S3Error {
    S3Error::new(
        Code::MalformedPOSTRequest,
        format!("The body of your POST request is not well-formed multipart/form-data: {why}."),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Fields, FormDecoder, MAX_PREDATA, Piece};
    use crate::error::{Code, S3Result};

    const TYPE: &str = "multipart/form-data; boundary=xYzZY";

    fn part(name: &str, value: &str) -> String {
        format!("--xYzZY\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    }

    fn form(file: &str) -> String {
        let head = "--xYzZY\r\ncontent-disposition: form-data; name=\"file\"; filename=\"C:\\dir\\a %22b%22;=.txt\"\r\nContent-Type: text/plain\r\n\r\n";
        let after = part("submit", "Upload");
        format!(
            "{}{}{head}{file}\r\n{after}--xYzZY--\r\n",
            part("Key", "in/${filename}"),
            part("policy", "")
        )
    }

    /// Fields, file content, whether the file has ended.
    fn decode(
        pieces: impl IntoIterator<Item = Vec<u8>>,
    ) -> S3Result<(Option<Fields>, Vec<u8>, bool)> {
        let mut decoder = FormDecoder::new(TYPE)?;
        let (mut fields, mut file, mut ended) = (None, Vec::new(), false);
        for piece in pieces {
            decoder.push(&piece);
            if fields.is_none() {
                fields = decoder.fields()?;
            }
            while fields.is_some() && !ended {
                match decoder.file() {
                    Piece::More => break,
                    Piece::Data(data) => file.extend_from_slice(&data),
                    Piece::End => ended = true,
                }
            }
        }
        Ok((fields, file, ended))
    }

    #[test]
    fn fields_and_file_come_out_and_what_follows_is_ignored() {
        let (fields, file, ended) = decode([form("hello\r\n--xYz\r\n").into_bytes()]).unwrap();
        let fields = fields.unwrap();
        assert_eq!(fields.value("key"), Some("in/${filename}"));
        assert_eq!(fields.value("policy"), Some(""));
        assert_eq!(fields.value("submit"), None);
        assert_eq!(fields.filename, "a \"b\";=.txt");
        assert_eq!((file.as_slice(), ended), (&b"hello\r\n--xYz\r\n"[..], true));
    }

    #[test]
    fn a_form_cut_off_before_the_closing_boundary_has_not_ended() {
        let body = form("hello");
        let end = body
            .find("\r\n--xYzZY\r\nContent-Disposition: form-data; name=\"submit\"")
            .unwrap();
        for cut in 0..end + 9 {
            assert!(
                !decode([body.as_bytes()[..cut].to_vec()]).unwrap().2,
                "cut at {cut}"
            );
        }
        assert!(decode([body.as_bytes()[..end + 9].to_vec()]).unwrap().2);
    }

    #[test]
    fn malformed_forms_are_refused() {
        let file = "--xYzZY\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--xYzZY--";
        let table = [
            ("hello".to_owned(), Code::MalformedPOSTRequest),
            ("--xYzZYmore\r\n".to_owned(), Code::MalformedPOSTRequest),
            ("--xYzZY\r\n\r\n\r\n".to_owned(), Code::MalformedPOSTRequest),
            (
                "--xYzZY\r\nContent-Disposition: form-data\r\n\r\n".to_owned(),
                Code::MalformedPOSTRequest,
            ),
            (
                format!("{}--xYzZY--", part("key", "k")),
                Code::InvalidArgument,
            ),
            (
                format!("{}{}{file}", part("key", "a"), part("KEY", "b")),
                Code::InvalidArgument,
            ),
            (
                part("key", &"k".repeat(MAX_PREDATA)),
                Code::MaxPostPreDataLengthExceeded,
            ),
            (
                format!("--xYzZY\r\n{}", "h".repeat(MAX_PREDATA)),
                Code::MaxPostPreDataLengthExceeded,
            ),
            (
                (0..1000)
                    .map(|n| part(&format!("f{n}"), ""))
                    .collect::<String>()
                    + file,
                Code::MaxPostPreDataLengthExceeded,
            ),
        ];
        for (body, code) in table {
            let error = decode([body.clone().into_bytes()]).unwrap_err();
            assert_eq!(error.code, code, "{body:.80}");
        }
    }

    #[test]
    fn a_boundary_has_one_to_seventy_characters() {
        let table = [
            ("multipart/form-data; boundary=a", true),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"", true),
            ("multipart/form-data", false),
            ("multipart/form-data; boundary=", false),
            ("multipart/mixed; boundary=a", false),
        ];
        for (content_type, expected) in table {
            assert_eq!(
                FormDecoder::new(content_type).is_ok(),
                expected,
                "{content_type}"
            );
        }
        let long = |length: usize| format!("multipart/form-data; boundary={}", "b".repeat(length));
        assert!(FormDecoder::new(&long(70)).is_ok());
        assert!(FormDecoder::new(&long(71)).is_err());
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_a_form_arrives_do_not_matter(
            file in "[\r\nxYZz-]{0,60}",
            cuts in prop::collection::vec(0.0..1.0f64, 0..12),
        ) {
            prop_assume!(!format!("\r\n{file}").contains("\r\n--xYzZY"));
            let body = form(&file).into_bytes();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short body")]
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| (cut * body.len() as f64) as usize).collect();
            cuts.extend([0, body.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|pair| body[pair[0]..pair[1]].to_vec());
            let (fields, content, ended) = decode(pieces).unwrap();
            prop_assert_eq!(content, file.into_bytes());
            prop_assert!(ended && fields.is_some());
        }
    }
}
