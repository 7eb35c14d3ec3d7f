//! The classic tutorial's contract: a URL to PUT to, and one to get from.

use crate::{
    app::App,
    auth::Caller,
    error::{Error, Kind},
    flow::{Begin, Begun, Idempotency, begin::begin_unmeasured},
    upload::{Metadata, Method},
};

/// What such a client says of its file.
#[derive(Debug, Clone)]
pub struct UploadUrl {
    /// Where it would have it; kept as `metadata.path`, and the file's name is taken from it. Keys are ours to choose.
    pub path: String,
    /// A media type.
    pub content_type: String,
    /// Named by an application's server only.
    pub owner: Option<String>,
}

/// Begins an upload under the profile that the configuration names for this.
pub async fn upload_url(
    app: &App,
    caller: &Caller,
    wanted: UploadUrl,
    idempotency: Option<&Idempotency>,
) -> Result<Begun, Error> {
    let profile = app.config.upload_url.clone();
    let profile =
        profile.ok_or_else(|| Kind::NotFound.because("`upload_url` is not offered here"))?;
    let begin = Begin {
        profile,
        filename: Some(wanted.path.clone()),
        content_type: Some(wanted.content_type),
        size_bytes: None,
        checksum: None,
        metadata: Metadata::from([("path".to_owned(), wanted.path)]),
        method: Some(Method::Put),
        return_to: None,
        owner: wanted.owner,
    };
    begin_unmeasured(app, caller, begin, idempotency).await
}
