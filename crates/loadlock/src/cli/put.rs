//! `loadlock put`: uploads files as a client would, their bytes straight to the store.
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use super::{
    say,
    session::{DEFAULT_DATA, Session},
};
use crate::{
    clock::Ids,
    http::message::{
        BeginRequest, Begun, Checksum, ChecksumAlgorithm, File, Method, Profile, Promote, Sealed,
        SignInRequest, State, Upload,
    },
};
use progress::Progress;
use retry::{Refusal, retrying};
use service::{Bearer, Service};
use source::Source;
use transfer::Transfer;

mod progress;
mod retry;
pub(super) mod service;
mod source;
pub(super) mod transfer;

/// Up to this size the service grants a single PUT, which can promise the whole file's SHA-256.
const WHOLE: u64 = 64 << 20;
/// Between two looks at an upload that is being promoted.
const PAUSE: Duration = Duration::from_millis(100);

/// Upload files, as a client would, and print their ids and addresses.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The files to upload.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The profile; without it `image` or `video`, by the file's type.
    #[arg(long, short)]
    profile: Option<String>,
    /// The service's address; without it, the `loadlock dev` of the data directory.
    #[arg(long, env = "LOADLOCK_API", value_name = "URL")]
    api: Option<String>,
    /// The bearer token to upload with; without it, the demo's user of the data directory is signed in.
    #[arg(
        long,
        env = "LOADLOCK_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    token: Option<String>,
    /// Whose the files are to be, where the token is an API key.
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Where `loadlock dev` keeps its data, to find its address and user.
    #[arg(long, default_value = DEFAULT_DATA, value_name = "DIR")]
    data: PathBuf,
    /// Form data to send along; may be repeated.
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = name_and_value)]
    metadata: Vec<(String, String)>,
    /// How many parts of a large file travel at once.
    #[arg(long, default_value = "4", value_name = "N")]
    parallel: NonZeroUsize,
    /// Print one line of JSON for each file.
    #[arg(long)]
    json: bool,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("give it as NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The person at the terminal has had enough: no further file is begun.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; the upload is given up")]
struct Interrupted;

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let service = connect(&args)?;
    let mut code = ExitCode::SUCCESS;
    for path in &args.files {
        match send(&service, &args, path.clone()).await {
            Ok(done) => say(&if args.json {
                done.json().to_string()
            } else {
                done.text()
            })?,
            Err(error) => {
                super::complain(&anyhow!("{}: {error:#}", path.display()));
                if args.json {
                    say(&failure(path, &error).to_string())?;
                }
                if error.is::<Interrupted>() {
                    return Ok(ExitCode::from(130));
                }
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn failure(path: &Path, error: &anyhow::Error) -> serde_json::Value {
    let code = error.downcast_ref::<Refusal>().map(|refusal| &refusal.code);
    json!({"path": path.display().to_string(), "error": {"code": code, "message": format!("{error:#}")}})
}

/// The service that was named, else that of the data directory. A directory's user is known to its own service only.
fn connect(args: &Args) -> anyhow::Result<Service> {
    if let (Some(api), Some(token)) = (&args.api, &args.token) {
        return Service::new(api, Bearer::Token(Sealed(token.clone())));
    }
    let session = Session::read(&args.data)?.with_context(|| {
        let data = args.data.display();
        format!("no service is known: start `loadlock dev` with its data in {data}, or give --api and --token")
    })?;
    let api = args.api.clone().unwrap_or_else(|| session.api.clone());
    let bearer = match &args.token {
        Some(token) => Bearer::Token(Sealed(token.clone())),
        None if api.trim_end_matches('/') == session.api => Bearer::User(SignInRequest {
            name: session.name,
            password: session.password,
        }),
        None => bail!("no token for {api} is known: give one with --token"),
    };
    Service::new(&api, bearer)
}

/// What became of one file.
struct Done {
    source: Source,
    upload: Upload,
    file: Option<File>,
}

impl Done {
    fn json(&self) -> serde_json::Value {
        let file = self.file.as_ref();
        json!({
            "path": self.source.path.display().to_string(),
            "id": self.upload.id,
            "state": self.upload.state,
            "filename": self.upload.filename,
            "content_type": self.upload.content_type,
            "size": self.upload.size,
            "content_url": file.map(|file| &file.content_url),
            "url": file.and_then(|file| file.url.as_ref()),
            "url_expires_at": file.and_then(|file| file.url_expires_at.as_ref()),
        })
    }

    fn text(&self) -> String {
        let Upload {
            id,
            filename,
            size,
            content_type,
            ..
        } = &self.upload;
        let size = indicatif::HumanBytes(size.unwrap_or_default());
        let content_type = content_type.as_deref().unwrap_or_default();
        let mut lines = vec![
            format!("{filename}  {size}  {content_type}"),
            format!("  id       {}", super::bold(id)),
        ];
        match &self.file {
            Some(file) => {
                lines.push(format!("  address  {}", super::bold(&file.content_url.0)));
                lines.extend(file.url.as_ref().map(|url| format!("  display  {}", url.0)));
            }
            None => {
                lines.push("  ready: it waits for an application's server to claim it".to_owned());
            }
        }
        lines.join("\n")
    }
}

/// Uploads one file. What cannot be finished is given up, so that it counts against nobody.
async fn send(service: &Service, args: &Args, path: PathBuf) -> anyhow::Result<Done> {
    let source = Source::open(path).await?;
    let profile = choose_profile(args, &source)?;
    let rules = service.profile(&profile).await?;
    let request = request(args, &rules, &source).await?;
    let key = BASE64_URL_SAFE_NO_PAD.encode(Ids::random().secret()?);
    let begun = service.begin(&request, &key).await?;
    let finished = tokio::select! {
        finished = finish(service, args, &source, &begun, rules.promote) => finished,
        _ = tokio::signal::ctrl_c() => Err(Interrupted.into()),
    };
    let upload = match finished {
        Ok(upload) => upload,
        Err(error) => {
            let _ = service.abort(&begun).await;
            return Err(error);
        }
    };
    let file = match upload.state {
        State::Stored => Some(service.file(&upload.id).await?),
        _ => None,
    };
    Ok(Done {
        source,
        upload,
        file,
    })
}

fn choose_profile(args: &Args, source: &Source) -> anyhow::Result<String> {
    if let Some(profile) = &args.profile {
        return Ok(profile.clone());
    }
    match source.content_type.split('/').next() {
        Some(family @ ("image" | "video")) => Ok(family.to_owned()),
        _ => bail!(
            "it is {}, neither an image nor a video: name the profile to use with --profile",
            source.content_type
        ),
    }
}

/// What is said of the content beforehand: of large files only where it is demanded. S3 makes no SHA-256 of what is sent in
/// parts.
async fn checksum(rules: &Profile, source: &Source) -> anyhow::Result<Option<Checksum>> {
    let is_large = source.size > WHOLE;
    if is_large && rules.checksum.is_none() {
        return Ok(None);
    }
    let offers = |method| rules.methods.contains(&method);
    let in_parts = offers(Method::Multipart) && (is_large || !offers(Method::Put));
    Ok(Some(if in_parts {
        Checksum {
            algorithm: ChecksumAlgorithm::Crc64nvme,
            value: source.crc64().await?,
        }
    } else {
        Checksum {
            algorithm: ChecksumAlgorithm::Sha256,
            value: source.sha256().await?,
        }
    }))
}

async fn request(args: &Args, rules: &Profile, source: &Source) -> anyhow::Result<BeginRequest> {
    let metadata: BTreeMap<_, _> = args.metadata.iter().cloned().collect();
    Ok(BeginRequest {
        profile: rules.name.clone(),
        filename: Some(source.filename.clone()),
        content_type: Some(source.content_type.clone()),
        size: Some(source.size),
        return_to: None,
        checksum: checksum(rules, source).await?,
        metadata: (!metadata.is_empty()).then_some(metadata),
        method: None,
        owner: args.owner.clone(),
    })
}

/// Sends the bytes, says so, and waits until the service is done with them.
async fn finish(
    service: &Service,
    args: &Args,
    source: &Source,
    begun: &Begun,
    promote: Promote,
) -> anyhow::Result<Upload> {
    let progress = Progress::new(source);
    Transfer::new(service, source, begun, &progress)?
        .send(args.parallel)
        .await?;
    progress.sent();
    let mut upload = retrying(|| service.complete(begun)).await?;
    loop {
        match (upload.state, promote) {
            (State::Stored, _) | (State::Ready, Promote::OnClaim) => return Ok(upload),
            (State::Issued | State::Received | State::Ready, _) => tokio::time::sleep(PAUSE).await,
            (State::Rejected, _) => {
                let reason = upload
                    .reason
                    .context("rejected, for a reason the service keeps to itself")?;
                return Err(Refusal {
                    code: reason.code,
                    message: reason.message,
                }
                .into());
            }
            (State::Expired | State::Aborted, _) => bail!("the service has given the upload up"),
        }
        upload = retrying(|| service.look(begun)).await?;
    }
}
