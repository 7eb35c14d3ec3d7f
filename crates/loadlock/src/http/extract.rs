//! What handlers ask of a request; whatever does not fit is refused in our envelope.
use std::{net::IpAddr, time::Duration};

use axum::{
    body::BodyDataStream,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{
        HeaderMap,
        header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE},
        request::Parts,
    },
};
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;

use super::{address, limits};
use crate::{
    app::App,
    auth::{self, Caller, Secret, Who},
    error::{Error, Kind},
    flow::Idempotency,
    upload::UploadId,
};

const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// No request carries a file's bytes.
const MAX_BODY: usize = 256 << 10;
/// How long a body that is too large is read on, so that its sender gets to see the answer.
const DRAIN: Duration = Duration::from_secs(5);

/// Who is asking: by their token, or as the application around us says.
pub(super) struct Asking(pub(super) Caller);

impl FromRequestParts<App> for Asking {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        match MaybeAsking::from_request_parts(parts, app).await? {
            MaybeAsking(Some(caller)) => Ok(Self(caller)),
            MaybeAsking(None) => Err(Kind::Unauthenticated.into()),
        }
    }
}

/// Who is asking, if they say.
pub(super) struct MaybeAsking(pub(super) Option<Caller>);

impl FromRequestParts<App> for MaybeAsking {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let header = authorization(parts);
        let address = address::client(parts, app);
        // Nothing in a request gets there by itself: only a middleware of the application can have put it. An upload token is
        // ours alone, and says for which upload the request is.
        if let Some(caller) = parts.extensions.get::<Caller>()
            && !header.is_some_and(auth::is_upload_token)
        {
            let address = caller.address.or(address);
            let caller = named(caller.clone().at(address))?;
            limits::count(app, parts, &caller)?;
            return Ok(Self(Some(caller)));
        }
        match header {
            Some(header) => {
                let caller = named(auth::authenticate(app, Some(header), address).await?)?;
                limits::count(app, parts, &caller)?;
                Ok(Self(Some(caller)))
            }
            None => Ok(Self(None)),
        }
    }
}

/// What is sent without a sign-in belongs to nobody: no user is called so, whoever signed their token.
fn named(caller: Caller) -> Result<Caller, Error> {
    match &caller.who {
        Who::User { owner, .. } if owner.is_anonymous() => Err(Kind::Unauthenticated.into()),
        _ => Ok(caller),
    }
}

/// Who begins something: nobody in particular, where they do not say and a profile lets such in.
pub(super) struct Beginning(pub(super) Caller);

impl FromRequestParts<App> for Beginning {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let open = app.config.profiles.iter().any(|it| it.admits.anonymous);
        match MaybeAsking::from_request_parts(parts, app).await? {
            MaybeAsking(Some(caller)) => Ok(Self(caller)),
            MaybeAsking(None) if open => {
                let nobody = Caller::from(Who::Nobody);
                Ok(Self(nobody.at(address::client(parts, app))))
            }
            MaybeAsking(None) => Err(Kind::Unauthenticated.into()),
        }
    }
}

/// The token that the caller has from an identity provider, if it is by that that we know them.
pub(super) struct OwnToken(pub(super) Option<Secret>);

impl FromRequestParts<App> for OwnToken {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let ours = parts.extensions.get::<Caller>().is_none();
        let header = authorization(parts).filter(|_| ours);
        Ok(Self(header.and_then(|header| auth::issued(app, header))))
    }
}

/// From where somebody asks, if that is known.
pub(super) struct Whence(pub(super) Option<IpAddr>);

impl FromRequestParts<App> for Whence {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        Ok(Self(address::client(parts, app)))
    }
}

/// A header that is no text counts as given: it must not let anybody in as nobody.
fn authorization(parts: &Parts) -> Option<&str> {
    parts
        .headers
        .get(AUTHORIZATION)
        .map(|header| header.to_str().unwrap_or_default())
}

/// The id in the path. What cannot be an id is unknown like any other.
pub(super) struct Id(pub(super) UploadId);

impl FromRequestParts<App> for Id {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let Segment(text) = Segment::from_request_parts(parts, app).await?;
        parse_id(&text).map(Self)
    }
}

/// The variable part of the path. What is no text names nothing.
pub(super) struct Segment(pub(super) String);

impl FromRequestParts<App> for Segment {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let text = Path::<String>::from_request_parts(parts, app).await;
        text.map(|Path(text)| Self(text))
            .map_err(|_| Kind::NotFound.into())
    }
}

/// Both variable parts of the path.
pub(super) struct Segments(pub(super) String, pub(super) String);

impl FromRequestParts<App> for Segments {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let texts = Path::<(String, String)>::from_request_parts(parts, app).await;
        texts
            .map(|Path((one, other))| Self(one, other))
            .map_err(|_| Kind::NotFound.into())
    }
}

/// An id from a request, or 404 naming it.
pub(super) fn parse_id(text: &str) -> Result<UploadId, Error> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        Kind::NotFound.because(format!("there is no upload `{shown}`"))
    })
}

/// The query string.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Asked<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let query = Query::<T>::from_request_parts(parts, app).await;
        query
            .map(|Query(asked)| Self(asked))
            .map_err(|error| Kind::InvalidRequest.because(error.body_text()))
    }
}

/// The request's JSON.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self, Error> {
        let sent = Creating::from_request(request, app).await?;
        sent.json().map(Self)
    }
}

/// A request that creates something: its JSON, yet to be read, and by what its repetition is told.
pub(super) struct Creating {
    json: Vec<u8>,
    pub(super) idempotency: Option<Idempotency>,
}

impl Creating {
    /// What was sent.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.json).map_err(|error| {
            Kind::InvalidRequest.because(format!("the body is not as it should be: {error}"))
        })
    }
}

impl FromRequest<App> for Creating {
    type Rejection = Error;

    async fn from_request(request: Request, _: &App) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        // A client that waits to be asked for its body is told before it sends any.
        if announced(&parts.headers) > MAX_BODY && parts.headers.contains_key("expect") {
            return Err(Kind::BodyTooLarge.into());
        }
        if !is_json(&parts.headers) {
            return Err(Kind::InvalidRequest
                .because("the body must be JSON: send `content-type: application/json`"));
        }
        let json = read(body.into_data_stream()).await?;
        let key = parts.headers.get(IDEMPOTENCY_KEY);
        // A value that is no text is no key either.
        let key = key.map(|value| value.to_str().unwrap_or_default());
        let idempotency = key.map(|key| Idempotency::new(key, &json)).transpose()?;
        Ok(Self { json, idempotency })
    }
}

fn announced(headers: &HeaderMap) -> usize {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

async fn read(mut body: BodyDataStream) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Kind::InvalidRequest.because("the body broke off"))?;
        if bytes.len() + chunk.len() > MAX_BODY {
            let rest = body.for_each(|_| std::future::ready(()));
            let _ = tokio::time::timeout(DRAIN, rest).await;
            return Err(Kind::BodyTooLarge.into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
