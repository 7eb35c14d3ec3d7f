//! Begin: apply the profile, record, sign.

use crate::{
    app::App,
    auth::{self, Caller, Secret},
    bucket::grant::Grant,
    clock::after,
    error::{Error, Kind},
    flow,
    upload::{
        Checksum, ChecksumAlgorithm, MediaType, Metadata, Method, Owner, PartPlan, Profile,
        Promote, State, Upload, name,
    },
};

/// How many parts a grant signs at once; more are signed on demand.
const FIRST_PARTS: usize = 32;

/// What a client asks to send.
#[derive(Debug, Clone)]
pub struct Begin {
    /// A profile's name.
    pub profile: String,
    pub filename: String,
    /// A media type.
    pub content_type: String,
    pub size_bytes: u64,
    pub checksum: Option<Checksum>,
    pub metadata: Metadata,
    pub method: Option<Method>,
    /// Named by an application's server only.
    pub owner: Option<String>,
}

/// An upload that may now be sent.
#[derive(Debug, Clone)]
pub struct Begun {
    pub upload: Upload,
    pub token: Secret,
    pub grant: Grant,
}

/// Begins one upload: checks it against its profile, records it, and signs a grant.
pub async fn begin(app: &App, caller: &Caller, begin: Begin) -> Result<Begun, Error> {
    let owner = owner(caller, begin.owner.as_deref())?;
    let profile = flow::profile(app, &begin.profile)?;
    let (mut upload, token) = admit(app, profile, owner, begin)?;
    if upload.method == Method::Multipart {
        let key = upload.staged_key();
        let created =
            app.bucket
                .create_multipart(&key, &upload.content_type, upload.checksum.as_ref());
        upload.multipart_id = Some(created.await?);
    }
    let upload = record(app, upload).await?;
    let grant = grant(app, &upload)?;
    tracing::debug!(id = %upload.id, profile = upload.profile, method = upload.method.as_str(), "begin");
    Ok(Begun {
        upload,
        token,
        grant,
    })
}

/// Records the upload. What was created in the store for one that is not recorded is nobody's: it goes again.
async fn record(app: &App, upload: Upload) -> Result<Upload, Error> {
    let created = upload.multipart_id.clone();
    let key = upload.staged_key();
    let recorded = app.records.begin(upload).await;
    if let (Err(_), Some(multipart_id)) = (&recorded, created)
        && let Err(error) = app.bucket.abort_multipart(&key, &multipart_id).await
    {
        tracing::warn!(%key, %error, "an unrecorded upload stays until the bucket's own rule");
    }
    recorded
}

/// For whom: the user asking, or whom an application's server names.
fn owner(caller: &Caller, named: Option<&str>) -> Result<Owner, Error> {
    match (caller, named) {
        (Caller::User { owner }, None) => Ok(owner.clone()),
        (Caller::Server { .. }, Some(named)) => named
            .parse()
            .map_err(|error| Kind::InvalidRequest.because(format!("`owner`: {error}"))),
        (Caller::Server { .. }, None) => {
            Err(Kind::InvalidRequest.because("`owner` is required with an API key"))
        }
        (Caller::User { .. }, Some(_)) => {
            Err(Kind::Forbidden.because("only an API key may name an `owner`"))
        }
        (Caller::Upload { .. }, _) => {
            Err(Kind::Forbidden.because("an upload token is for its one upload only"))
        }
    }
}

/// The upload, if its profile takes it.
fn admit(
    app: &App,
    profile: &Profile,
    owner: Owner,
    begin: Begin,
) -> Result<(Upload, Secret), Error> {
    let filename = name::clean(&begin.filename);
    let content_type: MediaType = begin
        .content_type
        .parse()
        .map_err(|error| Kind::InvalidRequest.because(format!("`content_type`: {error}")))?;
    profile.check(&filename, &content_type, begin.size_bytes)?;
    profile.check_metadata(&begin.metadata)?;
    if profile.promote == Promote::OnComplete {
        profile.check_required(&begin.metadata)?;
    }
    let method = profile.choose_method(begin.method, begin.size_bytes)?;
    check_checksum(method, begin.checksum.as_ref())?;
    let now = app.clock.now();
    let id = app.ids.upload_id(now)?;
    let token = auth::upload_token(id, &app.ids.secret()?);
    let expires_at = after(now, profile.lifetimes.upload);
    let upload = Upload {
        id,
        profile: begin.profile,
        owner,
        filename,
        content_type,
        size_bytes: begin.size_bytes,
        checksum: begin.checksum,
        metadata: begin.metadata,
        method,
        multipart_id: None,
        token_hash: auth::hash(token.expose()),
        grant_expires_at: after(now, profile.lifetimes.grant).min(expires_at),
        expires_at,
        claim: None,
        state: State::Issued,
        attempt: 0,
    };
    Ok((upload, token))
}

/// Of a multipart upload S3 knows no SHA-256 and no MD5 over the whole content, and in a form it takes no MD5.
fn check_checksum(method: Method, checksum: Option<&Checksum>) -> Result<(), Error> {
    let algorithm = checksum.map(Checksum::algorithm);
    match (method, algorithm) {
        (Method::Multipart, Some(algorithm)) if algorithm != ChecksumAlgorithm::Crc64nvme => {
            Err(Kind::InvalidRequest
                .because("`checksum`: a file sent in parts takes crc64nvme only"))
        }
        (Method::Post, Some(ChecksumAlgorithm::Md5)) => Err(Kind::InvalidRequest
            .because("`checksum`: a file sent as a form takes sha256 or crc32c")),
        _ => Ok(()),
    }
}

fn grant(app: &App, upload: &Upload) -> Result<Grant, Error> {
    let now = upload.created_at();
    match upload.method {
        Method::Put => app.bucket.grant_put(upload, now),
        Method::Post => app.bucket.grant_post(upload, now),
        Method::Multipart => {
            let plan = PartPlan::new(upload.size_bytes);
            let expires_at = upload.grant_expires_at;
            let first = plan.numbers().take(FIRST_PARTS);
            Ok(Grant::Multipart {
                part_size_bytes: plan.part_size_bytes(),
                parts: app.bucket.sign_parts(upload, first, expires_at, now)?,
                expires_at,
            })
        }
    }
}
