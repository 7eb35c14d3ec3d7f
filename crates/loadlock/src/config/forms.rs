//! How a setting's value is written, and what would be right where it is not.

pub(super) mod inspect;
mod measures;
pub(super) mod rules;

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use reqwest::Url;

use self::measures::{duration, rate, size};
use crate::{
    auth::{Secret, TokenHash},
    bucket::{CopyPin, Style},
    limits::Rate,
    upload::{ActiveContent, KeyTemplate, Method, Promote, Read, TypePattern},
};

/// What a setting may be in TOML. In the environment everything is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Number,
    Flag,
    Time,
}

/// Whether a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    Open,
    Hidden,
}

/// One way of writing a value.
pub(crate) struct Form<T> {
    pub(crate) takes: &'static [Type],
    pub(crate) secrecy: Secrecy,
    /// What is right, after `name = `.
    pub(crate) right: &'static str,
    pub(crate) parse: fn(&str) -> Result<T, Wrong>,
}

/// Why a value is not taken.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// After the name and the value.
    pub(crate) says: String,
    /// If something more exact is known than the form's own.
    pub(crate) right: Option<String>,
}

impl Wrong {
    pub(super) fn new(says: impl Into<String>) -> Self {
        Self {
            says: says.into(),
            right: None,
        }
    }

    fn rather(says: impl Into<String>, right: impl Into<String>) -> Self {
        Self {
            says: says.into(),
            right: Some(right.into()),
        }
    }
}

pub(super) const fn text<T>(right: &'static str, parse: fn(&str) -> Result<T, Wrong>) -> Form<T> {
    Form {
        takes: &[Type::Text],
        secrecy: Secrecy::Open,
        right,
        parse,
    }
}

const fn hidden<T>(right: &'static str, parse: fn(&str) -> Result<T, Wrong>) -> Form<T> {
    Form {
        secrecy: Secrecy::Hidden,
        ..text(right, parse)
    }
}

pub(crate) const LISTEN: Form<SocketAddr> = text("\"127.0.0.1:8080\"", |text| {
    text.parse()
        .map_err(|_| Wrong::new("is no IP address with a port"))
});

pub(crate) const NETWORK: Form<IpNet> = text("\"10.0.0.0/8\", \"fd00::1\"", |text| {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.parse());
    network.map_err(|_| Wrong::new("is neither a network nor an address"))
});

pub(crate) const RATE: Form<Option<Rate>> = text(
    "\"60 per minute\", \"60 per minute, burst 120\" or \"off\"",
    |text| match text {
        "off" => Ok(None),
        text => rate(text).map(Some),
    },
);

pub(crate) const URL: Form<String> = text("\"https://uploads.example.com\"", |text| {
    let url = url(text)?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
});

pub(crate) const ENDPOINT: Form<String> =
    text("\"https://s3.eu-central-1.amazonaws.com\"", |text| {
        (URL.parse)(text)
    });

pub(crate) const ORIGIN: Form<String> = text("\"https://app.example.com\"", |text| {
    let url = url(text)?;
    let origin = url.origin().ascii_serialization();
    if url.path() != "/" {
        let says = "has a path; an origin is scheme, host and port";
        return Err(Wrong::rather(says, format!("\"{origin}\"")));
    }
    Ok(origin)
});

pub(crate) const WORD: Form<String> = text("\"editor\"", |text| Ok(some(text)?.to_owned()));

pub(crate) const FILE: Form<PathBuf> = text("\"./loadlock.db\"", |text| Ok(some(text)?.into()));

pub(crate) const SECRET: Form<Secret> = hidden(
    "\"at least 32 characters that nobody can guess\"",
    |text| match text.chars().count() {
        32.. => Ok(Secret::new(text)),
        count => Err(Wrong::new(format!(
            "has a secret of {count} characters, which may be guessed"
        ))),
    },
);

pub(crate) const REGION: Form<String> = text("\"eu-central-1\"", |text| {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(Wrong::new("is no region's name"))
    }
});

pub(crate) const STYLE: Form<Style> = text("\"path\" or \"virtual\"", |text| {
    one_of(
        text,
        &[("path", Style::Path), ("virtual", Style::VirtualHost)],
    )
});

pub(crate) const COPY_PIN: Form<CopyPin> = text("\"s3\" or \"ceph\"", |text| {
    one_of(text, &[("s3", CopyPin::S3), ("ceph", CopyPin::Ceph)])
});

pub(crate) const BUCKET: Form<String> = text("\"example-files\"", |text| {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    if (3..=63).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        let says = "is no bucket's name, which is 3 to 63 letters, digits, dots and hyphens";
        Err(Wrong::new(says))
    }
});

pub(crate) const KEY_ID: Form<String> =
    text(
        "\"AKIAIOSFODNN7EXAMPLE\"",
        |text| Ok(some(text)?.to_owned()),
    );

pub(crate) const KEY_SECRET: Form<String> = hidden("\"…\"", |text| Ok(some(text)?.to_owned()));

pub(crate) const AWS_PROFILE: Form<String> =
    text("\"loadlock-server\"", |text| Ok(some(text)?.to_owned()));

pub(crate) const PROFILE: Form<String> = text("\"image\"", name);

pub(crate) const CALLER: Form<String> = text("\"shop\"", name);

pub(crate) const SHA256: Form<TokenHash> = hidden(
    "64 hexadecimal digits; `loadlock key print` makes them",
    |text| {
        if text.starts_with("llk_") {
            let right = "its SHA-256; `loadlock key print` makes both";
            return Err(Wrong::rather(
                "is the key itself, which belongs in the application",
                right,
            ));
        }
        hex(text).ok_or_else(|| Wrong::new("is no SHA-256"))
    },
);

/// A name and its key's SHA-256, as a variable has them.
pub(crate) const NAMED_SHA256: Form<(String, TokenHash)> =
    hidden("shop=64 hexadecimal digits", |text| {
        let (called, hash) = text
            .split_once('=')
            .ok_or_else(|| Wrong::new("has no `=`"))?;
        Ok((name(called.trim())?, (SHA256.parse)(hash.trim())?))
    });

pub(crate) const FLAG: Form<bool> = Form {
    takes: &[Type::Flag],
    secrecy: Secrecy::Open,
    right: "true or false, without quotes",
    parse: |text| one_of(text, &[("true", true), ("false", false)]),
};

pub(crate) const COUNT: Form<u32> = Form {
    takes: &[Type::Number],
    secrecy: Secrecy::Open,
    right: "a whole number from 1",
    parse: |text| match text.parse() {
        Ok(count @ 1..) => Ok(count),
        _ => Err(Wrong::new("is no such number")),
    },
};

pub(crate) const SIZE: Form<u64> = Form {
    takes: &[Type::Text, Type::Number],
    secrecy: Secrecy::Open,
    right: "\"25 MiB\", or a number of bytes",
    parse: size,
};

pub(crate) const LIFETIME: Form<Duration> = text("\"15 minutes\"", duration);

/// A length of time, or none that ends.
pub(crate) const KEEP: Form<Option<Duration>> =
    text("\"365 days\" or \"for ever\"", |text| match text {
        "for ever" => Ok(None),
        text => duration(text).map(Some),
    });

pub(crate) const MEDIA: Form<TypePattern> = text("\"image/jpeg\", \"image/*\"", |text| {
    text.parse().map_err(|_| Wrong::new("is no media type"))
});

pub(crate) const EXTENSION: Form<String> = text("\"jpg\"", |text| {
    let bare = text.trim_start_matches('.').to_lowercase();
    let sound =
        !bare.is_empty() && bare.len() <= 16 && bare.bytes().all(|b| b.is_ascii_alphanumeric());
    match sound {
        true if bare == text => Ok(bare),
        true => {
            let says = "is written without the dot, in lower case";
            Err(Wrong::rather(says, format!("\"{bare}\"")))
        }
        false => Err(Wrong::new("is no file name extension")),
    }
});

pub(crate) const METHOD: Form<Method> = text(
    "\"put\", \"post\", \"multipart\" or \"credentials\"",
    |text| one_of(text, &Method::ALL.map(|method| (method.as_str(), method))),
);

pub(crate) const KEY: Form<KeyTemplate> = text("\"{profile}/{owner}/{id}.{ext}\"", |text| {
    text.parse().map_err(|error| because(&error))
});

pub(crate) const PROMOTE: Form<Promote> = text("\"on_complete\" or \"on_claim\"", |text| {
    let all = [
        ("on_complete", Promote::OnComplete),
        ("on_claim", Promote::OnClaim),
    ];
    one_of(text, &all)
});

pub(crate) const READ: Form<Read> = text("\"public\", \"signed\" or \"owner\"", |text| {
    let all = [
        ("public", Read::Public),
        ("signed", Read::Signed),
        ("owner", Read::Owner),
    ];
    one_of(text, &all)
});

pub(crate) const ACTIVE: Form<ActiveContent> = text("\"refuse\" or \"attach\"", |text| {
    let all = [
        ("refuse", ActiveContent::Refuse),
        ("attach", ActiveContent::Attach),
    ];
    one_of(text, &all)
});

/// A name of a profile or of an API key: it stands in keys, addresses and logs.
pub(crate) fn name(text: &str) -> Result<String, Wrong> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        let says = "is no name, which is 1 to 64 letters, digits, hyphens and underscores";
        Err(Wrong::new(says))
    }
}

fn because(error: &impl Display) -> Wrong {
    Wrong::new(format!("will not do: {error}"))
}

pub(super) fn some(text: &str) -> Result<&str, Wrong> {
    if text.trim().is_empty() {
        Err(Wrong::new("is empty"))
    } else {
        Ok(text)
    }
}

pub(super) fn one_of<T: Copy>(text: &str, all: &[(&str, T)]) -> Result<T, Wrong> {
    let found = all.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, value)| *value)
        .ok_or_else(|| Wrong::new("is not known"))
}

/// An address of http or https without user, query or fragment.
fn url(text: &str) -> Result<Url, Wrong> {
    let scheme = ["https://", "http://"]
        .iter()
        .find(|scheme| text.starts_with(**scheme));
    if scheme.is_none() {
        let host = text.split("://").last().unwrap_or_default();
        let likely = host.starts_with(|c: char| c.is_ascii_alphanumeric());
        return Err(Wrong {
            says: "does not begin with https:// or http://".to_owned(),
            right: likely.then(|| format!("\"https://{host}\"")),
        });
    }
    let url: Url = text.parse().map_err(|error| because(&error))?;
    let bare = url.username().is_empty() && url.password().is_none();
    if bare && url.query().is_none() && url.fragment().is_none() {
        Ok(url)
    } else {
        Err(Wrong::new(
            "has a user, query or fragment, which are no part of it",
        ))
    }
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_origins_are_held_to_their_shape() {
        let check = |form: &Form<String>, text: &str, expected: Result<&str, Option<&str>>| {
            let found = (form.parse)(text);
            let found = found.as_deref().map_err(|wrong| wrong.right.as_deref());
            assert_eq!(found, expected, "{text}");
        };
        check(&URL, "https://a.example/", Ok("https://a.example"));
        check(&URL, "https://a.example/up/", Ok("https://a.example/up"));
        check(&URL, "a.example", Err(Some("\"https://a.example\"")));
        check(&URL, "ftp://a.example", Err(Some("\"https://a.example\"")));
        check(&URL, "https://me@a.example", Err(None));
        check(&URL, "https://a.example?x", Err(None));
        check(&URL, "https://", Err(None));
        check(&ORIGIN, "https://A.example:443", Ok("https://a.example"));
        check(
            &ORIGIN,
            "http://localhost:3000",
            Ok("http://localhost:3000"),
        );
        check(
            &ORIGIN,
            "https://a.example/x",
            Err(Some("\"https://a.example\"")),
        );
        check(&ORIGIN, "*", Err(None));
    }
}
