//! What ends by the clock: signatures, forms, objects, uploads.

use std::time::Duration;

use loadlock_sigv4::{Condition, FormBuffer, PostPolicy};
use loadlock_store::lifecycle::{Expiration, Lifecycle, Rule, Status};

use crate::world::World;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn a_presigned_url_ends_with_its_lifetime() {
    let world = World::new().await;
    let url = world.presign("PUT", "a", Duration::from_mins(1));
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.send("PUT", &url, &[], b"x").await.status, 200);
    world.clock.advance(Duration::from_secs(1));
    let late = world.send("PUT", &url, &[], b"x").await;
    assert_eq!((late.status, late.code().as_str()), (403, "AccessDenied"));
    assert!(late.text().contains("Request has expired"));
}

#[tokio::test]
async fn a_signed_header_is_good_for_fifteen_minutes() {
    let world = World::new().await;
    let (path, headers) = world.authorize("PUT", Some("a"), &[], b"x");
    world.clock.advance(Duration::from_mins(15));
    assert_eq!(world.send("PUT", &path, &headers, b"x").await.status, 200);
    world.clock.advance(Duration::from_secs(1));
    let late = world.send("PUT", &path, &headers, b"x").await;
    assert_eq!(
        (late.status, late.code().as_str()),
        (403, "RequestTimeTooSkewed")
    );
}

#[tokio::test]
async fn a_form_lives_until_its_policy_expires_however_long_ago_it_was_signed() {
    let world = World::new().await;
    let mut buffer = FormBuffer::default();
    let conditions = [
        Condition::Equals("key", "in/a"),
        Condition::Size { min: 1, max: 9 },
    ];
    let policy = PostPolicy {
        bucket: &world.bucket,
        conditions: &conditions,
        expires: 5 * HOUR,
    };
    let form = world
        .signer
        .post_form(&mut buffer, world.now(), &policy)
        .unwrap();
    let fields = form.fields().map(|(name, value)| {
        format!("--B\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    });
    let mut body: String = fields.collect();
    body += "--B\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nhello\r\n--B--\r\n";
    let headers = [(
        "content-type".to_owned(),
        "multipart/form-data; boundary=B".to_owned(),
    )];
    world.clock.advance(5 * HOUR);
    assert_eq!(
        world
            .send("POST", "/staging", &headers, body.as_bytes())
            .await
            .status,
        204
    );
    world.clock.advance(Duration::from_secs(1));
    let late = world
        .send("POST", "/staging", &headers, body.as_bytes())
        .await;
    assert_eq!(late.code(), "AccessDenied");
    assert!(
        late.text()
            .contains("Invalid according to Policy: Policy expired.")
    );
}

fn rule(expiration: Option<Expiration>, abort_uploads_after_days: Option<u32>) -> Rule {
    Rule {
        id: "one".to_owned(),
        status: Status::Enabled,
        prefix: "in/".to_owned(),
        expiration,
        abort_uploads_after_days,
    }
}

#[tokio::test]
async fn staged_objects_expire_by_a_real_rule() {
    let world = World::new().await;
    let rules = Lifecycle {
        rules: vec![rule(Some(Expiration::Days(1)), None)],
    };
    world.store.put_lifecycle("staging", &rules).await.unwrap();
    for key in ["in/a", "held/a"] {
        assert_eq!(world.call("PUT", Some(key), &[], b"x").await.status, 200);
    }
    // A day from noon, rounded up to midnight.
    world.clock.advance(35 * HOUR);
    world.store.run_lifecycle().await.unwrap();
    assert_eq!(world.call("GET", Some("in/a"), &[], b"").await.status, 200);
    world.clock.advance(HOUR);
    assert_eq!(world.store.run_lifecycle().await.unwrap().objects, 1);
    assert_eq!(
        world.call("GET", Some("in/a"), &[], b"").await.code(),
        "NoSuchKey"
    );
    assert_eq!(
        world.call("GET", Some("held/a"), &[], b"").await.status,
        200
    );
}

#[tokio::test]
async fn rules_that_come_over_the_wire_abort_forgotten_uploads() {
    let world = World::new().await;
    let document = b"<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter><Prefix></Prefix></Filter>\
        <AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload>\
        </Rule></LifecycleConfiguration>";
    assert_eq!(
        world
            .call("PUT", None, &[("lifecycle", "")], document)
            .await
            .status,
        200
    );
    let begun = world
        .call("POST", Some("in/a"), &[("uploads", "")], b"")
        .await
        .text();
    let id = begun
        .split("<UploadId>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    let query = [("uploadId", id.as_str())];
    world.clock.advance(60 * HOUR);
    assert_eq!(world.store.run_lifecycle().await.unwrap().uploads, 1);
    assert_eq!(
        world.call("GET", Some("in/a"), &query, b"").await.code(),
        "NoSuchUpload"
    );
}

#[tokio::test]
async fn rules_that_could_not_be_kept_are_refused_from_within_too() {
    let world = World::new().await;
    for wrong in [rule(None, None), rule(Some(Expiration::Days(0)), None)] {
        let rules = Lifecycle { rules: vec![wrong] };
        assert!(world.store.put_lifecycle("staging", &rules).await.is_err());
    }
    assert!(world.store.put_cors("staging", Vec::new()).await.is_err());
    assert!(world.store.ensure_bucket("Not A Bucket").await.is_err());
    world.store.ensure_bucket("staging").await.unwrap();
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let world = World::new().await;
    assert!(!format!("{:?}", world.store).contains("hush"));
}
