//! What a client promises about a body's content, and the comparison with what came.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest as _, Md5};

use crate::disk::{Checksum, ChecksumAlgorithm, ChecksumType, Written};
use crate::error::{Code, S3Error, S3Result};
use crate::request::Attributes;

/// The lower-case name in `x-amz-checksum-…`.
pub(crate) fn header_name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "x-amz-checksum-crc32",
        ChecksumAlgorithm::Crc32c => "x-amz-checksum-crc32c",
        ChecksumAlgorithm::Crc64Nvme => "x-amz-checksum-crc64nvme",
        ChecksumAlgorithm::Sha1 => "x-amz-checksum-sha1",
        ChecksumAlgorithm::Sha256 => "x-amz-checksum-sha256",
    }
}

/// The element's name in XML, such as `ChecksumCRC32C`.
pub(crate) fn element_name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "ChecksumCRC32",
        ChecksumAlgorithm::Crc32c => "ChecksumCRC32C",
        ChecksumAlgorithm::Crc64Nvme => "ChecksumCRC64NVME",
        ChecksumAlgorithm::Sha1 => "ChecksumSHA1",
        ChecksumAlgorithm::Sha256 => "ChecksumSHA256",
    }
}

pub(crate) fn type_name(kind: ChecksumType) -> &'static str {
    match kind {
        ChecksumType::FullObject => "FULL_OBJECT",
        ChecksumType::Composite => "COMPOSITE",
    }
}

pub(crate) fn algorithm(name: &str) -> S3Result<ChecksumAlgorithm> {
    let known = ChecksumAlgorithm::ALL
        .into_iter()
        .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name));
    known.ok_or_else(|| S3Error::new(Code::InvalidRequest, "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"))
}

/// What a request promises about the bytes of its body.
#[derive(Debug, Default)]
pub(crate) struct Promise {
    md5: Option<[u8; 16]>,
    checksum: Option<Checksum>,
    /// The checksum that is to come in a trailer.
    trailer: Option<ChecksumAlgorithm>,
}

impl Promise {
    pub(crate) fn read(attributes: &Attributes) -> S3Result<Self> {
        let Self { md5, trailer, .. } = Self::without_checksum(attributes)?;
        let checksum = whole_checksum(attributes)?;
        if checksum.is_some() && trailer.is_some() {
            return Err(single());
        }
        let given = checksum
            .as_ref()
            .map(|checksum| checksum.algorithm)
            .or(trailer);
        if let Some(name) = attributes.value("x-amz-sdk-checksum-algorithm") {
            let announced = algorithm(name)?;
            match given {
                None => {
                    return Err(S3Error::new(
                        Code::InvalidRequest,
                        "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
                    ));
                }
                Some(given) if given != announced => {
                    return Err(S3Error::new(
                        Code::InvalidRequest,
                        "Value for x-amz-sdk-checksum-algorithm header is invalid.",
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(Self {
            md5,
            checksum,
            trailer,
        })
    }

    /// The same for a request whose checksum headers are about something else than its body.
    pub(crate) fn without_checksum(attributes: &Attributes) -> S3Result<Self> {
        let md5 = attributes.value("content-md5").map(read_md5).transpose()?;
        let trailer = attributes.value("x-amz-trailer");
        Ok(Self {
            md5,
            checksum: None,
            trailer: trailer.map(trailer_algorithm).transpose()?,
        })
    }

    /// The algorithm that must be computed to keep the promise.
    pub(crate) fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        self.checksum
            .as_ref()
            .map(|checksum| checksum.algorithm)
            .or(self.trailer)
    }

    /// Takes in what the trailers said; the announced one must be among them, and no other checksum.
    pub(crate) fn complete(&mut self, trailers: &[(String, String)]) -> S3Result<()> {
        let malformed = |what: &str| {
            S3Error::new(
                Code::InvalidRequest,
                format!("The trailers are not those that x-amz-trailer announced: {what}."),
            )
        };
        let mut checksums = trailers
            .iter()
            .filter(|(name, _)| name != "x-amz-trailer-signature");
        let Some(algorithm) = self.trailer else {
            return checksums
                .next()
                .map_or(Ok(()), |(name, _)| Err(malformed(name)));
        };
        let (Some((name, value)), None) = (checksums.next(), checksums.next()) else {
            return Err(malformed(header_name(algorithm)));
        };
        if name != header_name(algorithm) {
            return Err(malformed(name));
        }
        self.checksum = Some(checksum(algorithm, value)?);
        Ok(())
    }

    /// Compares the promise with what was received, before any of it becomes visible.
    pub(crate) fn verify(&self, written: &Written) -> S3Result<()> {
        self.compare(written.md5(), written.checksums())
    }

    /// The same for a small body that is at hand.
    pub(crate) fn verify_bytes(&self, bytes: &[u8]) -> S3Result<()> {
        let computed = self.algorithm().map(|algorithm| Checksum {
            algorithm,
            value: algorithm.of(bytes),
            kind: ChecksumType::FullObject,
        });
        self.compare(Md5::digest(bytes).into(), computed.as_slice())
    }

    fn compare(&self, md5: [u8; 16], checksums: &[Checksum]) -> S3Result<()> {
        if self.md5.is_some_and(|promised| promised != md5) {
            return Err(S3Error::new(
                Code::BadDigest,
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
        if let Some(promised) = &self.checksum {
            let same = |computed: &Checksum| {
                computed.algorithm == promised.algorithm && computed.value == promised.value
            };
            if !checksums.iter().any(same) {
                return Err(S3Error::new(
                    Code::BadDigest,
                    format!(
                        "The {} you specified did not match the calculated checksum.",
                        promised.algorithm.name()
                    ),
                ));
            }
        }
        Ok(())
    }
}

/// The one `x-amz-checksum-…` of a request, if it has one.
pub(crate) fn whole_checksum(attributes: &Attributes) -> S3Result<Option<Checksum>> {
    let mut found = None;
    for (name, value) in attributes
        .iter()
        .filter(|(name, _)| name.starts_with("x-amz-checksum-"))
    {
        if matches!(
            name,
            "x-amz-checksum-mode" | "x-amz-checksum-type" | "x-amz-checksum-algorithm"
        ) {
            continue;
        }
        let known = ChecksumAlgorithm::ALL
            .into_iter()
            .find(|algorithm| header_name(*algorithm) == name);
        let algorithm = known.ok_or_else(|| S3Error::not_implemented(name))?;
        if found.replace(checksum(algorithm, value)?).is_some() {
            return Err(single());
        }
    }
    Ok(found)
}

/// A checksum of a whole body as a client writes it.
pub(crate) fn checksum(algorithm: ChecksumAlgorithm, value: &str) -> S3Result<Checksum> {
    let sound = BASE64
        .decode(value)
        .is_ok_and(|bytes| bytes.len() == algorithm.length());
    if !sound {
        return Err(S3Error::new(
            Code::InvalidRequest,
            format!("Value for {} header is invalid.", header_name(algorithm)),
        ));
    }
    Ok(Checksum {
        algorithm,
        value: value.to_owned(),
        kind: ChecksumType::FullObject,
    })
}

fn read_md5(value: &str) -> S3Result<[u8; 16]> {
    let bytes = BASE64
        .decode(value)
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| Code::InvalidDigest.into())
}

fn trailer_algorithm(value: &str) -> S3Result<ChecksumAlgorithm> {
    let known = ChecksumAlgorithm::ALL
        .into_iter()
        .find(|algorithm| header_name(*algorithm).eq_ignore_ascii_case(value.trim()));
    known.ok_or_else(|| {
        S3Error::new(
            Code::InvalidRequest,
            "The value specified in the x-amz-trailer header is not supported",
        )
    })
}

fn single() -> S3Error {
    S3Error::new(
        Code::InvalidRequest,
        "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
    )
}

#[cfg(test)]
mod tests {
    use super::Promise;
    use crate::disk::ChecksumAlgorithm;
    use crate::error::Code;
    use crate::request::Attributes;

    fn attributes(list: &[(&str, &str)]) -> Attributes {
        let owned: Vec<_> = list
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Attributes::of_fields(&owned)
    }

    #[test]
    fn promises_that_contradict_themselves_are_refused() {
        let table: [(&[(&str, &str)], Code); 8] = [
            (&[("content-md5", "x")], Code::InvalidDigest),
            (&[("content-md5", "AAAA")], Code::InvalidDigest),
            (&[("x-amz-checksum-crc32", "AAAA")], Code::InvalidRequest),
            (
                &[
                    ("x-amz-checksum-crc32", "AAAAAA=="),
                    ("x-amz-checksum-crc32c", "AAAAAA=="),
                ],
                Code::InvalidRequest,
            ),
            (
                &[
                    ("x-amz-checksum-crc32", "AAAAAA=="),
                    ("x-amz-sdk-checksum-algorithm", "SHA1"),
                ],
                Code::InvalidRequest,
            ),
            (
                &[("x-amz-sdk-checksum-algorithm", "SHA1")],
                Code::InvalidRequest,
            ),
            (&[("x-amz-trailer", "x-amz-meta-a")], Code::InvalidRequest),
            (&[("x-amz-checksum-blake3", "AAAA")], Code::NotImplemented),
        ];
        for (list, code) in table {
            assert_eq!(
                Promise::read(&attributes(list)).unwrap_err().code,
                code,
                "{list:?}"
            );
        }
    }

    #[test]
    fn an_announced_trailer_must_come_and_no_other() {
        let announced =
            || Promise::read(&attributes(&[("x-amz-trailer", "x-amz-checksum-crc32")])).unwrap();
        let trailer = |name: &str| (name.to_owned(), "AAAAAA==".to_owned());
        assert_eq!(announced().algorithm(), Some(ChecksumAlgorithm::Crc32));
        assert!(
            announced()
                .complete(&[trailer("x-amz-checksum-crc32")])
                .is_ok()
        );
        assert!(announced().complete(&[]).is_err());
        assert!(
            announced()
                .complete(&[trailer("x-amz-checksum-crc32c")])
                .is_err()
        );
        assert!(
            announced()
                .complete(&[trailer("x-amz-checksum-crc32"), trailer("x-amz-meta-a")])
                .is_err()
        );
        assert!(
            Promise::default()
                .complete(&[trailer("x-amz-checksum-crc32")])
                .is_err()
        );
    }
}
