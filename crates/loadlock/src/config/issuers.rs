//! The sections `[[issuers]]`, or the variables `LOADLOCK_ISSUERS_*` for an only one.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use reqwest::Url;

use super::{
    forms::{Form, LIFETIME, SECRET, Wrong, one_of, some, text},
    section::Section,
    value::quoted,
};
use crate::auth::{
    Secret,
    issuers::{Audience, Issuer, Signed, TokenUse, is_fetchable},
};

/// More leeway is no clock's difference, but a token that does not end.
const MAX_LEEWAY: Duration = Duration::from_mins(10);

const ISSUER: Form<String> = text(
    "\"https://id.example.com\", as tokens have it in `iss`",
    |text| Ok(some(text)?.to_owned()),
);

const AUDIENCE: Form<String> = text("\"https://uploads.example.com\"", |text| {
    Ok(some(text)?.to_owned())
});

const CLIENT_ID: Form<String> = text("\"1example23456789\"", |text| Ok(some(text)?.to_owned()));

const JWKS_URL: Form<Url> = text("\"https://id.example.com/jwks\"", |text| {
    let url: Url = text.parse().map_err(|_| Wrong::new("is no address"))?;
    fetchable(&url).map(|()| url)
});

const CLAIM: Form<String> = text("\"sub\"", |text| Ok(some(text)?.to_owned()));

const OWNER_PREFIX: Form<String> = text("\"staff:\"", |text| {
    let plain = |b: u8| b.is_ascii_graphic();
    if text.len() <= 64 && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(Wrong::new(
            "is longer than 64 letters, or has others than ASCII's",
        ))
    }
});

const TOKEN_USE: Form<TokenUse> = text("\"access\" or \"id\"", |text| {
    one_of(text, &[("access", TokenUse::Access), ("id", TokenUse::Id)])
});

const PUBLIC: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];
const SHARED: [&str; 3] = ["HS256", "HS384", "HS512"];

const PUBLIC_ALGORITHM: Form<Algorithm> = text(
    "one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA; HS256, HS384, HS512 only with `secrets`",
    |text| algorithm(text, &PUBLIC),
);

const SHARED_ALGORITHM: Form<Algorithm> = text(
    "one of HS256, HS384, HS512: with `secrets` there are no others",
    |text| algorithm(text, &SHARED),
);

fn algorithm(text: &str, among: &[&str]) -> Result<Algorithm, Wrong> {
    let known = text.parse().ok().filter(|_| among.contains(&text));
    known.ok_or_else(|| Wrong::new("is not taken"))
}

fn fetchable(url: &Url) -> Result<(), Wrong> {
    let says = "is not https, so that anybody on the way could forge keys";
    is_fetchable(url)
        .then_some(())
        .ok_or_else(|| Wrong::new(says))
}

/// All issuers, in the order of the file.
pub(super) fn read(root: &Section<'_>) -> Option<Vec<Issuer>> {
    let mut known: Vec<(String, String)> = Vec::new();
    let mut issuers = Vec::new();
    for section in root.sections_or_variables("issuers") {
        issuers.push(issuer(section, &mut known));
    }
    issuers.into_iter().collect()
}

fn issuer(section: Section<'_>, known: &mut Vec<(String, String)>) -> Option<Issuer> {
    let name = section.required("issuer", &ISSUER);
    let secrets = section.list("secrets", &SECRET);
    let jwks_url = section.optional("jwks_url", &JWKS_URL);
    let algorithms = match &secrets {
        Some(secrets) if !secrets.is_empty() => {
            section.list_or("algorithms", &SHARED, &SHARED_ALGORITHM)
        }
        _ => section.list_or("algorithms", &PUBLIC, &PUBLIC_ALGORITHM),
    };
    if algorithms.as_ref().is_some_and(Vec::is_empty) {
        section.fault("algorithms", "is empty: no token would do", "[\"RS256\"]");
    }
    let audience = audience(&section);
    let owner_claim = section.or("owner_claim", "sub", &CLAIM);
    let owner_prefix = section.or("owner_prefix", "", &OWNER_PREFIX);
    let leeway = section.or("leeway", "30 seconds", &LIFETIME);
    if leeway.is_some_and(|leeway| leeway > MAX_LEEWAY) {
        let says = "is more than clocks differ: tokens would outlive their end";
        section.fault("leeway", says, "\"10 minutes\" at most");
    }
    if let (Some(name), Some(prefix)) = (&name, &owner_prefix) {
        check_own(&section, known, (name, prefix));
        known.push((name.clone(), prefix.clone()));
    }
    let signed = match (secrets, jwks_url) {
        (Some(secrets), Some(url)) => signed(&section, name.as_deref(), secrets, url),
        _ => None,
    };
    section.close();
    Some(Issuer {
        name: name?,
        signed: signed?,
        algorithms: algorithms?,
        audience: audience?,
        owner_claim: owner_claim?,
        owner_prefix: owner_prefix?,
        leeway: leeway?,
    })
}

fn signed(
    section: &Section<'_>,
    issuer: Option<&str>,
    secrets: Vec<Secret>,
    jwks_url: Option<Url>,
) -> Option<Signed> {
    match (secrets, jwks_url) {
        (secrets, None) if !secrets.is_empty() => Some(Signed::Secrets(secrets)),
        (secrets, Some(_)) if !secrets.is_empty() => {
            let says = "stands beside `secrets`: a public key could be taken for one of them";
            section.fault("jwks_url", says, "one of the two");
            None
        }
        (_, Some(url)) => Some(Signed::KeysAt(url)),
        (_, None) => {
            let found = issuer?.parse().map_err(|_| Wrong::new("is no address"));
            match found.and_then(|url| fetchable(&url)) {
                Ok(()) => Some(Signed::Discovered),
                Err(wrong) => {
                    let says = format!("{} {}", quoted(issuer?), wrong.says);
                    let right = "an address of https, or `jwks_url` beside it";
                    section.fault("issuer", &says, right);
                    None
                }
            }
        }
    }
}

fn audience(section: &Section<'_>) -> Option<Audience> {
    let listed = section.list("audience", &AUDIENCE);
    let clients = section.list("client_ids", &CLIENT_ID);
    let uses = section.list_or("token_use", &["access", "id"], &TOKEN_USE);
    let (listed, ids, uses) = (listed?, clients?, uses?);
    match (listed.is_empty(), ids.is_empty()) {
        (false, true) => Some(Audience::Listed(listed)),
        (true, false) if !uses.is_empty() => Some(Audience::Clients { ids, uses }),
        (true, false) => {
            section.fault("token_use", "is empty: no token would do", TOKEN_USE.right);
            None
        }
        (false, false) => {
            let says = "stands beside `audience`: it is for the user pools of Cognito, whose tokens name the client";
            section.fault("client_ids", says, "one of the two");
            None
        }
        (true, true) => {
            let says = "is missing: tokens that were made for others would do";
            let right = "audience = [\"https://uploads.example.com\"]; for a user pool of Cognito, `client_ids`";
            section.fault("audience", says, right);
            None
        }
    }
}

/// Two issuers are two, and a user of one is never a user of the other, whatever they are called.
fn check_own(section: &Section<'_>, known: &[(String, String)], (name, prefix): (&str, &str)) {
    if known.iter().any(|(other, _)| other == name) {
        let says = format!("{} is there twice", quoted(name));
        section.fault("issuer", &says, "each issuer once");
    }
    let begins = |one: &str, other: &str| one.starts_with(other) || other.starts_with(one);
    if let Some((other, theirs)) = known.iter().find(|(_, theirs)| begins(prefix, theirs)) {
        let says = format!(
            "is {}, and that of {} is {}: a user of one could be taken for a user of the other",
            quoted(prefix),
            quoted(other),
            quoted(theirs),
        );
        let right = "\"staff:\" for one, \"guests:\" for the other";
        section.fault("owner_prefix", &says, right);
    }
}
