//! A file's stable address: who may follow it, where it leads and for how long; on the wire to the store and back.

use std::time::Duration;

use axum::http::header;
use loadlock::{
    auth::{self, KeyRing, Secret},
    flow,
    upload::{Profile, Read, UploadId},
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{API_KEY, Answer, OTHER_TOKEN, PNG, USER_TOKEN, World, me, png, raw};

const UNKNOWN: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

/// A world whose `image` profile is read like this.
async fn world(read: Read, link: Option<Duration>) -> World {
    let mut world = World::new().await;
    change(&mut world, |image| {
        image.read = read;
        image.link_lifetime = link;
    });
    world
}

fn change(world: &mut World, change: impl Fn(&mut Profile)) {
    let mut config = (*world.app.config).clone();
    let image = |profile: &&mut Profile| profile.name == "image";
    change(config.profiles.iter_mut().find(image).unwrap());
    world.app.config = config.into();
}

/// Puts a new secret first, and keeps these of the older ones.
fn rotate(world: &mut World, older: &[&str]) {
    let secret = |text: &str| Secret::new(text.to_owned());
    let older = older.iter().copied().map(secret).collect();
    let mut config = (*world.app.config).clone();
    config.secrets = KeyRing::new(secret("the new one"), older);
    world.app.config = config.into();
}

/// A stored picture, and its address as the completion shows it, without the host.
async fn picture(world: &World) -> (UploadId, String) {
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    let request = format!("POST /v1/uploads/{}/complete", begun.upload.id);
    let done = world.ask(USER_TOKEN, &request, Value::Null).await;
    (begun.upload.id, path(&done, "/file/content_url"))
}

fn path(answer: &Answer, pointer: &str) -> String {
    let url = answer.text(pointer);
    url.strip_prefix("http://api.test").unwrap().to_owned()
}

async fn open(world: &World, token: &str, path: &str) -> Answer {
    world.ask(token, &format!("GET {path}"), Value::Null).await
}

/// The world's service as browsers reach it.
async fn served(world: &World) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = loadlock::router(world.app.clone());
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

/// A client that goes where it is led, as browsers do.
fn following() -> Client {
    Client::new()
}

#[tokio::test]
async fn a_public_file_opens_for_all_and_any_cache_may_keep_the_way() {
    let world = world(Read::Public, None).await;
    let (id, path) = picture(&world).await;
    assert_eq!(path, format!("/f/{id}"));
    let first = open(&world, "", &path).await;
    assert_eq!(
        (first.status, first.header("cache-control")),
        (302, "public, max-age=3570")
    );
    assert!(!first.header("vary").contains("authorization"));
    world.clock.advance(Duration::from_mins(14));
    let same = open(&world, "", &path).await;
    assert_eq!(same.header("location"), first.header("location"));
    assert_eq!(same.header("cache-control"), "public, max-age=2730");
    world.clock.advance(Duration::from_mins(1));
    let next = open(&world, "", &path).await;
    assert_ne!(next.header("location"), first.header("location"));
    // Followed at the last moment at which it may have been kept, the first still shows the file; later it does not.
    world.clock.advance(Duration::from_mins(44));
    let late = world.fetch(first.header("location")).await;
    assert_eq!(late.bytes().await.unwrap(), PNG);
    world.clock.advance(Duration::from_mins(2));
    let gone = world.fetch(first.header("location")).await;
    assert_eq!(gone.status(), StatusCode::FORBIDDEN);
    world.end().await;
}

#[tokio::test]
async fn a_file_of_its_owner_opens_for_them_and_for_servers_only() {
    let world = world(Read::Owner, None).await;
    let (id, path) = picture(&world).await;
    assert_eq!(
        open(&world, "", &path).await.refusal(),
        "401 unauthenticated"
    );
    assert_eq!(
        open(&world, OTHER_TOKEN, &path).await.refusal(),
        "404 not_found"
    );
    let holder = auth::upload_token(id, &world.app.config.secrets);
    assert_eq!(
        open(&world, holder.expose(), &path).await.refusal(),
        "403 forbidden"
    );
    // A link signed while links were good opens nothing now.
    let link = auth::link(id, None, &world.app.config.secrets);
    let linked = format!("{path}?s={}", link.expose());
    assert_eq!(
        open(&world, "", &linked).await.refusal(),
        "401 unauthenticated"
    );
    for token in [USER_TOKEN, API_KEY] {
        let opened = open(&world, token, &path).await;
        assert_eq!(opened.status, 302);
        assert_eq!(opened.header("cache-control"), "private, max-age=3570");
        let vary: Vec<_> = opened.headers.get_all(header::VARY).iter().collect();
        assert!(vary.iter().any(|value| *value == "authorization, cookie"));
    }
    world.end().await;
}

#[tokio::test]
async fn a_file_whose_profile_is_gone_is_its_owners() {
    let mut world = world(Read::Signed, None).await;
    let (_, path) = picture(&world).await;
    world.without_profile("image");
    assert_eq!(
        open(&world, "", &path).await.refusal(),
        "401 unauthenticated"
    );
    assert_eq!(open(&world, USER_TOKEN, &path).await.status, 302);
    world.end().await;
}

#[tokio::test]
async fn a_signed_link_opens_its_file_without_a_sign_in() {
    let world = world(Read::Signed, None).await;
    let (id, linked) = picture(&world).await;
    let (_, others) = picture(&world).await;
    let opened = open(&world, "", &linked).await;
    assert_eq!(
        (opened.status, opened.header("cache-control")),
        (302, "private, max-age=3570")
    );
    let shown = world.fetch(opened.header("location")).await;
    assert_eq!(
        shown.headers()["cache-control"],
        "private, max-age=31536000, immutable"
    );
    // It is nobody's account: it opens even with a foreign one.
    assert_eq!(open(&world, OTHER_TOKEN, &linked).await.status, 302);
    let bare = format!("/f/{id}");
    let foreign = format!("{bare}?{}", others.split_once('?').unwrap().1);
    for wrong in [
        &bare,
        &foreign,
        &format!("{bare}?s="),
        &format!("{linked}A"),
    ] {
        assert_eq!(
            open(&world, "", wrong).await.refusal(),
            "404 not_found",
            "{wrong}"
        );
        assert_eq!(
            open(&world, OTHER_TOKEN, wrong).await.refusal(),
            "404 not_found"
        );
        assert_eq!(open(&world, USER_TOKEN, wrong).await.status, 302);
        assert_eq!(open(&world, API_KEY, wrong).await.status, 302);
    }
    // What an application appends means nothing.
    assert_eq!(open(&world, "", &format!("{linked}&v=2")).await.status, 302);
    world.clock.advance(Duration::from_hours(24 * 365 * 10));
    assert_eq!(open(&world, "", &linked).await.status, 302);
    world.end().await;
}

#[tokio::test]
async fn a_link_with_a_lifetime_ends_and_is_the_same_for_a_while() {
    let world = world(Read::Signed, Some(Duration::from_mins(40))).await;
    let (id, linked) = picture(&world).await;
    let opened = open(&world, "", &linked).await;
    assert_eq!(opened.header("cache-control"), "private, max-age=2370");
    world.clock.advance(Duration::from_mins(9));
    let look = format!("GET /v1/uploads/{id}");
    let again = world.ask(USER_TOKEN, &look, Value::Null).await;
    assert_eq!(path(&again, "/file/content_url"), linked);
    world.clock.advance(Duration::from_mins(1));
    let fresh = world.ask(USER_TOKEN, &look, Value::Null).await;
    assert_ne!(path(&fresh, "/file/content_url"), linked);
    world.clock.advance(Duration::from_mins(30));
    let expired = open(&world, "", &linked).await;
    assert_eq!(expired.refusal(), "403 forbidden");
    assert_eq!(
        expired.text("/error/message"),
        "this link has expired at 2026-01-01T00:40:00Z"
    );
    assert_eq!(
        open(&world, "", &path(&fresh, "/file/content_url"))
            .await
            .status,
        302
    );
    assert_eq!(open(&world, USER_TOKEN, &linked).await.status, 302);
    world.end().await;
}

#[tokio::test]
async fn links_are_revoked_by_dropping_the_secret_that_signed_them() {
    let mut world = world(Read::Signed, None).await;
    let (id, linked) = picture(&world).await;
    rotate(&mut world, &["the service's own"]);
    assert_eq!(open(&world, "", &linked).await.status, 302);
    rotate(&mut world, &[]);
    assert_eq!(open(&world, "", &linked).await.refusal(), "404 not_found");
    let look = world
        .ask(USER_TOKEN, &format!("GET /v1/files/{id}"), Value::Null)
        .await;
    assert_eq!(
        open(&world, "", &path(&look, "/content_url")).await.status,
        302
    );
    world.end().await;
}

#[tokio::test]
async fn every_view_of_a_file_carries_its_link() {
    let mut world = world(Read::Signed, None).await;
    change(&mut world, |image| {
        image.promote = loadlock::upload::Promote::OnClaim;
    });
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    let id = begun.upload.id.to_string();
    world.complete(begun.upload.id).await.unwrap();
    let claim = json!({"ids": [id], "owner": "me"});
    let claimed = world.ask(API_KEY, "POST /v1/uploads/claim", claim).await;
    let linked = path(&claimed, "/files/0/content_url");
    assert_eq!(open(&world, "", &linked).await.status, 302);
    for (token, request, body, pointer) in [
        (
            USER_TOKEN,
            "GET /v1/files".to_owned(),
            Value::Null,
            "/files/0/content_url",
        ),
        (
            USER_TOKEN,
            format!("GET /v1/files/{id}"),
            Value::Null,
            "/content_url",
        ),
        (
            USER_TOKEN,
            format!("GET /v1/uploads/{id}"),
            Value::Null,
            "/file/content_url",
        ),
        (
            USER_TOKEN,
            format!("POST /v1/uploads/{id}/complete"),
            Value::Null,
            "/file/content_url",
        ),
        (
            API_KEY,
            "POST /v1/files/links".to_owned(),
            json!({"ids": [id]}),
            "/links/0/url",
        ),
    ] {
        let answer = world.ask(token, &request, body).await;
        assert_eq!(path(&answer, pointer), linked, "{request}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_link_for_the_holder_of_an_upload_token_ends_with_the_token() {
    let mut world = world(Read::Signed, None).await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    let token = begun.token.expose();
    let complete = format!("POST /v1/uploads/{}/complete", begun.upload.id);
    let look = format!("GET /v1/uploads/{}", begun.upload.id);
    let done = world.ask(token, &complete, Value::Null).await;
    let linked = path(&done, "/file/content_url");
    let seen = world.ask(token, &look, Value::Null).await;
    assert_eq!(path(&seen, "/file/content_url"), linked);
    assert_eq!(open(&world, "", &linked).await.status, 302);
    // A shorter life of its profile's links is theirs too.
    change(&mut world, |image| {
        image.link_lifetime = Some(Duration::from_mins(40));
    });
    let shorter = world.ask(token, &look, Value::Null).await;
    let shorter = path(&shorter, "/file/content_url");
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(open(&world, "", &shorter).await.refusal(), "403 forbidden");
    assert_eq!(open(&world, "", &linked).await.status, 302);
    let end = begun
        .upload
        .expires_at
        .duration_since(world.app.clock.now());
    world.clock.advance(end.unsigned_abs());
    assert_eq!(world.ask(token, &look, Value::Null).await.status, 401);
    assert_eq!(open(&world, "", &linked).await.refusal(), "403 forbidden");
    world.end().await;
}

#[tokio::test]
async fn an_upload_url_answers_with_the_link_that_will_open_it() {
    let world = world(Read::Signed, None).await;
    let wish = json!({"path": "a.png", "content_type": "image/png"});
    let urls = world.ask(USER_TOKEN, "POST /upload_url", wish).await;
    let headers = [("content-type".to_owned(), "image/png".to_owned())];
    world
        .put(&urls.text("/put_url"), &headers, PNG.to_vec())
        .await;
    let opened = open(&world, "", &path(&urls, "/get_url")).await;
    let shown = world.fetch(opened.header("location")).await;
    assert_eq!(shown.bytes().await.unwrap(), PNG);
    world.end().await;
}

#[tokio::test]
async fn links_are_made_for_many_in_the_order_asked_for() {
    let world = world(Read::Signed, None).await;
    let (first, second) = (picture(&world).await.0, picture(&world).await.0);
    let open_to_all = world.begin(raw(b"x")).await;
    world.send(&open_to_all.grant, b"x").await;
    world.complete(open_to_all.upload.id).await.unwrap();
    let (plain, lower) = (open_to_all.upload.id, first.to_string().to_lowercase());
    let wish = json!({"ids": ["nothing", second, UNKNOWN, lower, plain], "expires_in": 60});
    let made = world.ask(API_KEY, "POST /v1/files/links", wish).await;
    let ids: Vec<_> = (0..3)
        .map(|n| made.text(&format!("/links/{n}/id")))
        .collect();
    assert_eq!(ids, [second, first, plain].map(|id| id.to_string()));
    assert_eq!(made.json["missing"], json!(["nothing", UNKNOWN]));
    assert_eq!(made.text("/links/0/expires_at"), "2026-01-01T00:01:00.000Z");
    // Whom all may read needs no link.
    assert_eq!(
        made.json["links"][2],
        json!({"id": plain, "url": format!("http://api.test/f/{plain}")})
    );
    let linked = path(&made, "/links/1/url");
    assert_eq!(open(&world, "", &linked).await.status, 302);
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(open(&world, "", &linked).await.refusal(), "403 forbidden");
    world.end().await;
}

#[tokio::test]
async fn links_are_made_by_whom_the_files_belong_to_and_no_more_than_a_hundred() {
    let world = world(Read::Signed, Some(Duration::from_mins(40))).await;
    let (id, _) = picture(&world).await;
    let make =
        async |token: &str, wish: Value| world.ask(token, "POST /v1/files/links", wish).await;
    let foreign = make(OTHER_TOKEN, json!({"ids": [id]})).await;
    assert_eq!(foreign.json, json!({"links": [], "missing": [id]}));
    // A user shares no longer than the profile lets them; a server knows what it does.
    let day = json!({"ids": [id], "expires_in": 86_400});
    let mine = make(USER_TOKEN, day.clone()).await;
    assert_eq!(mine.text("/links/0/expires_at"), "2026-01-01T00:40:00.000Z");
    let servers = make(API_KEY, day).await;
    assert_eq!(
        servers.text("/links/0/expires_at"),
        "2026-01-02T00:00:00.000Z"
    );
    let short = make(USER_TOKEN, json!({"ids": [id], "expires_in": 1})).await;
    assert_eq!(
        short.text("/links/0/expires_at"),
        "2026-01-01T00:00:01.000Z"
    );
    let holder = auth::upload_token(id, &world.app.config.secrets);
    assert_eq!(
        make(holder.expose(), json!({"ids": [id]})).await.refusal(),
        "403 forbidden"
    );
    assert_eq!(
        make("", json!({"ids": [id]})).await.refusal(),
        "401 unauthenticated"
    );
    for wish in [
        json!({"ids": vec![id; 101]}),
        json!({"ids": [id], "expires_in": 0}),
    ] {
        assert_eq!(make(API_KEY, wish).await.refusal(), "400 invalid_request");
    }
    world.end().await;
}

#[tokio::test]
async fn display_urls_of_many_are_the_same_within_a_quarter_of_their_life() {
    let world = World::new().await;
    let (first, second) = (picture(&world).await.0, picture(&world).await.0);
    let wish = json!({"ids": [second, "nothing", first, UNKNOWN]});
    let ask = async || {
        world
            .ask(USER_TOKEN, "POST /v1/files/urls", wish.clone())
            .await
    };
    world.clock.advance(Duration::from_secs(1));
    let now = ask().await;
    let ids = [now.text("/urls/0/id"), now.text("/urls/1/id")];
    assert_eq!(ids, [second, first].map(|id| id.to_string()));
    assert_eq!(now.json["missing"], json!(["nothing", UNKNOWN]));
    assert_eq!(now.text("/urls/0/expires_at"), "2026-01-01T01:00:00.000Z");
    world.clock.advance(Duration::from_secs(15 * 60 - 2));
    assert_eq!(ask().await.json, now.json);
    world.clock.advance(Duration::from_secs(1));
    let next = ask().await;
    assert_ne!(next.text("/urls/0/url"), now.text("/urls/0/url"));
    assert_eq!(next.text("/urls/0/expires_at"), "2026-01-01T01:15:00.000Z");
    let many = json!({"ids": vec![first; 101]});
    let refused = world.ask(USER_TOKEN, "POST /v1/files/urls", many).await;
    assert_eq!(refused.refusal(), "400 invalid_request");
    world.end().await;
}

#[tokio::test]
async fn a_head_leads_to_a_url_for_head() {
    let world = World::new().await;
    let (_, path) = picture(&world).await;
    let head = world.ask("", &format!("HEAD {path}"), Value::Null).await;
    assert_eq!(head.status, 302);
    let location = head.header("location");
    let asked = world.http.head(location).send().await.unwrap();
    let length = asked.headers()["content-length"].to_str().unwrap();
    assert_eq!((asked.status(), length), (StatusCode::OK, "40"));
    assert_eq!(asked.headers()["content-type"], "image/png");
    // S3 signs the method.
    assert_eq!(world.fetch(location).await.status(), StatusCode::FORBIDDEN);
    let through = format!("{}{path}", served(&world).await);
    let both = following().head(through).send().await.unwrap();
    assert_eq!(both.status(), StatusCode::OK);
    world.end().await;
}

#[tokio::test]
async fn ranges_are_kept_through_the_redirect() {
    let world = World::new().await;
    let (_, path) = picture(&world).await;
    let address = format!("{}{path}", served(&world).await);
    let get = following().get(&address).header("range", "bytes=1-3");
    let part = get.send().await.unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], "bytes 1-3/40");
    assert_eq!(part.bytes().await.unwrap(), "PNG");
    world.end().await;
}

#[tokio::test]
async fn what_a_browser_has_is_revalidated_at_the_store() {
    let world = World::new().await;
    let (_, path) = picture(&world).await;
    let address = format!("{}{path}", served(&world).await);
    let first = following().get(&address).send().await.unwrap();
    let told = |name: &str| first.headers()[name].clone();
    for (ask, had) in [
        ("if-none-match", "etag"),
        ("if-modified-since", "last-modified"),
    ] {
        let get = following().get(&address).header(ask, told(had));
        let again = get.send().await.unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{ask}");
        assert_eq!(again.url(), first.url());
    }
    world.end().await;
}

#[tokio::test]
async fn an_upload_is_completed_by_whoever_opens_it_first() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    let path = format!("/f/{}", begun.upload.id);
    let early = open(&world, "", &path).await;
    assert_eq!(early.refusal(), "409 not_received");
    world.send(&begun.grant, PNG).await;
    let (one, two) = tokio::join!(open(&world, "", &path), open(&world, "", &path));
    assert_eq!((one.status, two.status), (302, 302));
    let shown = world.fetch(one.header("location")).await;
    assert_eq!(shown.bytes().await.unwrap(), PNG);
    let events = world.events(begun.upload.id).await;
    assert_eq!(events, ["received", "ready", "stored"]);
    world.end().await;
}

#[tokio::test]
async fn an_upload_that_is_to_be_claimed_opens_once_it_is() {
    let mut world = World::new().await;
    change(&mut world, |image| {
        image.promote = loadlock::upload::Promote::OnClaim;
    });
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    let id = begun.upload.id;
    let waits = open(&world, "", &format!("/f/{id}")).await;
    assert_eq!(waits.refusal(), "409 not_ready");
    assert_eq!(
        waits.text("/error/message"),
        format!("upload `{id}` waits to be claimed")
    );
    world.claim(&[id], "trip").await.unwrap();
    assert_eq!(open(&world, "", &format!("/f/{id}")).await.status, 302);
    world.end().await;
}

#[tokio::test]
async fn nobody_drives_an_upload_that_they_may_not_read() {
    for (read, refusal) in [
        (Read::Owner, "401 unauthenticated"),
        (Read::Signed, "404 not_found"),
    ] {
        let world = world(read, None).await;
        let begun = world.begin(png()).await;
        world.send(&begun.grant, PNG).await;
        let path = format!("/f/{}", begun.upload.id);
        assert_eq!(open(&world, "", &path).await.refusal(), refusal);
        assert_eq!(
            open(&world, OTHER_TOKEN, &path).await.refusal(),
            "404 not_found"
        );
        assert_eq!(world.state(begun.upload.id).await, "issued");
        assert_eq!(open(&world, USER_TOKEN, &path).await.status, 302);
        world.end().await;
    }
}

#[tokio::test]
async fn what_has_ended_or_is_deleted_is_not_there() {
    let world = World::new().await;
    let aborted = world.begin(png()).await.upload.id;
    flow::abort(&world.app, &me(), aborted).await.unwrap();
    let rejected = world.begin(png()).await;
    world.send(&rejected.grant, &vec![b'x'; PNG.len()]).await;
    let (deleted, _) = picture(&world).await;
    flow::delete_file(&world.app, &me(), deleted).await.unwrap();
    for id in [
        aborted,
        rejected.upload.id,
        deleted,
        UNKNOWN.parse().unwrap(),
    ] {
        let gone = open(&world, "", &format!("/f/{id}")).await;
        assert_eq!(gone.refusal(), "404 not_found");
        assert_eq!(
            gone.text("/error/message"),
            format!("there is no file `{id}`")
        );
    }
    assert_eq!(world.state(rejected.upload.id).await, "rejected");
    world.end().await;
}

#[tokio::test]
async fn when_too_many_wait_the_next_to_open_is_asked_to_come_again() {
    let world = World::new().await;
    let (_, stored) = picture(&world).await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    let everybody = u32::try_from(world.app.waiting.available_permits()).unwrap();
    let places = world.app.waiting.acquire_many(everybody).await.unwrap();
    let path = format!("/f/{}", begun.upload.id);
    assert_eq!(open(&world, "", &path).await.refusal(), "503 unavailable");
    assert_eq!(world.state(begun.upload.id).await, "issued");
    // What is stored needs no place.
    assert_eq!(open(&world, "", &stored).await.status, 302);
    drop(places);
    assert_eq!(open(&world, "", &path).await.status, 302);
    world.end().await;
}
