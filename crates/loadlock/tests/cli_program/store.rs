//! `loadlock store`: the embedded store alone.

use std::fs;

use crate::program::{Dev, run, stderr};

#[tokio::test]
async fn the_store_alone_keeps_its_identity_and_refuses_strangers() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = [
        "store",
        "--port",
        "0",
        "--data",
        dir.path().to_str().unwrap(),
    ];
    let store = Dev::run(&arguments);
    let identity = store.ready["identities"][0].clone();
    assert!(
        identity["access_key_id"]
            .as_str()
            .unwrap()
            .starts_with("LOADLOCKSTORE")
    );
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.get(store.said("s3")).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("<Code>AccessDenied</Code>")
    );
    assert!(store.stop().1.success());
    assert_eq!(Dev::run(&arguments).ready["identities"][0], identity);
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.json");
    let data = dir.path().join("data");
    let check = |config: &str, expected: &str| {
        fs::write(&file, config).unwrap();
        let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
        let output = run(&["store", "--port", "0", "--data", data, "--config", file]);
        assert_eq!(output.status.code(), Some(1), "{config}");
        assert!(
            stderr(&output).contains(expected),
            "{config}: {}",
            stderr(&output)
        );
    };
    let one = r#"{"name":"a","access_key_id":"k","secret_access_key":"s""#;
    check("{", "store.json is not what it should be");
    check(
        &format!(r#"{{"identities":[{one},"colour":"red"}}]}}"#),
        "unknown field `colour`",
    );
    check(
        &format!(r#"{{"identities":[{one},"policy":{{}}}}]}}"#),
        "the policy of `a`",
    );
    check(
        &format!(r#"{{"identities":[{one}}}],"buckets":["A b"]}}"#),
        "cannot make the bucket `A b`",
    );
}
