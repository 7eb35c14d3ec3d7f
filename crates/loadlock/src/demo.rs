//! The demo application: the page that `loadlock dev` shows and the small server behind it.
//!
//! It stands for anyone's application. It is no part of the service, keeps its own table of entries in its own database,
//! and uses the API over HTTP with an API key, as anyone's server would.
use std::{path::PathBuf, sync::Arc};

use axum::{
    Json, Router,
    extract::{Request, State, rejection::JsonRejection},
    http::{StatusCode, header::HOST},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use refusal::Refusal;

use entries::{Draft, Entries, Entry};
use service::Service;

mod entries;
mod page;
mod refusal;
mod service;

/// The one user of the demo.
pub const USER: &str = "demo";
/// The profile that the page's form uploads under.
const PROFILE: &str = "post";
const MAX_TITLE: usize = 200;
const MAX_TEXT: usize = 20_000;
const MAX_UPLOADS: usize = 20;

/// What the demo is told when it starts.
#[derive(Clone)]
pub struct Settings {
    /// The file of its database.
    pub database: PathBuf,
    /// The service's address.
    pub api: String,
    /// The store's origin or origins, where the page's uploads and media go.
    pub s3: String,
    /// The demo user's: who asks for the page is them.
    pub password: String,
    /// The application's server's own key.
    pub api_key: String,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("api", &self.api)
            .field("s3", &self.s3)
            .finish_non_exhaustive()
    }
}

struct Demo {
    settings: Settings,
    entries: Entries,
    service: Service,
}

/// Opens the demo's database and makes its routes.
pub async fn router(settings: Settings) -> Result<Router, Refusal> {
    let demo = Demo {
        entries: Entries::open(&settings.database).await?,
        service: Service::new(&settings)?,
        settings,
    };
    let page = page::router(&demo.settings.api, &demo.settings.s3);
    Ok(Router::new()
        .route("/demo/session", get(session))
        .route("/demo/entries", get(list_entries).post(publish_entry))
        .with_state(Arc::new(demo))
        .merge(page)
        .layer(middleware::from_fn(only_loopback)))
}

/// A page elsewhere whose name was made to point here (DNS rebinding) must not get the demo user's token.
async fn only_loopback(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    if host.is_some_and(crate::config::is_loopback_authority) {
        return next.run(request).await;
    }
    Refusal::new(
        StatusCode::MISDIRECTED_REQUEST,
        "misdirected",
        "the demo answers on this machine only",
    )
    .into_response()
}

/// What an application's sign-in would give the browser; asked for again, the token is a fresh one in time.
async fn session(State(demo): State<Arc<Demo>>) -> Result<impl IntoResponse, Refusal> {
    let (api, token) = (&demo.settings.api, demo.service.token().await?);
    Ok(Json(
        json!({"api": api, "token": token, "profile": PROFILE, "user": USER}),
    ))
}

#[derive(Serialize)]
struct EntryList {
    entries: Vec<Entry>,
}

async fn list_entries(State(demo): State<Arc<Demo>>) -> Result<Json<EntryList>, Refusal> {
    Ok(Json(EntryList {
        entries: demo.entries.all().await?,
    }))
}

/// The form of the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    title: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    uploads: Vec<String>,
}

/// Claims the form's uploads and keeps the entry. Sent twice, it is one entry: a claim can be repeated, and a file
/// belongs to one entry.
async fn publish_entry(
    State(demo): State<Arc<Demo>>,
    form: Result<Json<Form>, JsonRejection>,
) -> Result<(StatusCode, Json<Entry>), Refusal> {
    let Json(form) =
        form.map_err(|error| Refusal::new(error.status(), "bad_form", error.body_text()))?;
    let draft = Draft::try_from(form)?;
    let media = demo.service.claim(USER, &draft).await?;
    let entry = demo.entries.publish(draft, media).await?;
    Ok((StatusCode::CREATED, Json(entry)))
}

impl TryFrom<Form> for Draft {
    type Error = Refusal;

    fn try_from(form: Form) -> Result<Self, Refusal> {
        let refuse = |message: String| {
            Err(Refusal::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "bad_form",
                message,
            ))
        };
        let title = form.title.trim();
        if title.is_empty() || title.chars().count() > MAX_TITLE {
            return refuse(format!(
                "an entry needs a title of 1 to {MAX_TITLE} characters"
            ));
        }
        if form.text.chars().count() > MAX_TEXT {
            return refuse(format!(
                "an entry's text is limited to {MAX_TEXT} characters"
            ));
        }
        if form.uploads.len() > MAX_UPLOADS {
            return refuse(format!("an entry holds at most {MAX_UPLOADS} files"));
        }
        Ok(Self {
            title: title.to_owned(),
            text: form.text,
            uploads: form.uploads,
        })
    }
}
