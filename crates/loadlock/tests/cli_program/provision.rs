//! `loadlock provision`: both buckets as they should be, and nothing else touched.

use serde_json::json;

use crate::{
    program::{stderr, stdout},
    provisioned::Provisioned,
};

const MADE: [&str; 8] = [
    "example-staging bucket made",
    "example-staging public access block lacking",
    "example-staging cors made",
    "example-staging expiry made",
    "example-files bucket made",
    "example-files public access block lacking",
    "example-files cors kept",
    "example-files expiry made",
];

#[tokio::test]
async fn provisioning_twice_changes_nothing() {
    let place = Provisioned::with(&[]);
    assert_eq!(place.steps(&[]), MADE);
    let rules = async || {
        let mut found = Vec::new();
        for bucket in ["example-staging", "example-files"] {
            for query in ["cors", "lifecycle"] {
                let (status, rules) = place.ask("GET", bucket, query, "").await;
                // An error's answer has an id of its own each time.
                found.push((status, (status == 200).then_some(rules)));
            }
        }
        found
    };
    let before = rules().await;
    let kept = MADE.map(|step| step.replace("made", "kept"));
    assert_eq!(place.steps(&[]), kept);
    assert_eq!(rules().await, before);
    assert_eq!(before[0].0, 200);
    assert_eq!(before[2].0, 404, "the final bucket has no CORS");
}

#[tokio::test]
async fn a_dry_run_tells_the_same_and_does_nothing() {
    let place = Provisioned::with(&[]);
    assert_eq!(place.steps(&["--dry-run"]), MADE);
    assert_eq!(place.ask("GET", "example-staging", "", "").await.0, 404);
    assert_eq!(place.ask("GET", "example-files", "", "").await.0, 404);
}

const THEIRS: &str = "<LifecycleConfiguration>\
    <Rule><ID>theirs</ID><Filter><Prefix>logs/</Prefix></Filter><Status>Enabled</Status>\
    <Expiration><Days>30</Days></Expiration></Rule>\
    <Rule><ID>loadlock-sent</ID><Filter><Prefix>in/</Prefix></Filter><Status>Enabled</Status>\
    <Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>";

#[tokio::test]
async fn rules_that_are_not_ours_stay_and_ours_are_put_right() {
    let place = Provisioned::with_buckets(&[]);
    let put = place
        .ask("PUT", "example-staging", "lifecycle", THEIRS)
        .await;
    assert_eq!(put.0, 200, "{}", put.1);
    let steps = place.steps(&[]);
    assert_eq!(steps[3], "example-staging expiry changed");
    assert_eq!(steps[4], "example-staging expiry left");
    let (_, rules) = place.ask("GET", "example-staging", "lifecycle", "").await;
    for name in ["theirs", "loadlock-sent", "loadlock-held"] {
        assert_eq!(
            rules.matches(&format!("<ID>{name}</ID>")).count(),
            1,
            "{rules}"
        );
    }
    assert!(
        rules.contains("<Days>30</Days>") && !rules.contains("<Days>3</Days>"),
        "{rules}"
    );
}

#[tokio::test]
async fn pages_that_others_let_into_the_final_bucket_are_not_as_it_should_be() {
    let rule = "<CORSConfiguration><CORSRule><ID>theirs</ID><AllowedOrigin>*</AllowedOrigin>\
                <AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";
    let place = Provisioned::with_buckets(&[]);
    let put = place.ask("PUT", "example-files", "cors", rule).await;
    assert_eq!(put.0, 200, "{}", put.1);
    let steps = place.steps(&[]);
    let cors: Vec<_> = steps
        .iter()
        .filter(|step| step.starts_with("example-files cors"))
        .collect();
    assert_eq!(cors, ["example-files cors left"]);
    let output = place.command("provision").output().unwrap();
    assert!(
        stdout(&output).contains("not ours, and left, though pages may send or read: theirs"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn who_may_not_provision_is_told_so() {
    let place = Provisioned::with(&[]);
    let mut command = place.command("provision");
    let output = command.env("AWS_ACCESS_KEY_ID", "SERVER").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("these credentials may not"),
        "{}",
        stdout(&output)
    );
    let mut command = place.command("provision");
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    let output = command.env("HOME", "/nonexistent").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no credentials to provision with"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn each_identity_has_a_policy_for_the_configured_buckets() {
    let place = Provisioned::with(&[]);
    let output = place
        .command("provision")
        .args(["--policy", "reader"])
        .output()
        .unwrap();
    let policy: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(
        policy["Statement"][0],
        json!({"Sid": "GetStored", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::example-files/*"})
    );
}
