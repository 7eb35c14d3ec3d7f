//! The section `[limits]`.

use super::{
    forms::{NETWORK, RATE},
    section::Section,
};
use crate::limits::Limits;

pub(super) fn read(section: Section<'_>) -> Option<Limits> {
    let per_owner = section.or("per_owner", "600 per minute", &RATE);
    let per_address = section.or("per_address", "1200 per minute", &RATE);
    let per_key = section.or("per_key", "off", &RATE);
    let failures = section.or("failures", "60 per minute", &RATE);
    let trusted_proxies = section.list_or("trusted_proxies", &["127.0.0.0/8", "::1"], &NETWORK);
    section.close();
    Some(Limits {
        per_owner: per_owner?,
        per_address: per_address?,
        per_key: per_key?,
        failures: failures?,
        trusted_proxies: trusted_proxies?,
    })
}
