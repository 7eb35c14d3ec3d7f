//! Signing into a buffer that has been used once does not allocate.

use std::alloc::System;
use std::time::{Duration, UNIX_EPOCH};

use loadlock_sigv4::{
    Bucket, Condition, Credentials, FormBuffer, PostPolicy, Presign, Signer, Style,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The only test of this binary: the counter is the whole process's.
#[test]
fn a_reused_buffer_is_signed_into_without_allocating() {
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI")
        .with_session_token("IQoJb3JpZ2luX2VjE+/=");
    let signer = Signer::new(credentials, "eu-central-1");
    let bucket = Bucket::new("http://127.0.0.1:9000", "staging", Style::Path).unwrap();
    let headers = [
        ("x-amz-meta-name", " a  b "),
        ("Content-Type", "image/jpeg"),
        ("content-length", "4831838"),
    ];
    let query = [("uploadId", "a/b+c"), ("partNumber", "7")];
    let put = Presign {
        headers: &headers,
        query: &query,
        ..Presign::new("PUT", &bucket, "u/日本 1.jpg", Duration::from_mins(15))
    };
    let conditions = [
        Condition::Equals("key", "u/日本/${filename}"),
        Condition::StartsWith("Content-Type", "image/"),
        Condition::Size {
            min: 1,
            max: 5_000_000,
        },
        Condition::Equals("x-amz-meta-name", "\"日本\""),
    ];
    let policy = PostPolicy {
        bucket: &bucket,
        conditions: &conditions,
        expires: Duration::from_hours(1),
    };
    let (mut url, mut form) = (String::new(), FormBuffer::default());
    let mut sign = |second: u64| {
        let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000 + second);
        url.clear();
        signer.presign(&mut url, now, &put).unwrap();
        let fields = signer
            .post_form(&mut form, now, &policy)
            .unwrap()
            .fields()
            .count();
        assert_eq!(fields, 8);
    };

    let cold = Region::new(GLOBAL);
    sign(0);
    assert!(cold.change().allocations > 0, "the counter counts");
    // The harness's own thread allocates now and then. Signing would do so in every round.
    let fewest = (1..=20).map(|round| {
        let warm = Region::new(GLOBAL);
        (0..100).for_each(|second| sign(round * 100 + second));
        let change = warm.change();
        change.allocations + change.reallocations
    });
    assert_eq!(fewest.min(), Some(0));
}
