//! AWS's published examples, as the documentation gives them.

#![expect(
    clippy::unwrap_used,
    clippy::duration_suboptimal_units,
    reason = "tests, with times as AWS counts them"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use loadlock_sigv4::{
    Bucket, Credentials, Payload, Place, Presented, PresentedForm, Presign, Refusal, Request,
    RequestParts, Rules, Signer, Style, Verified,
};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn credentials() -> Credentials {
    Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET)
}

/// 24 May 2013, midnight.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_369_353_600)
}

fn signer() -> Signer {
    Signer::new(credentials(), "us-east-1")
}

fn bucket() -> Bucket {
    Bucket::new(
        "https://s3.amazonaws.com",
        "examplebucket",
        Style::VirtualHost,
    )
    .unwrap()
}

/// Signs, compares with the published signature, and has our own verifier read what was signed.
fn check(request: &Request<'_>, signature: &str) -> Verified {
    let authorized = signer().authorize(now(), request).unwrap();
    let authorization = &authorized.headers[0].1;
    assert!(
        authorization.ends_with(&format!(",Signature={signature}")),
        "{authorization}"
    );
    let mut headers = vec![("Host", request.bucket.host().as_bytes())];
    headers.extend(
        request
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes())),
    );
    headers.extend(
        authorized
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes())),
    );
    let path = authorized
        .url
        .strip_prefix("https://examplebucket.s3.amazonaws.com")
        .or(authorized.url.strip_prefix("https://s3.amazonaws.com"))
        .unwrap();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts = RequestParts {
        method: request.method,
        path,
        query,
        headers: &headers,
    };
    let presented = Presented::parse(&parts).unwrap().unwrap();
    assert_eq!(presented.access_key(), "AKIAIOSFODNN7EXAMPLE");
    presented
        .verify(&credentials(), &Rules::new("us-east-1", now()))
        .unwrap()
}

/// "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk", its four examples.
#[test]
fn header_examples_of_2013_05_24() {
    let bucket = bucket();
    let get = Request {
        method: "GET",
        bucket: &bucket,
        key: None,
        query: &[],
        headers: &[],
        payload: Payload::of(b""),
    };
    check(
        &Request {
            key: Some("test.txt"),
            headers: &[("Range", "bytes=0-9")],
            ..get
        },
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    );
    check(
        &Request {
            method: "PUT",
            key: Some("test$file.text"),
            headers: &[
                ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            payload: Payload::of(b"Welcome to Amazon S3."),
            ..get
        },
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    );
    check(
        &Request {
            query: &[("lifecycle", "")],
            ..get
        },
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    );
    check(
        &Request {
            query: &[("prefix", "J"), ("max-keys", "2")],
            ..get
        },
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    );
}

/// "Authenticating Requests: Using Query Parameters", its example.
#[test]
fn presigned_get_of_2013_05_24() {
    let bucket = bucket();
    let mut url = String::new();
    let request = Presign::new("GET", &bucket, "test.txt", Duration::from_hours(24));
    signer().presign(&mut url, now(), &request).unwrap();
    assert_eq!(
        url,
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z\
         &X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
    let (_, query) = url.split_once('?').unwrap();
    let headers = [("host", b"examplebucket.s3.amazonaws.com".as_slice())];
    let parts = RequestParts {
        method: "GET",
        path: "/test.txt",
        query,
        headers: &headers,
    };
    let presented = Presented::parse(&parts).unwrap().unwrap();
    let last = now() + Duration::from_hours(24);
    let verified = presented
        .verify(&credentials(), &Rules::new("us-east-1", last))
        .unwrap();
    assert_eq!(
        (verified.place, verified.payload),
        (Place::Query, Payload::Unsigned)
    );
    let late = presented.verify(
        &credentials(),
        &Rules::new("us-east-1", last + Duration::from_secs(1)),
    );
    assert_eq!(late.unwrap_err(), Refusal::Expired { at: last });
}

fn chunked(payload: Payload, headers: &[(&str, &str)], seed: &str) -> Verified {
    let bucket = Bucket::new("https://s3.amazonaws.com", "examplebucket", Style::Path).unwrap();
    check(
        &Request {
            method: "PUT",
            bucket: &bucket,
            key: Some("chunkObject.txt"),
            query: &[],
            headers,
            payload,
        },
        seed,
    )
}

/// "Transferring Payload in Multiple Chunks (Chunked Upload)", 66,560 bytes in two chunks.
#[test]
fn chunked_upload_of_2013_05_24() {
    let headers = [
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("Content-Encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("Content-Length", "66824"),
    ];
    let verified = chunked(
        Payload::SignedChunks,
        &headers,
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    );
    let mut chunks = verified.chunks.unwrap();
    for (length, signature) in [
        (
            65_536,
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        ),
        (
            1024,
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        ),
        (
            0,
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ),
    ] {
        assert_eq!(chunks.sign(&vec![b'a'; length]).as_str(), signature);
    }
}

/// "Including Trailing Headers (Chunked Upload)", its example.
#[test]
fn trailer_of_2013_05_24() {
    let headers = [
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("Content-Encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("x-amz-trailer", "x-amz-checksum-crc32c"),
    ];
    let verified = chunked(
        Payload::SignedChunksWithTrailer,
        &headers,
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    );
    let mut chunks = verified.chunks.unwrap();
    for (length, signature) in [
        (
            65_536,
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        ),
        (
            1024,
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        ),
        (
            0,
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ),
    ] {
        assert_eq!(chunks.sign(&vec![b'a'; length]).as_str(), signature);
    }
    let trailer = chunks.sign_trailer(&[("x-amz-checksum-crc32c", "sOO8/Q==")]);
    assert_eq!(
        trailer.as_str(),
        "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
    );
}

/// "Example: Browser-Based Upload using HTTP POST", the form of 29 December 2015.
#[test]
fn post_form_of_2015_12_29() {
    let now = UNIX_EPOCH + Duration::from_secs(1_451_347_200);
    let policy = include_str!("post-policy-2015-12-29.txt").trim_end();
    let fields = [
        ("key", "user/user1/${filename}"),
        ("acl", "public-read"),
        (
            "success_action_redirect",
            "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
        ),
        ("Content-Type", "image/jpeg"),
        ("x-amz-meta-uuid", "14365123651274"),
        ("x-amz-server-side-encryption", "AES256"),
        (
            "X-Amz-Credential",
            "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
        ),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Date", "20151229T000000Z"),
        ("x-amz-meta-tag", ""),
        ("Policy", policy),
        (
            "X-Amz-Signature",
            "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
        ),
    ];
    let form = PresentedForm::parse(&fields).unwrap().unwrap();
    let policy = form
        .verify(&credentials(), &Rules::new("us-east-1", now))
        .unwrap();
    assert_eq!(
        policy.expires_at(),
        UNIX_EPOCH + Duration::from_secs(1_451_476_800)
    );
    policy.check("sigv4examplebucket", &fields).unwrap();
    let elsewhere = policy.check("another", &fields).unwrap_err();
    assert_eq!(
        elsewhere.to_string(),
        "Invalid according to Policy: Policy Condition failed: [\"eq\", \"$bucket\", \"sigv4examplebucket\"]"
    );
}
