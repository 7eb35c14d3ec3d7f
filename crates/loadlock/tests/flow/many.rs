//! Several files begun in one request, each answered or refused by itself.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::proxy::When;
use crate::world::{API_KEY, Answer, PNG, USER_TOKEN, World};

fn file(reference: &str) -> Value {
    json!({"ref": reference, "filename": "a.png", "content_type": "image/png", "size": PNG.len()})
}

/// A file with some of its fields others.
fn other(reference: &str, fields: Value) -> Value {
    let mut file = file(reference);
    let Value::Object(fields) = fields else {
        panic!("fields are an object");
    };
    file.as_object_mut().unwrap().extend(fields);
    file
}

fn many(files: &[Value]) -> Value {
    json!({"profile": "post", "owner": "me", "files": files})
}

async fn begin(world: &World, body: Value) -> Answer {
    world.ask(API_KEY, "POST /v1/uploads", body).await
}

/// `a: issued`, `b: file_too_large`
fn told(answer: &Answer) -> Vec<String> {
    let uploads = answer.json["uploads"].as_array().unwrap();
    let state = |upload: &Value| {
        let state = upload["state"].as_str();
        state
            .or(upload["error"]["code"].as_str())
            .unwrap()
            .to_owned()
    };
    uploads
        .iter()
        .map(|upload| format!("{}: {}", upload["ref"].as_str().unwrap(), state(upload)))
        .collect()
}

#[tokio::test]
async fn several_files_are_begun_or_refused_each_by_itself() {
    let world = World::new().await;
    let files = [
        file("photo"),
        other(
            "program",
            json!({"content_type": "application/x-msdownload"}),
        ),
        other("huge", json!({"size": 6_u64 << 30})),
        other(
            "film",
            json!({"content_type": "video/mp4", "size": 70 << 20}),
        ),
        other(
            "sum",
            json!({"checksum": {"algorithm": "sha256", "value": "AAAA"}}),
        ),
        other("form", json!({"method": "post"})),
    ];
    let begun = begin(&world, many(&files)).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let expected = [
        "photo: issued",
        "program: type_not_allowed",
        "huge: file_too_large",
        "film: issued",
        "sum: invalid_request",
        "form: issued",
    ];
    assert_eq!(told(&begun), expected);
    assert_eq!(begun.json["uploads"][1]["error"]["retryable"], false);
    assert_eq!(begun.text("/uploads/0/grant/method"), "put");
    assert_eq!(begun.text("/uploads/3/grant/method"), "multipart");
    assert_eq!(begun.text("/uploads/5/grant/method"), "post");
    assert_eq!(world.rows("uploads").await, 3);
    for n in [0, 3, 5] {
        let (id, token) = (
            begun.text(&format!("/uploads/{n}/id")),
            begun.text(&format!("/uploads/{n}/token")),
        );
        let look = format!("GET /v1/uploads/{id}");
        let seen = world.ask(&token, &look, Value::Null).await;
        assert_eq!((seen.status, seen.text("/owner")), (200, "me".to_owned()));
    }
    world.end().await;
}

#[tokio::test]
async fn a_request_for_more_files_than_the_profile_takes_begins_none() {
    let world = World::new().await;
    let files: Vec<Value> = (0..21).map(|n| file(&n.to_string())).collect();
    let refused = begin(&world, many(&files)).await;
    assert_eq!(refused.refusal(), "422 too_many_files");
    let says = "profile `post` takes at most 20 files at once, not 21";
    assert_eq!(refused.text("/error/message"), says);
    assert_eq!(world.rows("uploads").await, 0);
    assert_eq!(begin(&world, many(&files[1..])).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn what_is_wrong_with_the_request_refuses_it_whole() {
    let world = World::new().await;
    let check = async |token: &str, body: Value, refusal: &str, says: &str| {
        let refused = world.ask(token, "POST /v1/uploads", body).await;
        assert_eq!(refused.refusal(), refusal, "{refused:?}");
        let message = refused.text("/error/message");
        assert!(message.contains(says), "{message}");
    };
    let invalid = "400 invalid_request";
    check(API_KEY, many(&[]), invalid, "names no file").await;
    let twice = many(&[file("a"), file("b"), file("a")]);
    check(API_KEY, twice, invalid, "the `ref` `a` is there twice").await;
    check(API_KEY, many(&[file("")]), invalid, "1 to 64").await;
    check(API_KEY, many(&[file(&"é".repeat(65))]), invalid, "1 to 64").await;
    let unnamed = many(&[json!({"filename": "a", "content_type": "image/png", "size": 1})]);
    check(API_KEY, unnamed, invalid, "missing field `ref`").await;
    let unknown = many(&[other("a", json!({"length": 1}))]);
    check(API_KEY, unknown, invalid, "unknown field `length`").await;
    let mut both = many(&[file("a")]);
    both["filename"] = "a.png".into();
    check(API_KEY, both, invalid, "unknown field `filename`").await;
    let nobody = json!({"profile": "post", "files": [file("a")]});
    check(API_KEY, nobody, invalid, "`owner` is required").await;
    check(
        USER_TOKEN,
        many(&[file("a")]),
        "403 forbidden",
        "only an API key",
    )
    .await;
    let elsewhere = json!({"profile": "nowhere", "owner": "me", "files": [file("a")]});
    check(API_KEY, elsewhere, "404 not_found", "no profile `nowhere`").await;
    assert_eq!(world.rows("uploads").await, 0);
    world.end().await;
}

#[tokio::test]
async fn a_reference_may_have_64_characters() {
    let world = World::new().await;
    let begun = begin(&world, many(&[file(&"é".repeat(64))])).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    world.end().await;
}

#[tokio::test]
async fn form_data_of_all_files_goes_with_each_and_its_own_before_it() {
    let world = World::new().await;
    let mut body = many(&[
        file("a"),
        other("b", json!({"metadata": {"title": "own", "alt": "b"}})),
        other("c", json!({"metadata": {"title": "x".repeat(3000)}})),
    ]);
    body["metadata"] = json!({"title": "common", "album": "trip"});
    let begun = begin(&world, body).await;
    assert_eq!(
        told(&begun),
        ["a: issued", "b: issued", "c: metadata_refused"]
    );
    let ids = [begun.text("/uploads/0/id"), begun.text("/uploads/1/id")];
    for n in 0..2 {
        world
            .put_grant(&begun.json["uploads"][n]["grant"], PNG)
            .await;
    }
    let claim = json!({"ids": ids, "owner": "me", "metadata": {}});
    let claimed = world.ask(API_KEY, "POST /v1/uploads/claim", claim).await;
    let metadata = |n: usize| claimed.json["files"][n]["metadata"].clone();
    assert_eq!(metadata(0), json!({"title": "common", "album": "trip"}));
    let own = json!({"title": "own", "album": "trip", "alt": "b"});
    assert_eq!(metadata(1), own);
    world.end().await;
}

#[tokio::test]
async fn a_store_that_fails_at_one_file_leaves_nothing_of_the_others() {
    let world = World::new().await;
    let part = |n: usize| other(&n.to_string(), json!({"method": "multipart"}));
    let files: Vec<Value> = (0..6).map(part).collect();
    world.faults.plan(3, When::Before);
    let refused = begin(&world, many(&files)).await;
    assert!(world.faults.came_to_pass());
    assert_eq!(refused.refusal(), "503 unavailable");
    assert_eq!(world.rows("uploads").await, 0);
    assert_eq!(world.lies_in("staging").await.len(), 0);
    assert_eq!(begin(&world, many(&files)).await.status, 200);
    assert_eq!(world.lies_in("staging").await.len(), 6);
    world.end().await;
}

#[tokio::test]
async fn what_all_files_have_in_common_is_bounded_before_it_is_copied_for_each() {
    let world = World::new().await;
    let form = json!({"profile": "post", "owner": "me", "method": "post"});
    let form = world.ask(API_KEY, "POST /v1/uploads", form).await;
    let check = async |token: &str, files: usize, refusal: &str| {
        let file =
            |n: usize| json!({"ref": n.to_string(), "filename": "", "content_type": "", "size": 1});
        let files: Vec<Value> = (0..files).map(file).collect();
        let mut body = many(&files);
        body["metadata"] = json!({"note": "x".repeat(30_000)});
        let refused = world.ask(token, "POST /v1/uploads", body).await;
        assert_eq!(refused.refusal(), refusal, "{refused:?}");
    };
    check(&form.text("/token"), 4000, "403 forbidden").await;
    check(API_KEY, 4000, "422 too_many_files").await;
    check(API_KEY, 20, "422 metadata_refused").await;
    check(API_KEY, 5000, "413 body_too_large").await;
    assert_eq!(world.rows("uploads").await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_leaves_nothing_half_begun() {
    let world = World::new().await;
    let files = [other("film", json!({"method": "multipart"}))];
    let held = world.faults.plan_hold();
    tokio::select! {
        begun = begin(&world, many(&files)) => panic!("not held: {begun:?}"),
        () = held.done() => {}
    }
    assert_eq!(world.rows("uploads").await, 0);
    held.release();
    let recorded = async {
        while world.rows("uploads").await == 0 {
            tokio::task::yield_now().await;
        }
    };
    let recorded = timeout(Duration::from_secs(20), recorded).await;
    recorded.unwrap();
    // Which its end takes away again.
    world.end().await;
}
