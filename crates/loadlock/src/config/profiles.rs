//! The sections `[profiles.NAME]`.

pub(super) mod storage;

use std::{collections::BTreeMap, time::Duration};

use super::{
    forms::{
        ACTIVE, COUNT, EXTENSION, FLAG, KEY, LIFETIME, MEDIA, METHOD, PROMOTE, READ, SIZE, WORD,
        name,
        rules::{CHECKSUM, OTHER_METADATA, PATTERN},
    },
    inspect, quotas,
    section::Section,
};
use crate::upload::{
    Admits, ChecksumDemand, KeyTemplate, Lifetimes, MetadataRule, Method, Profile, Read,
    profile::in_words,
};

/// S3 takes no larger object in one piece, and none larger at all.
const MAX_SINGLE_BYTES: u64 = 5 << 30;
const MAX_BYTES: u64 = 5 << 40;
/// The longest life of a signature (S3 API reference, "Authenticating Requests: Using Query Parameters").
const MAX_SIGNED: Duration = Duration::from_hours(7 * 24);
/// After this the staging bucket's own rule may clear away what was sent.
const MAX_STAGED: Duration = Duration::from_hours(24);

/// All profiles, in the order of the file.
pub(super) fn read(root: &Section<'_>) -> Option<Vec<Profile>> {
    let section = root.section("profiles");
    let names = section.names(&["types", "max_size"]);
    if names.is_empty() {
        root.fault(
            "profiles",
            "are missing: nothing could be uploaded",
            "a section [profiles.image] with its `types` and `max_size`",
        );
    }
    let profiles: Vec<Option<Profile>> = names
        .iter()
        .map(|name| profile(name, section.section(name)))
        .collect();
    section.close();
    profiles.into_iter().collect()
}

fn profile(called: &str, section: Section<'_>) -> Option<Profile> {
    let sound = name(called);
    if let Err(wrong) = &sound {
        section.fault("", &wrong.says, "[profiles.image]");
    }
    let admits = admits(section.section("admits"));
    let types = section.required_list("types", &MEDIA);
    let extensions = section.list("extensions", &EXTENSION);
    let min_size_bytes = section.or("min_size", "1 byte", &SIZE);
    let max_size_bytes = section.required("max_size", &SIZE);
    let max_files = section.or("max_files", "20", &COUNT);
    let methods = section.list_or("methods", &["put", "post", "multipart"], &METHOD);
    let key = section.or("key", "{profile}/{owner}/{id}.{ext}", &KEY);
    let promote = section.or("promote", "on_complete", &PROMOTE);
    let read = section.or("read", "owner", &READ);
    let link_lifetime = section.optional("link_lifetime", &LIFETIME);
    if link_lifetime.flatten().is_some() && read.is_some_and(|read| read != Read::Signed) {
        let says = "is for files that are read by signed links";
        section.fault("link_lifetime", says, "nothing, or read = \"signed\"");
    }
    let active_content = section.or("active_content", "refuse", &ACTIVE);
    let checks = inspect::checks(section.section("inspect"));
    let lifetimes = lifetimes(section.section("lifetimes"));
    let metadata = metadata(section.section("metadata"));
    let other_metadata = section.or("other_metadata", "take", &OTHER_METADATA);
    let checksum = section.optional("checksum", &CHECKSUM);
    if let Some(checksum) = checksum {
        check_checksum(&section, checksum, key.as_ref(), methods.as_deref());
    }
    let storage = storage::read(section.section("storage"));
    let quotas = quotas::of_profile(section.section("quotas"));
    check_sizes(
        &section,
        (min_size_bytes, max_size_bytes),
        methods.as_deref(),
    );
    section.close();
    Some(Profile {
        name: sound.ok()?,
        admits: admits?,
        types: types?,
        extensions: extensions?,
        min_size_bytes: min_size_bytes?,
        max_size_bytes: max_size_bytes?,
        max_files: max_files?,
        methods: methods?,
        key: key?,
        metadata: metadata?,
        other_metadata: other_metadata?,
        checksum: checksum?,
        storage: storage?,
        lifetimes: lifetimes?,
        promote: promote?,
        read: read?,
        link_lifetime: link_lifetime?,
        active_content: active_content?,
        checks: checks?,
        quotas: quotas?,
    })
}

fn admits(section: Section<'_>) -> Option<Admits> {
    let anonymous = section.or("anonymous", "false", &FLAG);
    let demanded = section.section("claims");
    let claims: Vec<Option<_>> = (demanded.names(&[]).into_iter())
        .map(|name| {
            let values = demanded.required_list(&name, &WORD)?;
            Some((name, values))
        })
        .collect();
    demanded.close();
    if anonymous == Some(true) && !claims.is_empty() {
        let says = "is true beside `claims`: whoever lacks these would come in without a token";
        section.fault("anonymous", says, "one of the two");
    }
    section.close();
    Some(Admits {
        anonymous: anonymous?,
        claims: claims.into_iter().collect::<Option<_>>()?,
    })
}

fn check_sizes(
    section: &Section<'_>,
    (min, max): (Option<u64>, Option<u64>),
    methods: Option<&[Method]>,
) {
    let Some(max) = max else { return };
    if let Some(min) = min.filter(|min| *min > max) {
        let (min, max) = (in_words(min), in_words(max));
        let says = format!("is {max}, and `min_size` {min}: no file would fit");
        section.fault("max_size", &says, &format!("\"{min}\" or more"));
    }
    let parts = methods.is_none_or(|methods| methods.contains(&Method::Multipart));
    let most = if parts { MAX_BYTES } else { MAX_SINGLE_BYTES };
    if max > most {
        let says = format!("is {}, more than S3 can hold", in_words(max));
        let right = if parts {
            "\"5 TiB\" at most"
        } else {
            "\"5 GiB\" at most, or \"multipart\" among the `methods`"
        };
        section.fault("max_size", &says, right);
    }
    if methods.is_some_and(<[Method]>::is_empty) {
        section.fault("methods", "is empty", &format!("[{}]", METHOD.right));
    }
}

/// S3 makes no SHA-256 of a file sent in parts; keys of a client's own bind it to none; and a key is made of one only that every
/// client has given.
fn check_checksum(
    section: &Section<'_>,
    checksum: Option<ChecksumDemand>,
    key: Option<&KeyTemplate>,
    methods: Option<&[Method]>,
) {
    let demanded = checksum == Some(ChecksumDemand::Sha256);
    let has = |method| methods.is_some_and(|methods| methods.contains(&method));
    if checksum.is_some() && has(Method::Credentials) {
        let says = "has \"credentials\", by which no checksum is given beforehand";
        section.fault("methods", says, "`methods` without it, or no `checksum`");
    }
    if demanded && has(Method::Multipart) {
        let says = "is \"sha256\", which no store knows of a file sent in parts";
        section.fault("checksum", says, "methods = [\"put\", \"post\"] beside it");
    }
    if !demanded && key.is_some_and(KeyTemplate::has_sha256) {
        let says = "has {sha256} in it, which nobody need give";
        section.fault("key", says, "checksum = \"sha256\" beside it");
    }
}

fn lifetimes(section: Section<'_>) -> Option<Lifetimes> {
    let grant = section.or("grant", "15 minutes", &LIFETIME);
    let upload = section.or("upload", "12 hours", &LIFETIME);
    let ready = section.or("ready", "6 hours", &LIFETIME);
    let display = section.or("display", "1 hour", &LIFETIME);
    for (name, lifetime) in [("grant", grant), ("display", display)] {
        if lifetime.is_some_and(|lifetime| lifetime > MAX_SIGNED) {
            let says = "is longer than any signature lives";
            section.fault(name, says, "\"7 days\" at most");
        }
    }
    if let (Some(upload), Some(ready)) = (upload, ready)
        && upload + ready > MAX_STAGED
    {
        let says = "and `ready` are together more than a day, when the staging bucket clears away what was sent";
        section.fault("upload", says, "\"12 hours\", and ready = \"6 hours\"");
    }
    section.close();
    Some(Lifetimes {
        grant: grant?,
        upload: upload?,
        ready: ready?,
        display: display?,
    })
}

fn metadata(section: Section<'_>) -> Option<BTreeMap<String, MetadataRule>> {
    let names = section.names(&["required", "max_length", "values", "pattern"]);
    let rules: Vec<Option<(String, MetadataRule)>> = names
        .into_iter()
        .map(|name| {
            let entry = section.section(&name);
            let required = entry.or("required", "false", &FLAG);
            let max_length = entry.or("max_length", "2048", &COUNT);
            let values = entry.list("values", &WORD);
            let pattern = entry.optional("pattern", &PATTERN);
            entry.close();
            let rule = MetadataRule {
                required: required?,
                max_length_bytes: usize::try_from(max_length?).ok()?,
                values: values?,
                pattern: pattern?,
            };
            Some((name, rule))
        })
        .collect();
    section.close();
    rules.into_iter().collect()
}
