//! MD5 and the additional checksums of S3, computed while bytes go by.

use std::fmt::Write as _;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use crc_fast::CrcAlgorithm;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Sha256;

/// The additional checksums a client can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChecksumAlgorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// Whether a checksum is one of all the bytes, or one of the parts' checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ChecksumType {
    FullObject,
    Composite,
}

/// A checksum as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    pub algorithm: ChecksumAlgorithm,
    /// Base64, big-endian; followed by `-` and the number of parts where it is composite.
    pub value: String,
    pub kind: ChecksumType,
}

impl ChecksumAlgorithm {
    /// Every algorithm there is.
    pub const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// The name in `x-amz-checksum-algorithm`, such as `CRC64NVME`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// Whether multipart uploads can carry it in this form
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>).
    pub fn supports(self, kind: ChecksumType) -> bool {
        match self {
            Self::Crc32 | Self::Crc32c => true,
            Self::Crc64Nvme => kind == ChecksumType::FullObject,
            Self::Sha1 | Self::Sha256 => kind == ChecksumType::Composite,
        }
    }

    /// How many bytes a checksum has.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The checksum of these bytes, in Base64.
    pub(crate) fn of(self, bytes: &[u8]) -> String {
        let mut running = Running::new(self);
        running.update(bytes);
        running.finish()
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

/// A part's checksum and size, for [`combine`].
#[derive(Debug)]
pub(super) struct PartChecksum<'a> {
    pub(super) value: &'a str,
    pub(super) size_bytes: u64,
}

/// The checksum of the whole from those of the parts, in order; `None` if a part's is not one of `algorithm`, or
/// the algorithm does not have this form.
pub(super) fn combine(
    algorithm: ChecksumAlgorithm,
    kind: ChecksumType,
    parts: &[PartChecksum<'_>],
) -> Option<Checksum> {
    let value = match kind {
        ChecksumType::FullObject => combine_crcs(algorithm, parts)?,
        ChecksumType::Composite => {
            let mut running = Running::new(algorithm);
            for part in parts {
                running.update(&BASE64_STANDARD.decode(part.value).ok()?);
            }
            format!("{}-{}", running.finish(), parts.len())
        }
    };
    Some(Checksum {
        algorithm,
        value,
        kind,
    })
}

fn combine_crcs(algorithm: ChecksumAlgorithm, parts: &[PartChecksum<'_>]) -> Option<String> {
    let crc = algorithm.crc()?;
    let mut whole = crc_fast::checksum(crc, b"");
    for part in parts {
        let bytes = BASE64_STANDARD.decode(part.value).ok()?;
        if bytes.len() != algorithm.length() {
            return None;
        }
        let value = bytes
            .iter()
            .fold(0, |value, &byte| value << 8 | u64::from(byte));
        whole = crc_fast::checksum_combine(crc, whole, value, part.size_bytes);
    }
    Some(encode_crc(algorithm, whole))
}

fn encode_crc(algorithm: ChecksumAlgorithm, value: u64) -> String {
    BASE64_STANDARD.encode(&value.to_be_bytes()[8 - algorithm.length()..])
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// The bytes of an MD5 in hexadecimal.
pub(super) fn unhex(text: &str) -> Option<[u8; 16]> {
    let whole = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok().filter(|_| whole)?;
    Some(number.to_be_bytes())
}

/// MD5, and whatever else was asked for, of the bytes so far.
#[derive(Debug)]
pub(super) struct Hashes {
    md5: Md5,
    others: Vec<(ChecksumAlgorithm, Running)>,
}

impl Hashes {
    pub(super) fn new(algorithms: &[ChecksumAlgorithm]) -> Self {
        let others = algorithms
            .iter()
            .map(|&algorithm| (algorithm, Running::new(algorithm)))
            .collect();
        Self {
            md5: Md5::new(),
            others,
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        for (_, running) in &mut self.others {
            running.update(bytes);
        }
    }

    pub(super) fn finish(self) -> ([u8; 16], Vec<Checksum>) {
        let kind = ChecksumType::FullObject;
        let checksums = self.others.into_iter();
        let checksums = checksums
            .map(|(algorithm, running)| Checksum {
                algorithm,
                value: running.finish(),
                kind,
            })
            .collect();
        (self.md5.finalize().into(), checksums)
    }
}

#[derive(Debug)]
enum Running {
    Crc(ChecksumAlgorithm, crc_fast::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Running {
    fn new(algorithm: ChecksumAlgorithm) -> Self {
        match (algorithm.crc(), algorithm) {
            (Some(crc), _) => Self::Crc(algorithm, crc_fast::Digest::new(crc)),
            (None, ChecksumAlgorithm::Sha1) => Self::Sha1(Sha1::new()),
            (None, _) => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, digest) => digest.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Crc(algorithm, digest) => encode_crc(algorithm, digest.finalize()),
            Self::Sha1(hash) => BASE64_STANDARD.encode(hash.finalize()),
            Self::Sha256(hash) => BASE64_STANDARD.encode(hash.finalize()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksums_of_the_check_string_are_the_published_ones() {
        let check = |algorithm: ChecksumAlgorithm, expected: &[u8]| {
            assert_eq!(
                algorithm.of(b"123456789"),
                BASE64_STANDARD.encode(expected),
                "{algorithm:?}"
            );
        };
        check(ChecksumAlgorithm::Crc32, &0xcbf4_3926_u32.to_be_bytes());
        check(ChecksumAlgorithm::Crc32c, &0xe306_9283_u32.to_be_bytes());
        check(
            ChecksumAlgorithm::Crc64Nvme,
            &0xae8b_1486_0a79_9888_u64.to_be_bytes(),
        );
        assert_eq!(
            ChecksumAlgorithm::Sha1.of(b"abc"),
            "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="
        );
        assert_eq!(
            ChecksumAlgorithm::Sha256.of(b"abc"),
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
        );
    }

    #[test]
    fn crcs_of_parts_combine_to_that_of_the_whole() {
        let whole: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let pieces = [&whole[..1], &whole[1..70_001], &[], &whole[70_001..]];
        for algorithm in [
            ChecksumAlgorithm::Crc32,
            ChecksumAlgorithm::Crc32c,
            ChecksumAlgorithm::Crc64Nvme,
        ] {
            let values = pieces.map(|piece| (algorithm.of(piece), piece.len() as u64));
            let parts: Vec<_> = values
                .iter()
                .map(|(value, size_bytes)| PartChecksum {
                    value,
                    size_bytes: *size_bytes,
                })
                .collect();
            let combined = combine(algorithm, ChecksumType::FullObject, &parts).unwrap();
            assert_eq!(combined.value, algorithm.of(&whole), "{algorithm:?}");
        }
    }

    #[test]
    fn a_composite_checksum_is_one_of_the_parts_checksums() {
        let parts = [
            ChecksumAlgorithm::Sha256.of(b"one"),
            ChecksumAlgorithm::Sha256.of(b"two"),
        ];
        let expected = Sha256::digest(
            parts
                .iter()
                .flat_map(|part| BASE64_STANDARD.decode(part).unwrap())
                .collect::<Vec<_>>(),
        );
        let parts: Vec<_> = parts
            .iter()
            .map(|value| PartChecksum {
                value,
                size_bytes: 3,
            })
            .collect();
        let combined = combine(ChecksumAlgorithm::Sha256, ChecksumType::Composite, &parts).unwrap();
        assert_eq!(
            combined.value,
            format!("{}-2", BASE64_STANDARD.encode(expected))
        );
        assert!(combine(ChecksumAlgorithm::Sha256, ChecksumType::FullObject, &parts).is_none());
    }
}
