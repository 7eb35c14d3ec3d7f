//! The `OpenAPI` document: what stands above the routes, what is true of all of them, and the pages that show it.
use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::Path,
    http::header::CONTENT_TYPE,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use serde_json::json;
use utoipa::{
    OpenApi as _,
    openapi::{
        Content, HeaderBuilder, ObjectBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
        SecurityRequirement, Server, Type,
        path::Operation,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_swagger_ui::Config;

use super::message::ErrorAnswer;
use crate::{app::App, error::Kind};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Loadlock",
        description = "User uploads straight into S3: granted, inspected, promoted.\n\nBegin an upload, send its bytes to \
            the store as the grant says, complete it; an application's server claims it together with a form. No request \
            to this API carries a file's bytes. Every refusal is one envelope, `{\"error\":{\"code\",\"message\",\
            \"retryable\",\"details\"?}}`.",
        license(name = "MIT", identifier = "MIT"),
    ),
    components(schemas(ErrorAnswer)),
    tags(
        (name = "uploads", description = "One file's passage, from the grant to its end."),
        (name = "files", description = "What has been promoted, and how to show it."),
        (name = "users", description = "Local users, for a site without an identity provider."),
        (name = "profiles", description = "The rules, before a file is chosen."),
        (name = "administration", description = "Who did what, and taking permissions back."),
        (name = "operations", description = "For whoever watches over the service."),
    ),
)]
struct Opening;

/// The document before any route has been added.
pub(super) fn opening() -> OpenApi {
    let mut document = Opening::openapi();
    let components = document.components.get_or_insert_default();
    let bearer = |format: &str, description: &str| {
        let scheme = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format(format);
        SecurityScheme::Http(scheme.description(Some(description)).build())
    };
    components.add_security_scheme(
        "user",
        bearer("JWT or llu_…", "An end user: sees and does what is theirs."),
    );
    components.add_security_scheme(
        "api_key",
        bearer(
            "llk_…",
            "An application's server: acts for any owner, and claims.",
        ),
    );
    components.add_security_scheme(
        "upload_token",
        bearer("llt_…", "One upload: sign, complete, abort, look."),
    );
    document
}

/// Who may use a route, by the names of their security schemes.
pub(super) type Callers = &'static [&'static str];
/// Users and application servers.
pub(super) const OWNERS: Callers = &["user", "api_key"];
/// Them, and who holds the upload's own token.
pub(super) const HOLDERS: Callers = &["user", "api_key", "upload_token"];
/// Application servers only.
pub(super) const SERVERS: Callers = &["api_key"];

/// A route for callers that say who they are, with what it may refuse.
pub(super) fn signed_in(
    callers: Callers,
    routes: UtoipaMethodRouter<App>,
    kinds: &[Kind],
) -> UtoipaMethodRouter<App> {
    let kinds = [&[Kind::Unauthenticated, Kind::RateLimited], kinds].concat();
    let mut routes = refusing(routes, &kinds);
    for operation in operations(&mut routes) {
        let schemes = callers
            .iter()
            .map(|scheme| SecurityRequirement::new(*scheme, [""; 0]));
        operation.security = Some(schemes.collect());
    }
    routes
}

/// The same, for nobody in particular too, where a profile lets such in.
pub(super) fn open_to_all(
    callers: Callers,
    routes: UtoipaMethodRouter<App>,
    kinds: &[Kind],
) -> UtoipaMethodRouter<App> {
    let mut routes = signed_in(callers, routes, kinds);
    for operation in operations(&mut routes) {
        let schemes = operation.security.get_or_insert_default();
        schemes.push(SecurityRequirement::default());
    }
    routes
}

/// Adds to a route's answers what it may refuse, by status; every route may fail on our side.
pub(super) fn refusing(
    mut routes: UtoipaMethodRouter<App>,
    kinds: &[Kind],
) -> UtoipaMethodRouter<App> {
    let mut by_status: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
    for kind in kinds.iter().chain(&[Kind::Internal, Kind::Unavailable]) {
        by_status.entry(kind.status()).or_default().push(*kind);
    }
    for operation in operations(&mut routes) {
        for (status, kinds) in &by_status {
            let answer = RefOr::T(refusal(kinds));
            operation
                .responses
                .responses
                .insert(status.to_string(), answer);
        }
    }
    routes
}

fn operations(routes: &mut UtoipaMethodRouter<App>) -> impl Iterator<Item = &mut Operation> {
    routes.1.paths.values_mut().flat_map(|item| {
        [&mut item.get, &mut item.post, &mut item.delete]
            .into_iter()
            .filter_map(Option::as_mut)
    })
}

/// One status's refusals, each with its sentence and an example.
fn refusal(kinds: &[Kind]) -> utoipa::openapi::Response {
    let lines = kinds
        .iter()
        .map(|kind| format!("`{}`: {}", kind.code(), kind.sentence()));
    let example = |kind: &Kind| {
        let error =
            json!({"code": kind.code(), "message": kind.sentence(), "retryable": kind.retryable()});
        (
            kind.code().to_owned(),
            utoipa::openapi::example::ExampleBuilder::new()
                .value(Some(json!({"error": error})))
                .build(),
        )
    };
    let content = Content::builder()
        .schema(Some(Ref::from_schema_name("ErrorAnswer")))
        .examples_from_iter(kinds.iter().map(example))
        .build();
    let response = ResponseBuilder::new()
        .description(lines.collect::<Vec<_>>().join("\n\n"))
        .content("application/json", content);
    if kinds.contains(&Kind::RateLimited) {
        with_rates(response).build()
    } else {
        response.build()
    }
}

/// How whoever asked too often stands, and when to come back.
fn with_rates(response: ResponseBuilder) -> ResponseBuilder {
    let seconds = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1));
    let list = |item: &str| {
        let pattern = format!("^{item}(, {item})*$");
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(pattern))
    };
    let headers = [
        ("Retry-After", seconds, "Seconds."),
        (
            "RateLimit",
            list(r#""[a-z]+";r=\d+;t=\d+"#),
            "Of each limit that counted: what is left, and the seconds until there is more.",
        ),
        (
            "RateLimit-Policy",
            list(r#""[a-z]+";q=\d+;w=\d+"#),
            "Of each limit that counted: how many requests in how many seconds.",
        ),
    ];
    headers
        .into_iter()
        .fold(response, |response, (name, schema, description)| {
            let header = HeaderBuilder::new()
                .schema(Some(schema))
                .description(Some(description));
            response.header(name, header.build())
        })
}

/// The document itself, and a page to browse it, all from the binary. Their links are relative, so that the service can be
/// mounted below any path of an application.
pub(super) fn pages(mut document: OpenApi, api_url: &str) -> Router<App> {
    document.servers = Some(vec![Server::new(api_url)]);
    let document = Json(document);
    let browser = Arc::new(Config::from("../openapi.json"));
    let index = Arc::clone(&browser);
    Router::new()
        .route("/openapi.json", get(async move || document.clone()))
        .route("/docs", get(Redirect::temporary("docs/")))
        .route("/docs/", get(async move || page("", index)))
        .route(
            "/docs/{*rest}",
            get(async move |Path(rest): Path<String>| page(&rest, browser)),
        )
}

fn page(path: &str, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(path, config) {
        Ok(Some(file)) => {
            let kind = [(CONTENT_TYPE, file.content_type)];
            (kind, file.bytes.into_owned()).into_response()
        }
        Ok(None) => Kind::NotFound
            .because("there is nothing at this address")
            .into_response(),
        Err(error) => Kind::Internal.caused_by(error.to_string()).into_response(),
    }
}
