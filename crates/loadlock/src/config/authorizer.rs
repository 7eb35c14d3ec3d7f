//! The section `[authorizer]`.

use std::time::Duration;

use super::{
    forms::{
        LIFETIME, PROFILE,
        rules::{HOOK_SECRET, HOOK_URL},
    },
    section::Section,
};
use crate::{hook::Hook, upload::Profile};

/// The longest that somebody who begins is let wait for the application's word.
const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// The application's own say in what may begin.
#[derive(Debug, Clone)]
pub struct Authorizer {
    pub hook: Hook,
    /// The profiles it is asked about, by name; none named: all.
    pub profiles: Vec<String>,
}

impl Authorizer {
    /// Whether it is asked about this profile.
    pub fn decides(&self, profile: &str) -> bool {
        self.profiles.is_empty() || self.profiles.iter().any(|name| name == profile)
    }
}

/// The outer `None` is a fault.
#[expect(
    clippy::option_option,
    reason = "missing is no fault here, and a fault is not missing"
)]
pub(super) fn read(section: Section<'_>, known: Option<&[Profile]>) -> Option<Option<Authorizer>> {
    if !section.is_there() {
        section.close();
        return Some(None);
    }
    let url = section.required("url", &HOOK_URL);
    let secret = section.required("secret", &HOOK_SECRET);
    let timeout = section.or("timeout", "3 seconds", &LIFETIME);
    let profiles = section.list("profiles", &PROFILE);
    if timeout.is_some_and(|timeout| timeout > MAX_TIMEOUT) {
        let says = "is longer than anybody waits who wants to upload";
        section.fault("timeout", says, "\"30 seconds\" at most");
    }
    if let (Some(profiles), Some(known)) = (&profiles, known) {
        for name in profiles {
            section.check_profile("profiles", name, known);
        }
    }
    section.close();
    Some(Some(Authorizer {
        hook: Hook {
            url: url?,
            secret: secret?,
            timeout: timeout?,
        },
        profiles: profiles?,
    }))
}
