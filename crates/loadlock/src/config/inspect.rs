//! The sections `[profiles.NAME.inspect]` and `[scanning]`: what is asked of content, and of whom.

use std::{collections::BTreeMap, time::Duration};

use super::{
    forms::{
        COUNT, FLAG, LIFETIME,
        inspect::{CLAMD, HOOK, MISMATCH, PIXELS, UNSCANNED},
        name,
        rules::{HOOK_SECRET, HOOK_URL},
    },
    section::Section,
};
use crate::{
    hook::Hook,
    scan::Scanning,
    upload::{Checks, Profile},
};

const DAY: Duration = Duration::from_hours(24);
/// What waits lies under `held/`, which the staging bucket clears after seven days; once scanned it may have to wait
/// for a claim.
const MAX_HELD: Duration = Duration::from_hours(6 * 24);
/// What is kept is cleared by the bucket after 31.
const MAX_KEPT: Duration = Duration::from_hours(30 * 24);

pub(super) fn checks(section: Section<'_>) -> Option<Checks> {
    let mismatch = section.or("mismatch", "refuse", &MISMATCH);
    let max_width = section.optional("max_width", &COUNT);
    let max_height = section.optional("max_height", &COUNT);
    let max_pixels = section.or("max_pixels", "100 MP", &PIXELS);
    let clamav = section.or("clamav", "false", &FLAG);
    let hooks = section.list("hooks", &HOOK);
    let unscanned = section.or("unscanned", "reject", &UNSCANNED);
    let patience = section.or("patience", "15 minutes", &LIFETIME);
    let hold_for = section.or("hold_for", "6 days", &LIFETIME);
    let quarantine = section.optional("quarantine", &LIFETIME);
    let bounds = [
        ("patience", patience, MAX_HELD),
        ("hold_for", hold_for, MAX_HELD),
        ("quarantine", quarantine.flatten(), MAX_KEPT),
    ];
    for (name, length, most) in bounds {
        if length.is_some_and(|length| length > most) {
            let right = format!("\"{} days\" at most", most.as_secs() / DAY.as_secs());
            let says = "is longer than the staging bucket keeps such things";
            section.fault(name, says, &right);
        }
    }
    section.close();
    Some(Checks {
        mismatch: mismatch?,
        max_width: max_width?,
        max_height: max_height?,
        max_pixels: max_pixels?,
        clamav: clamav?,
        hooks: hooks?,
        unscanned: unscanned?,
        patience: patience?,
        hold_for: hold_for?,
        quarantine: quarantine?,
    })
}

pub(super) fn scanning(section: Section<'_>) -> Option<Scanning> {
    let clamd = section.optional("clamd", &CLAMD);
    let timeout = section.or("timeout", "3 minutes", &LIFETIME);
    let at_once = section.or("at_once", "4", &COUNT);
    let hooks = hooks(section.section("hooks"));
    section.close();
    Some(Scanning {
        clamd: clamd?,
        timeout: timeout?,
        at_once: usize::try_from(at_once?).ok()?,
        hooks: hooks?,
    })
}

fn hooks(section: Section<'_>) -> Option<BTreeMap<String, Hook>> {
    let names = section.names(&["url", "secret", "timeout"]);
    let hooks: Vec<Option<(String, Hook)>> = names
        .into_iter()
        .map(|called| {
            let entry = section.section(&called);
            let sound = name(&called);
            if let Err(wrong) = &sound {
                entry.fault("", &wrong.says, "[scanning.hooks.pictures]");
            }
            let url = entry.required("url", &HOOK_URL);
            let secret = entry.required("secret", &HOOK_SECRET);
            let timeout = entry.or("timeout", "10 seconds", &LIFETIME);
            entry.close();
            let hook = Hook {
                url: url?,
                secret: secret?,
                timeout: timeout?,
            };
            Some((sound.ok()?, hook))
        })
        .collect();
    section.close();
    hooks.into_iter().collect()
}

/// Whether there is whom profiles want to have asked.
pub(super) fn check(root: &Section<'_>, scanning: &Scanning, profiles: &[Profile]) {
    let all = root.section("profiles");
    for profile in profiles {
        let section = all.section(&profile.name).section("inspect");
        if profile.checks.clamav && scanning.clamd.is_none() {
            let says = "is true, and nothing says where clamd listens";
            section.fault(
                "clamav",
                says,
                &format!("[scanning] clamd = {}", CLAMD.right),
            );
        }
        let known = |name: &String| scanning.hooks.contains_key(name);
        if let Some(unknown) = profile.checks.hooks.iter().find(|name| !known(name)) {
            let says = format!("has \"{unknown}\", and there is no such hook");
            section.fault("hooks", &says, &format!("[scanning.hooks.{unknown}]"));
        }
    }
}
