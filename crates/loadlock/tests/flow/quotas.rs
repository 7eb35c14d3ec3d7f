//! Quotas: what no longer fits is refused at begin, and what ends makes room.

use std::time::Duration;

use futures_util::future::join_all;
use loadlock::{
    auth::{Caller, Scope, Who},
    config::Config,
    records::{NewBegin, Records},
    upload::{ObjectKey, Profile, Quota, Upload},
};
use serde_json::{Value, json};

use crate::world::{API_KEY, Answer, OTHER_TOKEN, PNG, USER_TOKEN, World};

const BEGIN: &str = "POST /v1/uploads";
/// A grant is dead by then.
const GRANT: Duration = Duration::from_mins(16);

fn photo() -> Value {
    json!({"profile": "image", "filename": "a.png", "content_type": "image/png", "size": PNG.len()})
}

fn of(profile: &str) -> Value {
    let mut photo = photo();
    photo["profile"] = profile.into();
    photo
}

async fn with(change: impl FnOnce(&mut Config)) -> World {
    let mut world = World::new().await;
    world.restart(change).await;
    world
}

/// A service whose owners have this quota within `image`.
async fn of_owners(quota: Quota) -> World {
    with(|config| image(config).quotas.owner = quota).await
}

fn image(config: &mut Config) -> &mut Profile {
    let found = config.profiles.iter_mut().find(|it| it.name == "image");
    found.unwrap()
}

async fn begin(world: &World, token: &str, body: Value) -> Answer {
    world.ask(token, BEGIN, body).await
}

async fn begins(world: &World, body: Value) -> Answer {
    let begun = begin(world, USER_TOKEN, body).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    begun
}

async fn refused(world: &World, token: &str, body: Value) -> Answer {
    let refused = begin(world, token, body).await;
    assert_eq!(refused.refusal(), "403 quota_exceeded");
    refused
}

fn fields(begun: &Answer) -> Vec<(String, String)> {
    let fields = begun.json["grant"]["fields"].as_object().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    fields
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

async fn store(world: &World, begun: &Answer) {
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    complete(world, begun).await;
}

/// Sends it, as far as the store lets it in.
async fn send(world: &World, begun: &Answer) {
    let grant = &begun.json["grant"];
    if grant["fields"].is_object() {
        let fields = fields(begun);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (&**n, &**v)).collect();
        world.post(&begun.text("/grant/url"), &fields, PNG).await;
    } else {
        let part = grant.pointer("/parts/0").unwrap_or(grant);
        world.put_grant(part, PNG).await;
    }
}

async fn bytes_in_staging(world: &World) -> u64 {
    let mut bytes = 0;
    for key in world.lies_in("staging").await {
        let found = world.app.bucket.staged(&ObjectKey::new(key)).await.unwrap();
        bytes += found.map_or(0, |object| object.size_bytes);
    }
    bytes
}

/// What counts for the user: open bytes and files, stored bytes and files.
async fn used(world: &World) -> [u64; 4] {
    let usage = world.ask(USER_TOKEN, "GET /v1/usage", Value::Null).await;
    let used = &usage.json["total"]["used"];
    let names = ["open_bytes", "open_files", "stored_bytes", "stored_files"];
    names.map(|name| used[name].as_u64().unwrap())
}

async fn complete(world: &World, begun: &Answer) {
    let path = format!("POST /v1/uploads/{}/complete", begun.text("/id"));
    let done = world.ask(&begun.text("/token"), &path, Value::Null).await;
    assert_eq!(done.status, 200, "{done:?}");
}

async fn abort(world: &World, begun: &Answer) {
    let path = format!("DELETE /v1/uploads/{}", begun.text("/id"));
    let done = world.ask(&begun.text("/token"), &path, Value::Null).await;
    assert_eq!(done.text("/state"), "aborted");
}

#[tokio::test]
async fn each_quota_refuses_what_no_longer_fits_and_says_which() {
    let size = PNG.len() as u64;
    let quota = |name: &str, limit: u64| {
        let of = |measure: &str| (measure == name).then_some(limit);
        Quota {
            stored_bytes: of("stored_bytes"),
            stored_files: of("stored_files"),
            open_bytes: of("open_bytes"),
            open_files: of("open_files"),
            uploads_per_day: of("uploads_per_day"),
        }
    };
    let cases = [
        ("stored_bytes", 2 * size - 1, size),
        ("stored_files", 1, 1),
        ("open_bytes", 2 * size - 1, size),
        ("open_files", 1, 1),
        ("uploads_per_day", 1, 1),
    ];
    for (name, limit, asked) in cases {
        let world = of_owners(quota(name, limit)).await;
        begins(&world, photo()).await;
        let refused = refused(&world, USER_TOKEN, photo()).await;
        let expected = json!({"quota": format!("owner.{name}"), "limit": limit, "used": asked, "asked": asked});
        assert_eq!(refused.json["error"]["details"], expected);
        assert_eq!(
            begin(&world, OTHER_TOKEN, photo()).await.status,
            201,
            "{name} is not another's"
        );
        assert_eq!(
            begin(&world, USER_TOKEN, of("post")).await.status,
            201,
            "{name} is not of `post`"
        );
        world.end().await;
    }
}

#[tokio::test]
async fn a_refusal_is_a_sentence_for_the_user() {
    let quota = Quota {
        stored_bytes: Some(1 << 30),
        ..Quota::default()
    };
    let world = with(|config| config.quotas = quota).await;
    let film = json!({"profile": "video", "filename": "a.mp4", "content_type": "video/mp4", "size": 6_u64 << 28});
    let refused = refused(&world, USER_TOKEN, film).await;
    assert_eq!(
        refused.text("/error/message"),
        "you may store at most 1 GiB in all, and 1.5 GiB would be"
    );
    world.end().await;
}

#[tokio::test]
async fn what_ends_makes_room() {
    let quota = Quota {
        open_files: Some(1),
        stored_files: Some(1),
        ..Quota::default()
    };
    let world = of_owners(quota).await;
    let first = begins(&world, photo()).await;
    refused(&world, USER_TOKEN, photo()).await;
    abort(&world, &first).await;

    begins(&world, photo()).await;
    refused(&world, USER_TOKEN, photo()).await;
    world.clock.advance(Duration::from_hours(13));
    world.work().await;

    let stored = begins(&world, photo()).await;
    store(&world, &stored).await;
    let full = refused(&world, USER_TOKEN, photo()).await;
    assert_eq!(full.text("/error/details/quota"), "owner.stored_files");
    let delete = format!("DELETE /v1/files/{}", stored.text("/id"));
    assert_eq!(
        world.ask(USER_TOKEN, &delete, Value::Null).await.status,
        204
    );
    begins(&world, photo()).await;
    world.end().await;
}

#[tokio::test]
async fn what_inspection_rejects_makes_room() {
    let quota = Quota {
        open_files: Some(1),
        ..Quota::default()
    };
    let world = of_owners(quota).await;
    let mut wrong = photo();
    wrong["content_type"] = "image/jpeg".into();
    let begun = begins(&world, wrong).await;
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    let path = format!("POST /v1/uploads/{}/complete", begun.text("/id"));
    let rejected = world.ask(&begun.text("/token"), &path, Value::Null).await;
    assert_eq!(rejected.refusal(), "422 rejected");
    begins(&world, photo()).await;
    world.end().await;
}

#[tokio::test]
async fn a_day_begins_at_midnight_utc() {
    let quota = Quota {
        uploads_per_day: Some(1),
        ..Quota::default()
    };
    let world = of_owners(quota).await;
    let first = begins(&world, photo()).await;
    abort(&world, &first).await;
    world.clock.advance(Duration::from_secs(24 * 3600 - 1));
    refused(&world, USER_TOKEN, photo()).await;
    world.clock.advance(Duration::from_secs(1));
    begins(&world, photo()).await;
    refused(&world, USER_TOKEN, photo()).await;
    world.end().await;
}

#[tokio::test]
async fn a_profiles_quota_is_everybodys_and_tells_nobody_of_others() {
    let quota = Quota {
        open_files: Some(1),
        ..Quota::default()
    };
    let world = with(|config| image(config).quotas.all = quota).await;
    begins(&world, photo()).await;
    let refused = refused(&world, OTHER_TOKEN, photo()).await;
    assert_eq!(
        refused.json["error"]["details"],
        json!({"quota": "all.open_files", "asked": 1})
    );
    world.end().await;
}

#[tokio::test]
async fn an_owners_quota_holds_over_all_profiles() {
    let quota = Quota {
        open_files: Some(1),
        ..Quota::default()
    };
    let world = with(|config| config.quotas = quota).await;
    begins(&world, photo()).await;
    let full = refused(&world, USER_TOKEN, of("post")).await;
    assert_eq!(full.text("/error/details/quota"), "total.open_files");
    let mut by_server = of("post");
    by_server["owner"] = "me".into();
    refused(&world, API_KEY, by_server).await;
    assert_eq!(begin(&world, OTHER_TOKEN, photo()).await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn an_api_key_is_not_told_what_an_owner_uses_over_all_profiles() {
    let quota = Quota {
        open_bytes: Some(100),
        ..Quota::default()
    };
    let world = with(|config| config.quotas = quota).await;
    begins(&world, of("post")).await;
    let name = "shop".to_owned();
    let scope = Scope::Profiles(["image".to_owned()].into());
    let scoped: Caller = Who::Server { name, scope }.into();
    let mut large = photo();
    large["size"] = 90.into();
    large["owner"] = "me".into();
    let full = world.ask_as(&scoped, BEGIN, large.clone()).await;
    assert_eq!(full.refusal(), "403 quota_exceeded");
    assert_eq!(
        full.json["error"]["details"],
        json!({"quota": "total.open_bytes", "limit": 100, "asked": 90})
    );
    assert_eq!(
        full.text("/error/message"),
        "you may have at most 100 bytes under way in all: finish what has begun, or abort it"
    );
    // Nor when it repeats itself, which is answered from what was kept.
    let file = |name: &str, size: u64| json!({"ref": name, "filename": "a.png", "content_type": "image/png", "size": size});
    let many = json!({"profile": "image", "owner": "me", "files": [file("a", 1), file("b", 90)]});
    let key = [("idempotency-key", "k1")];
    for _ in 0..2 {
        let answer = world.ask_with(API_KEY, BEGIN, many.clone(), &key).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let refused = &answer.json["uploads"][1]["error"];
        assert_eq!(refused["details"], full.json["error"]["details"]);
    }
    world.end().await;
}

#[tokio::test]
async fn a_form_of_which_nothing_is_known_reserves_the_most_it_may_bring() {
    let most = 25_u64 << 20;
    let quota = Quota {
        open_bytes: Some(most + 100),
        ..Quota::default()
    };
    let world = of_owners(quota).await;
    let form = json!({"profile": "image", "method": "post"});
    let begun = begins(&world, form.clone()).await;
    let full = refused(&world, USER_TOKEN, form).await;
    assert_eq!(full.json["error"]["details"]["asked"], most);
    let fields = fields(&begun);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (&**n, &**v)).collect();
    let sent = world.post(&begun.text("/grant/url"), &fields, PNG).await;
    assert!(sent.status().is_success());
    let path = format!("POST /v1/uploads/{}/complete", begun.text("/id"));
    let done = world.ask(&begun.text("/token"), &path, Value::Null).await;
    assert_eq!(done.text("/state"), "stored");
    // It can be sent again, as large as it may be, until its grant ends.
    assert_eq!(used(&world).await, [most, 1, 0, 0]);
    let again = world.post(&begun.text("/grant/url"), &fields, PNG).await;
    assert!(again.status().is_success());
    world.clock.advance(GRANT);
    world.work().await;
    assert_eq!(used(&world).await, [0, 0, PNG.len() as u64, 1]);
    world.end().await;
}

#[tokio::test]
async fn a_form_that_waits_for_a_claim_counts_as_large_as_it_is_once_its_grant_has_ended() {
    let world = World::new().await;
    let size = PNG.len() as u64;
    let begun = begins(&world, json!({"profile": "post", "method": "post"})).await;
    send(&world, &begun).await;
    complete(&world, &begun).await;
    let [open, ..] = used(&world).await;
    assert!(open > size);
    world.clock.advance(GRANT);
    world.work().await;
    assert_eq!(used(&world).await, [size, 1, 0, 0]);
    assert_eq!(bytes_in_staging(&world).await, size, "the copy alone");
    world.count().await;
    let claim = json!({"ids": [begun.text("/id")], "owner": "me", "metadata": {"title": "trip"}});
    let claimed = world.ask(API_KEY, "POST /v1/uploads/claim", claim).await;
    assert_eq!(claimed.status, 200, "{claimed:?}");
    assert_eq!(used(&world).await, [0, 0, size, 1]);
    world.end().await;
}

#[tokio::test]
async fn whoever_gives_up_and_sends_all_the_same_gets_no_more_into_staging_than_quotas_let_in() {
    let size = PNG.len() as u64;
    for (method, let_in) in [("put", 10), ("multipart", 10), ("post", 3)] {
        let quota = Quota {
            open_bytes: Some(3 * size),
            ..Quota::default()
        };
        let world = of_owners(quota).await;
        let mut wish = photo();
        wish["method"] = method.into();
        let mut begun = 0;
        for _ in 0..10 {
            let answer = begin(&world, USER_TOKEN, wish.clone()).await;
            if answer.status == 201 {
                begun += 1;
                abort(&world, &answer).await;
                send(&world, &answer).await;
            }
        }
        assert_eq!(begun, let_in, "{method}");
        assert!(bytes_in_staging(&world).await <= 3 * size, "{method}");
        world.clock.advance(GRANT);
        world.work().await;
        assert_eq!(bytes_in_staging(&world).await, 0, "{method}");
        assert_eq!(used(&world).await, [0; 4], "{method}");
        world.end().await;
    }
}

#[tokio::test]
async fn whoever_deletes_what_was_stored_leaves_nothing_in_staging_that_counts_for_nothing() {
    let size = PNG.len() as u64;
    for (method, counts) in [("put", 0), ("multipart", 0), ("post", size)] {
        let world = World::new().await;
        let mut wish = photo();
        wish["method"] = method.into();
        let begun = begins(&world, wish).await;
        send(&world, &begun).await;
        complete(&world, &begun).await;
        let delete = format!("DELETE /v1/files/{}", begun.text("/id"));
        let deleted = world.ask(USER_TOKEN, &delete, Value::Null).await;
        assert_eq!(deleted.status, 204);
        send(&world, &begun).await;
        assert_eq!(bytes_in_staging(&world).await, counts, "{method}");
        assert_eq!(used(&world).await[0], counts, "{method}");
        world.clock.advance(GRANT);
        world.work().await;
        assert_eq!(used(&world).await, [0; 4], "{method}");
        world.end().await;
    }
}

#[tokio::test]
async fn where_a_store_lets_a_put_be_repeated_it_counts_until_its_grant_ends() {
    let quota = Quota {
        open_files: Some(1),
        ..Quota::default()
    };
    let world = with(|config| {
        config.store.conditional_writes = false;
        image(config).quotas.owner = quota;
    })
    .await;
    let begun = begins(&world, photo()).await;
    abort(&world, &begun).await;
    assert_eq!(world.put_grant(&begun.json["grant"], PNG).await, 200);
    refused(&world, USER_TOKEN, photo()).await;
    world.clock.advance(GRANT);
    world.work().await;
    begins(&world, photo()).await;
    world.end().await;
}

#[tokio::test]
async fn what_is_kept_of_rejected_content_counts_as_stored_until_it_is_deleted() {
    let quota = Quota {
        stored_files: Some(1),
        ..Quota::default()
    };
    let week = Duration::from_hours(24 * 7);
    let world = with(|config| {
        image(config).quotas.owner = quota;
        image(config).checks.quarantine = Some(week);
    })
    .await;
    let mut wrong = photo();
    wrong["content_type"] = "image/jpeg".into();
    let begun = begins(&world, wrong).await;
    send(&world, &begun).await;
    let path = format!("POST /v1/uploads/{}/complete", begun.text("/id"));
    let rejected = world.ask(&begun.text("/token"), &path, Value::Null).await;
    assert_eq!(rejected.refusal(), "422 rejected");
    assert_eq!(used(&world).await, [0, 0, PNG.len() as u64, 1]);
    let full = refused(&world, USER_TOKEN, photo()).await;
    assert_eq!(full.text("/error/details/quota"), "owner.stored_files");
    world.count().await;
    world.clock.advance(week);
    world.work().await;
    assert_eq!(used(&world).await, [0; 4]);
    begins(&world, photo()).await;
    world.end().await;
}

#[tokio::test]
async fn a_profile_that_takes_more_later_does_not_widen_what_was_reserved() {
    let mut world = with(|config| image(config).max_size_bytes = 20).await;
    let form = json!({"profile": "image", "method": "post"});
    let key = [("idempotency-key", "k1")];
    let narrow = world.ask_with(USER_TOKEN, BEGIN, form.clone(), &key).await;
    world
        .restart(|config| image(config).max_size_bytes = 1 << 20)
        .await;
    let begun = world.ask_with(USER_TOKEN, BEGIN, form, &key).await;
    assert_eq!(begun.text("/id"), narrow.text("/id"));
    let fields = fields(&begun);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert!(PNG.len() > 20);
    let sent = world.post(&begun.text("/grant/url"), &fields, PNG).await;
    assert_eq!(sent.status(), 400);
    world.end().await;
}

#[tokio::test]
async fn of_several_files_each_is_let_in_in_its_turn_and_a_repetition_says_the_same() {
    let quota = Quota {
        open_bytes: Some(100),
        ..Quota::default()
    };
    let world = of_owners(quota).await;
    let file = |name: &str, size: u64| json!({"ref": name, "filename": "a.png", "content_type": "image/png", "size": size});
    let many = json!({"profile": "image", "files": [file("a", 60), file("b", 60), file("c", 40), file("d", 1)]});
    let key = [("idempotency-key", "k1")];
    let told = |answer: &Answer| -> Vec<Value> {
        let uploads = answer.json["uploads"].as_array().unwrap();
        let one = |upload: &Value| json!([upload["ref"], upload["id"], upload["error"]]);
        uploads.iter().map(one).collect()
    };
    let first = world.ask_with(USER_TOKEN, BEGIN, many.clone(), &key).await;
    let codes: Vec<&Value> = first.json["uploads"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["error"]["code"])
        .collect();
    assert_eq!(
        codes,
        [
            &Value::Null,
            &json!("quota_exceeded"),
            &Value::Null,
            &json!("quota_exceeded")
        ]
    );
    let again = world.ask_with(USER_TOKEN, BEGIN, many, &key).await;
    assert_eq!(told(&again), told(&first));
    assert_eq!(world.rows("uploads").await, 2);
    world.end().await;
}

#[tokio::test]
async fn a_begin_that_found_no_room_keeps_no_key() {
    let quota = Quota {
        open_files: Some(1),
        ..Quota::default()
    };
    let world = of_owners(quota).await;
    let first = begins(&world, photo()).await;
    let key = [("idempotency-key", "k1")];
    let full = world.ask_with(USER_TOKEN, BEGIN, photo(), &key).await;
    assert_eq!(full.refusal(), "403 quota_exceeded");
    abort(&world, &first).await;
    let begun = world.ask_with(USER_TOKEN, BEGIN, photo(), &key).await;
    assert_eq!(begun.status, 201);
    world.end().await;
}

#[tokio::test]
async fn of_a_thousand_at_once_exactly_as_many_begin_as_there_is_room_for() {
    let quota = Quota {
        open_files: Some(137),
        ..Quota::default()
    };
    let world = of_owners(quota).await;
    let all = join_all((0..1000).map(|_| begin(&world, USER_TOKEN, photo()))).await;
    let begun = all.iter().filter(|answer| answer.status == 201).count();
    let refused = all.iter().filter(|answer| answer.status == 403).count();
    assert_eq!((begun, refused), (137, 863));
    world.end().await;
}

#[tokio::test]
async fn two_processes_on_the_same_records_share_one_quota() {
    let quota = Quota {
        open_files: Some(37),
        ..Quota::default()
    };
    let world = of_owners(quota).await;
    let config = &world.app.config;
    let second = Records::open_within(&config.records, config.allowances())
        .await
        .unwrap();
    let begun = begins(&world, photo()).await;
    let id = begun.text("/id").parse().unwrap();
    let upload = world.app.records.upload(id).await.unwrap().unwrap();
    let others = (0..100).map(|_| {
        let now = world.app.clock.now();
        let upload = Upload {
            id: world.app.ids.upload_id(now).unwrap(),
            ..upload.clone()
        };
        second.begin(NewBegin {
            uploads: vec![upload],
            reply: None,
        })
    });
    let ours = join_all((0..100).map(|_| begin(&world, USER_TOKEN, photo())));
    let (others, ours) = tokio::join!(join_all(others), ours);
    let others = others
        .iter()
        .filter(|begun| begun.as_ref().unwrap().1[0].is_ok())
        .count();
    let ours = ours.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(1 + others + ours, 37);
    world.end().await;
}

#[tokio::test]
async fn what_is_refused_leaves_no_multipart_upload_in_the_store() {
    let quota = Quota {
        open_files: Some(2),
        ..Quota::default()
    };
    let world = of_owners(quota).await;
    let mut in_parts = photo();
    in_parts["method"] = "multipart".into();
    let all = join_all((0..12).map(|_| begin(&world, USER_TOKEN, in_parts.clone()))).await;
    let begun = all.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(begun, 2);
    assert_eq!(world.lies_in("staging").await.len(), 2);
    refused(&world, USER_TOKEN, in_parts).await;
    world.end().await;
}

#[tokio::test]
async fn strangers_are_counted_by_their_network() {
    let quota = Quota {
        open_files: Some(1),
        ..Quota::default()
    };
    let world = with(|config| {
        image(config).quotas.owner = quota;
        image(config).admits.anonymous = true;
    })
    .await;
    let from = async |address: &str| {
        let asked = world.ask_from((address, &[]), "", BEGIN, photo());
        asked.await.status
    };
    assert_eq!(from("203.0.113.7").await, 201);
    assert_eq!(from("203.0.113.7").await, 403);
    assert_eq!(from("203.0.113.8").await, 201);
    assert_eq!(from("2001:db8:1:2::1").await, 201);
    assert_eq!(from("2001:db8:1:2:ffff::9").await, 403);
    assert_eq!(from("2001:db8:1:3::1").await, 201);
    // Those of whom nothing is known are one.
    assert_eq!(begin(&world, "", photo()).await.status, 201);
    assert_eq!(begin(&world, "", photo()).await.status, 403);
    world.end().await;
}

#[tokio::test]
async fn a_quota_that_comes_later_counts_what_is_there() {
    let mut world = World::new().await;
    let begun = begins(&world, photo()).await;
    store(&world, &begun).await;
    let quota = Quota {
        stored_files: Some(1),
        ..Quota::default()
    };
    world
        .restart(|config| image(config).quotas.owner = quota)
        .await;
    refused(&world, USER_TOKEN, photo()).await;
    world.end().await;
}

#[tokio::test]
async fn everybody_sees_their_own_usage_and_an_api_key_anybodys() {
    let quota = Quota {
        stored_files: Some(9),
        ..Quota::default()
    };
    let world = of_owners(quota).await;
    store(&world, &begins(&world, photo()).await).await;
    begins(&world, photo()).await;
    let mine = world.ask(USER_TOKEN, "GET /v1/usage", Value::Null).await;
    let size = PNG.len();
    let used = json!({"stored_bytes": size, "stored_files": 1, "open_bytes": size, "open_files": 1, "uploads_today": 2});
    let image = &mine.json["profiles"][0];
    assert_eq!(image["profile"], "image");
    assert_eq!(
        image["owner"],
        json!({"used": used, "limits": {"stored_files": 9}})
    );
    assert_eq!(image["all"], Value::Null);
    assert_eq!(mine.json["total"]["used"], used);

    let theirs = world
        .ask(API_KEY, "GET /v1/usage?owner=me", Value::Null)
        .await;
    assert_eq!(theirs.json["profiles"][0]["owner"], image["owner"]);
    assert_eq!(theirs.json["profiles"][0]["all"]["used"], used);
    let nobodys = world.ask(API_KEY, "GET /v1/usage", Value::Null).await;
    assert_eq!(nobodys.json["owner"], Value::Null);

    let other = world
        .ask(OTHER_TOKEN, "GET /v1/usage?owner=me", Value::Null)
        .await;
    assert_eq!(other.refusal(), "403 forbidden");
    world.end().await;
}
