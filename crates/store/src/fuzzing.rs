//! What holds for whatever is sent: tried by `script/fuzz` on inputs of its own making, and by the tests on those it starts from.

use bytes::Bytes;

use crate::body::chunked::{Decoder, Step};
use crate::error::S3Result;
use crate::form::{FormDecoder, Piece};
use crate::policy::{Context, Policy, Question};

/// The first byte says in which pieces the rest arrives.
fn arriving(data: &[u8]) -> Option<(usize, &[u8])> {
    let (size, rest) = data.split_first()?;
    Some((usize::from(*size).max(1), rest))
}

/// The first line as far as the NUL, and the rest.
fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    let at = memchr::memchr(0, data).unwrap_or(data.len());
    (&data[..at], data.get(at + 1..).unwrap_or_default())
}

/// A content type, and after a NUL a form's body.
///
/// # Panics
/// If it matters in which pieces the body arrives.
pub fn form(data: &[u8]) {
    let Some((size, data)) = arriving(data) else {
        return;
    };
    let (content_type, body) = halves(data);
    let Ok(content_type) = str::from_utf8(content_type) else {
        return;
    };
    let whole = taken_apart(content_type, body.chunks(body.len().max(1)));
    let pieces = taken_apart(content_type, body.chunks(size));
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces),
        (whole, pieces) => assert_eq!(whole.is_err(), pieces.is_err()),
    }
}

/// Fields, the file's name, its content, and whether it has ended.
type Form = (Option<(Vec<(String, String)>, String)>, Vec<u8>, bool);

fn taken_apart<'a>(content_type: &str, pieces: impl Iterator<Item = &'a [u8]>) -> S3Result<Form> {
    let mut decoder = FormDecoder::new(content_type)?;
    let (mut fields, mut file, mut ended) = (None, Vec::new(), false);
    for piece in pieces {
        decoder.push(piece);
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
    let fields = fields.map(|mut fields| {
        fields.fill_in_filename();
        assert!(!fields.filename.contains(['/', '\\']));
        (fields.fields, fields.filename)
    });
    Ok((fields, file, ended))
}

/// A body in `aws-chunked`.
///
/// # Panics
/// If it matters in which pieces the body arrives.
pub fn chunks(data: &[u8]) {
    let Some((size, body)) = arriving(data) else {
        return;
    };
    let whole = dechunked(body.chunks(body.len().max(1)));
    let pieces = dechunked(body.chunks(size));
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces),
        (whole, pieces) => assert_eq!(whole.is_err(), pieces.is_err()),
    }
}

/// The content, each chunk's signature, and the trailers once the body has ended.
type Dechunked = (Vec<u8>, Vec<Option<String>>, Option<Vec<(String, String)>>);

fn dechunked<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> S3Result<Dechunked> {
    let mut decoder = Decoder::new();
    let (mut content, mut signatures, mut end) = (Vec::new(), Vec::new(), None);
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        loop {
            match decoder.step()? {
                Step::More => break,
                Step::Data(data) => content.extend_from_slice(&data),
                Step::ChunkEnd { signature } => signatures.push(signature),
                Step::End { trailers } => end = Some(trailers),
            }
        }
    }
    Ok((content, signatures, end))
}

/// A policy document, and after a NUL, each on a line of its own: an action, a resource, and facts `key=value`.
///
/// # Panics
/// If something is allowed that no statement allows.
pub fn policy(data: &[u8]) {
    let (document, question) = halves(data);
    let (Ok(document), Ok(question)) = (str::from_utf8(document), str::from_utf8(question)) else {
        return;
    };
    let Ok(policy) = Policy::from_json(document) else {
        return;
    };
    let mut lines = question.lines();
    let (action, resource) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    let mut context = Context::default();
    for (key, value) in lines.filter_map(|line| line.split_once('=')) {
        context.insert(key, value);
    }
    let allowed = policy.allows(Question {
        action,
        resource,
        context: &context,
    });
    let may = document.contains("Allow") || document.contains('\\');
    assert!(may || !allowed, "nothing is allowed by default");
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    #[test]
    fn what_the_fuzzer_starts_from_and_found_holds() {
        for (name, target) in [
            ("form", super::form as fn(&[u8])),
            ("chunks", super::chunks),
            ("policy", super::policy),
        ] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/inputs");
            let inputs: Vec<_> = fs::read_dir(folder.join(name)).unwrap().collect();
            assert!(!inputs.is_empty(), "{name}");
            for input in inputs {
                target(&fs::read(input.unwrap().path()).unwrap());
            }
        }
    }
}
