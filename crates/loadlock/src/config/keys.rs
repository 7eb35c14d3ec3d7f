//! The application servers' API keys: `[[api_keys]]`.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    forms::{CALLER, Form, NAMED_SHA256, PROFILE, SHA256, Secrecy, Type, Wrong},
    section::Section,
    value::quoted,
};
use crate::{
    auth::{Scope, Token},
    upload::Profile,
};

/// A moment, or the beginning of a day in UTC.
const MOMENT: Form<Timestamp> = Form {
    takes: &[Type::Text, Type::Time],
    secrecy: Secrecy::Open,
    right: "2027-01-31, or 2027-01-31T12:00:00Z",
    parse: |text| moment(text).ok_or_else(|| Wrong::new("is no time")),
};

fn moment(text: &str) -> Option<Timestamp> {
    let day = |text: &str| {
        let day: Date = text.parse().ok()?;
        day.to_zoned(TimeZone::UTC).ok()
    };
    match text.len() {
        10 => day(text).map(|day| day.timestamp()),
        _ => text.parse().ok(),
    }
}

/// From `[[api_keys]]`, or from a variable `shop=SHA-256,blog=SHA-256`. None of the profiles is known where they are at fault.
pub(super) fn read(root: &Section<'_>, profiles: Option<&[Profile]>) -> Option<Vec<Token>> {
    let mut names = BTreeSet::new();
    // Two of one name would be one caller, in logs and for repeated requests.
    let mut check = |section: &Section<'_>, setting: &str, name: &str| {
        if !names.insert(name.to_owned()) {
            let says = format!("{} is there twice", quoted(name));
            section.fault(setting, &says, "a name of its own");
        }
    };
    if root.is_overridden("api_keys") {
        let keys = root.list("api_keys", &NAMED_SHA256)?.into_iter();
        let token = |(name, hash): (String, _)| {
            check(root, "api_keys", &name);
            Token::server_hashed(hash, name)
        };
        return Some(keys.map(token).collect());
    }
    let tokens: Vec<Option<Token>> = root
        .sections("api_keys")
        .into_iter()
        .map(|section| {
            let name = section.required("name", &CALLER);
            let hash = section.required("sha256", &SHA256);
            let scope = scope(&section, profiles);
            let expires_at = section.optional("expires_at", &MOMENT);
            if let Some(name) = &name {
                check(&section, "name", name);
            }
            section.close();
            let token = Token::server_hashed(hash?, name?);
            Some(token.scoped(scope?).until(expires_at?))
        })
        .collect();
    tokens.into_iter().collect()
}

/// The profiles that a key is good for. An empty list is a slip: it would be good for nothing, or for all.
fn scope(section: &Section<'_>, profiles: Option<&[Profile]>) -> Option<Scope> {
    if !section.has("profiles") {
        section.list("profiles", &PROFILE);
        return Some(Scope::AllProfiles);
    }
    let named = section.required_list("profiles", &PROFILE)?;
    for name in &named {
        section.check_profile("profiles", name, profiles.unwrap_or_default());
    }
    Some(Scope::Profiles(named.into()))
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn moments_are_days_or_times() {
        let check = |text: &str, expected: Option<&str>| {
            let found = moment(text).map(|at| at.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("2027-01-31", Some("2027-01-31T00:00:00Z"));
        check("2027-01-31T12:00:00+02:00", Some("2027-01-31T10:00:00Z"));
        check("2027-01-31 12:00:00Z", Some("2027-01-31T12:00:00Z"));
        check("2027-01-31T12:00:00", None);
        check("2027-02-31", None);
        check("31.01.2027", None);
        check("90 days", None);
    }
}
