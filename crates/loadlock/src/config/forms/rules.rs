//! How the rules of profiles are written that are about form data, checksums and storage; and the authorizer's address.

use super::{Form, Wrong, because, hidden, one_of, some, text, url};
use crate::{
    config::is_loopback_authority,
    hook::HookSecret,
    upload::{
        ChecksumDemand, OtherMetadata, Pattern, name::Disposition, profile::TAG_PLACEHOLDERS,
    },
};

/// An address of the application's: only this very machine is called without TLS.
pub(in crate::config) const HOOK_URL: Form<String> =
    text("\"https://app.example.com/hooks/loadlock\"", |text| {
        let url = url(text)?;
        let host = url.host_str().unwrap_or_default();
        if url.scheme() == "https" || is_loopback_authority(host) {
            Ok(url.into())
        } else {
            Err(Wrong::new("is not https, nor on this machine"))
        }
    });

pub(in crate::config) const HOOK_SECRET: Form<HookSecret> = hidden(
    "\"whsec_…\", with 24 to 64 random bytes in base64",
    |text| {
        text.parse()
            .map_err(|_| Wrong::new("is no secret of Standard Webhooks"))
    },
);

pub(in crate::config) const PATTERN: Form<Pattern> = text("\"[0-9]{5}\"", |text| {
    text.parse().map_err(|error| because(&error))
});

pub(in crate::config) const OTHER_METADATA: Form<OtherMetadata> =
    text("\"take\" or \"refuse\"", |text| {
        let all = [
            ("take", OtherMetadata::Take),
            ("refuse", OtherMetadata::Refuse),
        ];
        one_of(text, &all)
    });

pub(in crate::config) const CHECKSUM: Form<ChecksumDemand> =
    text("\"sha256\" or \"any\"", |text| {
        let all = [
            ("sha256", ChecksumDemand::Sha256),
            ("any", ChecksumDemand::Any),
        ];
        one_of(text, &all)
    });

/// What is kept in an archive cannot be shown.
pub(in crate::config) const CLASS: Form<String> = text("\"STANDARD_IA\"", |text| {
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b"-_".contains(&b);
    match text {
        "GLACIER" | "DEEP_ARCHIVE" => {
            let says = "is an archive, from which nothing can be shown";
            Err(Wrong::rather(says, "\"GLACIER_IR\""))
        }
        _ if (1..=64).contains(&text.len()) && text.bytes().all(plain) => Ok(text.to_owned()),
        _ => Err(Wrong::new("is no storage class")),
    }
});

/// With or without a key: see [`KMS_KEY`].
pub(in crate::config) const ENCRYPTION: Form<&'static str> =
    text("\"AES256\" or \"aws:kms\"", |text| {
        one_of(text, &[("AES256", "AES256"), ("aws:kms", "aws:kms")])
    });

pub(in crate::config) const KMS_KEY: Form<String> = text(
    "\"arn:aws:kms:eu-central-1:111122223333:key/…\"",
    header_value,
);

pub(in crate::config) const CACHE_CONTROL: Form<String> =
    text("\"public, max-age=3600\"", header_value);

pub(in crate::config) const DISPOSITION: Form<Disposition> =
    text("\"inline\" or \"attachment\"", |text| {
        let all = [
            ("inline", Disposition::Inline),
            ("attachment", Disposition::Attachment),
        ];
        one_of(text, &all)
    });

/// A tag's value. Filled in, it must not be longer than S3's 256 characters.
pub(in crate::config) const TAG: Form<String> = text("\"photos\", \"{owner}\"", |text| {
    let mut rest = text.to_owned();
    for name in TAG_PLACEHOLDERS {
        rest = rest.replace(name, "");
    }
    let once = |name: &&str| text.matches(*name).count() <= 1;
    if rest.len() <= 100 && TAG_PLACEHOLDERS.iter().all(once) && rest.bytes().all(tag_byte) {
        Ok(text.to_owned())
    } else {
        let says = "is no tag's value, which is up to 100 letters, digits, spaces and + - = . _ : / @, with {owner}, {profile} and {id} among them, once each";
        Err(Wrong::new(says))
    }
});

/// What a tag may be called.
pub(in crate::config) fn tag_name(text: &str) -> Result<(), Wrong> {
    let sound = (1..=128).contains(&text.len()) && text.bytes().all(tag_byte);
    if sound && !text.starts_with("aws:") {
        Ok(())
    } else {
        let says =
            "is no tag's name, which is 1 to 128 letters, digits, spaces and + - = . _ : / @";
        Err(Wrong::new(says))
    }
}

/// What AWS lets stand in tags ("Categorizing your objects using tags"), of ASCII.
fn tag_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" +-=._:/@".contains(&byte)
}

fn header_value(text: &str) -> Result<String, Wrong> {
    let sound = some(text)?.bytes().all(|b| (b' '..=b'~').contains(&b));
    if sound && text.len() <= 256 {
        Ok(text.to_owned())
    } else {
        Err(Wrong::new("cannot stand in a header"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_called_with_tls_or_on_this_machine() {
        let check = |text: &str, sound: bool| {
            assert_eq!((HOOK_URL.parse)(text).is_ok(), sound, "{text}");
        };
        check("https://app.example.com/hooks", true);
        check("http://127.0.0.1:3000/hooks", true);
        check("http://[::1]:3000/", true);
        check("http://localhost/", true);
        check("http://app.example.com/hooks", false);
        check("http://localhost.example.com/", false);
        check("http://127.0.0.1@example.com/", false);
        check("file:///etc/passwd", false);
    }

    #[test]
    fn tags_are_what_s3_takes() {
        let check = |text: &str, sound: bool| {
            assert_eq!((TAG.parse)(text).is_ok(), sound, "{text}");
        };
        check("photos", true);
        check("{owner}/{profile}", true);
        check("{owner}{owner}", false);
        check("{name}", false);
        check("a&b", false);
        check(&"a".repeat(101), false);
        assert!(tag_name("cost-center").is_ok());
        assert!(tag_name("aws:x").is_err());
        assert!(tag_name("").is_err());
    }
}
