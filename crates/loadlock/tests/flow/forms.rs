//! Pages rendered before a file is chosen: forms whose limits are the profile's.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{API_KEY, Answer, PNG, World};

/// A form for a file that nobody has chosen yet, as the application's server asks for it.
async fn begin(world: &World, profile: &str) -> Answer {
    let form = json!({"profile": profile, "method": "post", "owner": "me"});
    world.ask(API_KEY, "POST /v1/uploads", form).await
}

async fn send(world: &World, form: &Answer, bytes: &[u8]) -> u16 {
    let fields = form.json["grant"]["fields"].as_object().unwrap();
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let answer = world.post(&form.text("/grant/url"), &fields, bytes).await;
    answer.status().as_u16()
}

async fn complete(world: &World, form: &Answer) -> Answer {
    let request = format!("POST /v1/uploads/{}/complete", form.text("/id"));
    world.ask(API_KEY, &request, Value::Null).await
}

#[tokio::test]
async fn a_form_for_a_file_not_chosen_yet_takes_whatever_the_profile_takes() {
    let world = World::new().await;
    let form = begin(&world, "image").await;
    assert_eq!(form.status, 201, "{form:?}");
    assert_eq!(send(&world, &form, PNG).await, 204);
    let done = complete(&world, &form).await;
    let file = &done.json["file"];
    assert_eq!(
        (&file["content_type"], &file["filename"], &file["size"]),
        (
            &json!("image/png"),
            &json!("unnamed.png"),
            &json!(PNG.len())
        )
    );
    assert_eq!(file["width"], 7);
    world.end().await;
}

#[tokio::test]
async fn the_store_holds_a_form_to_the_sizes_of_its_profile() {
    let world = World::new().await;
    let form = begin(&world, "image").await;
    assert_eq!(send(&world, &form, b"").await, 400);
    assert_eq!(send(&world, &form, &vec![0; (25 << 20) + 1]).await, 400);
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(complete(&world, &form).await.refusal(), "409 not_received");
    world.end().await;
}

#[tokio::test]
async fn what_a_form_brought_is_told_by_its_bytes() {
    let world = World::new().await;
    for (bytes, found) in [
        (
            b"<!doctype html><script>alert(1)</script>".as_slice(),
            "text/html",
        ),
        (b"just text", "text/plain"),
        (b"\x00\x01\x02\x03", "application/octet-stream"),
        (b"%PDF-1.7", "application/pdf"),
    ] {
        let form = begin(&world, "image").await;
        assert_eq!(send(&world, &form, bytes).await, 204);
        let refused = complete(&world, &form).await;
        assert_eq!(refused.refusal(), "422 rejected");
        let says = format!("the file is {found}, which this profile does not take");
        assert_eq!(refused.text("/error/message"), says);
    }
    world.end().await;
}

#[tokio::test]
async fn only_a_form_may_leave_out_what_it_is_for_and_then_all_of_it() {
    let world = World::new().await;
    for begin in [
        json!({"profile": "image", "owner": "me"}),
        json!({"profile": "image", "owner": "me", "method": "put"}),
        json!({"profile": "image", "owner": "me", "method": "post", "size": 3}),
    ] {
        let refused = world.ask(API_KEY, "POST /v1/uploads", begin).await;
        assert_eq!(refused.refusal(), "400 invalid_request");
        assert!(refused.text("/error/message").contains("`filename`"));
    }
    world.end().await;
}
