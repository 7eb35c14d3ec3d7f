//! Sessions of temporary credentials: what waits for room, who shares a prefix, how many there may be, and what is left behind.

use std::time::Duration;

use futures_util::{StreamExt as _, future::join_all, stream};
use jiff::Timestamp;
use loadlock::{
    auth::Caller,
    records::{NewSession, Opened},
    upload::{
        Metadata, Quota, Session,
        session::{Prefix, identity_prefix},
    },
};
use serde_json::{Value, json};

use crate::{
    credentials::{ASK, Ask, Keys, VEND},
    proxy::When,
    world::{API_KEY, OTHER_TOKEN, PNG, USER_TOKEN, World, credentials, me, user},
};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// A world where photos may be sent with keys, three by each, and each owner has this quota for them.
async fn within(quota: Quota) -> World {
    let mut world = World::vending().await;
    world.profile("image", |image| image.quotas.owner = quota);
    world.restart(|_| {}).await;
    world
}

fn room_for(files: usize) -> Quota {
    let bytes = u64::try_from(files * PNG.len()).unwrap();
    Quota {
        stored_bytes: Some(bytes),
        ..Quota::default()
    }
}

impl World {
    /// What the audit log says of this: outcome, key, size and reason of each entry.
    async fn told(&self, query: &str) -> Vec<Value> {
        let request = format!("GET /v1/audit?{query}");
        let page = self.ask(API_KEY, &request, Value::Null).await;
        assert_eq!(page.status, 200, "{page:?}");
        let entries = page.json["entries"].as_array().unwrap().iter();
        entries
            .map(|entry| {
                json!([
                    entry["outcome"],
                    entry["key"],
                    entry["size"],
                    entry["detail"]
                ])
            })
            .collect()
    }

    async fn later(&self, by: Duration) {
        self.clock.advance(by);
        self.work().await;
    }

    async fn lies(&self, key: &str) -> bool {
        self.lies_in("staging").await.iter().any(|it| it == key)
    }

    async fn put_as_operator(&self, key: &str, body: &[u8]) {
        self.put_as(&credentials("operator"), key, body).await;
    }

    async fn delete_as_operator(&self, key: &str) {
        let ask = Ask {
            method: "DELETE",
            key: Some(key),
            ..ASK
        };
        let done = self.as_whom(&credentials("operator"), &ask).await;
        assert_eq!(done.status(), 204);
    }

    /// A session as one of an identity pool would be, not recorded yet.
    fn pooled(&self, owner: &str) -> Session {
        let now = self.app.clock.now();
        Session {
            id: self.app.ids.upload_id(now).unwrap(),
            profile: "image".to_owned(),
            owner: owner.parse().unwrap(),
            api_key: None,
            address: None,
            prefix: pool(),
            metadata: Metadata::new(),
            expires_at: now + HOUR,
            attempt: 0,
        }
    }

    async fn open(&self, session: &Session, by: &Caller) -> Opened {
        let now = self.app.clock.now();
        let due = now + MINUTE;
        let most = 32;
        let new = NewSession { session, due, most };
        self.app.records.open_session(new, by, now).await.unwrap()
    }

    async fn opened(&self, session: &Session) -> Session {
        match self.open(session, &me()).await {
            Opened::Yes(session) => session,
            other => panic!("{other:?}"),
        }
    }
}

fn pool() -> Prefix {
    identity_prefix("eu-central-1:128d0a74-c82f-4553-916d-90053e4a8b0f")
}

fn in_pool(name: &str) -> String {
    format!("{}{name}", pool().as_str())
}

#[tokio::test]
async fn a_found_file_takes_as_much_room_as_it_is_large() {
    let world = within(room_for(2)).await;
    let keys = world.keys().await;
    world.put_with(&keys, "a.png", PNG).await;
    world.put_with(&keys, "b.png", PNG).await;
    assert_eq!(world.states(&keys).await, ["stored", "stored"]);
    world.end().await;
}

#[tokio::test]
async fn a_file_without_room_waits_until_there_is_some() {
    let world = within(room_for(1)).await;
    let keys = world.keys().await;
    world.put_with(&keys, "a.png", PNG).await;
    assert_eq!(world.states(&keys).await, ["stored"]);
    world.put_with(&keys, "b.png", PNG).await;
    let named = json!({"keys": [keys.key("b.png")]});
    for body in [json!({}), named] {
        let found = world.tell(&keys, body).await;
        assert_eq!(found.text("/waiting/0/key"), keys.key("b.png"));
        assert_eq!(found.text("/waiting/0/reason/code"), "quota_exceeded");
    }
    world.later(10 * MINUTE).await;
    assert!(world.lies(&keys.key("b.png")).await);

    let files = world.ask(USER_TOKEN, "GET /v1/files", Value::Null).await;
    let delete = format!("DELETE /v1/files/{}", files.text("/files/0/id"));
    world.ask(USER_TOKEN, &delete, Value::Null).await;
    world.later(10 * MINUTE).await;
    let found = world.tell(&keys, json!({})).await;
    assert_eq!(found.json["waiting"], Value::Null);
    assert_eq!(world.rows("files").await, 1);
    world.end().await;
}

#[tokio::test]
async fn what_waits_in_vain_is_rejected_at_the_end_and_that_is_written_down() {
    let world = within(room_for(1)).await;
    let keys = world.keys().await;
    world.put_with(&keys, "a.png", PNG).await;
    world.put_with(&keys, "b.png", PNG).await;
    world.later(119 * MINUTE).await;
    assert!(world.lies(&keys.key("b.png")).await);
    assert!(world.told("act=reject").await.is_empty());
    world.later(MINUTE).await;
    assert!(!world.lies(&keys.key("b.png")).await);
    let open = keys.prefix.split_once('-').unwrap().0;
    let says = format!(
        "you may store at most {0} bytes here, and {1} bytes would be",
        PNG.len(),
        2 * PNG.len()
    );
    let expected = json!(["over_quota", open, PNG.len(), says]);
    assert_eq!(world.told("act=reject&owner=me").await, [expected]);
    world.end().await;
}

#[tokio::test]
async fn a_file_that_has_grown_since_it_was_found_is_rejected() {
    let world = within(room_for(2)).await;
    let keys = world.keys().await;
    world.put_with(&keys, "a.png", PNG).await;
    // The second call is the first after it was found.
    world.faults.plan(1, When::Before);
    let broken = world.tell(&keys, json!({})).await;
    assert_eq!(broken.status, 503, "{broken:?}");
    assert_eq!(world.rows("uploads").await, 1);
    world
        .put_with(&keys, "a.png", &[PNG, b"and more"].concat())
        .await;
    let found = world.tell(&keys, json!({})).await;
    assert_eq!(found.text("/uploads/0/reason/code"), "size_not_allowed");
    world.end().await;
}

#[tokio::test]
async fn files_beyond_the_profiles_number_are_written_down_once() {
    let world = World::vending().await;
    let keys = world.keys().await;
    for name in ["a.png", "b.png", "c.png", "d.png", "e.png"] {
        world.put_with(&keys, name, PNG).await;
    }
    assert_eq!(world.states(&keys).await, ["stored"; 3]);
    let open = keys.prefix.split_once('-').unwrap().0;
    let says = "2 files more than the profile takes";
    let expected = json!(["too_many_files", open, null, says]);
    assert_eq!(world.told("act=reject").await, [expected]);
    world.end().await;
}

#[tokio::test]
async fn below_one_prefix_one_session_is_open() {
    let world = World::vending().await;
    let wanted: Vec<Session> = (0..8).map(|_| world.pooled("me")).collect();
    let opened = join_all(wanted.iter().map(|wanted| world.opened(wanted))).await;
    assert!(opened.iter().all(|session| session.id == opened[0].id));
    assert_eq!(world.rows("sessions").await, 1);

    let taken = async |session: Session, by: Caller| {
        let found = world.open(&session, &by).await;
        matches!(found, Opened::Taken(there) if there.id == opened[0].id)
    };
    assert!(taken(world.pooled("other"), user("other")).await);
    let mut another = world.pooled("me");
    another.profile = "post".to_owned();
    assert!(taken(another.clone(), me()).await);
    another.profile = "image".to_owned();
    another.metadata = Metadata::from([("title".to_owned(), "mine".to_owned())]);
    assert!(taken(another, me()).await);

    world.later(3 * HOUR).await;
    let next = world.opened(&world.pooled("me")).await;
    assert_ne!(next.id, opened[0].id);
    world.end().await;
}

#[tokio::test]
async fn a_session_that_goes_on_is_looked_after_longer() {
    let world = World::vending().await;
    let first = world.opened(&world.pooled("me")).await;
    world.later(119 * MINUTE).await;
    let longer = world.opened(&world.pooled("me")).await;
    assert_eq!(longer.id, first.id);
    world.later(2 * MINUTE).await;
    world.put_as_operator(&in_pool("a.png"), PNG).await;
    world.later(30 * MINUTE).await;
    assert_eq!(world.rows("files").await, 1);
    world.end().await;
}

#[tokio::test]
async fn a_session_is_not_closed_by_who_did_not_know_that_it_goes_on() {
    let world = World::vending().await;
    let first = world.opened(&world.pooled("me")).await;
    world.clock.advance(2 * HOUR);
    let now = world.app.clock.now();
    let records = &world.app.records;
    let leased = records.lease_session(first.id, now, now + MINUTE).await;
    let leased = leased.unwrap().unwrap();
    world.opened(&world.pooled("me")).await;
    let closed = records.close_session(&leased).await.unwrap();
    assert_eq!(closed, loadlock::records::Outcome::Lost);
    let due: Timestamp = now + MINUTE;
    records.schedule_session(&leased, due).await.unwrap();
    assert_eq!(records.due_session(due).await.unwrap(), Some(first.id));
    world.end().await;
}

#[tokio::test]
async fn thousands_of_old_objects_below_a_prefix_hide_nothing_and_keep_nobody_busy() {
    let world = World::vending().await;
    let old: Vec<String> = (0..1001).map(|n| in_pool(&format!("old/{n}"))).collect();
    let put = old.iter().map(|key| world.put_as_operator(key, b"x"));
    stream::iter(put).buffer_unordered(32).count().await;
    world.clock.advance(2 * MINUTE);
    world.opened(&world.pooled("me")).await;
    world.put_as_operator(&in_pool("z.png"), PNG).await;
    world.later(MINUTE).await;
    assert_eq!(world.rows("files").await, 1);
    assert_eq!(
        world.rows("uploads").await,
        1,
        "another session's were found"
    );
    world.clock.advance(HOUR);
    loadlock::jobs::sweep(&world.app).await.unwrap();
    world.end().await;
}

#[tokio::test]
async fn nothing_is_found_once_a_sessions_time_is_over() {
    let world = World::vending().await;
    let keys = world.keys().await;
    world.put_with(&keys, "a.png", PNG).await;
    assert_eq!(world.states(&keys).await, ["stored"]);
    world.clock.advance(2 * HOUR + 2 * MINUTE);
    let late = keys.key("late.png");
    world.put_as_operator(&late, PNG).await;
    assert_eq!(world.states(&keys).await, ["stored"]);
    let named = world.tell(&keys, json!({"keys": [late]})).await;
    assert_eq!(named.refusal(), "409 not_received");
    world.work().await;
    world.later(HOUR).await;
    assert_eq!(world.states(&keys).await, ["stored"]);
    assert!(world.lies(&late).await);
    // It is nobody's, and goes as such.
    world.clock.advance(MINUTE);
    loadlock::jobs::sweep(&world.app).await.unwrap();
    assert!(!world.lies(&late).await);
    world.end().await;
}

#[tokio::test]
async fn what_was_sent_before_the_end_is_found_after_it() {
    let world = World::vending().await;
    let keys = world.keys().await;
    world.clock.advance(59 * MINUTE);
    world.put_with(&keys, "a.png", PNG).await;
    // Nobody was at work meanwhile.
    world.later(5 * HOUR).await;
    assert_eq!(world.states(&keys).await, ["stored"]);
    world.end().await;
}

#[tokio::test]
async fn an_object_that_took_anothers_place_is_not_deleted_for_it() {
    let world = World::vending().await;
    let bucket = &world.app.bucket;
    world.put_as_operator("cred/a/b/c", b"old").await;
    let page = bucket.list_staged("cred/", None).await.unwrap();
    world.put_as_operator("cred/a/b/c", b"new").await;
    assert!(!bucket.delete_listed(&page.objects[0]).await.unwrap());
    assert!(world.lies("cred/a/b/c").await);
    let page = bucket.list_staged("cred/", None).await.unwrap();
    for _ in 0..2 {
        assert!(bucket.delete_listed(&page.objects[0]).await.unwrap());
    }
    assert!(!world.lies("cred/a/b/c").await);
    world.end().await;
}

#[tokio::test]
async fn an_owner_has_so_many_credentials_at_a_time() {
    let mut world = World::vending().await;
    let two = |config: &mut loadlock::config::Config| {
        config.credentials.as_mut().unwrap().per_owner = 2;
    };
    world.restart(two).await;
    let vend = async |token: &str, body: Value| world.ask(token, VEND, body).await;
    let photo = json!({"profile": "image"});
    assert_eq!(vend(USER_TOKEN, photo.clone()).await.status, 201);
    let named = json!({"profile": "image", "owner": "me"});
    assert_eq!(vend(API_KEY, named.clone()).await.status, 201);
    for (token, body) in [(USER_TOKEN, &photo), (API_KEY, &named)] {
        let full = vend(token, body.clone()).await;
        assert_eq!(full.refusal(), "403 quota_exceeded");
        let details = json!({"quota": "owner.credentials", "limit": 2});
        assert_eq!(full.json["error"]["details"], details);
    }
    assert_eq!(vend(OTHER_TOKEN, photo.clone()).await.status, 201);
    // Their files are still looked for, but the keys are dead.
    world.clock.advance(HOUR);
    assert_eq!(vend(USER_TOKEN, photo).await.status, 201);
    world.end().await;
}

#[tokio::test]
async fn who_comes_back_when_the_keys_have_ended_gets_new_ones() {
    let world = World::vending().await;
    let old = world.keys().await;
    world.put_with(&old, "a.png", PNG).await;
    world.clock.advance(HOUR);
    let key = old.key("b.png");
    let put = Ask {
        key: Some(&key),
        body: PNG,
        ..ASK
    };
    let late = world.refusal_of(&old.credentials, &put).await;
    assert_eq!(late, "400 ExpiredToken");
    let new = world.keys().await;
    assert_ne!((&new.id, &new.prefix), (&old.id, &old.prefix));
    let elsewhere = world.refusal_of(&new.credentials, &put).await;
    assert_eq!(elsewhere, "403 AccessDenied");
    world.put_with(&new, "b.png", PNG).await;
    for keys in [&old, &new] {
        assert_eq!(world.states(keys).await, ["stored"]);
    }
    assert_eq!(world.rows("files").await, 2);
    world.end().await;
}

/// A world with a session that has sent something, beside whatever else lies there.
async fn beside_a_session() -> (World, Keys) {
    let world = World::vending().await;
    let keys = world.keys().await;
    world.put_with(&keys, "a.png", PNG).await;
    (world, keys)
}

#[tokio::test]
async fn an_old_orphan_goes_and_a_young_one_stays() {
    let world = World::vending().await;
    let ends = ["a", "b/c", "d"].map(|name| format!("cred/of/nobody/{name}"));
    for key in &ends {
        world.put_as_operator(key, PNG).await;
    }
    world.clock.advance(HOUR + MINUTE);
    // However many objects they are, they lie below one prefix.
    let keys = world.keys().await;
    world.put_with(&keys, "a.png", PNG).await;
    for key in ["cred/of/nobody/young", "in/not/of/a/session"] {
        world.put_as_operator(key, PNG).await;
    }
    loadlock::jobs::sweep(&world.app).await.unwrap();
    let mut left = world.lies_in("staging").await;
    left.sort();
    let a = keys.key("a.png");
    let mut expected = [&a, "cred/of/nobody/young", "in/not/of/a/session"];
    expected.sort_unstable();
    assert_eq!(left, expected);
    let log = world.ask(API_KEY, "GET /v1/audit?act=delete", Value::Null);
    let log = log.await.json["entries"].clone();
    assert_eq!(log.as_array().unwrap().len(), 1, "{log}");
    let told = ["actor", "size", "detail"].map(|name| log[0][name].clone());
    let detail = "3 objects that no session has sent";
    assert_eq!(
        told,
        [json!("service"), json!(3 * PNG.len()), json!(detail)]
    );
    for key in ["cred/of/nobody/young", "in/not/of/a/session"] {
        world.delete_as_operator(key).await;
    }
    world.end().await;
}

#[tokio::test]
async fn records_that_know_nothing_empty_no_bucket() {
    let (world, keys) = beside_a_session().await;
    let orphans = ["cred/of/nobody/a", "cred/nor/of/them/a"];
    for key in orphans {
        world.put_as_operator(key, PNG).await;
    }
    world.clock.advance(HOUR + MINUTE);
    loadlock::jobs::sweep(&world.app).await.unwrap();
    for key in orphans {
        assert!(world.lies(key).await, "most prefixes are unknown");
    }
    let another = world.keys().await;
    world.put_with(&another, "a.png", PNG).await;
    loadlock::jobs::sweep(&world.app).await.unwrap();
    let mut left = world.lies_in("staging").await;
    left.sort();
    let mut expected = [keys.key("a.png"), another.key("a.png")];
    expected.sort();
    assert_eq!(left, expected);
    world.end().await;
}
