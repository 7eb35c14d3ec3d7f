//! `loadlock doctor`: what holds, and each breach by its name.

use std::process::{Command, Stdio};

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::{
    program::{Dev, stdout},
    provider::{Provider, Signer, State},
    provisioned::{Provisioned, SECRET},
};

#[tokio::test]
async fn on_a_store_as_it_should_be_everything_holds() {
    let place = Provisioned::with_buckets(&[]);
    let (found, code) = place.examined();
    assert!(found.len() >= 30, "{found:?}");
    assert!(
        found.values().all(|outcome| outcome == "holds"),
        "{found:?}"
    );
    assert_eq!(code, Some(0));
    let documents = include_str!("../../../../docs/configuration.md");
    for name in found.keys() {
        assert!(
            documents.contains(&format!("`{name}`")),
            "{name} is not documented"
        );
    }
    for bucket in ["example-staging", "example-files"] {
        let (_, list) = place.ask("GET", bucket, "", "").await;
        assert!(
            list.contains("<ListBucketResult") && !list.contains("<Key>"),
            "{list}"
        );
        let (_, list) = place.ask("GET", bucket, "uploads", "").await;
        assert!(
            list.contains("<ListMultipartUploadsResult") && !list.contains("<UploadId>"),
            "{list}"
        );
    }
}

#[test]
fn what_it_prints_holds_no_secret_and_no_signed_url() {
    let place = Provisioned::with_buckets(&[]);
    for json in [None, Some("--json")] {
        let output = place.command("doctor").args(json).output().unwrap();
        for text in [stdout(&output), str::from_utf8(&output.stderr).unwrap()] {
            for word in [SECRET, "X-Amz-", "Signature=", "\x1b"] {
                assert!(!text.contains(word), "{word} in {text}");
            }
        }
    }
}

/// Exactly these are breached; those that need them are skipped, and all else holds.
fn check(place: &Provisioned, breached: &[&str], skipped: &[&str]) {
    let (found, code) = place.examined();
    let are = |outcome: &str| {
        let found = found.iter().filter(|(_, is)| *is == outcome);
        found.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(are("breached"), breached, "{found:?}");
    assert_eq!(are("skipped"), skipped, "{found:?}");
    assert_eq!(
        are("holds").len() + breached.len() + skipped.len(),
        found.len(),
        "{found:?}"
    );
    assert_eq!(code, Some(1));
}

fn may(actions: &[&str], resources: &[&str]) -> Value {
    json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": resources}})
}

#[test]
fn an_uploader_that_may_do_everything_is_found_out() {
    let place = Provisioned::with_buckets(&[("uploader", may(&["s3:*"], &["*"]))]);
    check(&place, &["uploader_elsewhere", "uploader_reads"], &[]);
}

#[test]
fn an_uploader_that_may_read_what_it_sent_is_found_out() {
    let policy = may(
        &["s3:PutObject", "s3:GetObject"],
        &["arn:aws:s3:::example-staging/in/*"],
    );
    let place = Provisioned::with_buckets(&[("uploader", policy)]);
    check(&place, &["uploader_reads"], &[]);
}

#[test]
fn a_reader_that_may_read_staging_is_found_out() {
    let place = Provisioned::with_buckets(&[("reader", may(&["s3:GetObject"], &["*"]))]);
    check(&place, &["reader_elsewhere"], &[]);
}

#[test]
fn a_server_that_cannot_delete_is_found_out() {
    let actions = [
        "s3:GetObject",
        "s3:PutObject",
        "s3:ListBucket",
        "s3:GetLifecycleConfiguration",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ];
    let place = Provisioned::with_buckets(&[("server", may(&actions, &["*"]))]);
    check(&place, &["cleared"], &[]);
}

#[tokio::test]
async fn missing_rules_are_found_out() {
    let place = Provisioned::with_buckets(&[]);
    place
        .ask("DELETE", "example-staging", "lifecycle", "")
        .await;
    check(&place, &["expiry"], &[]);
    place.ask("DELETE", "example-staging", "cors", "").await;
    check(
        &place,
        &["expiry", "preflight"],
        &["errors_shown", "exposed"],
    );
    place.steps(&[]);
    assert_eq!(place.examined().1, Some(0));
}

#[tokio::test]
async fn rules_that_let_strangers_pages_in_are_found_out() {
    let rule = |origin: &str| {
        format!(
            "<CORSConfiguration><CORSRule><AllowedOrigin>{origin}</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>\
             <AllowedMethod>POST</AllowedMethod><AllowedHeader>*</AllowedHeader></CORSRule></CORSConfiguration>"
        )
    };
    let place = Provisioned::with_buckets(&[]);
    place
        .ask("PUT", "example-staging", "cors", &rule("*"))
        .await;
    check(&place, &["exposed", "stranger_preflight"], &[]);
    place.steps(&[]);
    check(&place, &["stranger_preflight"], &[]);
    place.ask("DELETE", "example-staging", "cors", "").await;
    place.steps(&[]);
    place
        .ask(
            "PUT",
            "example-files",
            "cors",
            &rule("https://app.example.com"),
        )
        .await;
    check(&place, &["final_preflight"], &[]);
}

/// A plain GET is not asked for beforehand.
#[tokio::test]
async fn pages_that_may_only_get_what_is_shown_are_found_out() {
    let rule = "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin>\
                <AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";
    let place = Provisioned::with_buckets(&[]);
    place.ask("PUT", "example-files", "cors", rule).await;
    check(&place, &["final_preflight"], &[]);
}

#[test]
fn a_server_that_cannot_copy_proves_nothing_of_what_it_would_have_written() {
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::example-files/*"},
    ]});
    let place = Provisioned::with_buckets(&[("server", policy)]);
    let skipped = [
        "added_copy_source",
        "added_part_copy",
        "final_preflight",
        "pinned_copy",
        "reader_elsewhere",
        "reader_reads",
        "stranger",
        "uploader_reads",
    ];
    check(&place, &["server_final"], &skipped);
}

#[test]
fn parts_that_are_never_copied_are_not_taken_for_bound_to_their_etag() {
    let copied = json!({"StringLike": {"s3:x-amz-copy-source": "?*"}});
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::example-staging/*", "Condition": copied},
    ]});
    let place = Provisioned::with_buckets(&[("server", policy)]);
    let (found, code) = place.examined();
    assert_eq!(found["pinned_copy"], "holds");
    assert_eq!(found["pinned_part_copy"], "lacking");
    assert_eq!(code, Some(0));
}

#[test]
fn what_a_server_cannot_list_is_not_said_to_be_deleted() {
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:ListBucket", "Resource": "*"},
    ]});
    let place = Provisioned::with_buckets(&[("server", policy)]);
    check(&place, &["server_lists"], &["cleared"]);
}

#[tokio::test]
async fn asked_to_stop_it_leaves_nothing() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let place = Provisioned::with_buckets(&[]);
        let mut doctor = place
            .command("doctor")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let holds = async |bucket| place.ask("GET", bucket, "", "").await.1.contains("<Key>");
        while !holds("example-staging").await {
            assert_eq!(doctor.try_wait().unwrap(), None, "it has not begun");
        }
        let pid = doctor.id().to_string();
        let kill = Command::new("kill").args([signal, &pid]).status();
        assert!(kill.unwrap().success());
        assert_eq!(doctor.wait().unwrap().code(), Some(code), "{signal}");
        for bucket in ["example-staging", "example-files"] {
            assert!(!holds(bucket).await, "{signal} leaves objects in {bucket}");
        }
    }
}

#[test]
fn a_store_that_is_not_there_is_no_proof_of_anything() {
    let mut place = Provisioned::with_buckets(&[]);
    Dev::kill(&mut place.store);
    let (found, code) = place.examined();
    assert_eq!(found["server_staging"], "unreachable");
    assert!(
        found.values().all(|outcome| outcome != "holds"),
        "{found:?}"
    );
    assert_eq!(code, Some(1));
}

const TAGS: &str =
    "[profiles.image.storage.tags]\nteam = \"photos\"\nwhose = \"{owner}/{profile}/{id}\"\n";

#[test]
fn what_profiles_ask_of_the_store_is_tried_and_read_back() {
    let storage = "[profiles.image.storage]\nclass = \"STANDARD\"\ncache_control = \"no-cache\"\ndisposition = \"attachment\"\n";
    let place = Provisioned::asking(&format!("{storage}{TAGS}"));
    check_says(&place, "the store takes and keeps");
    assert_eq!(place.examined().1, Some(0));
}

#[test]
fn what_the_store_refuses_is_named_with_its_profile() {
    let storage = "[profiles.image.storage]\nclass = \"STANDARD_IA\"\nencryption = \"aws:kms\"\nkms_key = \"k\"\n";
    let place = Provisioned::asking(&format!("{storage}{TAGS}"));
    check(&place, &["storage"], &[]);
    check_says(
        &place,
        "profile `image`: the store refuses `storage.class` (400 InvalidStorageClass); \
         profile `image`: the store refuses `storage.encryption` (501 NotImplemented)",
    );
}

#[test]
fn a_server_that_may_not_tag_is_found_out() {
    let place = Provisioned::with_buckets(&[]);
    place.ask_for(TAGS);
    check(&place, &["storage"], &[]);
    check_says(
        &place,
        "profile `image`: the store refuses `storage.tags` (403 AccessDenied)",
    );
}

fn check_says(place: &Provisioned, beginning: &str) {
    let output = place.command("doctor").arg("--json").output().unwrap();
    let report: Value = serde_json::from_str(stdout(&output)).unwrap();
    let mut checks = report["checks"].as_array().unwrap().iter();
    let storage = checks.find(|check| check["name"] == "storage").unwrap();
    let says = storage["says"].as_str().unwrap();
    assert!(says.starts_with(beginning), "{says}");
}

const CREDENTIALS: &str = r#"
[credentials]
via = "sts"
role_arn = "arn:aws:iam::000000000000:role/uploads"
endpoint = "STORE"
"#;

/// Checks by their names, that are documented, and how they end.
fn outcomes(place: &Provisioned, names: &[&str]) -> Vec<String> {
    let (found, _) = place.examined();
    let documents = include_str!("../../../../docs/configuration.md");
    let each = names.iter().map(|name| {
        assert!(documents.contains(&format!("`{name}`")), "{name}");
        found.get(*name).cloned().unwrap_or_default()
    });
    each.collect()
}

const SESSION: [&str; 2] = ["session_writes", "session_elsewhere"];

#[test]
fn temporary_credentials_hold_where_the_role_is_as_printed() {
    let place = Provisioned::saying(CREDENTIALS, &[]);
    place.steps(&[]);
    assert_eq!(outcomes(&place, &SESSION), ["holds", "holds"]);
    assert_eq!(outcomes(&place, &["cleared"]), ["holds"]);
    assert_eq!(place.examined().1, Some(0));
}

#[test]
fn a_role_that_may_not_write_is_found_out() {
    let role = may(&["s3:PutObject"], &["arn:aws:s3:::example-staging/in/*"]);
    let place = Provisioned::saying(CREDENTIALS, &[("session", role)]);
    place.steps(&[]);
    check(&place, &["session_writes"], &["session_elsewhere"]);
}

#[test]
fn an_uploader_that_may_not_assume_the_role_is_found_out() {
    let uploader = may(&["s3:PutObject"], &["arn:aws:s3:::example-staging/in/*"]);
    let place = Provisioned::saying(CREDENTIALS, &[("uploader", uploader)]);
    place.steps(&[]);
    assert_eq!(outcomes(&place, &SESSION), ["breached", "skipped"]);
}

const ISSUER: [&str; 3] = ["issuer_discovery", "issuer_keys", "issuer_clock"];

fn issuer(name: &str) -> String {
    format!("[[issuers]]\nissuer = \"{name}\"\naudience = [\"uploads\"]\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn issuers_are_asked_for_their_keys() {
    let key = Signer::new(Algorithm::ES256, "one");
    let provider = Provider::start(&[&key]).await;
    let place = Provisioned::saying(&issuer(&provider.issuer), &[]);
    place.steps(&[]);
    let found = || outcomes(&place, &ISSUER);
    assert_eq!(found(), ["holds", "holds", "holds"]);
    assert_eq!(place.examined().1, Some(0));
    provider.is(State::Past);
    assert_eq!(found(), ["holds", "holds", "breached"]);
    provider.is(State::Up);
    provider.serve_raw(vec![json!({"kty": "oct", "k": "AAAA"})]);
    assert_eq!(found(), ["holds", "breached", "skipped"]);
    provider.is(State::Down);
    assert_eq!(found(), ["unreachable", "skipped", "skipped"]);
    provider.is(State::Up);
    provider.discovery("issuer", "https://elsewhere.example");
    assert_eq!(found(), ["breached", "skipped", "skipped"]);
    assert_eq!(place.examined().1, Some(1));
}
