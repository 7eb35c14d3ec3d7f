//! The section `[credentials]`: where temporary credentials come from.

use super::{
    forms::{ENDPOINT, Form, LIFETIME, Wrong, one_of, some, text},
    section::Section,
};
use crate::{
    bucket::{LONGEST, SHORTEST, Vending, Way},
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
pub(super) fn read(root: &Section<'_>, profiles: Option<&[Profile]>) -> Option<Option<Vending>> {
    let section = root.section("credentials");
    if !section.is_there() {
        section.close();
        return check_unoffered(root, profiles).then_some(None);
    }
    let via = section.required("via", &VIA);
    let endpoint = section.optional("endpoint", &ENDPOINT);
    let lifetime = section.or("lifetime", "1 hour", &LIFETIME);
    let way = match via {
        None => None,
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
    let fits = lifetime.is_none_or(|lifetime| (SHORTEST..=LONGEST).contains(&lifetime));
    if !fits {
        let right = "\"15 minutes\" to \"12 hours\"";
        section.fault("lifetime", "is no life that such keys can have", right);
    }
    section.close();
    let vending = Vending {
        way: way?,
        endpoint: endpoint?,
        lifetime: lifetime?,
    };
    fits.then_some(Some(vending))
}

/// Whether no profile offers what there is nowhere to get from.
fn check_unoffered(root: &Section<'_>, profiles: Option<&[Profile]>) -> bool {
    let offers = |profile: &&Profile| profile.methods.contains(&Method::Credentials);
    let Some(profile) = profiles.unwrap_or_default().iter().find(offers) else {
        return true;
    };
    let says = format!(
        "is missing, and profile \"{}\" has \"credentials\" among its methods",
        profile.name
    );
    root.fault("credentials", &says, "a section [credentials] with `via`");
    false
}
