//! The holder of a grant is hostile and speaks HTTP.

use std::time::Duration;

use loadlock::{
    auth::{self, Caller},
    error::Kind,
    flow::{self, Begin, Grant},
    upload::Method,
};

use crate::world::{PNG, World, kind, me, png, raw, server, user};

/// Two byte strings with one MD5, 79054025255fb1a26e4bc422aef54eb4 (Wang, Feng, Lai, Yu: "Collisions for hash
/// functions MD4, MD5, HAVAL-128 and RIPEMD", 2004).
const COLLISION: [&str; 2] = [
    "d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f89\
     55ad340609f4b30283e488832571415a085125e8f7cdc99fd91dbdf280373c5b\
     d8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0\
     e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70",
    "d131dd02c5e6eec4693d9a0698aff95c2fcab50712467eab4004583eb8fb7f89\
     55ad340609f4b30283e4888325f1415a085125e8f7cdc99fd91dbd7280373c5b\
     d8823e3156348f5bae6dacd436c919c6dd53e23487da03fd02396306d248cda0\
     e99f33420f577ee8ce54b67080280d1ec69821bcb6a8839396f965ab6ff72a70",
];

fn colliding() -> [Vec<u8>; 2] {
    COLLISION.map(|hex| {
        let digits = hex.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.map(byte).collect()
    })
}

/// A PUT's URL and headers.
fn put(grant: &Grant) -> (&str, Vec<(String, String)>) {
    match grant {
        Grant::Put { url, headers, .. } => (url.expose(), headers.clone()),
        other => panic!("no PUT: {other:?}"),
    }
}

#[tokio::test]
async fn a_put_cannot_lie_about_size_or_type() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    let (url, headers) = put(&begun.grant);
    let longer = [PNG, b"more"].concat();
    assert_eq!(world.put(url, &headers, longer).await.status(), 403);
    assert_eq!(
        world.put(url, &headers, PNG[1..].to_vec()).await.status(),
        403
    );
    let html = vec![
        ("content-type".to_owned(), "text/html".to_owned()),
        headers[1].clone(),
    ];
    assert_eq!(world.put(url, &html, PNG.to_vec()).await.status(), 403);
    assert_eq!(
        world.put(url, &headers[..1], PNG.to_vec()).await.status(),
        403
    );
    assert_eq!(
        kind(world.complete(begun.upload.id).await),
        Kind::NotReceived
    );
    world.end().await;
}

#[tokio::test]
async fn a_form_cannot_lie_about_size_type_or_key() {
    let world = World::new().await;
    let begun = world
        .begin(Begin {
            method: Some(Method::Post),
            ..png()
        })
        .await;
    let Grant::Post { url, fields, .. } = &begun.grant else {
        panic!("a form was asked for");
    };
    let with = |name: &str, value: &str| -> Vec<(String, String)> {
        let kept = |(field, old): &(String, auth::Secret)| {
            let new = if field == name { value } else { old.expose() };
            (field.clone(), new.to_owned())
        };
        fields.iter().map(kept).collect()
    };
    for (name, value) in [("key", "in/elsewhere"), ("content-type", "text/html")] {
        let changed = with(name, value);
        let changed: Vec<_> = changed
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(world.post(url, &changed, PNG).await.status(), 403, "{name}");
    }
    let fields = with("", "");
    let fields: Vec<_> = fields
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let longer = [PNG, b"more"].concat();
    assert_eq!(world.post(url, &fields, &longer).await.status(), 400);
    assert_eq!(world.post(url, &fields, &PNG[1..]).await.status(), 400);
    assert_eq!(
        kind(world.complete(begun.upload.id).await),
        Kind::NotReceived
    );
    world.end().await;
}

#[tokio::test]
async fn a_second_put_on_one_grant_is_refused() {
    let world = World::new().await;
    let begun = world.begin(raw(b"first")).await;
    assert_eq!(world.send(&begun.grant, b"first").await.status(), 200);
    assert_eq!(world.send(&begun.grant, b"other").await.status(), 412);
    world.complete(begun.upload.id).await.unwrap();
    assert_eq!(world.send(&begun.grant, b"other").await.status(), 412);
    assert_eq!(world.bytes_of(begun.upload.id).await, b"first");
    world.end().await;
}

#[tokio::test]
async fn a_replayed_form_changes_nothing_even_under_one_md5() {
    let world = World::new().await;
    let [inspected, swapped] = colliding();
    assert_ne!(inspected, swapped);
    let begin = Begin {
        profile: "raw-claimed".to_owned(),
        method: Some(Method::Post),
        ..raw(&inspected)
    };
    let begun = world.begin(begin).await;
    let id = begun.upload.id;
    assert_eq!(world.send(&begun.grant, &inspected).await.status(), 204);
    let key = &begun.upload.staged_key;
    let before = world.app.bucket.staged(key).await.unwrap().unwrap();
    assert_eq!(
        world.complete(id).await.unwrap().upload.state.name(),
        "ready"
    );
    assert_eq!(world.send(&begun.grant, &swapped).await.status(), 204);
    let after = world.app.bucket.staged(key).await.unwrap().unwrap();
    assert_eq!(before.etag, after.etag, "the two have one MD5");
    world.claim(&[id], "trip").await.unwrap();
    assert_eq!(world.bytes_of(id).await, inspected);
    world.end().await;
}

#[tokio::test]
async fn an_expired_grant_is_refused() {
    let world = World::new().await;
    for method in [Method::Put, Method::Post] {
        let begun = world
            .begin(Begin {
                method: Some(method),
                ..png()
            })
            .await;
        world
            .clock
            .advance(Duration::from_mins(15) + Duration::from_secs(1));
        assert_eq!(world.send(&begun.grant, PNG).await.status(), 403);
    }
    world.end().await;
}

#[tokio::test]
async fn a_tampered_signature_is_refused() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    let (url, headers) = put(&begun.grant);
    let last = if url.ends_with('0') { '1' } else { '0' };
    let tampered = format!("{}{last}", &url[..url.len() - 1]);
    assert_eq!(
        world.put(&tampered, &headers, PNG.to_vec()).await.status(),
        403
    );
    let longer = url.replace("X-Amz-Expires=900", "X-Amz-Expires=90000");
    assert_ne!(longer, url);
    assert_eq!(
        world.put(&longer, &headers, PNG.to_vec()).await.status(),
        403
    );
    world.end().await;
}

#[tokio::test]
async fn a_grant_cannot_be_bent_into_a_read() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    let (url, mut headers) = put(&begun.grant);
    headers.push(("x-amz-copy-source".to_owned(), "final/secret".to_owned()));
    assert_eq!(world.put(url, &headers, PNG.to_vec()).await.status(), 403);
    assert_eq!(world.fetch(url).await.status(), 403);
    world.end().await;
}

#[tokio::test]
async fn headers_that_no_grant_gave_are_rejected() {
    let world = World::new().await;
    for name in [
        "content-encoding",
        "cache-control",
        "content-disposition",
        "content-language",
        "expires",
    ] {
        let begun = world.begin(png()).await;
        let (url, mut headers) = put(&begun.grant);
        headers.push((name.to_owned(), "x".to_owned()));
        assert_eq!(
            world.put(url, &headers, PNG.to_vec()).await.status(),
            200,
            "{name}"
        );
        let error = world.complete(begun.upload.id).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Rejected);
        assert_eq!(
            error.details().unwrap()["reason"],
            "unexpected_headers",
            "{name}"
        );
        assert!(error.message().contains(name), "{}", error.message());
    }
    assert!(world.lies_in("final").await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn what_a_browser_adds_to_a_put_by_itself_is_no_breach_and_is_not_kept() {
    let world = World::new().await;
    for added in ["no-cache", "max-age=0"] {
        let begun = world.begin(png()).await;
        let (url, mut headers) = put(&begun.grant);
        headers.push(("cache-control".to_owned(), added.to_owned()));
        assert_eq!(world.put(url, &headers, PNG.to_vec()).await.status(), 200);
        let progress = world.complete(begun.upload.id).await.unwrap();
        let file = progress.file.unwrap();
        let shown = flow::file(&world.app, &me(), file.id).await.unwrap();
        let answer = world.fetch(shown.display.url.expose()).await;
        assert_eq!(
            answer.headers()["cache-control"],
            "public, max-age=31536000, immutable"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn content_that_is_not_what_it_says_is_rejected() {
    let world = World::new().await;
    let page = b"<!doctype html><script>alert(1)</script>";
    for method in [Method::Put, Method::Post] {
        let size_bytes = page.len() as u64;
        let begun = world
            .begin(Begin {
                size_bytes: Some(size_bytes),
                method: Some(method),
                ..png()
            })
            .await;
        assert!(world.send(&begun.grant, page).await.status().is_success());
        for _ in 0..2 {
            let error = world.complete(begun.upload.id).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Rejected);
            assert_eq!(error.details().unwrap()["reason"], "type_mismatch");
        }
    }
    assert!(world.lies_in("final").await.is_empty());
    world.end().await;
}

#[tokio::test]
async fn another_owners_upload_is_as_unknown_as_none() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    let id = begun.upload.id;
    let (app, you) = (&world.app, user("you"));
    assert_eq!(kind(flow::complete(app, &you, id).await), Kind::NotFound);
    assert_eq!(
        kind(flow::look(app, &you, id, Duration::ZERO).await),
        Kind::NotFound
    );
    assert_eq!(kind(flow::abort(app, &you, id).await), Kind::NotFound);
    assert_eq!(kind(flow::sign(app, &you, id, &[]).await), Kind::NotFound);
    world.send(&begun.grant, PNG).await;
    world.complete(id).await.unwrap();
    assert_eq!(kind(flow::file(app, &you, id).await), Kind::NotFound);
    assert_eq!(kind(flow::delete_file(app, &you, id).await), Kind::NotFound);
    let urls = flow::display_urls(app, &you, &[id]).await.unwrap();
    assert_eq!(urls.missing, [id]);
    world.end().await;
}

#[tokio::test]
async fn an_upload_token_is_for_one_upload_only() {
    let world = World::new().await;
    let one = world.begin(png()).await;
    let other = world.begin(png()).await;
    let header = format!("Bearer {}", one.token.expose());
    let holder = auth::authenticate(&world.app, Some(&header), None)
        .await
        .unwrap();
    assert_eq!(holder, Caller::upload(one.upload.id));
    let app = &world.app;
    assert_eq!(
        kind(flow::begin(app, &holder, png(), None).await),
        Kind::Forbidden
    );
    assert_eq!(
        kind(flow::complete(app, &holder, other.upload.id).await),
        Kind::NotFound
    );
    world.send(&one.grant, PNG).await;
    assert!(flow::complete(app, &holder, one.upload.id).await.is_ok());
    assert_eq!(
        kind(flow::delete_file(app, &holder, one.upload.id).await),
        Kind::Forbidden
    );

    let forged = format!("{}x", &header[..header.len() - 1]);
    for header in [
        None,
        Some("Bearer nonsense"),
        Some("Basic eA=="),
        Some(forged.as_str()),
    ] {
        assert_eq!(
            kind(auth::authenticate(app, header, None).await),
            Kind::Unauthenticated
        );
    }
    world.end().await;
}

#[tokio::test]
async fn hostile_names_are_harmless() {
    let world = World::new().await;
    let names = [
        "../../../etc/passwd",
        "a\"b\r\nset-cookie: x=1\r\n.png",
        "写真 😀\u{202e}gnp.png",
        "",
        "..",
        &"x".repeat(100_000),
    ];
    for name in names {
        let begun = world
            .begin(Begin {
                filename: Some(name.to_owned()),
                ..png()
            })
            .await;
        world.send(&begun.grant, PNG).await;
        let file = world.complete(begun.upload.id).await.unwrap().file.unwrap();
        assert!(file.filename.len() <= 255);
        let key = format!("image/{}/{}.png", file.owner.hash(), file.id);
        assert_eq!(file.key.as_str(), key);
        let shown = flow::file(&world.app, &me(), file.id).await.unwrap();
        let answer = world.fetch(shown.display.url.expose()).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().get("set-cookie").is_none());
    }
    world.end().await;
}

#[tokio::test]
async fn what_the_profile_does_not_take_is_refused_at_the_start() {
    let world = World::new().await;
    let refused = async |begin: Begin| kind(flow::begin(&world.app, &me(), begin, None).await);
    let of_type = |content_type: &str| Begin {
        content_type: Some(content_type.to_owned()),
        ..png()
    };
    assert_eq!(
        refused(of_type("application/x-msdownload")).await,
        Kind::TypeNotAllowed
    );
    assert_eq!(
        refused(of_type("image/svg+xml")).await,
        Kind::TypeNotAllowed
    );
    assert_eq!(refused(of_type("nonsense")).await, Kind::InvalidRequest);
    assert_eq!(
        refused(Begin {
            size_bytes: Some(26 << 20),
            ..png()
        })
        .await,
        Kind::FileTooLarge
    );
    assert_eq!(
        refused(Begin {
            size_bytes: Some(0),
            ..png()
        })
        .await,
        Kind::FileTooSmall
    );
    let unknown = Begin {
        profile: "none".to_owned(),
        ..png()
    };
    assert_eq!(refused(unknown).await, Kind::NotFound);
    let named = Begin {
        owner: Some("you".to_owned()),
        ..png()
    };
    assert_eq!(refused(named.clone()).await, Kind::Forbidden);
    let metadata = [("note".to_owned(), "x".repeat(5000))].into();
    assert_eq!(
        refused(Begin { metadata, ..png() }).await,
        Kind::MetadataRefused
    );

    assert_eq!(
        kind(flow::begin(&world.app, &server(), png(), None).await),
        Kind::InvalidRequest
    );
    let begun = flow::begin(&world.app, &server(), named, None)
        .await
        .unwrap();
    assert_eq!(begun.upload.owner.as_str(), "you");
    world.end().await;
}

#[tokio::test]
async fn secrets_are_not_printed() {
    let world = World::new().await;
    for method in [Method::Put, Method::Post] {
        let begun = world
            .begin(Begin {
                method: Some(method),
                ..png()
            })
            .await;
        let printed = format!("{begun:?} {:?}", world.app);
        assert!(!printed.contains("X-Amz-Signature"));
        assert!(!printed.contains("secret-of-"));
        assert!(!printed.contains(begun.token.expose()));
    }
    world.end().await;
}
