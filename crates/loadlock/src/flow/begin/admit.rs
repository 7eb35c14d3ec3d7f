//! What is let in: an upload, if the caller may begin it and its profile takes it.

use crate::{
    app::App,
    auth::{Caller, Who},
    clock::after,
    error::{Error, Kind},
    flow::Begin,
    upload::{
        Checksum, ChecksumAlgorithm, MediaType, Method, Narrowed, ObjectKey, Owner, Profile,
        Promote, State, Upload, UploadId, key, name, profile::MAX_SINGLE_BYTES,
    },
};

const MAX_RETURN_BYTES: usize = 1024;

/// For whom: the user asking, or whom an application's server names.
pub(in crate::flow) fn owner(caller: &Caller, named: Option<&str>) -> Result<Owner, Error> {
    match (&caller.who, named) {
        (Who::User { owner, .. }, None) => Ok(owner.clone()),
        (Who::Server { .. }, Some(named)) => {
            let owner: Result<Owner, _> = named.parse();
            let owner =
                owner.map_err(|error| Kind::InvalidRequest.because(format!("`owner`: {error}")))?;
            if owner.is_anonymous() {
                return Err(Kind::InvalidRequest.because("`owner`: nobody is called `anonymous`"));
            }
            Ok(owner)
        }
        (Who::Server { .. }, None) => {
            Err(Kind::InvalidRequest.because("`owner` is required with an API key"))
        }
        (Who::Nobody, None) => Ok(Owner::anonymous()),
        (Who::User { .. } | Who::Nobody, Some(_)) => {
            Err(Kind::Forbidden.because("only an API key may name an `owner`"))
        }
        (Who::Upload { .. }, _) => {
            Err(Kind::Forbidden.because("an upload token is for its one upload only"))
        }
    }
}

/// The upload, if its profile takes it.
pub(super) fn admit(
    app: &App,
    caller: &Caller,
    profile: &Profile,
    begin: Begin,
) -> Result<Upload, Error> {
    let method = declared(profile, &begin)?;
    let_in(app, caller, (profile, method), begin)
}

/// An upload of a type but of no declared size, if its profile takes it: a PUT.
pub(super) fn admit_unmeasured(
    app: &App,
    caller: &Caller,
    profile: &Profile,
    begin: Begin,
) -> Result<Upload, Error> {
    let filename = name::clean(begin.filename.as_deref().unwrap_or_default());
    let content_type = media_type(begin.content_type.as_deref().unwrap_or_default())?;
    profile.check_type(&filename, &content_type)?;
    let method = profile.choose_method(Some(Method::Put), profile.min_size_bytes)?;
    let_in(app, caller, (profile, method), begin)
}

/// The method for what was declared, if the profile takes it.
fn declared(profile: &Profile, begin: &Begin) -> Result<Method, Error> {
    match (&begin.filename, &begin.content_type, begin.size_bytes) {
        (Some(filename), Some(content_type), Some(size_bytes)) => {
            let content_type = media_type(content_type)?;
            profile.check(&name::clean(filename), &content_type, size_bytes)?;
            profile.choose_method(begin.method, size_bytes)
        }
        _ => undeclared(profile, begin),
    }
}

fn media_type(text: &str) -> Result<MediaType, Error> {
    text.parse()
        .map_err(|error| Kind::InvalidRequest.because(format!("`content_type`: {error}")))
}

/// The upload, if the rest of the profile's rules take it.
fn let_in(
    app: &App,
    caller: &Caller,
    (profile, method): (&Profile, Method),
    begin: Begin,
) -> Result<Upload, Error> {
    let owner = owner(caller, begin.owner.as_deref())?;
    let filename = begin.filename.as_deref().map(name::clean);
    let content_type = begin.content_type.as_deref().map(media_type).transpose()?;
    profile.check_metadata(&begin.metadata)?;
    if profile.promote == Promote::OnComplete {
        profile.check_required(&begin.metadata)?;
    }
    profile.check_checksum(begin.checksum.as_ref())?;
    check_checksum(method, begin.checksum.as_ref())?;
    check_return(app, method, begin.return_to.as_deref())?;
    let now = app.clock.now();
    let id = app.ids.upload_id(now)?;
    let expires_at = after(now, profile.lifetimes.upload);
    Ok(Upload {
        id,
        profile: begin.profile,
        staged_key: staged_key(app, &owner, id)?,
        owner,
        api_key: match &caller.who {
            Who::Server { name, .. } => Some(name.clone()),
            _ => None,
        },
        address: caller.address,
        filename: filename.unwrap_or_default(),
        content_type,
        size_bytes: begin.size_bytes,
        reserved_bytes: begin
            .size_bytes
            .unwrap_or(profile.max_size_bytes.min(MAX_SINGLE_BYTES)),
        lingers: false,
        checksum: begin.checksum,
        metadata: begin.metadata,
        method,
        narrowed: Narrowed::default(),
        multipart_id: None,
        return_to: begin.return_to,
        grant_expires_at: after(now, profile.lifetimes.grant).min(expires_at),
        expires_at,
        claim: None,
        state: State::Issued,
        attempt: 0,
    })
}

fn staged_key(app: &App, owner: &Owner, id: UploadId) -> Result<ObjectKey, Error> {
    let [secret, _] = *app.ids.secret()?.as_chunks().0 else {
        return Err(Kind::Internal.into());
    };
    Ok(key::staged(owner, id, &secret))
}

/// The method for a file that is not chosen yet, of which nothing can be said: a form.
fn undeclared(profile: &Profile, begin: &Begin) -> Result<Method, Error> {
    let missing = [
        ("filename", begin.filename.is_none()),
        ("content_type", begin.content_type.is_none()),
        ("size", begin.size_bytes.is_none()),
    ];
    let names = missing.iter().filter(|(_, missing)| *missing);
    let names: Vec<&str> = names.map(|(name, _)| *name).collect();
    let is_form = begin.method == Some(Method::Post);
    if !is_form || names.len() < missing.len() {
        return Err(Kind::InvalidRequest.because(format!(
            "missing `{}`: only a `post` may leave out `filename`, `content_type` and `size`, and then all three",
            names.join("`, `")
        )));
    }
    profile.choose_method(begin.method, profile.min_size_bytes)
}

/// A form may return a person to the application, and to nowhere else.
fn check_return(app: &App, method: Method, return_to: Option<&str>) -> Result<(), Error> {
    let Some(address) = return_to else {
        return Ok(());
    };
    let refused = |why: &str| Err(Kind::InvalidRequest.because(format!("`return_to`: {why}")));
    if method != Method::Post {
        return refused("only a `post` returns a person");
    }
    match origin(address) {
        Some(origin) if app.config.origins.allow(origin) => Ok(()),
        Some(origin) => refused(&format!(
            "`{origin}` is not among the application's origins"
        )),
        None => refused("an absolute http or https address without a fragment is wanted"),
    }
}

/// The origin an address begins with, if it is one that can be returned to.
pub(in crate::flow) fn origin(address: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\\#\"<>".contains(&byte);
    let rest = address
        .strip_prefix("https://")
        .or_else(|| address.strip_prefix("http://"))?;
    let host = rest.split(['/', '?']).next()?;
    let sound = address.len() <= MAX_RETURN_BYTES && address.bytes().all(plain);
    (sound && !host.is_empty()).then(|| &address[..address.len() - rest.len() + host.len()])
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

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn an_address_to_return_to_is_told_by_its_origin() {
        fn check(address: &str, expected: Option<&str>) {
            assert_eq!(origin(address), expected, "{address}");
        }
        check("https://a.example/form?x=1", Some("https://a.example"));
        check("https://a.example?x=1", Some("https://a.example"));
        check("http://127.0.0.1:3000/", Some("http://127.0.0.1:3000"));
        check(
            "https://a.example@evil.example/",
            Some("https://a.example@evil.example"),
        );
        check("https://a.example\\@evil.example/", None);
        check("https://a.example/#top", None);
        check("https:///form", None);
        check("/form", None);
        check("javascript:alert(1)", None);
        check("https://a.example/\r\nset-cookie: x", None);
    }
}
