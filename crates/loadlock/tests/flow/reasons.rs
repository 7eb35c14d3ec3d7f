//! Why uploads are rejected that a store has let through although it should not have, or has lost.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use loadlock::{
    flow::{Begin, Begun},
    upload::{Checksum, ChecksumAlgorithm, Method},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::world::{API_KEY, USER_TOKEN, World, raw};

const BYTES: &[u8] = b"what was announced";
const OTHER: &[u8] = b"what is sent later";

impl World {
    /// What complete answers, and what is said to whoever looks.
    async fn rejected(&self, begun: &Begun) -> (String, String) {
        let id = begun.upload.id;
        let complete = format!("POST /v1/uploads/{id}/complete");
        let answer = self.ask(USER_TOKEN, &complete, Value::Null).await;
        assert_eq!(answer.refusal(), "422 rejected");
        let look = format!("GET /v1/uploads/{id}");
        let shown = self.ask(API_KEY, &look, Value::Null).await;
        let reason = answer.text("/error/details/reason");
        assert_eq!(shown.text("/reason/code"), reason);
        (reason, shown.text("/reason/message"))
    }
}

fn with(algorithm: ChecksumAlgorithm, value: &[u8], method: Method) -> Begin {
    let checksum = Checksum::new(algorithm, &STANDARD.encode(value));
    Begin {
        checksum: Some(checksum.unwrap()),
        method: Some(method),
        ..raw(BYTES)
    }
}

#[tokio::test]
async fn a_file_of_another_size_is_rejected() {
    let world = World::new().await;
    let begun = world.begin(raw(BYTES)).await;
    let key = begun.upload.staged_key.as_str();
    world.let_through(key, &[], &BYTES[1..]).await;
    let (reason, says) = world.rejected(&begun).await;
    assert_eq!(reason, "size_mismatch");
    assert_eq!(says, "the file was announced with 18 bytes and has 17");
    world.end().await;
}

#[tokio::test]
async fn a_file_with_another_checksum_is_rejected() {
    let world = World::new().await;
    // MD5 of `what was announced`: the ETag of what is sent is another.
    let begun = world
        .begin(with(ChecksumAlgorithm::Md5, &[7; 16], Method::Put))
        .await;
    let key = begun.upload.staged_key.as_str();
    world.let_through(key, &[], OTHER).await;
    let (reason, says) = world.rejected(&begun).await;
    assert_eq!(reason, "checksum_mismatch");
    assert_eq!(
        says,
        "the file's content does not match its announced checksum"
    );
    world.end().await;
}

#[tokio::test]
async fn parts_that_together_have_another_checksum_are_rejected() {
    let world = World::new().await;
    let begin = with(ChecksumAlgorithm::Crc64nvme, &[7; 8], Method::Multipart);
    let begun = world.begin(begin).await;
    assert_eq!(world.send(&begun.grant, BYTES).await.status(), 200);
    assert_eq!(world.rejected(&begun).await.0, "checksum_mismatch");
    world.end().await;
}

#[tokio::test]
async fn parts_that_were_not_agreed_on_are_rejected() {
    let world = World::new().await;
    let begin = Begin {
        method: Some(Method::Multipart),
        ..raw(BYTES)
    };
    let begun = world.begin(begin).await;
    let key = begun.upload.staged_key.as_str();
    let multipart_id = begun.upload.multipart_id.as_deref().unwrap();
    let query = [("partNumber", "1"), ("uploadId", multipart_id)];
    world.let_through(key, &query, &BYTES[1..]).await;
    let (reason, says) = world.rejected(&begun).await;
    assert_eq!(reason, "parts_mismatch");
    assert_eq!(says, "the file's parts are not those that were agreed");
    world.end().await;
}

/// A key with the content's SHA-256 in it is made only of one that the store itself confirms.
#[tokio::test]
async fn a_checksum_that_the_store_does_not_confirm_makes_no_key() {
    let mut world = World::new().await;
    world.profile("raw", |raw| raw.key = "{sha256}/{id}".parse().unwrap());
    let sha256 = Sha256::digest(BYTES);
    let begin = || with(ChecksumAlgorithm::Sha256, &sha256, Method::Put);
    let confirmed = world.begin(begin()).await;
    assert_eq!(world.send(&confirmed.grant, BYTES).await.status(), 200);
    let done = world.complete(confirmed.upload.id).await.unwrap();
    assert!(done.file.unwrap().key.as_str().len() > 64);
    let begun = world.begin(begin()).await;
    let key = begun.upload.staged_key.as_str();
    // The right bytes, of which the store has kept no checksum.
    world.let_through(key, &[], BYTES).await;
    let (reason, says) = world.rejected(&begun).await;
    assert_eq!(reason, "checksum_unconfirmed");
    let expected = "the store does not say whether the file's content has its announced checksum";
    assert_eq!(says, expected);
    world.end().await;
}

#[tokio::test]
async fn a_file_that_the_store_has_lost_is_to_be_sent_again() {
    let world = World::new().await;
    let begin = Begin {
        profile: "raw-claimed".to_owned(),
        ..raw(BYTES)
    };
    let begun = world.begin(begin).await;
    assert_eq!(world.send(&begun.grant, BYTES).await.status(), 200);
    world.complete(begun.upload.id).await.unwrap();
    world.lose(begun.upload.id).await;
    world.claim(&[begun.upload.id], "trip").await.unwrap_err();
    let (reason, says) = world.rejected(&begun).await;
    assert_eq!(reason, "lost");
    assert_eq!(says, "the store no longer has the file: send it again");
    world.end().await;
}
