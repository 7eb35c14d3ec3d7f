//! The sections `[quotas.owner]`, `[profiles.NAME.quotas.owner]` and `[profiles.NAME.quotas.all]`.

use super::{
    forms::{COUNT, SIZE},
    section::Section,
};
use crate::upload::{Quota, Quotas};

/// Of each owner over all profiles.
pub(super) fn read(section: Section<'_>) -> Option<Quota> {
    let owner = quota(section.section("owner"));
    section.close();
    owner
}

/// Of one profile.
pub(super) fn of_profile(section: Section<'_>) -> Option<Quotas> {
    let owner = quota(section.section("owner"));
    let all = quota(section.section("all"));
    section.close();
    Some(Quotas {
        owner: owner?,
        all: all?,
    })
}

fn quota(section: Section<'_>) -> Option<Quota> {
    let bytes = |name: &str| section.optional(name, &SIZE);
    let count = |name: &str| {
        let count = section.optional(name, &COUNT)?;
        Some(count.map(u64::from))
    };
    let (stored_bytes, stored_files) = (bytes("stored_bytes"), count("stored_files"));
    let (open_bytes, open_files) = (bytes("open_bytes"), count("open_files"));
    let uploads_per_day = count("uploads_per_day");
    section.close();
    Some(Quota {
        stored_bytes: stored_bytes?,
        stored_files: stored_files?,
        open_bytes: open_bytes?,
        open_files: open_files?,
        uploads_per_day: uploads_per_day?,
    })
}
