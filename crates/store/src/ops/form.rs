//! `PostObject`: a browser's form, whose policy says what it may bring.

use http::{StatusCode, header};
use loadlock_sigv4::{PresentedForm, Rules};

use super::{Content, MAX_PUT, MAX_WRITERS, location, receive};
use crate::access::{Caller, People, Principal, object_arn};
use crate::auth;
use crate::body::{FormFile, Source};
use crate::checksum::Promise;
use crate::disk::{BucketName, Disk, ETag, ObjectInfo, ObjectKey, PutObject, Tags};
use crate::error::{Code, S3Error, S3Result};
use crate::form::Fields;
use crate::reply::{self, Reply, encode_key};
use crate::request::{Attributes, Request, Target, object_key};
use crate::tagging;
use crate::xml::Xml;

/// Takes a form: fields first, then policy and permission, and only then the file.
pub(crate) async fn post_object(
    disk: &Disk,
    people: &People,
    rules: &Rules<'_>,
    request: &Request,
    source: &mut Source,
) -> S3Result<Reply> {
    let Target::Bucket(bucket) = &request.target else {
        return Err(Code::MethodNotAllowed.into());
    };
    request
        .attributes
        .number("content-length")?
        .ok_or(Code::MissingContentLength)?;
    let content_type = request.header(&header::CONTENT_TYPE).unwrap_or_default();
    let (mut fields, mut file) = FormFile::open(source, content_type).await?;
    fields.fill_in_filename();
    let (principal, size) = authenticate(people, rules, bucket, &fields)?;
    let attributes = Attributes::of_fields(&fields.fields);
    let key = object_key(fields.value("key").unwrap_or_default().to_owned())?;
    authorize(principal, &attributes, bucket, &key)?;

    attributes.refuse_unsupported()?;
    file.range = *size.start()..=MAX_PUT.min(*size.end());
    let put = PutObject {
        bucket: bucket.clone(),
        key,
        metadata: attributes.metadata()?,
        tags: tags(&fields)?,
        condition: None,
    };
    disk.head_bucket(bucket).await?;
    let _claim = disk.claim(bucket, &put.key, MAX_WRITERS)?;
    let written = receive(
        disk,
        Content::File(Box::new(file)),
        Promise::read(&attributes)?,
        None,
    )
    .await?;
    let info = disk.put_object(written, put.clone()).await?;
    Ok(answer(request, &fields, &put, &info))
}

/// Whose form it is, and how long its file may be.
fn authenticate<'i>(
    people: &'i People,
    rules: &Rules<'_>,
    bucket: &BucketName,
    fields: &Fields,
) -> S3Result<(Principal<'i>, std::ops::RangeInclusive<u64>)> {
    let pairs: Vec<(&str, &str)> = fields
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    if fields.value("key").is_none() {
        return Err(S3Error::new(Code::InvalidArgument, "Bucket POST must contain a field named 'key'. If it is specified, please check the order of the fields.").with("ArgumentName", "key"));
    }
    let form = PresentedForm::parse(&pairs)
        .map_err(auth::refused)?
        .ok_or(Code::AccessDenied)?;
    let principal = people.find(form.access_key(), form.session_token(), rules.now)?;
    let policy = form
        .verify(&principal.credentials, rules)
        .map_err(auth::refused)?;
    policy
        .check(bucket.as_str(), &pairs)
        .map_err(auth::refused)?;
    Ok((principal, policy.size().unwrap_or(0..=u64::MAX)))
}

fn authorize(
    principal: Principal<'_>,
    attributes: &Attributes,
    bucket: &BucketName,
    key: &ObjectKey,
) -> S3Result<()> {
    let caller = Caller::new(
        principal,
        "POST",
        attributes,
        &crate::request::Query::default(),
    );
    let resource = object_arn(bucket, key);
    caller.require("s3:PutObject", &resource)?;
    caller.require_extras(attributes, &resource)
}

/// A form has its tags as a document, where a request has them in a header.
fn tags(fields: &Fields) -> S3Result<Tags> {
    if fields.value(tagging::HEADER).is_some() {
        return Err(S3Error::not_implemented(tagging::HEADER));
    }
    let document = fields.value("tagging");
    document.map_or_else(
        || Ok(Tags::default()),
        |text| tagging::read(text.as_bytes()),
    )
}

fn answer(request: &Request, fields: &Fields, put: &PutObject, info: &ObjectInfo) -> Reply {
    let redirect = fields
        .value("success_action_redirect")
        .or(fields.value("redirect"));
    if let Some(location) =
        redirect.and_then(|target| redirection(target, &put.bucket, &put.key, &info.etag))
    {
        let mut reply = reply::empty(StatusCode::SEE_OTHER);
        reply::set(reply.headers_mut(), header::LOCATION, &location);
        return reply;
    }
    let place = location(request, &put.bucket, &put.key);
    let mut reply = match fields.value("success_action_status") {
        Some("200") => reply::empty(StatusCode::OK),
        Some("201") => reply::xml(
            StatusCode::CREATED,
            Xml::document("PostResponse", |xml| {
                xml.text("Location", &place);
                xml.text("Bucket", put.bucket.as_str());
                xml.text("Key", put.key.as_str());
                xml.text("ETag", &info.etag.quoted());
            }),
        ),
        _ => reply::empty(StatusCode::NO_CONTENT),
    };
    let headers = reply.headers_mut();
    reply::set(headers, header::LOCATION, &place);
    reply::set(headers, header::ETAG, &info.etag.quoted());
    reply::set_checksums(headers, &info.checksums);
    reply
}

/// Where a browser is sent after its upload; what is no web address is ignored.
fn redirection(target: &str, bucket: &BucketName, key: &ObjectKey, etag: &ETag) -> Option<String> {
    let uri: http::Uri = target.parse().ok()?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() {
        return None;
    }
    let (page, fragment) = target
        .split_once('#')
        .map_or((target, ""), |(page, _)| (page, &target[page.len()..]));
    let joint = if page.contains('?') { '&' } else { '?' };
    let key = encode_key(key.as_str()).replace('/', "%2F");
    Some(format!(
        "{page}{joint}bucket={bucket}&key={key}&etag=%22{etag}%22{fragment}"
    ))
}

#[cfg(test)]
mod tests {
    use super::redirection;
    use crate::disk::{BucketName, ETag, ObjectKey};

    #[test]
    fn a_redirection_names_bucket_key_and_etag() {
        let to = |target| {
            let (bucket, key) = (
                BucketName::parse("bkt").unwrap(),
                ObjectKey::parse("in/a b").unwrap(),
            );
            redirection(target, &bucket, &key, &ETag::new("e"))
        };
        let tail = "bucket=bkt&key=in%2Fa%20b&etag=%22e%22";
        assert_eq!(
            to("https://x.example/done"),
            Some(format!("https://x.example/done?{tail}"))
        );
        assert_eq!(
            to("http://x.example/?a=b"),
            Some(format!("http://x.example/?a=b&{tail}"))
        );
        for bad in [
            "javascript:alert(1)",
            "/relative",
            "https://",
            "http://x\r\nset-cookie: a",
            "",
        ] {
            assert_eq!(to(bad), None, "{bad}");
        }
    }
}
