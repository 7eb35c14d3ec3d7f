//! What a profile says of form data, checksums, keys and how its files lie: each refusal by its name.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use loadlock::upload::{
    ChecksumDemand, Encryption, MetadataRule, Method, OtherMetadata, Profile, Promote, Storage,
    name::Disposition,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::world::{API_KEY, Answer, PNG, USER_TOKEN, World};

const BEGIN: &str = "POST /v1/uploads";

async fn with(change: impl FnOnce(&mut Profile)) -> World {
    let mut world = World::new().await;
    world.profile("image", change);
    world
}

fn photo() -> Value {
    json!({"profile": "image", "filename": "Am Pier.png", "content_type": "image/png", "size": PNG.len()})
}

fn checked(mut begin: Value, algorithm: &str, digest: &[u8]) -> Value {
    begin["checksum"] = json!({"algorithm": algorithm, "value": BASE64_STANDARD.encode(digest)});
    begin
}

async fn begin(world: &World, body: Value) -> Answer {
    world.ask(USER_TOKEN, BEGIN, body).await
}

/// Sends what was begun, and completes it.
async fn complete(world: &World, begun: &Answer) -> Answer {
    assert_eq!(begun.status, 201, "{begun:?}");
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    let request = format!("POST /v1/uploads/{}/complete", begun.text("/id"));
    world.ask(USER_TOKEN, &request, Value::Null).await
}

fn rule(values: &[&str], pattern: Option<&str>) -> MetadataRule {
    MetadataRule {
        required: false,
        max_length_bytes: 10,
        values: values.iter().map(|&value| value.to_owned()).collect(),
        pattern: pattern.map(|pattern| pattern.parse().unwrap()),
    }
}

fn form_rules(image: &mut Profile) {
    image.metadata = [
        ("size".to_owned(), rule(&["S", "M"], None)),
        ("zip".to_owned(), rule(&[], Some("[0-9]{5}"))),
    ]
    .into();
    image.other_metadata = OtherMetadata::Refuse;
}

#[tokio::test]
async fn form_data_is_held_against_its_rules() {
    let world = with(form_rules).await;
    let check = async |metadata: Value, expected: Option<&str>| {
        let mut body = photo();
        body["metadata"] = metadata;
        let answer = begin(&world, body).await;
        match expected {
            None => assert_eq!(answer.status, 201, "{answer:?}"),
            Some(says) => {
                assert_eq!(answer.refusal(), "422 metadata_refused");
                assert_eq!(answer.text("/error/message"), says);
            }
        }
    };
    check(json!({"size": "S", "zip": "12345"}), None).await;
    check(json!({"size": "", "zip": ""}), None).await;
    check(
        json!({"size": "XL"}),
        Some("`metadata.size` is one of S, M"),
    )
    .await;
    check(
        json!({"zip": "12345\n"}),
        Some("`metadata.zip` is not of the form [0-9]{5}"),
    )
    .await;
    check(
        json!({"zip": "12345678901"}),
        Some("`metadata.zip` is longer than 10 bytes"),
    )
    .await;
    check(
        json!({"admin": "yes"}),
        Some("`metadata.admin` is none that profile `image` takes"),
    )
    .await;
    world.end().await;
}

#[tokio::test]
async fn a_claim_s_form_is_held_against_the_same_rules() {
    let world = with(|image| {
        form_rules(image);
        image.promote = Promote::OnClaim;
    })
    .await;
    let begun = begin(&world, photo()).await;
    assert_eq!(complete(&world, &begun).await.text("/state"), "ready");
    let claim = async |metadata: Value| {
        let claim = json!({"ids": [begun.text("/id")], "owner": "me", "metadata": metadata});
        world.ask(API_KEY, "POST /v1/uploads/claim", claim).await
    };
    for wrong in [
        json!({"size": "XL"}),
        json!({"zip": "1"}),
        json!({"else": "x"}),
    ] {
        assert_eq!(claim(wrong).await.refusal(), "422 metadata_refused");
    }
    let claimed = claim(json!({"size": "M"})).await;
    assert_eq!(claimed.text("/files/0/metadata/size"), "M");
    world.end().await;
}

#[tokio::test]
async fn a_client_is_told_the_rules_beforehand() {
    let world = with(|image| {
        form_rules(image);
        image.checksum = Some(ChecksumDemand::Sha256);
    })
    .await;
    let told = world.ask("", "GET /v1/profiles/image", Value::Null).await;
    assert_eq!(told.json["metadata"]["size"]["values"], json!(["S", "M"]));
    assert_eq!(told.text("/metadata/zip/pattern"), "[0-9]{5}");
    assert_eq!(told.text("/other_metadata"), "refuse");
    assert_eq!(told.text("/checksum"), "sha256");
    let plain = world.ask("", "GET /v1/profiles/post", Value::Null).await;
    assert_eq!(plain.text("/other_metadata"), "take");
    assert_eq!(plain.json.get("checksum"), None);
    world.end().await;
}

#[tokio::test]
async fn nothing_begins_without_the_checksum_that_is_demanded() {
    let world = with(|image| image.checksum = Some(ChecksumDemand::Any)).await;
    assert_eq!(
        begin(&world, photo()).await.refusal(),
        "422 checksum_required"
    );
    let form = json!({"profile": "image", "method": "post"});
    assert_eq!(begin(&world, form).await.refusal(), "422 checksum_required");
    let put = json!({"path": "a.png", "content_type": "image/png"});
    let refused = world.ask(USER_TOKEN, "POST /upload_url", put).await;
    assert_eq!(refused.refusal(), "422 checksum_required");
    let crc = checked(photo(), "crc32c", &[0; 4]);
    assert_eq!(begin(&world, crc).await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn a_sha256_that_is_demanded_is_no_other_checksum() {
    let world = with(|image| {
        image.checksum = Some(ChecksumDemand::Sha256);
        image.methods = vec![Method::Put, Method::Post];
    })
    .await;
    let crc = checked(photo(), "crc32c", &[0; 4]);
    assert_eq!(begin(&world, crc).await.refusal(), "422 checksum_required");
    let right = checked(photo(), "sha256", &Sha256::digest(PNG));
    let begun = begin(&world, right).await;
    assert_eq!(complete(&world, &begun).await.text("/state"), "stored");
    let wrong = checked(photo(), "sha256", &[7; 32]);
    let begun = begin(&world, wrong).await;
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 400);
    world.end().await;
}

#[tokio::test]
async fn a_key_is_made_of_name_and_content() {
    let world = with(|image| {
        image.checksum = Some(ChecksumDemand::Sha256);
        image.methods = vec![Method::Put];
        image.key = "{sha256}/{name}-{id}.{ext}".parse().unwrap();
    })
    .await;
    let digest = Sha256::digest(PNG);
    let begun = begin(&world, checked(photo(), "sha256", &digest)).await;
    assert_eq!(complete(&world, &begun).await.text("/state"), "stored");
    let hex = (digest.iter()).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let expected = format!("{hex}/am-pier-{}.png", begun.text("/id"));
    assert_eq!(world.lies_in("final").await, [expected]);
    world.end().await;
}

#[tokio::test]
async fn files_are_shown_as_their_profile_says() {
    let world = with(|image| {
        image.storage = Storage {
            cache_control: Some("public, max-age=60".to_owned()),
            disposition: Some(Disposition::Attachment),
            ..Storage::default()
        };
    })
    .await;
    let begun = begin(&world, photo()).await;
    complete(&world, &begun).await;
    let request = format!("GET /v1/files/{}", begun.text("/id"));
    let file = world.ask(USER_TOKEN, &request, Value::Null).await;
    let shown = world.fetch(&file.text("/url")).await;
    assert_eq!(shown.headers()["cache-control"], "public, max-age=60");
    assert_eq!(
        shown.headers()["content-disposition"],
        "attachment; filename=\"Am Pier.png\""
    );
    world.end().await;
}

#[tokio::test]
async fn class_encryption_and_tags_are_asked_of_the_store() {
    let mut world = with(|image| {
        let tags = [("team", "photo + film"), ("owner", "{owner}")];
        image.storage = Storage {
            class: Some("STANDARD_IA".to_owned()),
            encryption: Some(Encryption::Kms {
                key: Some("key-1".to_owned()),
            }),
            tags: tags.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
            ..Storage::default()
        };
    })
    .await;
    let begun = begin(&world, photo()).await;
    // The embedded store has neither the class nor the encryption, and says so.
    let refused = complete(&world, &begun).await;
    assert_eq!(refused.refusal(), "503 unavailable");
    assert!(refused.text("/error/message").contains("`storage`"));
    let asked = |header: &str| world.faults.copied_with(header).unwrap();
    assert_eq!(asked("x-amz-storage-class"), "STANDARD_IA");
    assert_eq!(asked("x-amz-server-side-encryption"), "aws:kms");
    assert_eq!(
        asked("x-amz-server-side-encryption-aws-kms-key-id"),
        "key-1"
    );
    let owner: loadlock::upload::Owner = "me".parse().unwrap();
    let tags = format!("owner={}&team=photo%20%2B%20film", owner.hash());
    assert_eq!(asked("x-amz-tagging"), tags);
    assert_eq!(asked("x-amz-tagging-directive"), "REPLACE");
    // Once the configuration is mended, the work goes on.
    world.profile("image", |image| image.storage = Storage::default());
    world.clock.advance(std::time::Duration::from_mins(30));
    world.work().await;
    let id = begun.text("/id").parse().unwrap();
    assert_eq!(world.state(id).await, "stored");
    world.end().await;
}
