//! From what the flows give to what travels.
use jiff::Timestamp;

use super::message;
use crate::{
    app::App,
    auth::Secret,
    config::Config,
    error::{Error, Kind},
    flow, records, upload,
    upload::{ChecksumAlgorithm, ChecksumDemand, Method, OtherMetadata, Promote, State},
};

/// RFC 3339, UTC, milliseconds.
pub(super) fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

pub(super) fn sealed(secret: &Secret) -> message::Sealed {
    message::Sealed(secret.expose().to_owned())
}

impl From<message::Method> for Method {
    fn from(method: message::Method) -> Self {
        match method {
            message::Method::Put => Self::Put,
            message::Method::Post => Self::Post,
            message::Method::Multipart => Self::Multipart,
            message::Method::Credentials => Self::Credentials,
        }
    }
}

impl From<Method> for message::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Put => Self::Put,
            Method::Post => Self::Post,
            Method::Multipart => Self::Multipart,
            Method::Credentials => Self::Credentials,
        }
    }
}

impl TryFrom<message::Checksum> for upload::Checksum {
    type Error = Error;

    fn try_from(checksum: message::Checksum) -> Result<Self, Error> {
        let algorithm = match checksum.algorithm {
            message::ChecksumAlgorithm::Sha256 => ChecksumAlgorithm::Sha256,
            message::ChecksumAlgorithm::Crc32c => ChecksumAlgorithm::Crc32c,
            message::ChecksumAlgorithm::Crc64nvme => ChecksumAlgorithm::Crc64nvme,
            message::ChecksumAlgorithm::Md5 => ChecksumAlgorithm::Md5,
        };
        let name = algorithm.as_str();
        Self::new(algorithm, &checksum.value).map_err(|_| {
            Kind::InvalidRequest.because(format!("`checksum.value` is no {name} digest in base64"))
        })
    }
}

impl From<&upload::Checksum> for message::Checksum {
    fn from(checksum: &upload::Checksum) -> Self {
        let algorithm = match checksum.algorithm() {
            ChecksumAlgorithm::Sha256 => message::ChecksumAlgorithm::Sha256,
            ChecksumAlgorithm::Crc32c => message::ChecksumAlgorithm::Crc32c,
            ChecksumAlgorithm::Crc64nvme => message::ChecksumAlgorithm::Crc64nvme,
            ChecksumAlgorithm::Md5 => message::ChecksumAlgorithm::Md5,
        };
        Self {
            algorithm,
            value: checksum.value().to_owned(),
        }
    }
}

impl From<&State> for message::State {
    fn from(state: &State) -> Self {
        match state {
            State::Issued => Self::Issued,
            State::Received { .. } => Self::Received,
            State::Ready { .. } => Self::Ready,
            State::Stored { .. } => Self::Stored,
            State::Rejected { .. } => Self::Rejected,
            State::Expired { .. } => Self::Expired,
            State::Aborted { .. } => Self::Aborted,
        }
    }
}

pub(super) fn begun(app: &App, begun: flow::Begun) -> message::Begun {
    message::Begun {
        reference: None,
        id: begun.upload.id.to_string(),
        state: (&begun.upload.state).into(),
        api: app.config.api_url.clone(),
        token: sealed(&begun.token),
        expires_at: time(begun.upload.expires_at),
        grant: grant(begun.grant),
    }
}

pub(super) fn upload_url(app: &App, begun: flow::Begun) -> Result<message::UploadUrl, Error> {
    let flow::Grant::Put {
        url, expires_at, ..
    } = begun.grant
    else {
        return Err(Kind::Internal.because("an upload URL is for a PUT"));
    };
    Ok(message::UploadUrl {
        id: begun.upload.id.to_string(),
        put_url: sealed(&url),
        get_url: content_url(app, begun.upload.id, &begun.upload.profile, None),
        expires_at: time(expires_at),
    })
}

fn content_url(
    app: &App,
    id: upload::UploadId,
    profile: &str,
    end: Option<Timestamp>,
) -> message::Sealed {
    sealed(&flow::content_url(app, id, profile, end))
}

pub(super) fn begun_many(app: &App, files: Vec<flow::Named<flow::Begun>>) -> message::BegunMany {
    let one = |flow::Named { reference, file }| match file {
        Ok(file) => message::BegunFile::Begun(message::Begun {
            reference: Some(reference),
            ..begun(app, file)
        }),
        Err(error) => message::BegunFile::Refused(message::RefusedFile {
            reference,
            error: message::ErrorAnswer::from(&error).error,
        }),
    };
    message::BegunMany {
        uploads: files.into_iter().map(one).collect(),
    }
}

fn grant(grant: flow::Grant) -> message::Grant {
    match grant {
        flow::Grant::Put {
            url,
            headers,
            expires_at,
        } => message::Grant::Put {
            url: sealed(&url),
            headers: headers.into_iter().collect(),
            expires_at: time(expires_at),
        },
        flow::Grant::Post {
            url,
            fields,
            expires_at,
        } => message::Grant::Post {
            url: url.into(),
            fields: fields
                .iter()
                .map(|(name, value)| (name.clone(), sealed(value)))
                .collect(),
            expires_at: time(expires_at),
        },
        flow::Grant::Multipart {
            part_size_bytes,
            parts,
            expires_at,
        } => message::Grant::Multipart {
            part_size: part_size_bytes,
            parts: parts.into_iter().map(part).collect(),
            expires_at: time(expires_at),
        },
    }
}

fn part(part: flow::SignedPart) -> message::Part {
    message::Part {
        number: part.number.value().into(),
        url: sealed(&part.url),
        headers: part.headers.into_iter().collect(),
        size: part.size_bytes,
    }
}

pub(super) fn signed(signed: flow::Signed) -> message::Signed {
    let held = signed.held.iter();
    message::Signed {
        part_size: signed.part_size_bytes,
        held: held
            .map(|part| message::HeldPart {
                number: part.number.value().into(),
                size: part.size_bytes,
            })
            .collect(),
        parts: signed.parts.into_iter().map(part).collect(),
        expires_at: time(signed.expires_at),
    }
}

pub(super) fn progress(app: &App, progress: flow::Progress) -> message::Upload {
    let link_end = progress.link_end;
    let file = progress.file.map(|record| linked(app, record, link_end));
    message::Upload {
        file,
        ..upload(progress.upload)
    }
}

pub(super) fn reason(state: &State) -> Option<message::Reason> {
    match state {
        State::Rejected { reason, .. } => Some(message::Reason {
            code: reason.code().to_owned(),
            message: reason.to_string(),
        }),
        _ => None,
    }
}

pub(super) fn upload(upload: upload::Upload) -> message::Upload {
    message::Upload {
        id: upload.id.to_string(),
        state: (&upload.state).into(),
        profile: upload.profile,
        owner: upload.owner.to_string(),
        filename: upload.filename,
        content_type: upload.content_type.map(|media| media.to_string()),
        size: upload.size_bytes,
        created_at: time(upload.id.time()),
        expires_at: time(upload.expires_at),
        reason: reason(&upload.state),
        file: None,
    }
}

/// A file's record, without a display URL.
pub(super) fn file(app: &App, file: upload::File) -> message::File {
    linked(app, file, None)
}

/// The same, with a link that ends by then.
fn linked(app: &App, file: upload::File, end: Option<Timestamp>) -> message::File {
    let (width, height) = file.dimensions.unzip();
    message::File {
        content_url: content_url(app, file.id, &file.profile, end),
        id: file.id.to_string(),
        profile: file.profile,
        owner: file.owner.to_string(),
        filename: file.filename,
        content_type: file.content_type.to_string(),
        size: file.size_bytes,
        checksum: file.checksum.as_ref().map(Into::into),
        width,
        height,
        metadata: file.metadata,
        created_at: time(file.created_at),
        url: None,
        url_expires_at: None,
    }
}

pub(super) fn shown_file(app: &App, shown: flow::ShownFile) -> message::File {
    message::File {
        url: Some(sealed(&shown.display.url)),
        url_expires_at: Some(time(shown.display.expires_at)),
        ..file(app, shown.file)
    }
}

pub(super) fn display_url(id: upload::UploadId, display: &flow::DisplayUrl) -> message::DisplayUrl {
    message::DisplayUrl {
        id: id.to_string(),
        url: sealed(&display.url),
        expires_at: time(display.expires_at),
    }
}

pub(super) fn link(link: &flow::FileLink) -> message::Link {
    message::Link {
        id: link.id.to_string(),
        url: sealed(&link.url),
        expires_at: link.expires_at.map(time),
    }
}

impl From<records::Entry> for message::AuditEntry {
    fn from(entry: records::Entry) -> Self {
        Self {
            at: time(entry.at),
            act: entry.act.name().to_owned(),
            outcome: entry.outcome.into_owned(),
            actor: entry.actor.to_string(),
            owner: entry.owner,
            profile: entry.profile,
            upload: entry.upload.map(|id| id.to_string()),
            size: entry.size_bytes,
            key: entry.key,
            address: entry.address.map(|address| address.to_string()),
            detail: entry.detail,
        }
    }
}

pub(super) fn revocation(revocation: records::Revocation) -> message::Revocation {
    message::Revocation {
        kind: revocation.subject.kind().to_owned(),
        subject: revocation.subject.name(),
        at: time(revocation.at),
        by: revocation.by,
        reason: revocation.reason,
        open_uploads: None,
    }
}

pub(super) fn signed_in(signed_in: &flow::SignedIn) -> message::SignedIn {
    message::SignedIn {
        token: sealed(&signed_in.token),
        expires_at: time(signed_in.expires_at),
        owner: signed_in.owner.to_string(),
    }
}

pub(super) fn profile(config: &Config, profile: &upload::Profile) -> message::Profile {
    let extensions = profile
        .extensions
        .iter()
        .map(|extension| format!(".{extension}"))
        .collect::<Vec<_>>();
    let rule = |rule: &upload::MetadataRule| message::MetadataRule {
        required: rule.required,
        max_length: rule.max_length_bytes,
        values: (!rule.values.is_empty()).then(|| rule.values.clone()),
        pattern: rule.pattern.as_ref().map(|it| it.as_str().to_owned()),
    };
    message::Profile {
        name: profile.name.clone(),
        types: profile
            .types
            .iter()
            .map(|pattern| pattern.as_str().to_owned())
            .collect(),
        extensions: (!extensions.is_empty()).then_some(extensions),
        max_size: profile.max_size_bytes,
        min_size: profile.min_size_bytes,
        methods: config
            .methods(profile)
            .into_iter()
            .map(Into::into)
            .collect(),
        promote: match profile.promote {
            Promote::OnComplete => message::Promote::OnComplete,
            Promote::OnClaim => message::Promote::OnClaim,
        },
        metadata: profile
            .metadata
            .iter()
            .map(|(name, found)| (name.clone(), rule(found)))
            .collect(),
        other_metadata: match profile.other_metadata {
            OtherMetadata::Take => message::OtherMetadata::Take,
            OtherMetadata::Refuse => message::OtherMetadata::Refuse,
        },
        checksum: profile.checksum.map(|demand| match demand {
            ChecksumDemand::Any => message::ChecksumDemand::Any,
            ChecksumDemand::Sha256 => message::ChecksumDemand::Sha256,
        }),
        anonymous: profile.admits.anonymous,
        max_files: profile.max_files,
    }
}
