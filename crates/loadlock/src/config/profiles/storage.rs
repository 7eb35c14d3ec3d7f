//! The sections `[profiles.NAME.storage]`.

use std::collections::BTreeMap;

use crate::{
    config::{
        forms::rules::{CACHE_CONTROL, CLASS, DISPOSITION, ENCRYPTION, KMS_KEY, TAG, tag_name},
        section::Section,
    },
    upload::{Encryption, Profile, Storage},
};

/// How many tags an object may have (S3 user guide, "Categorizing your objects using tags").
const MAX_TAGS: usize = 10;

pub(super) fn read(section: Section<'_>) -> Option<Storage> {
    let class = section.optional("class", &CLASS);
    let encryption = section.optional("encryption", &ENCRYPTION);
    let key = section.optional("kms_key", &KMS_KEY);
    let cache_control = section.optional("cache_control", &CACHE_CONTROL);
    let disposition = section.optional("disposition", &DISPOSITION);
    let tags = tags(section.section("tags"));
    if matches!(key, Some(Some(_))) && encryption.is_some_and(|it| it != Some("aws:kms")) {
        let says = "is for encryption by a key management service";
        section.fault("kms_key", says, "encryption = \"aws:kms\" beside it");
    }
    section.close();
    let encryption = match (encryption?, key?) {
        (Some("aws:kms"), key) => Some(Encryption::Kms { key }),
        (Some(_), _) => Some(Encryption::Aes256),
        (None, _) => None,
    };
    Some(Storage {
        class: class?,
        encryption,
        tags: tags?,
        cache_control: cache_control?,
        disposition: disposition?,
    })
}

/// What the embedded store would refuse of these.
pub(in crate::config) fn beyond_embedded(profile: &Profile) -> Vec<(&'static str, String, String)> {
    let Storage {
        class, encryption, ..
    } = &profile.storage;
    let class = class.as_deref().filter(|class| *class != "STANDARD");
    let class = class.map(|class| {
        let says = format!("is \"{class}\", and the embedded store has one class alone");
        ("class", says, "\"STANDARD\", or another store".to_owned())
    });
    let encryption = encryption.as_ref().map(|_| {
        let says = "is asked of the embedded store, which does not encrypt".to_owned();
        let right = "nothing, and an encrypted disk below it; or another store";
        ("encryption", says, right.to_owned())
    });
    class.into_iter().chain(encryption).collect()
}

fn tags(section: Section<'_>) -> Option<BTreeMap<String, String>> {
    let names = section.names(&[]);
    if names.len() > MAX_TAGS {
        let says = "has more tags than S3 lets an object have";
        section.fault("", says, &format!("{MAX_TAGS} at most"));
    }
    let tags: Vec<Option<(String, String)>> = names
        .into_iter()
        .map(|name| {
            if let Err(wrong) = tag_name(&name) {
                section.fault(&name, &wrong.says, "team = \"photos\"");
            }
            let value = section.required(&name, &TAG)?;
            Some((name, value))
        })
        .collect();
    section.close();
    tags.into_iter().collect()
}
