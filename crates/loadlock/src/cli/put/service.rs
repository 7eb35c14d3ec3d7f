//! The service as an uploading client sees it: one method per call.
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use reqwest::{
    Method, RequestBuilder, StatusCode, Url,
    header::{HeaderMap, RETRY_AFTER},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::Mutex, time::Instant};

use super::retry::{Refusal, Trouble, retrying, unreachable};
use crate::http::message::{
    BeginRequest, Begun, ErrorAnswer, File, Profile, Sealed, SignInRequest, SignRequest, Signed,
    SignedIn, Upload,
};

/// Longer than the longest wait that the service grants.
const PATIENCE: Duration = Duration::from_mins(1);

/// A sign-in is renewed well before its token ends, which it does after an hour.
const RENEWED: Duration = Duration::from_mins(30);

/// On whose behalf.
#[derive(Debug)]
pub(super) enum Bearer {
    Token(Sealed),
    /// A local user, to be signed in.
    User(SignInRequest),
}

/// A service's address and the right to use it.
#[derive(Debug)]
pub(super) struct Service {
    http: reqwest::Client,
    api: Url,
    bearer: Bearer,
    /// What a user was signed in with, and when.
    signed_in: Mutex<Option<(Sealed, Instant)>>,
}

impl Service {
    pub(super) fn new(api: &str, bearer: Bearer) -> anyhow::Result<Self> {
        // What ends in a slash keeps its path when another is joined to it.
        let api: Url = format!("{}/", api.trim_end_matches('/'))
            .parse()
            .with_context(|| format!("`{api}` is no address"))?;
        let http = client(&api)?.timeout(PATIENCE).build()?;
        Ok(Self {
            http,
            api,
            bearer,
            signed_in: Mutex::default(),
        })
    }

    /// The token given, or one of a sign-in that is not long ago.
    async fn token(&self) -> Result<Sealed, Trouble> {
        let user = match &self.bearer {
            Bearer::Token(token) => return Ok(token.clone()),
            Bearer::User(user) => user,
        };
        let mut held = self.signed_in.lock().await;
        if let Some((token, since)) = &*held
            && since.elapsed() < RENEWED
        {
            return Ok(token.clone());
        }
        let sign_in = self.http.post(self.address("v1/sign-in")?).json(user);
        let SignedIn { token, .. } = self.answered(sign_in).await?;
        *held = Some((token.clone(), Instant::now()));
        Ok(token)
    }

    fn address(&self, path: &str) -> Result<Url, Trouble> {
        let joined = self.api.join(path);
        joined.map_err(|error| Trouble::Lasting(error.into()))
    }

    pub(super) async fn profile(&self, name: &str) -> anyhow::Result<Profile> {
        let path = format!("v1/profiles/{name}");
        let token = self.token().await?;
        Ok(self.call(Method::GET, &path, &token, None::<&()>).await?)
    }

    /// Repeated under one key, so that a lost answer begins nothing twice.
    pub(super) async fn begin(&self, request: &BeginRequest, key: &str) -> anyhow::Result<Begun> {
        retrying(|| async {
            let begin = self.request(Method::POST, "v1/uploads", &self.token().await?)?;
            let begin = begin.header("idempotency-key", key).json(request);
            self.answered(begin).await
        })
        .await
    }

    pub(super) async fn sign(&self, upload: &Begun, parts: Vec<u32>) -> Result<Signed, Trouble> {
        let path = format!("v1/uploads/{}/parts", upload.id);
        self.call(
            Method::POST,
            &path,
            &upload.token,
            Some(&SignRequest { parts }),
        )
        .await
    }

    pub(super) async fn complete(&self, upload: &Begun) -> Result<Upload, Trouble> {
        let path = format!("v1/uploads/{}/complete", upload.id);
        self.call(Method::POST, &path, &upload.token, None::<&()>)
            .await
    }

    pub(super) async fn look(&self, upload: &Begun) -> Result<Upload, Trouble> {
        let path = format!("v1/uploads/{}?wait=30", upload.id);
        self.call(Method::GET, &path, &upload.token, None::<&()>)
            .await
    }

    pub(super) async fn abort(&self, upload: &Begun) -> Result<Upload, Trouble> {
        let path = format!("v1/uploads/{}", upload.id);
        self.call(Method::DELETE, &path, &upload.token, None::<&()>)
            .await
    }

    pub(super) async fn file(&self, id: &str) -> anyhow::Result<File> {
        let path = format!("v1/files/{id}");
        retrying(|| async {
            let token = self.token().await?;
            self.call(Method::GET, &path, &token, None::<&()>).await
        })
        .await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: &Sealed,
        body: Option<&impl Serialize>,
    ) -> Result<T, Trouble> {
        let mut request = self.request(method, path, token)?;
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answered(request).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        token: &Sealed,
    ) -> Result<RequestBuilder, Trouble> {
        let url = self.address(path)?;
        Ok(self.http.request(method, url).bearer_auth(&token.0))
    }

    async fn answered<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Trouble> {
        let whom = || format!("the service at {}", self.api);
        let answer = request
            .send()
            .await
            .map_err(|error| unreachable(&whom(), error))?;
        let status = answer.status();
        let later = retry_after(answer.headers());
        let bytes = answer
            .bytes()
            .await
            .map_err(|error| unreachable(&whom(), error))?;
        if !status.is_success() {
            let trouble = refused(&whom(), status, &bytes);
            return Err(match (trouble, later) {
                (Trouble::Passing(error), Some(later)) => Trouble::Later(error, later),
                (trouble, _) => trouble,
            });
        }
        serde_json::from_slice(&bytes)
            .with_context(|| format!("{} gave an answer that makes no sense", whom()))
            .map_err(Trouble::Lasting)
    }
}

/// In seconds; a date is no answer of the service's.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn refused(whom: &str, status: StatusCode, body: &[u8]) -> Trouble {
    let Ok(ErrorAnswer { error }) = serde_json::from_slice(body) else {
        let error = anyhow!("{whom} answered {status}: is it a Loadlock service?");
        return if status.is_server_error() {
            Trouble::Passing(error)
        } else {
            Trouble::Lasting(error)
        };
    };
    let retryable = error.retryable;
    let refusal = anyhow!(Refusal {
        code: error.code,
        message: error.message
    });
    let refusal = match status {
        StatusCode::UNAUTHORIZED => {
            refusal.context("the token is not valid here: give another with --token")
        }
        _ => refusal,
    };
    if retryable {
        Trouble::Passing(refusal)
    } else {
        Trouble::Lasting(refusal)
    }
}

/// A client for one server. A proxy from the environment is no way to this very machine.
pub(in crate::cli) fn client(server: &Url) -> anyhow::Result<reqwest::ClientBuilder> {
    let host = server.host_str().context("an address needs a host")?;
    let builder = reqwest::Client::builder()
        .user_agent(concat!("loadlock/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none());
    let loopback = host == "localhost" || host == "[::1]" || host.starts_with("127.");
    Ok(if loopback {
        builder.no_proxy()
    } else {
        builder
    })
}
