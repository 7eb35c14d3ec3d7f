//! Links: what lets anybody open one file, for a while or for good. Signed by the service, and kept nowhere.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use loadlock_sigv4::Secret;

use super::{KeyRing, Purpose};
use crate::{clock::from_millis, upload::UploadId};

/// What a link's text is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It opens the file: until then, or as long as the secret that signed it is in use.
    Opens { until: Option<Timestamp> },
    /// It did.
    Expired { at: Timestamp },
    /// Nobody signed it, or not for this file, or with a secret that is dropped.
    Void,
}

const SECONDS: usize = size_of::<i64>();

/// The text that opens a file: `base64url(end ‖ signature)`, the end in seconds, or absent.
pub fn link(id: UploadId, until: Option<Timestamp>, secrets: &KeyRing) -> Secret {
    let end = until.map(|until| until.as_second().to_be_bytes());
    let end = end.as_ref().map_or(&[][..], <[u8; SECONDS]>::as_slice);
    let signature = secrets.sign(Purpose::Link, &message(id, end));
    Secret::new(URL_SAFE_NO_PAD.encode([end, &signature].concat()))
}

impl Link {
    /// Reads a link's text, for this file and at this time.
    pub fn read(text: &str, id: UploadId, secrets: &KeyRing, now: Timestamp) -> Self {
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let Some((end, signature)) = bytes.split_last_chunk::<32>() else {
            return Self::Void;
        };
        let until = match <[u8; SECONDS]>::try_from(end) {
            Ok(end) => Some(from_millis(i64::from_be_bytes(end).saturating_mul(1000))),
            Err(_) if end.is_empty() => None,
            Err(_) => return Self::Void,
        };
        if !secrets.verify(Purpose::Link, &message(id, end), signature) {
            return Self::Void;
        }
        match until {
            Some(at) if at <= now => Self::Expired { at },
            until => Self::Opens { until },
        }
    }
}

fn message(id: UploadId, end: &[u8]) -> Vec<u8> {
    [&id.to_bytes(), end].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::after;

    #[test]
    fn a_link_opens_its_file_until_its_end_and_no_other() {
        let ring = |text: &str| KeyRing::new(Secret::new(text.to_owned()), vec![]);
        let (secrets, others) = (ring("ours"), ring("other"));
        let now = from_millis(1_700_000_000_999);
        let (id, other) = (UploadId::from_bytes([7; 16]), UploadId::from_bytes([8; 16]));
        let end = after(now, Duration::from_mins(1));
        let check = |link: &Secret, id, secrets, now, expected: Link| {
            assert_eq!(Link::read(link.expose(), id, secrets, now), expected);
        };
        for until in [None, Some(end)] {
            let text = link(id, until, &secrets);
            let until = until.map(|_| from_millis(1_700_000_060_000));
            check(&text, id, &secrets, now, Link::Opens { until });
            check(&text, other, &secrets, now, Link::Void);
            check(&text, id, &others, now, Link::Void);
        }
        let text = link(id, Some(end), &secrets);
        let at = from_millis(1_700_000_060_000);
        check(&text, id, &secrets, end, Link::Expired { at });
        // Its end belongs to it.
        let cut = Secret::new(
            URL_SAFE_NO_PAD.encode(&URL_SAFE_NO_PAD.decode(text.expose()).unwrap()[SECONDS..]),
        );
        for void in [
            cut.expose(),
            "",
            "AAAA",
            "ä",
            &"A".repeat(43),
            &"A".repeat(54),
        ] {
            assert_eq!(Link::read(void, id, &secrets, now), Link::Void, "{void}");
        }
    }
}
