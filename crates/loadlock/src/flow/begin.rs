//! Begin: apply the profile, record, sign. One file or many; once, however often it is asked for under one key.

mod admit;
mod refusals;
mod repeat;

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;

pub(super) use self::admit::{origin, owner};
pub use self::repeat::Idempotency;
use self::{
    admit::{admit, admit_unmeasured},
    refusals::Wish,
};
use crate::{
    app::App,
    auth::{self, Caller, Secret},
    bucket::grant::{FormTerms, Grant},
    error::{Error, Kind},
    flow::{self, authorize::authorize, gate},
    records::{Admitted, NewBegin, Outcome},
    upload::{Checksum, Metadata, Method, ObjectKey, Profile, Upload},
};

/// How many parts a grant signs at once; more are signed on demand.
const FIRST_PARTS: usize = 32;
const MAX_REF_CHARS: usize = 64;
/// How many multipart uploads one begin creates at a time.
const AT_ONCE: usize = 4;

/// What a client asks to send.
#[derive(Debug, Clone)]
pub struct Begin {
    /// A profile's name.
    pub profile: String,
    /// Like type and size to be declared, unless the file travels as a form.
    pub filename: Option<String>,
    /// A media type.
    pub content_type: Option<String>,
    pub size_bytes: Option<u64>,
    pub checksum: Option<Checksum>,
    pub metadata: Metadata,
    pub method: Option<Method>,
    /// Whereto a person goes on after a form.
    pub return_to: Option<String>,
    /// Named by an application's server only.
    pub owner: Option<String>,
}

/// What a client asks to send together.
#[derive(Debug)]
pub struct BeginMany {
    /// A profile's name.
    pub profile: String,
    /// Named by an application's server only.
    pub owner: Option<String>,
    /// Of every file; what a file has of its own goes before it.
    pub metadata: Metadata,
    pub files: Vec<Named<Announced>>,
}

/// What is said of one file of several.
#[derive(Debug)]
pub struct Announced {
    pub filename: String,
    /// A media type.
    pub content_type: String,
    pub size_bytes: u64,
    pub checksum: Option<Checksum>,
    pub metadata: Metadata,
    pub method: Option<Method>,
}

/// One of several, under the caller's own name for it: a file asked for, or what became of it. A refused one keeps none of
/// the others.
#[derive(Debug)]
pub struct Named<T> {
    pub reference: String,
    pub file: Result<T, Error>,
}

/// An upload that may now be sent.
#[derive(Debug, Clone)]
pub struct Begun {
    pub upload: Upload,
    pub token: Secret,
    pub grant: Grant,
}

/// Begins one upload: checks it against its profile, records it, and signs a grant. Asked for again under the same key it is
/// the same upload.
pub async fn begin(
    app: &App,
    caller: &Caller,
    begin: Begin,
    idempotency: Option<&Idempotency>,
) -> Result<Begun, Error> {
    let (name, wish) = (begin.profile.clone(), Wish::one(&begin));
    let admit = |profile: &Profile| vec![admit(app, caller, profile, begin)];
    let answer = only(begin_all(app, caller, &name, idempotency, admit).await);
    answer.inspect_err(|error| wish.note(app, caller, Err(error)))
}

/// Begins an upload of a type but of no declared size, for clients that know of no such thing: a PUT whose size is the
/// profile's affair, at inspection.
pub(super) async fn begin_unmeasured(
    app: &App,
    caller: &Caller,
    begin: Begin,
    idempotency: Option<&Idempotency>,
) -> Result<Begun, Error> {
    let (name, wish) = (begin.profile.clone(), Wish::one(&begin));
    let admit = |profile: &Profile| vec![admit_unmeasured(app, caller, profile, begin)];
    let answer = only(begin_all(app, caller, &name, idempotency, admit).await);
    answer.inspect_err(|error| wish.note(app, caller, Err(error)))
}

fn only(begun: Result<Each<Begun>, Error>) -> Result<Begun, Error> {
    begun?.pop().unwrap_or_else(|| Err(Kind::Internal.into()))
}

/// Begins several uploads, each of which is begun or refused by itself. They are recorded together.
pub async fn begin_many(
    app: &App,
    caller: &Caller,
    many: BeginMany,
    idempotency: Option<&Idempotency>,
) -> Result<Vec<Named<Begun>>, Error> {
    let wish = Wish::many(&many);
    let begun = begin_each(app, caller, many, idempotency).await;
    wish.note(app, caller, begun.as_deref());
    begun
}

async fn begin_each(
    app: &App,
    caller: &Caller,
    many: BeginMany,
    idempotency: Option<&Idempotency>,
) -> Result<Vec<Named<Begun>>, Error> {
    owner(caller, many.owner.as_deref())?;
    let profile = flow::profile(app, &many.profile)?;
    profile.check_count(many.files.len())?;
    // What all have in common is copied for each: it must be bounded first.
    profile.check_metadata(&many.metadata)?;
    check_references(&many.files)?;
    let BeginMany {
        profile,
        owner,
        metadata,
        files,
    } = many;
    let (references, files): (Vec<_>, Vec<_>) = files
        .into_iter()
        .map(|named| (named.reference, named.file))
        .unzip();
    let one = |file: Announced| Begin {
        profile: profile.clone(),
        filename: Some(file.filename),
        content_type: Some(file.content_type),
        size_bytes: Some(file.size_bytes),
        checksum: file.checksum,
        metadata: metadata.clone().into_iter().chain(file.metadata).collect(),
        method: file.method,
        return_to: None,
        owner: owner.clone(),
    };
    let admit = |rules: &Profile| {
        let admitted = files
            .into_iter()
            .map(|file| admit(app, caller, rules, one(file?)));
        admitted.collect()
    };
    let begun = begin_all(app, caller, &profile, idempotency, admit).await?;
    let named = references.into_iter().zip(begun);
    Ok(named
        .map(|(reference, file)| Named { reference, file })
        .collect())
}

fn check_references<T>(files: &[Named<T>]) -> Result<(), Error> {
    if files.is_empty() {
        return Err(Kind::InvalidRequest.because("`files` names no file"));
    }
    let mut seen = BTreeSet::new();
    for Named { reference, .. } in files {
        if !(1..=MAX_REF_CHARS).contains(&reference.chars().count()) {
            return Err(Kind::InvalidRequest.because(format!(
                "`files`: a `ref` is 1 to {MAX_REF_CHARS} characters long"
            )));
        }
        if !seen.insert(reference) {
            return Err(Kind::InvalidRequest
                .because(format!("`files`: the `ref` `{reference}` is there twice")));
        }
    }
    Ok(())
}

type Each<T> = Vec<Result<T, Error>>;

async fn begin_all(
    app: &App,
    caller: &Caller,
    profile: &str,
    idempotency: Option<&Idempotency>,
    admit: impl FnOnce(&Profile) -> Each<Upload>,
) -> Result<Each<Begun>, Error> {
    if let Some(idempotency) = idempotency
        && let Some(same) = repeat::answer(app, caller, idempotency).await?
    {
        return Ok(same);
    }
    let profile = flow::profile(app, profile)?;
    gate::enter(app, caller, profile).await?;
    let mut admitted = admit(profile);
    gate::check_owners(app, caller, &mut admitted).await?;
    let admitted = authorize(app, caller, profile, admitted).await?;
    let admitted = foreseen(app, admitted).await?;
    let now = app.clock.now();
    let reply = idempotency.map(|idempotency| idempotency.reply(caller, &admitted, now));
    let mut uploads = Vec::with_capacity(admitted.len());
    let places: Each<()> = admitted
        .into_iter()
        .map(|file| file.map(|upload| uploads.push(upload)))
        .collect();
    let mut recorded = Vec::new();
    // Where all are refused nothing was begun, and nothing is kept.
    if !uploads.is_empty() {
        match kept(app, NewBegin { uploads, reply }).await? {
            (Outcome::Done, each) => recorded = each,
            (Outcome::Lost, _) => return repeat::lost(app, caller, idempotency).await,
        }
    }
    let mut recorded = recorded.into_iter();
    let each = places.into_iter().map(|place| {
        place?;
        let upload = recorded.next().ok_or(Kind::Internal)??;
        begun(app, upload, now)
    });
    Ok(each.collect())
}

/// Refuses for want of room before anything is created at the store; what changes meanwhile, the records decide.
async fn foreseen(app: &App, admitted: Each<Upload>) -> Result<Each<Upload>, Error> {
    let uploads: Vec<&Upload> = admitted.iter().flatten().collect();
    if !uploads.iter().copied().any(in_parts) {
        return Ok(admitted);
    }
    let mut verdicts = app.records.foresee(&uploads).await?.into_iter();
    let each = admitted.into_iter().map(|file| {
        let upload = file?;
        verdicts.next().ok_or(Kind::Internal)??;
        Ok(upload)
    });
    Ok(each.collect())
}

fn in_parts(upload: &Upload) -> bool {
    upload.method == Method::Multipart
}

/// Records the uploads, once what is sent in parts is created at the store: a caller who hangs up does not stop that half-way.
async fn kept(app: &App, mut begin: NewBegin) -> Result<(Outcome, Admitted), Error> {
    if !begin.uploads.iter().any(in_parts) {
        return record(app, begin).await;
    }
    let app = app.clone();
    let task = tokio::spawn(async move {
        create_multiparts(&app, &mut begin.uploads).await?;
        record(&app, begin).await
    });
    task.await
        .map_err(|error| Kind::Internal.caused_by(error))?
}

/// Creates at the store what is sent in parts; all of it, or the begin has failed.
async fn create_multiparts(app: &App, uploads: &mut [Upload]) -> Result<(), Error> {
    let mut creations = Vec::new();
    for upload in uploads.iter_mut() {
        if upload.method == Method::Multipart {
            creations.push(create_multipart(app, upload));
        }
    }
    let created = stream::iter(creations).buffer_unordered(AT_ONCE);
    let created: Each<()> = created.collect().await;
    match created.into_iter().find_map(Result::err) {
        None => Ok(()),
        Some(error) => {
            abandon(app, in_store(uploads)).await;
            Err(error)
        }
    }
}

async fn create_multipart(app: &App, upload: &mut Upload) -> Result<(), Error> {
    let Some(content_type) = &upload.content_type else {
        return Err(Kind::Internal.into());
    };
    let key = &upload.staged_key;
    let created = app
        .bucket
        .create_multipart(key, content_type, upload.checksum.as_ref());
    upload.multipart_id = Some(created.await?);
    Ok(())
}

/// Records the uploads. What was created in the store for those that are not recorded is nobody's: it goes again.
async fn record(app: &App, begin: NewBegin) -> Result<(Outcome, Admitted), Error> {
    let mut created = in_store(&begin.uploads);
    let recorded = app.records.begin(begin).await;
    if let Ok((_, each)) = &recorded {
        let kept = |key: &ObjectKey| {
            each.iter()
                .flatten()
                .any(|upload| upload.staged_key == *key)
        };
        created.retain(|(key, _)| !kept(key));
    }
    abandon(app, created).await;
    recorded
}

/// The keys and ids of what was created in the store.
fn in_store(uploads: &[Upload]) -> Vec<(ObjectKey, String)> {
    uploads
        .iter()
        .filter_map(|upload| Some((upload.staged_key.clone(), upload.multipart_id.clone()?)))
        .collect()
}

async fn abandon(app: &App, created: Vec<(ObjectKey, String)>) {
    for (key, multipart_id) in created {
        if let Err(error) = app.bucket.abort_multipart(&key, &multipart_id).await {
            tracing::warn!(?key, %error, "an unrecorded upload stays until the bucket's own rule");
        }
    }
}

fn begun(app: &App, upload: Upload, now: Timestamp) -> Result<Begun, Error> {
    let grant = grant(app, &upload, now)?;
    let token = auth::upload_token(upload.id, &app.config.secrets);
    tracing::debug!(id = %upload.id, profile = upload.profile, method = upload.method.as_str(), "begin");
    Ok(Begun {
        upload,
        token,
        grant,
    })
}

fn grant(app: &App, upload: &Upload, now: Timestamp) -> Result<Grant, Error> {
    let profile = flow::profile(app, &upload.profile)?;
    match upload.method {
        Method::Put => app.bucket.grant_put(upload, now),
        Method::Post => {
            let api = &app.config.api_url;
            let redirect = upload.return_to.as_ref();
            let redirect = redirect.map(|_| format!("{api}/v1/uploads/{}/return", upload.id));
            let terms = FormTerms {
                sizes: upload.sizes(profile),
                redirect: redirect.as_deref(),
            };
            app.bucket.grant_post(upload, &terms, now)
        }
        Method::Credentials => Err(Kind::MethodNotOffered.into()),
        Method::Multipart => {
            let plan = upload.part_plan();
            let expires_at = app.bucket.granted_until(upload.grant_expires_at, now)?;
            let first = plan.numbers().take(FIRST_PARTS);
            Ok(Grant::Multipart {
                part_size_bytes: plan.part_size_bytes(),
                parts: app.bucket.sign_parts(upload, first, expires_at, now)?,
                expires_at,
            })
        }
    }
}
