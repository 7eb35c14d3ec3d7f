//! A whole upload over HTTP, each real answer held against the `OpenAPI` document.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::{media::JPEG, program::Dev, schema::complaints};

struct Api {
    dev: Dev,
    http: Client,
    document: Value,
    _dir: tempfile::TempDir,
}

impl Api {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dev = Dev::start(dir.path());
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let document = http
            .get(format!("{}/openapi.json", dev.said("api")))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        Self {
            dev,
            http,
            document,
            _dir: dir,
        }
    }

    /// Sends a request to a documented route, checks the answer against its schema, and gives it.
    async fn call(&self, token: &str, route: &str, id: &str, body: Option<Value>) -> (u16, Value) {
        let (method, path) = route.split_once(' ').unwrap();
        let (template, query) = path.split_once('?').unwrap_or((path, ""));
        let address = format!(
            "{}{}?{query}",
            self.dev.said("api"),
            template.replace("{id}", id).replace("{name}", id)
        );
        let method: Method = method.parse().unwrap();
        let mut request = self
            .http
            .request(method.clone(), address)
            .bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let operation = &self.document["paths"][template][method.as_str().to_lowercase()];
        let documented = &operation["responses"][status.to_string()];
        assert!(
            documented.is_object(),
            "{route} does not say that it answers {status}"
        );
        let bytes = answer.bytes().await.unwrap();
        let Some(schema) = documented.pointer("/content/application~1json/schema") else {
            assert!(
                bytes.is_empty(),
                "{route} answers {status} with a body that it does not describe"
            );
            return (status, Value::Null);
        };
        let answer = serde_json::from_slice(&bytes).unwrap();
        let found = complaints(&self.document, schema, &answer);
        assert!(found.is_empty(), "{route} {status}: {found:?} in {answer}");
        (status, answer)
    }

    async fn user(&self, route: &str, id: &str, body: Option<Value>) -> (u16, Value) {
        self.call(self.dev.said("token"), route, id, body).await
    }

    /// Begins an upload of a JPEG of that size under `post`.
    async fn begin(&self, size: usize, method: &str) -> Value {
        let wish = json!({
            "profile": "post", "filename": "a.jpg", "content_type": "image/jpeg", "size": size, "method": method,
        });
        let (status, begun) = self.user("POST /v1/uploads", "", Some(wish)).await;
        assert_eq!(status, 201);
        begun
    }

    /// Puts the JPEG where a grant says.
    async fn put(&self, grant: &Value) {
        let mut request = self.http.put(grant["url"].as_str().unwrap());
        for (name, value) in grant["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        assert!(
            request
                .body(JPEG)
                .send()
                .await
                .unwrap()
                .status()
                .is_success()
        );
    }
}

fn id(answer: &Value) -> &str {
    answer["id"].as_str().unwrap()
}

#[tokio::test]
async fn an_upload_from_begin_to_its_deletion_answers_as_documented() {
    let api = Api::start().await;
    let begun = api.begin(JPEG.len(), "put").await;
    let (id, token) = (id(&begun), begun["token"].as_str().unwrap());
    let (status, early) = api
        .call(token, "POST /v1/uploads/{id}/complete", id, None)
        .await;
    assert_eq!(
        (status, &early["error"]["code"]),
        (409, &json!("not_received"))
    );
    api.put(&begun["grant"]).await;
    let (status, ready) = api
        .call(token, "POST /v1/uploads/{id}/complete", id, None)
        .await;
    assert_eq!((status, &ready["state"]), (200, &json!("ready")));
    let (_, looked) = api
        .call(token, "GET /v1/uploads/{id}?wait=1", id, None)
        .await;
    assert_eq!(looked, ready);

    claim(&api, id).await;
    show_and_delete(&api, id).await;
}

async fn claim(api: &Api, id: &str) {
    let key = api.dev.said("api_key");
    let claim = json!({"ids": [id], "owner": "demo", "metadata": {"place": "pier"}});
    let (status, refused) = api
        .user("POST /v1/uploads/claim", "", Some(claim.clone()))
        .await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (403, &json!("forbidden"))
    );
    let (status, claimed) = api
        .call(key, "POST /v1/uploads/claim", "", Some(claim.clone()))
        .await;
    assert_eq!(
        (status, &claimed["files"][0]["metadata"]["place"]),
        (200, &json!("pier"))
    );
    let (status, again) = api
        .call(key, "POST /v1/uploads/claim", "", Some(claim))
        .await;
    assert_eq!((status, &again["files"][0]["id"]), (200, &json!(id)));
}

async fn show_and_delete(api: &Api, id: &str) {
    assert_eq!(api.user("GET /v1/files/{id}", id, None).await.1["width"], 2);
    assert_eq!(
        api.user("GET /v1/files", "", None).await.1["files"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let unknown = "01KAN3V9Q5W2M8Z7T4R6Y1XHBE";
    let (_, urls) = api
        .user(
            "POST /v1/files/urls",
            "",
            Some(json!({"ids": [id, unknown, "x"]})),
        )
        .await;
    assert_eq!(urls["urls"][0]["id"], json!(id));
    assert_eq!(urls["missing"], json!([unknown, "x"]));
    assert_eq!(api.user("GET /f/{id}", id, None).await.0, 302);
    assert_eq!(api.user("DELETE /v1/uploads/{id}", id, None).await.0, 409);
    assert_eq!(api.user("DELETE /v1/files/{id}", id, None).await.0, 204);
    assert_eq!(api.user("DELETE /v1/files/{id}", id, None).await.0, 204);
    assert_eq!(api.user("GET /f/{id}", id, None).await.0, 404);
}

#[tokio::test]
async fn parts_forms_and_aborts_answer_as_documented() {
    let api = Api::start().await;
    let parts = api.begin(20 << 20, "multipart").await;
    assert_eq!(parts["grant"]["parts"].as_array().unwrap().len(), 3);
    let (_, signed) = api
        .user(
            "POST /v1/uploads/{id}/parts",
            id(&parts),
            Some(json!({"parts": [3]})),
        )
        .await;
    assert_eq!(
        (&signed["parts"][0]["number"], &signed["held"]),
        (&json!(3), &json!([]))
    );
    let (status, _) = api
        .user(
            "POST /v1/uploads/{id}/parts",
            id(&parts),
            Some(json!({"parts": [4]})),
        )
        .await;
    assert_eq!(status, 400);
    let form = api.begin(JPEG.len(), "post").await;
    assert!(form["grant"]["fields"]["policy"].is_string());
    for _ in 0..2 {
        let (status, aborted) = api.user("DELETE /v1/uploads/{id}", id(&form), None).await;
        assert_eq!((status, &aborted["state"]), (200, &json!("aborted")));
    }
}

#[tokio::test]
async fn what_needs_no_sign_in_answers_as_documented() {
    let api = Api::start().await;
    for route in ["GET /v1/profiles", "GET /healthz", "GET /readyz"] {
        assert_eq!(api.user(route, "", None).await.0, 200, "{route}");
    }
    assert_eq!(
        api.user("GET /v1/profiles/{name}", "video", None).await.0,
        200
    );
    assert_eq!(
        api.user("GET /v1/profiles/{name}", "none", None).await.0,
        404
    );
}
