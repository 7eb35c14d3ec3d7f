//! `loadlock revoke` and `loadlock audit`, beside a service at work on the same records.

use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use sqlx::SqlitePool;
use tokio::time::{sleep, timeout};

use crate::{
    program::{Dev, loadlock, stderr, stdout},
    serve::Site,
};

/// A command in the site's directory; what it printed.
fn ask(site: &Site, arguments: &[&str]) -> String {
    let mut command = loadlock();
    command.current_dir(site.dir.path()).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output).to_owned()
}

async fn begin(site: &Site, serve: &Dev, owner: &str) -> u16 {
    let wish = json!({"profile": "image", "filename": "a.jpg", "content_type": "image/jpeg", "size": 3, "owner": owner});
    let request = Client::new().post(format!("{}/v1/uploads", serve.said("listen")));
    let answer = request.bearer_auth(&site.key).json(&wish).send().await;
    answer.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_revocation_holds_in_a_running_service_at_once() {
    let site = Site::new();
    let serve = site.serve(&[]);
    assert_eq!(begin(&site, &serve, "me").await, 201);
    let would = ask(&site, &["revoke", "owner", "me", "--dry-run", "--json"]);
    let would: Value = serde_json::from_str(&would).unwrap();
    assert_eq!(
        would,
        json!({"kind": "owner", "subject": "me", "outcome": "dry_run", "open_uploads": 1})
    );
    assert_eq!(begin(&site, &serve, "me").await, 201);
    let said = ask(&site, &["revoke", "owner", "me", "--reason", "spam"]);
    assert_eq!(
        said,
        "the owner `me` is revoked, which stops 2 open uploads; what is stored stays\n"
    );
    assert_eq!(begin(&site, &serve, "me").await, 403);
    assert_eq!(begin(&site, &serve, "you").await, 201);
    let again = ask(&site, &["revoke", "owner", "me"]);
    assert!(
        again.starts_with("the owner `me` was revoked before"),
        "{again}"
    );
    let list = ask(&site, &["revoke", "list"]);
    assert!(list.ends_with("owner `me`, by operator: spam\n"), "{list}");
    let restored = ask(&site, &["revoke", "owner", "me", "--restore"]);
    assert!(restored.contains("has its permissions again"), "{restored}");
    assert_eq!(begin(&site, &serve, "me").await, 201);
    assert_eq!(ask(&site, &["revoke", "list"]), "");
}

#[tokio::test]
async fn the_audit_log_is_read_from_the_records() {
    let site = Site::new();
    let serve = site.serve(&[]);
    for owner in ["me", "me", "you"] {
        assert_eq!(begin(&site, &serve, owner).await, 201);
    }
    let table = ask(&site, &["audit"]);
    assert!(table.starts_with("time "), "{table}");
    assert_eq!(table.lines().count(), 4, "{table}");
    let mine = ask(
        &site,
        &[
            "audit", "--owner", "me", "--since", "1 hour", "--limit", "1", "--json",
        ],
    );
    assert_eq!(mine.lines().count(), 1, "{mine}");
    let entry: Value = serde_json::from_str(&mine).unwrap();
    let told = ["act", "outcome", "owner", "profile", "size"].map(|name| entry[name].clone());
    assert_eq!(json!(told), json!(["begin", "ok", "me", "image", 3]));
    assert_eq!(entry["actor"], "key app");
    let none = ask(&site, &["audit", "--act", "promote"]);
    assert_eq!(none, "nothing of that kind is written down\n");
    assert_eq!(ask(&site, &["audit", "--act", "promote", "--json"]), "");
}

#[tokio::test]
async fn what_quotas_go_by_is_put_right_when_the_service_starts() {
    let site = Site::new();
    let serve = site.serve(&[]);
    assert_eq!(begin(&site, &serve, "me").await, 201);
    assert_eq!(ask(&site, &["recount"]), "everything is counted right\n");
    drop(serve);
    let records = site.dir.path().join("loadlock.db");
    let database = SqlitePool::connect(records.to_str().unwrap())
        .await
        .unwrap();
    let wrong = "UPDATE usage SET open_files = 7 WHERE owner = 'me' AND profile = 'image'";
    sqlx::query(wrong).execute(&database).await.unwrap();
    database.close().await;
    let recount = || {
        let mut command = loadlock();
        let output = command.current_dir(site.dir.path()).arg("recount").output();
        output.unwrap()
    };
    let output = recount();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stdout(&output),
        "profile `image` owner `me`: stored 0 (0 bytes), under way 1 (3 bytes), begun 1; \
         kept was stored 0 (0 bytes), under way 7 (3 bytes), begun 1\n"
    );
    let _serve = site.serve(&[]);
    let right = async {
        while !recount().status.success() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(10), right).await.unwrap();
}

#[test]
fn those_of_a_dev_are_looked_through_and_revoked_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let _dev = Dev::start(dir.path());
    let data = dir.path().to_str().unwrap();
    let ask = |arguments: &[&str]| {
        let output = loadlock().args(arguments).args(["--data", data]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output).to_owned()
    };
    let said = ask(&["revoke", "owner", "me"]);
    assert_eq!(
        said,
        "the owner `me` is revoked, which stops no open upload; what is stored stays\n"
    );
    assert!(ask(&["revoke", "list"]).contains("me"));
    assert!(ask(&["audit", "--act", "revoke"]).contains("operator"));
}

#[test]
fn what_makes_no_sense_is_told_so() {
    let site = Site::new();
    for (arguments, expected) in [
        (&["audit"][..], "there are no records at"),
        (&["audit", "--data", "."], "no `loadlock dev` has its data"),
        (&["revoke", "profile", "image"], "there are no records at"),
        (&["revoke", "upload", "x"], "`upload`: not an id"),
        (&["audit", "--act", "dance"], "`act` is one of begin"),
        (&["audit", "--since", "soon"], "`since` is a time such as"),
    ] {
        let mut command = loadlock();
        command.current_dir(site.dir.path()).args(arguments);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}
