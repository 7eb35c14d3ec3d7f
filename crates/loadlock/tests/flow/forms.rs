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

/// Sends a browser's form and follows the store's redirect as far as the service's own answer.
async fn sent_and_returned(world: &World, form: &Answer, bytes: &[u8]) -> Answer {
    let fields = form.json["grant"]["fields"].as_object().unwrap();
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let stored = world.post(&form.text("/grant/url"), &fields, bytes).await;
    assert_eq!(stored.status(), 303);
    let way = stored.headers()["location"].to_str().unwrap();
    let path = way.strip_prefix("http://api.test").unwrap();
    world.ask("", &format!("GET {path}"), Value::Null).await
}

async fn begin_returning(world: &World, profile: &str, return_to: &str) -> Answer {
    let form = json!({"profile": profile, "method": "post", "owner": "me", "return_to": return_to});
    world.ask(API_KEY, "POST /v1/uploads", form).await
}

#[tokio::test]
async fn a_form_comes_back_through_the_service_to_the_application() {
    let world = World::new().await;
    let form = begin_returning(&world, "post", "https://app.test/new?draft=7").await;
    let id = form.text("/id");
    let back = sent_and_returned(&world, &form, PNG).await;
    assert_eq!(back.status, 303);
    let address = format!("https://app.test/new?draft=7&upload={id}&state=ready");
    assert_eq!(back.header("location"), address);
    // A person who goes back and forth comes to the same place.
    let again = sent_and_returned(&world, &form, PNG).await;
    assert_eq!(again.header("location"), address);
    let claim = json!({"ids": [id], "owner": "me", "metadata": {"title": "A pier"}});
    let claimed = world.ask(API_KEY, "POST /v1/uploads/claim", claim).await;
    assert_eq!(claimed.text("/files/0/content_type"), "image/png");
    world.end().await;
}

#[tokio::test]
async fn a_form_that_brought_the_wrong_thing_comes_back_with_the_reason() {
    let world = World::new().await;
    let form = begin_returning(&world, "image", "https://app.test/new").await;
    let back = sent_and_returned(&world, &form, b"<svg onload=alert(1)>").await;
    let id = form.text("/id");
    assert_eq!(
        back.header("location"),
        format!("https://app.test/new?upload={id}&state=rejected&reason=type_not_allowed")
    );
    world.end().await;
}

#[tokio::test]
async fn who_comes_back_without_having_sent_anything_is_told_so() {
    let world = World::new().await;
    let form = begin_returning(&world, "image", "https://app.test/").await;
    let id = form.text("/id");
    let request = format!("GET /v1/uploads/{id}/return");
    let back = world.ask("", &request, Value::Null).await;
    let address = format!("https://app.test/?upload={id}&state=issued");
    assert_eq!(back.header("location"), address);
    world.end().await;
}

#[tokio::test]
async fn nobody_is_led_to_an_address_that_is_not_the_application_s() {
    let world = World::new().await;
    for address in [
        "https://evil.example/",
        "https://app.test.evil.example/",
        "https://app.test@evil.example/",
        "http://app.test/",
        "//evil.example/",
        "/form",
        "javascript:alert(1)",
        "https://app.test/\r\nset-cookie: x=1",
    ] {
        let refused = begin_returning(&world, "image", address).await;
        assert_eq!(refused.refusal(), "400 invalid_request", "{address}");
    }
    let put = json!({"profile": "image", "owner": "me", "filename": "a.png", "content_type": "image/png", "size": 3,
        "return_to": "https://app.test/"});
    let refused = world.ask(API_KEY, "POST /v1/uploads", put).await;
    assert!(refused.text("/error/message").contains("only a `post`"));
    let plain = begin(&world, "image").await;
    let request = format!("GET /v1/uploads/{}/return", plain.text("/id"));
    let nowhere = world.ask("", &request, Value::Null).await;
    assert_eq!(nowhere.refusal(), "404 not_found");
    world.end().await;
}

#[tokio::test]
async fn the_way_back_is_told_until_the_upload_is_claimed_or_its_time_is_over() {
    let world = World::new().await;
    let back = async |form: &Answer| {
        let request = format!("GET /v1/uploads/{}/return", form.text("/id"));
        world.ask("", &request, Value::Null).await
    };
    let draft = "https://app.test/new?draft=7";
    let form = begin_returning(&world, "post", draft).await;
    assert_eq!(sent_and_returned(&world, &form, PNG).await.status, 303);
    let claim = json!({"ids": [form.text("/id")], "owner": "me", "metadata": {"title": "A pier"}});
    let claimed = world.ask(API_KEY, "POST /v1/uploads/claim", claim).await;
    assert_eq!(claimed.status, 200, "{claimed:?}");
    assert_eq!(back(&form).await.refusal(), "404 not_found");
    let late = begin_returning(&world, "image", draft).await;
    world
        .clock
        .advance(Duration::from_millis(12 * 60 * 60 * 1000 - 1));
    assert_eq!(back(&late).await.status, 303);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(back(&late).await.refusal(), "404 not_found");
    world.end().await;
}

#[tokio::test]
async fn when_too_many_wait_a_person_goes_back_without() {
    let world = World::new().await;
    let form = begin_returning(&world, "image", "https://app.test/").await;
    let everybody = u32::try_from(world.app.waiting.available_permits()).unwrap();
    let places = world.app.waiting.acquire_many(everybody).await.unwrap();
    let back = sent_and_returned(&world, &form, PNG).await;
    let id = form.text("/id");
    let address = |state: &str| format!("https://app.test/?upload={id}&state={state}");
    assert_eq!(back.header("location"), address("issued"));
    drop(places);
    let request = format!("GET /v1/uploads/{id}/return");
    let back = world.ask("", &request, Value::Null).await;
    assert_eq!(back.header("location"), address("stored"));
    world.end().await;
}
