//! What profiles ask of the store (`storage`): for each one copy in the final bucket, made as promotion makes it, and read back.
use std::collections::{BTreeMap, BTreeSet};

use super::{
    Doctor,
    chart::{Chart, Found, breached, holds},
    server::PRIVATE,
    wire::{Answer, Ask, At, Unreachable, Who},
};
use crate::{
    bucket::{self, Bucket, Final, Promoted},
    cli::put::transfer::element,
    clock::Ids,
    flow,
    upload::{
        Encryption, File, Inspected, ObjectKey, Owner, Profile, Storage, inspection::Confirmed,
    },
};

const ADVICE: &str = "leave it out of the profile's `storage`, or take a store that has it; tags need the server identity to \
                      have the policy of `loadlock provision --policy server`";

pub(super) async fn examine(doctor: &Doctor<'_>, chart: &mut Chart) {
    if doctor.profiles.iter().any(asks) {
        chart.group("what profiles ask of the store");
        chart
            .check_after(&["server_final"], "storage", Box::pin(storage(doctor)))
            .await;
    }
}

fn asks(profile: &Profile) -> bool {
    profile.storage != Storage::default()
}

async fn storage(doctor: &Doctor<'_>) -> Found {
    let bucket = Bucket::open(doctor.store, doctor.clock.clone()).await;
    let bucket = bucket.map_err(|error| Unreachable(error.to_string()))?;
    let mut faults = Vec::new();
    for profile in doctor.profiles.iter().filter(|profile| asks(profile)) {
        let found = faults_of(doctor, &bucket, profile).await?;
        let name = &profile.name;
        faults.extend(
            found
                .into_iter()
                .map(|says| format!("profile `{name}`: {says}")),
        );
    }
    Ok(if faults.is_empty() {
        holds("the store takes and keeps what the profiles' `storage` asks")
    } else {
        breached(faults.join("; "), ADVICE)
    })
}

/// One setting of them, and no other.
type Part = fn(&Storage) -> Storage;

/// What a store may refuse, each by itself.
const PARTS: [(&str, Part); 3] = [
    ("class", |whole| Storage {
        class: whole.class.clone(),
        ..Storage::default()
    }),
    ("encryption", |whole| Storage {
        encryption: whole.encryption.clone(),
        ..Storage::default()
    }),
    ("tags", |whole| Storage {
        tags: whole.tags.clone(),
        ..Storage::default()
    }),
];

async fn faults_of(
    doctor: &Doctor<'_>,
    bucket: &Bucket,
    profile: &Profile,
) -> Result<Vec<String>, Unreachable> {
    let whole = match copy(doctor, bucket, profile).await? {
        Ok(copied) => return differences(doctor, &copied).await,
        Err(refusal) => refusal,
    };
    let mut faults = Vec::new();
    for (name, part) in PARTS {
        let alone = Profile {
            storage: part(&profile.storage),
            ..profile.clone()
        };
        if asks(&alone)
            && let Err(refusal) = copy(doctor, bucket, &alone).await?
        {
            faults.push(format!("the store refuses `storage.{name}` ({refusal})"));
        }
    }
    if faults.is_empty() {
        faults.push(format!(
            "the store refuses its `storage` as a whole ({whole})"
        ));
    }
    Ok(faults)
}

/// Makes the copy; what the store answers in its place.
async fn copy(
    doctor: &Doctor<'_>,
    bucket: &Bucket,
    profile: &Profile,
) -> Result<Result<Final, String>, Unreachable> {
    let unsaid = |error: &dyn std::error::Error| Unreachable(error.to_string());
    let now = doctor.clock.now();
    let id = Ids::random()
        .upload_id(now)
        .map_err(|error| unsaid(&error))?;
    let key = doctor.stored(&id.to_string());
    let file = File {
        id,
        profile: profile.name.clone(),
        owner: "loadlock-doctor"
            .parse::<Owner>()
            .map_err(|error| unsaid(&error))?,
        filename: "doctor.bin".to_owned(),
        content_type: super::grants::TYPE
            .parse()
            .map_err(|error| unsaid(&error))?,
        size_bytes: PRIVATE.len() as u64,
        checksum: None,
        dimensions: None,
        metadata: BTreeMap::new(),
        created_at: now,
        key: ObjectKey::new(key.clone()),
    };
    let held = doctor.held("own");
    let from = Inspected {
        etag: doctor.etag(&held).await?,
        source: ObjectKey::new(held),
        key: file.key.clone(),
        size_bytes: file.size_bytes,
        content_type: file.content_type.clone(),
        dimensions: None,
        confirmed: Confirmed::No,
    };
    let to = flow::object_of(&file, profile);
    doctor.wire.touch(At::Final, &key, None);
    match bucket.promote(&from, &to).await {
        Ok(Promoted::Done) => Ok(Ok(to)),
        Ok(Promoted::Gone) => Err(Unreachable("what was to be copied is gone".to_owned())),
        Err(error) => bucket::refusal(&error)
            .map(Err)
            .ok_or_else(|| unsaid(&error)),
    }
}

/// What became of it otherwise than was asked.
async fn differences(doctor: &Doctor<'_>, asked: &Final) -> Result<Vec<String>, Unreachable> {
    let key = asked.key.as_str();
    let head = Ask::new(Who::Server, "HEAD", At::Final, key);
    let head = doctor.wire.send(&head).await?;
    let encryption = asked
        .encryption
        .as_ref()
        .map(|encryption| match encryption {
            Encryption::Aes256 => "AES256",
            Encryption::Kms { .. } => "aws:kms",
        });
    // S3 says nothing of the usual class.
    let class = head.header("x-amz-storage-class").or(Some("STANDARD"));
    let table = [
        ("class", asked.class.as_deref(), class),
        (
            "encryption",
            encryption,
            head.header("x-amz-server-side-encryption"),
        ),
        (
            "cache_control",
            Some(asked.cache_control.as_str()),
            head.header("cache-control"),
        ),
        (
            "disposition",
            Some(asked.content_disposition.as_str()),
            head.header("content-disposition"),
        ),
    ];
    let lost = table
        .into_iter()
        .filter(|(_, asked, kept)| asked.is_some() && asked != kept);
    let mut faults: Vec<String> = lost
        .map(|(name, ..)| format!("the store takes `storage.{name}`, and does not keep it"))
        .collect();
    let show = Ask::new(Who::Reader, "GET", At::Final, key);
    match doctor.wire.send(&show).await {
        Ok(shown) if shown.body == PRIVATE => {}
        Ok(shown) => faults.push(format!("what it keeps then cannot be read ({shown})")),
        Err(Unreachable(why)) => faults.push(format!("what it keeps then cannot be read: {why}")),
    }
    faults.extend(lost_tags(doctor, asked).await?);
    Ok(faults)
}

async fn lost_tags(doctor: &Doctor<'_>, asked: &Final) -> Result<Option<String>, Unreachable> {
    if asked.tags.is_empty() {
        return Ok(None);
    }
    let tagging = Ask {
        query: &[("tagging", "")],
        ..Ask::new(Who::Server, "GET", At::Final, asked.key.as_str())
    };
    let kept = doctor.wire.send(&tagging).await?;
    if !kept.done() {
        return Ok(Some(format!("`storage.tags` cannot be read back ({kept})")));
    }
    let wanted = asked.tags.iter();
    let wanted = wanted.map(|(name, value)| (name.as_str(), value.as_str()));
    let lost = tags(&kept) != wanted.collect();
    Ok(lost.then(|| "the store takes `storage.tags`, and does not keep them".to_owned()))
}

/// None of what may stand in a tag is written otherwise in XML.
fn tags(answer: &Answer) -> BTreeSet<(&str, &str)> {
    let text = str::from_utf8(&answer.body).unwrap_or_default();
    let tags = text.split("<Tag>").skip(1);
    tags.map(|tag| {
        let part = |name| element(tag, name).unwrap_or_default();
        (part("Key"), part("Value"))
    })
    .collect()
}
