//! The service mounted in an application of others: under a path, with a sign-in of its own.

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request},
};
use loadlock::auth::Caller;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::world::{API_KEY, OTHER_TOKEN, PNG, World, me, png, user};

async fn get(router: &Router, path: &str, token: &str) -> (u16, HeaderMap, Value) {
    let mut request = Request::get(path);
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let request = request.body(Body::empty()).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let json = serde_json::from_slice(&body).unwrap_or_default();
    (parts.status.as_u16(), parts.headers, json)
}

fn mounted(world: &World, caller: Option<Caller>) -> Router {
    let service = loadlock::router(world.app.clone());
    let service = match caller {
        Some(caller) => service.layer(Extension(caller)),
        None => service,
    };
    Router::new().nest("/uploads", service)
}

#[tokio::test]
async fn the_applications_own_sign_in_is_believed() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    world.send(&begun.grant, PNG).await;
    world.complete(begun.upload.id).await.unwrap();
    let path = format!("/uploads/v1/files/{}", begun.upload.id);
    let status = async |caller, token| get(&mounted(&world, caller), &path, token).await.0;
    assert_eq!(status(None, "").await, 401);
    assert_eq!(status(Some(me()), "").await, 200);
    assert_eq!(status(Some(user("somebody")), "").await, 404);
    // Whatever stands in the header is then the application's own affair.
    assert_eq!(status(Some(me()), "its-own-token").await, 200);
    assert_eq!(status(Some(me()), OTHER_TOKEN).await, 200);
    assert_eq!(status(None, API_KEY).await, 200);
    world.end().await;
}

#[tokio::test]
async fn an_upload_token_goes_before_the_applications_own_sign_in() {
    let world = World::new().await;
    let begun = world.begin(png()).await;
    let path = format!("/uploads/v1/uploads/{}", begun.upload.id);
    let somebody = mounted(&world, Some(user("somebody")));
    assert_eq!(get(&somebody, &path, "").await.0, 404);
    let token = begun.token.expose();
    assert_eq!(get(&somebody, &path, token).await.0, 200);
    assert_eq!(get(&somebody, "/uploads/v1/files", token).await.0, 403);
    // One that is not good is refused like anywhere else.
    let mine = mounted(&world, Some(me()));
    assert_eq!(get(&mine, &path, "llt_AAAA").await.0, 401);
    assert_eq!(get(&mine, &path, "").await.0, 200);
    world.end().await;
}

#[tokio::test]
async fn nothing_that_a_request_says_of_itself_is_a_sign_in() {
    let world = World::new().await;
    let router = mounted(&world, None);
    for name in [
        "caller",
        "x-caller",
        "loadlock-caller",
        "x-extension-caller",
    ] {
        let said = serde_json::to_string("User").unwrap();
        let request = Request::get("/uploads/v1/files").header(name, said);
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap());
        assert_eq!(answer.await.unwrap().status(), 401, "{name}");
    }
    world.end().await;
}

#[tokio::test]
async fn the_document_and_its_page_are_found_below_a_path() {
    let world = World::new().await;
    let router = mounted(&world, None);
    let (status, headers, _) = get(&router, "/uploads/docs", "").await;
    assert_eq!(
        (status, headers["location"].to_str().unwrap()),
        (307, "docs/")
    );
    let request = Request::get("/uploads/docs/swagger-initializer.js");
    let request = request.body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let script = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let script = String::from_utf8(script.to_vec()).unwrap();
    assert!(script.contains("\"../openapi.json\""), "{script}");
    assert_eq!(get(&router, "/uploads/docs/", "").await.0, 200);
    let (status, _, document) = get(&router, "/uploads/openapi.json", "").await;
    assert_eq!(
        (status, &document["servers"][0]["url"]),
        (200, &"http://api.test".into())
    );
    // What is not there is answered in our envelope, below our path and only there.
    let (status, _, missing) = get(&router, "/uploads/nothing", "").await;
    assert_eq!(
        (status, &missing["error"]["code"]),
        (404, &"not_found".into())
    );
    assert_eq!(get(&router, "/nothing", "").await.2, Value::Null);
    world.end().await;
}
