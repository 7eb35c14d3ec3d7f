//! A pinboard: signed-in people publish photos, which go from their browsers straight into S3. Loadlock is part of it.

use std::{env, future::pending, net::SocketAddr};

use axum::{
    Extension, Form, Router,
    extract::{Query, Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{COOKIE, SET_COOKIE},
    },
    middleware::{Next, from_fn_with_state},
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use loadlock::{
    app::App,
    auth::{Caller, Who},
    clock::{Clock, Ids},
    config::file,
    error::{Error, Kind},
    flow::{self, Begin, Claim},
    jobs,
    upload::{Metadata, Method, Owner},
};
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

mod page;

/// Of `loadlock.toml`.
const PROFILE: &str = "image";
/// Where Loadlock is mounted; `public_url` ends so.
const MOUNTED: &str = "/uploads";
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, user TEXT);
    CREATE TABLE IF NOT EXISTS entries (id TEXT PRIMARY KEY, owner TEXT, title TEXT, files TEXT)";

#[derive(Clone)]
struct Board {
    loadlock: App,
    database: SqlitePool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = file::load(None, &env::vars().collect())?;
    let options = SqliteConnectOptions::new()
        .filename("pinboard.db")
        .create_if_missing(true);
    let board = Board {
        loadlock: App::open(settings.config, Clock::system(), Ids::random()).await?,
        database: SqlitePool::connect_with(options).await?,
    };
    sqlx::raw_sql(TABLES).execute(&board.database).await?;
    tokio::spawn(jobs::run(board.loadlock.clone(), pending()));
    let listener = TcpListener::bind(settings.listen).await?;
    println!("The pinboard hangs at http://{}", listener.local_addr()?);
    let routes = router(board).into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, routes).await?)
}

fn router(board: Board) -> Router {
    let here = env!("CARGO_MANIFEST_DIR");
    Router::new()
        .route("/", get(home))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/file", post(plain_form))
        .route("/entries", post(publish))
        .nest_service("/static", ServeDir::new(format!("{here}/static")))
        .nest_service("/shared", ServeDir::new(format!("{here}/../shared")))
        .nest_service("/client", ServeDir::new(format!("{here}/../../client/src")))
        .with_state(board.clone())
        .nest(MOUNTED, loadlock::router(board.loadlock.clone()))
        .layer(from_fn_with_state(board, tell_who))
}

/// Tells the handlers, Loadlock's among them, who is signed in.
async fn tell_who(State(board): State<Board>, mut request: Request, next: Next) -> Response {
    let session = session(request.headers()).unwrap_or_default().to_owned();
    let found = sqlx::query_scalar("SELECT user FROM sessions WHERE id = ?").bind(session);
    let found: Option<String> = match found.fetch_optional(&board.database).await {
        Ok(found) => found,
        Err(error) => return Refused::from(error).into_response(),
    };
    if let Some(owner) = found.and_then(|user| user.parse().ok()) {
        request.extensions_mut().insert(Caller::user(owner));
    }
    next.run(request).await
}

fn session(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    cookies
        .split("; ")
        .find_map(|cookie| cookie.strip_prefix("session="))
}

type User = Option<Extension<Caller>>;
/// A form or a query; a name may come more than once.
type Fields = Vec<(String, String)>;

fn signed_in(user: User) -> Result<Owner, Refused> {
    match user {
        Some(Extension(Caller {
            who: Who::User { owner, .. },
            ..
        })) => Ok(owner),
        _ => Err(Refused(
            StatusCode::UNAUTHORIZED,
            "sign in first".to_owned(),
        )),
    }
}

fn all(fields: &Fields, name: &str) -> Vec<String> {
    let named = fields.iter().filter(|(field, _)| field == name);
    named.map(|(_, value)| value.clone()).collect()
}

fn one(fields: &Fields, name: &str) -> String {
    all(fields, name).pop().unwrap_or_default()
}

async fn home(
    State(board): State<Board>,
    user: User,
    Query(back): Query<Fields>,
) -> Result<Html<String>, Refused> {
    // Whoever sent a file without JavaScript is back: `upload` is there once more, `state` says how it went so far.
    let mut form = page::Form {
        title: one(&back, "title"),
        uploads: all(&back, "upload"),
        problem: String::new(),
    };
    let state = all(&back, "reason")
        .pop()
        .unwrap_or_else(|| one(&back, "state"));
    if !["", "ready", "received"].contains(&state.as_str()) {
        form.uploads.pop();
        form.problem = format!("The last file was not taken ({state}).");
    }
    show(&board, signed_in(user).ok(), &form).await
}

async fn show(
    board: &Board,
    user: Option<Owner>,
    form: &page::Form,
) -> Result<Html<String>, Refused> {
    let entries = sqlx::query_as("SELECT owner, title, files FROM entries ORDER BY id DESC");
    let entries = entries.fetch_all(&board.database).await?;
    Ok(Html(page::board(
        user.as_ref().map(Owner::as_str),
        form,
        &entries,
    )))
}

async fn sign_in(
    State(board): State<Board>,
    Form(form): Form<Fields>,
) -> Result<Response, Refused> {
    let name: Owner = one(&form, "name")
        .parse()
        .map_err(|_| Kind::InvalidRequest.because("a name is wanted"))?;
    let session: String = board
        .loadlock
        .ids
        .secret()?
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    // Your application asks for more than a name.
    let insert = sqlx::query("INSERT INTO sessions VALUES (?, ?)")
        .bind(&session)
        .bind(name.as_str());
    insert.execute(&board.database).await?;
    let cookie = format!("session={session}; Path=/; HttpOnly; SameSite=Lax");
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/")).into_response())
}

async fn sign_out(State(board): State<Board>, headers: HeaderMap) -> Result<Redirect, Refused> {
    let delete = sqlx::query("DELETE FROM sessions WHERE id = ?")
        .bind(session(&headers).unwrap_or_default());
    delete.execute(&board.database).await?;
    Ok(Redirect::to("/"))
}

/// Without JavaScript: a form, rendered before a file is chosen, that sends to the store and leads back here.
async fn plain_form(
    State(board): State<Board>,
    user: User,
    Form(form): Form<Fields>,
) -> Result<Html<String>, Refused> {
    let owner = signed_in(user)?;
    let kept = form
        .iter()
        .filter(|(name, _)| ["title", "upload"].contains(&name.as_str()));
    let kept = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .finish();
    let address = board.loadlock.config.api_url.trim_end_matches(MOUNTED);
    let begin = Begin {
        profile: PROFILE.to_owned(),
        filename: None,
        content_type: None,
        size_bytes: None,
        checksum: None,
        metadata: Metadata::new(),
        method: Some(Method::Post),
        return_to: Some(format!("{address}/?{kept}")),
        owner: None,
    };
    let begun = flow::begin(&board.loadlock, &Caller::user(owner), begin, None).await?;
    Ok(Html(page::plain_form(&begun.grant)))
}

/// The form is submitted: the files are claimed with it, if they are this user's, and are kept.
async fn publish(
    State(board): State<Board>,
    user: User,
    Form(form): Form<Fields>,
) -> Result<Response, Refused> {
    let owner = signed_in(user)?;
    let (title, uploads) = (one(&form, "title"), all(&form, "upload"));
    match claim(&board, &owner, &title, &uploads).await {
        Ok(files) => {
            let insert = sqlx::query("INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?)");
            let insert = insert.bind(&uploads[0]).bind(owner.as_str()).bind(title);
            insert
                .bind(serde_json::to_string(&files)?)
                .execute(&board.database)
                .await?;
            Ok(Redirect::to("/").into_response())
        }
        Err(error) => {
            let Refused(status, problem) = error.into();
            let form = page::Form {
                title,
                uploads,
                problem,
            };
            Ok((status, show(&board, Some(owner), &form).await?).into_response())
        }
    }
}

async fn claim(
    board: &Board,
    owner: &Owner,
    title: &str,
    uploads: &[String],
) -> Result<Vec<page::File>, Error> {
    let unknown = |_| Error::from(Kind::NotFound);
    let claim = Claim {
        ids: uploads
            .iter()
            .map(|id| id.parse().map_err(unknown))
            .collect::<Result<_, _>>()?,
        owner: owner.to_string(),
        metadata: Metadata::from([("title".to_owned(), title.to_owned())]),
    };
    let server = Caller::server("pinboard");
    let claimed = flow::claim(&board.loadlock, &server, claim).await?;
    Ok(claimed
        .into_iter()
        .map(|shown| page::File::new(&board.loadlock, shown.file))
        .collect())
}

/// What a person is told, and with which status.
struct Refused(StatusCode, String);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let status = StatusCode::from_u16(error.kind().status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self(status, error.message().to_owned())
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        eprintln!("{error}");
        Self(
            StatusCode::INTERNAL_SERVER_ERROR,
            "something went wrong here".to_owned(),
        )
    }
}

impl From<serde_json::Error> for Refused {
    fn from(error: serde_json::Error) -> Self {
        sqlx::Error::Encode(error.into()).into()
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, problem) = self;
        let form = page::Form {
            problem,
            ..page::Form::default()
        };
        (status, Html(page::board(None, &form, &[]))).into_response()
    }
}
