//! The demo application, as its page uses it.

use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::{
    media::{self, JPEG},
    program::{Dev, stdout},
};

struct Page {
    dev: Dev,
    http: Client,
    dir: tempfile::TempDir,
}

impl Page {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dev = Dev::start(&dir.path().join("data"));
        Self {
            dev,
            http: Client::builder().no_proxy().build().unwrap(),
            dir,
        }
    }

    /// The id of a photo that waits to be claimed.
    fn upload(&self) -> String {
        let photo = media::write(self.dir.path(), "photo.jpg", JPEG, 2_000);
        let output = self
            .dev
            .put(&["--json", "--profile", "post", photo.to_str().unwrap()]);
        let line: Value = serde_json::from_str(stdout(&output)).unwrap();
        assert_eq!(line["state"], "ready");
        line["id"].as_str().unwrap().to_owned()
    }

    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.dev.said("api"))
    }

    async fn publish(&self, form: Value) -> Response {
        self.http
            .post(self.address("/demo/entries"))
            .json(&form)
            .send()
            .await
            .unwrap()
    }

    async fn entries(&self) -> Vec<Value> {
        let list: Value = self
            .http
            .get(self.address("/demo/entries"))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        list["entries"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn a_form_is_published_with_its_files_and_found_after_a_restart() {
    let page = Page::open();
    let form = json!({"title": "Hafen", "text": "bei Nacht", "uploads": [page.upload()]});
    let answer = page.publish(form.clone()).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let entry: Value = answer.json().await.unwrap();
    let photo = &entry["media"][0];
    assert_eq!((&photo["width"], &photo["height"]), (&json!(2), &json!(3)));
    let shown = page
        .http
        .get(photo["content_url"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(
        (shown.status(), &shown.headers()["content-type"]),
        (StatusCode::OK, &"image/jpeg".parse().unwrap())
    );
    let again: Value = page.publish(form).await.json().await.unwrap();
    assert_eq!(again, entry, "sent twice, it is one entry");
    let Page { dev, http, dir } = page;
    assert!(dev.stop().1.success());
    let page = Page {
        dev: Dev::start(&dir.path().join("data")),
        http,
        dir,
    };
    assert_eq!(page.entries().await.len(), 1);
}

#[tokio::test]
async fn the_services_refusal_reaches_the_page_as_it_is() {
    let page = Page::open();
    let unknown = "01KAN3V9Q5W2M8Z7T4R6Y1XHBE";
    let answer = page
        .publish(json!({"title": "Hafen", "uploads": [page.upload(), unknown]}))
        .await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let refusal: Value = answer.json().await.unwrap();
    assert_eq!(refusal["error"]["code"], "not_found");
    assert!(
        refusal["error"]["message"]
            .as_str()
            .unwrap()
            .contains(unknown),
        "{refusal}"
    );
    assert!(page.entries().await.is_empty());
}

#[tokio::test]
async fn a_form_that_makes_no_entry_is_refused() {
    let page = Page::open();
    for form in [
        json!({"title": "  "}),
        json!({"title": "x".repeat(201)}),
        json!({"title": "x", "colour": "red"}),
    ] {
        let answer = page.publish(form.clone()).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        let refusal: Value = answer.json().await.unwrap();
        assert_eq!(refusal["error"]["code"], "bad_form");
    }
    assert!(page.entries().await.is_empty());
}

#[tokio::test]
async fn a_name_that_was_made_to_point_here_gets_no_token() {
    let page = Page::open();
    for path in ["/demo/session", "/demo/entries", "/"] {
        let request = page
            .http
            .get(page.address(path))
            .header("host", "rebound.example.com");
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::MISDIRECTED_REQUEST,
            "{path}"
        );
    }
    let session: Value = page
        .http
        .get(page.address("/demo/session"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(session["profile"], "post");
    assert!(
        session["token"].as_str().unwrap().starts_with("llu_"),
        "{session}"
    );
}

#[tokio::test]
async fn a_browser_that_has_the_page_is_not_sent_it_again() {
    let page = Page::open();
    let first = page
        .http
        .get(page.address("/assets/page.css"))
        .send()
        .await
        .unwrap();
    assert_eq!(first.headers()["content-type"], "text/css; charset=utf-8");
    let etag = first.headers()["etag"].clone();
    let second = page
        .http
        .get(page.address("/assets/page.css"))
        .header("if-none-match", etag)
        .send()
        .await
        .unwrap();
    assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
}
