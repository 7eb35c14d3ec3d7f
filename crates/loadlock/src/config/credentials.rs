//! The section `[credentials]`: where temporary credentials come from.

use super::{
    forms::{COUNT, ENDPOINT, Form, LIFETIME, Wrong, one_of, some, text},
    section::Section,
};
use crate::{
    bucket::{LONGEST, SHORTEST, Vending, Way},
    config::Authorizer,
    upload::{Method, Profile},
};

/// How temporary credentials are got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    Sts,
    WebIdentity,
    Cognito,
}

const VIA: Form<Via> = text("\"sts\", \"web_identity\" or \"cognito\"", |text| {
    let all = [
        ("sts", Via::Sts),
        ("web_identity", Via::WebIdentity),
        ("cognito", Via::Cognito),
    ];
    one_of(text, &all)
});

const ROLE: Form<String> = text("\"arn:aws:iam::123456789012:role/uploads\"", |text| {
    if text.starts_with("arn:") {
        Ok(text.to_owned())
    } else {
        Err(Wrong::new("is no ARN"))
    }
});

const POOL: Form<String> = text(
    "\"eu-central-1:128d0a74-c82f-4553-916d-90053e4a8b0f\"",
    |text| Ok(some(text)?.to_owned()),
);

const LOGIN: Form<String> = text(
    "\"cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example\"",
    |text| Ok(some(text)?.to_owned()),
);

/// The outer `None` is a fault.
#[expect(
    clippy::option_option,
    reason = "missing is no fault here, and a fault is not missing"
)]
pub(super) fn read(section: Section<'_>) -> Option<Option<Vending>> {
    if !section.is_there() {
        section.close();
        return Some(None);
    }
    let via = section.required("via", &VIA);
    let endpoint = section.optional("endpoint", &ENDPOINT);
    let lifetime = section.or("lifetime", "1 hour", &LIFETIME);
    let per_owner = section.or("per_owner", "32", &COUNT);
    let way = match via {
        None => {
            // Some of these belong to what was meant.
            for name in ["role_arn", "identity_pool", "login"] {
                section.has(name);
            }
            None
        }
        Some(Via::Sts) => section
            .required("role_arn", &ROLE)
            .map(|role_arn| Way::Sts { role_arn }),
        Some(Via::WebIdentity) => section
            .required("role_arn", &ROLE)
            .map(|role_arn| Way::WebIdentity { role_arn }),
        Some(Via::Cognito) => {
            let pool = section.required("identity_pool", &POOL);
            let login = section.required("login", &LOGIN);
            pool.zip(login)
                .map(|(pool, login)| Way::Cognito { pool, login })
        }
    };
    if lifetime.is_some_and(|lifetime| !(SHORTEST..=LONGEST).contains(&lifetime)) {
        let right = "\"15 minutes\" to \"12 hours\"";
        section.fault("lifetime", "is none that such keys can have", right);
    }
    section.close();
    Some(Some(Vending {
        way: way?,
        endpoint: endpoint?,
        lifetime: lifetime?,
        per_owner: per_owner?,
    }))
}

/// Profiles offer credentials only where there are some; and what the application decides file by file is no part of keys that
/// write what they like.
pub(super) fn check(
    root: &Section<'_>,
    vending: Option<&Vending>,
    authorizer: Option<&Authorizer>,
    profiles: &[Profile],
) {
    let all = root.section("profiles");
    for profile in profiles {
        if !profile.methods.contains(&Method::Credentials) {
            continue;
        }
        let section = all.section(&profile.name);
        if vending.is_none() {
            let says = "has \"credentials\", and nothing says where these come from";
            section.fault("methods", says, "a section [credentials] with `via`");
        }
        if authorizer.is_some_and(|it| it.decides(&profile.name)) {
            let says = "has \"credentials\", and the authorizer decides on the profile: about what such keys write nobody asks it";
            let right =
                "`methods` without it, or an [authorizer] whose `profiles` leave this one out";
            section.fault("methods", says, right);
        }
    }
}
