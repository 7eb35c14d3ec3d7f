//! What the three identities of `loadlock dev` may do at its store, tried with their own keys.

use std::{fs, time::Duration};

use loadlock_sigv4::{Bucket, Credentials, Presign, Signer, Style};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

use crate::program::Dev;

struct Store {
    dev: Dev,
    keys: Value,
    http: Client,
    _dir: tempfile::TempDir,
}

/// A request to an object, or with an empty key to its bucket; with signed headers and query.
struct Wish<'a> {
    method: &'a str,
    bucket: &'a str,
    key: &'a str,
    headers: &'a [(&'a str, &'a str)],
    query: &'a [(&'a str, &'a str)],
}

const fn wish<'a>(method: &'a str, bucket: &'a str, key: &'a str) -> Wish<'a> {
    Wish {
        method,
        bucket,
        key,
        headers: &[],
        query: &[],
    }
}

impl Store {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dev = Dev::start(dir.path());
        let keys =
            serde_json::from_slice(&fs::read(dir.path().join("keys.json")).unwrap()).unwrap();
        Self {
            dev,
            keys,
            http: Client::builder().no_proxy().build().unwrap(),
            _dir: dir,
        }
    }

    fn signed(&self, who: &str, wish: &Wish<'_>) -> String {
        let pair = &self.keys[who];
        let text = |name: &str| pair[name].as_str().unwrap();
        let signer = Signer::new(
            Credentials::new(text("access_key_id"), text("secret_access_key")),
            "us-east-1",
        );
        let bucket = Bucket::new(self.dev.said("s3"), wish.bucket, Style::Path).unwrap();
        let request = Presign {
            method: wish.method,
            bucket: &bucket,
            key: (!wish.key.is_empty()).then_some(wish.key),
            query: wish.query,
            headers: wish.headers,
            expires: Duration::from_mins(1),
        };
        let mut url = String::new();
        signer
            .presign(&mut url, loadlock_store::Clock::system().now(), &request)
            .unwrap();
        url
    }

    async fn send(&self, who: &str, wish: &Wish<'_>) -> StatusCode {
        let method: Method = wish.method.parse().unwrap();
        let mut request = self
            .http
            .request(method, self.signed(who, wish))
            .body("bytes");
        for (name, value) in wish.headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status()
    }

    async fn check(&self, who: &str, wish: &Wish<'_>, expected: u16) {
        let Wish {
            method,
            bucket,
            key,
            headers,
            query,
        } = wish;
        let found = self.send(who, wish).await.as_u16();
        assert_eq!(
            found, expected,
            "{who}: {method} {bucket}/{key} {headers:?} {query:?}"
        );
    }
}

#[tokio::test]
async fn the_uploader_puts_under_its_prefix_and_nothing_else() {
    let store = Store::start();
    store
        .check("uploader", &wish("PUT", "staging", "in/a"), 200)
        .await;
    let denied = [
        wish("PUT", "staging", "held/a"),
        wish("PUT", "staging", "a"),
        wish("PUT", "final", "in/a"),
        wish("GET", "staging", "in/a"),
        wish("HEAD", "staging", "in/a"),
        wish("DELETE", "staging", "in/a"),
        wish("GET", "staging", ""),
        wish("DELETE", "staging", ""),
    ];
    for wish in denied {
        store.check("uploader", &wish, 403).await;
    }
    for header in [
        ("x-amz-acl", "public-read"),
        ("x-amz-copy-source", "/staging/in/a"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
    ] {
        let headers = &[header];
        store
            .check(
                "uploader",
                &Wish {
                    headers,
                    ..wish("PUT", "staging", "in/b")
                },
                403,
            )
            .await;
    }
}

#[tokio::test]
async fn the_reader_gets_what_is_final_and_nothing_else() {
    let store = Store::start();
    store.check("server", &wish("PUT", "final", "a"), 200).await;
    store
        .check("server", &wish("PUT", "staging", "in/a"), 200)
        .await;
    store.check("reader", &wish("GET", "final", "a"), 200).await;
    for wish in [
        wish("GET", "staging", "in/a"),
        wish("GET", "final", ""),
        wish("PUT", "final", "a"),
        wish("DELETE", "final", "a"),
    ] {
        store.check("reader", &wish, 403).await;
    }
}

#[tokio::test]
async fn the_server_handles_objects_and_leaves_buckets_as_they_are() {
    let store = Store::start();
    for bucket in ["staging", "final"] {
        store
            .check("server", &wish("PUT", bucket, "held/a"), 200)
            .await;
        store
            .check("server", &wish("GET", bucket, "held/a"), 200)
            .await;
        store.check("server", &wish("GET", bucket, ""), 200).await;
        store
            .check("server", &wish("DELETE", bucket, "held/a"), 204)
            .await;
        store
            .check("server", &wish("DELETE", bucket, ""), 403)
            .await;
        for query in [&[("cors", "")], &[("lifecycle", "")]] {
            store
                .check(
                    "server",
                    &Wish {
                        query,
                        ..wish("PUT", bucket, "")
                    },
                    403,
                )
                .await;
        }
    }
    store
        .check("server", &wish("PUT", "another", ""), 403)
        .await;
}

#[tokio::test]
async fn pages_of_this_machine_may_send_to_staging_and_to_nothing_else() {
    let store = Store::start();
    let allowed = async |bucket: &str, origin: &str, method: &str| {
        let request = store
            .http
            .request(
                Method::OPTIONS,
                format!("{}/{bucket}/in/a", store.dev.said("s3")),
            )
            .header("origin", origin)
            .header("access-control-request-method", method)
            .header(
                "access-control-request-headers",
                "content-type,if-none-match,x-amz-checksum-sha256",
            );
        request
            .send()
            .await
            .unwrap()
            .headers()
            .contains_key("access-control-allow-origin")
    };
    for origin in [
        "http://localhost:5173",
        "https://127.0.0.1:8443",
        "http://[::1]:3000",
        "http://localhost",
    ] {
        assert!(allowed("staging", origin, "PUT").await, "{origin}");
    }
    assert!(allowed("staging", "http://localhost:5173", "POST").await);
    assert!(!allowed("staging", "http://localhost:5173", "GET").await);
    assert!(!allowed("staging", "https://example.com", "PUT").await);
    assert!(!allowed("staging", "http://localhost.example.com", "PUT").await);
    assert!(!allowed("final", "http://localhost:5173", "PUT").await);
}
