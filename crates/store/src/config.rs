//! Buckets' configuration documents: how CORS and lifecycle rules are read, checked, kept and written.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::cors::{Cors, CorsConfiguration, CorsRule};
use crate::disk::{BucketName, ConfigKind, Disk, DiskError};
use crate::error::{Code, S3Error, S3Result};
use crate::lifecycle::{Expiration, Lifecycle, Rule, Status};
use crate::xml::{self, Xml};

const MAX_RULES: usize = 1000;

pub(crate) fn read_cors(document: &[u8]) -> S3Result<Cors> {
    Cors::new(xml::read::<CorsConfiguration>("CORSConfiguration", document)?.rules)
}

pub(crate) fn write_cors(cors: &Cors) -> String {
    Xml::document("CORSConfiguration", |xml| {
        for rule in cors.rules() {
            xml.element("CORSRule", |xml| write_cors_rule(xml, rule));
        }
    })
}

fn write_cors_rule(xml: &mut Xml, rule: &CorsRule) {
    xml.optional("ID", rule.id.as_deref());
    let lists = [
        ("AllowedHeader", &rule.allowed_headers),
        ("AllowedMethod", &rule.allowed_methods),
        ("AllowedOrigin", &rule.allowed_origins),
        ("ExposeHeader", &rule.expose_headers),
    ];
    for (name, values) in lists {
        for value in values {
            xml.text(name, value);
        }
    }
    if let Some(seconds) = rule.max_age_seconds {
        xml.number("MaxAgeSeconds", u64::from(seconds));
    }
}

/// A bucket's CORS rules, if it has some.
pub(crate) async fn cors(disk: &Disk, bucket: &BucketName) -> Result<Option<Cors>, DiskError> {
    let Some(document) = disk.bucket_config(bucket, ConfigKind::Cors).await? else {
        return Ok(None);
    };
    let rules: Vec<CorsRule> = serde_json::from_slice(&document)?;
    Ok(Cors::new(rules).ok())
}

pub(crate) async fn put_cors(
    disk: &Disk,
    bucket: &BucketName,
    cors: &Cors,
) -> Result<(), DiskError> {
    disk.put_bucket_config(bucket, ConfigKind::Cors, serde_json::to_vec(cors.rules())?)
        .await
}

#[derive(Deserialize)]
struct XmlLifecycle {
    #[serde(rename = "Rule", default)]
    rules: Vec<XmlRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct XmlRule {
    #[serde(rename = "ID")]
    id: Option<String>,
    status: XmlStatus,
    prefix: Option<String>,
    filter: Option<XmlFilter>,
    expiration: Option<XmlExpiration>,
    abort_incomplete_multipart_upload: Option<XmlAbort>,
    transition: Option<IgnoredAny>,
    noncurrent_version_expiration: Option<IgnoredAny>,
    noncurrent_version_transition: Option<IgnoredAny>,
}

#[derive(Deserialize)]
enum XmlStatus {
    Enabled,
    Disabled,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct XmlFilter {
    prefix: Option<String>,
    and: Option<IgnoredAny>,
    tag: Option<IgnoredAny>,
    object_size_greater_than: Option<IgnoredAny>,
    object_size_less_than: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct XmlExpiration {
    days: Option<u32>,
    date: Option<String>,
    expired_object_delete_marker: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct XmlAbort {
    days_after_initiation: u32,
}

pub(crate) fn read_lifecycle(document: &[u8]) -> S3Result<Lifecycle> {
    let document: XmlLifecycle = xml::read("LifecycleConfiguration", document)?;
    if document.rules.is_empty() {
        return Err(Code::MalformedXML.into());
    }
    let rules = document.rules.into_iter().enumerate();
    let lifecycle = Lifecycle {
        rules: rules
            .map(|(index, rule)| rule.read(index))
            .collect::<S3Result<_>>()?,
    };
    check_lifecycle(&lifecycle)?;
    Ok(lifecycle)
}

impl XmlRule {
    fn read(self, index: usize) -> S3Result<Rule> {
        if self.transition.is_some()
            || self.noncurrent_version_expiration.is_some()
            || self.noncurrent_version_transition.is_some()
        {
            return Err(S3Error::not_implemented("Transition"));
        }
        let prefix = match (self.prefix, self.filter) {
            (Some(_), Some(_)) => return Err(Code::MalformedXML.into()),
            (Some(prefix), None) => prefix,
            (None, Some(filter)) => filter.read()?,
            (None, None) => String::new(),
        };
        Ok(Rule {
            id: self
                .id
                .filter(|id| !id.is_empty())
                .unwrap_or_else(|| format!("rule-{}", index + 1)),
            status: match self.status {
                XmlStatus::Enabled => Status::Enabled,
                XmlStatus::Disabled => Status::Disabled,
            },
            prefix,
            expiration: self.expiration.map(XmlExpiration::read).transpose()?,
            abort_uploads_after_days: self
                .abort_incomplete_multipart_upload
                .map(|abort| abort.days_after_initiation),
        })
    }
}

impl XmlFilter {
    fn read(self) -> S3Result<String> {
        let others = [
            self.and,
            self.tag,
            self.object_size_greater_than,
            self.object_size_less_than,
        ];
        if others.iter().any(Option::is_some) {
            return Err(S3Error::not_implemented("Filter"));
        }
        Ok(self.prefix.unwrap_or_default())
    }
}

impl XmlExpiration {
    fn read(self) -> S3Result<Expiration> {
        if self.expired_object_delete_marker.is_some() {
            return Err(S3Error::not_implemented("ExpiredObjectDeleteMarker"));
        }
        match (self.days, self.date) {
            (Some(days), None) => Ok(Expiration::Days(days)),
            (None, Some(date)) => {
                let date: Timestamp = date
                    .parse()
                    .map_err(|_| S3Error::from(Code::MalformedXML))?;
                if date.as_second() % 86_400 != 0 || date.subsec_nanosecond() != 0 {
                    return Err(S3Error::new(
                        Code::InvalidArgument,
                        "'Date' must be at midnight GMT",
                    ));
                }
                Ok(Expiration::Date(date))
            }
            _ => Err(Code::MalformedXML.into()),
        }
    }
}

/// What S3 demands of rules beyond their form.
pub(crate) fn check_lifecycle(lifecycle: &Lifecycle) -> S3Result<()> {
    let invalid = |message: &'static str| Err(S3Error::new(Code::InvalidArgument, message));
    let rules = &lifecycle.rules;
    if rules.len() > MAX_RULES {
        return Err(Code::MalformedXML.into());
    }
    for (index, rule) in rules.iter().enumerate() {
        if rule.expiration.is_none() && rule.abort_uploads_after_days.is_none() {
            return invalid("At least one action needs to be specified in a rule");
        }
        if rule.expiration == Some(Expiration::Days(0)) || rule.abort_uploads_after_days == Some(0)
        {
            return invalid("days must be a positive integer");
        }
        if rule.id.len() > 255 {
            return invalid("ID length should not exceed allowed limit of 255");
        }
        if rules[..index].iter().any(|earlier| earlier.id == rule.id) {
            return invalid("Rule ID must be unique. Found same ID for more than one rule");
        }
    }
    Ok(())
}

pub(crate) fn write_lifecycle(lifecycle: &Lifecycle) -> String {
    Xml::document("LifecycleConfiguration", |xml| {
        for rule in &lifecycle.rules {
            xml.element("Rule", |xml| write_rule(xml, rule));
        }
    })
}

fn write_rule(xml: &mut Xml, rule: &Rule) {
    xml.text("ID", &rule.id);
    xml.element("Filter", |xml| xml.text("Prefix", &rule.prefix));
    xml.text(
        "Status",
        if rule.status == Status::Enabled {
            "Enabled"
        } else {
            "Disabled"
        },
    );
    if let Some(expiration) = rule.expiration {
        xml.element("Expiration", |xml| match expiration {
            Expiration::Days(days) => xml.number("Days", u64::from(days)),
            Expiration::Date(date) => xml.text("Date", &date.to_string()),
        });
    }
    if let Some(days) = rule.abort_uploads_after_days {
        xml.element("AbortIncompleteMultipartUpload", |xml| {
            xml.number("DaysAfterInitiation", u64::from(days));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{read_cors, read_lifecycle, write_cors, write_lifecycle};
    use crate::error::Code;

    #[test]
    fn cors_rules_come_back_as_they_were_put() {
        let document = "<CORSConfiguration><CORSRule><ID>a</ID><AllowedMethod>PUT</AllowedMethod><AllowedMethod>GET</AllowedMethod>\
            <AllowedOrigin>http://127.0.0.1:*</AllowedOrigin><AllowedHeader>*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>\
            <MaxAgeSeconds>60</MaxAgeSeconds></CORSRule><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
            </CORSRule></CORSConfiguration>";
        let cors = read_cors(document.as_bytes()).unwrap();
        assert_eq!(cors.rules().len(), 2);
        assert_eq!(cors.rules()[0].allowed_methods, ["PUT", "GET"]);
        assert_eq!(cors.rules()[0].max_age_seconds, Some(60));
        assert_eq!(
            read_cors(write_cors(&cors).as_bytes()).unwrap().rules(),
            cors.rules()
        );
    }

    fn rule(inner: &str) -> Vec<u8> {
        format!("<LifecycleConfiguration xmlns=\"x\"><Rule><Status>Enabled</Status>{inner}</Rule></LifecycleConfiguration>").into_bytes()
    }

    #[test]
    fn lifecycle_rules_come_back_as_they_were_put() {
        let table = [
            "<ID>a</ID><Filter><Prefix>in/</Prefix></Filter><Expiration><Days>1</Days></Expiration>",
            "<Prefix>in/</Prefix><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
            "<Filter/><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>",
            "<Filter><Prefix/></Filter><Expiration><Days>1</Days></Expiration>",
        ];
        for inner in table {
            let lifecycle = read_lifecycle(&rule(inner)).unwrap();
            assert_eq!(
                read_lifecycle(write_lifecycle(&lifecycle).as_bytes()).unwrap(),
                lifecycle,
                "{inner}"
            );
        }
    }

    #[test]
    fn lifecycle_rules_that_cannot_be_kept_are_refused() {
        let days = "<Expiration><Days>1</Days></Expiration>";
        let table = [
            (String::new(), Code::InvalidArgument),
            (
                "<Expiration><Days>0</Days></Expiration>".to_owned(),
                Code::InvalidArgument,
            ),
            (
                "<Expiration><Days>-1</Days></Expiration>".to_owned(),
                Code::MalformedXML,
            ),
            (
                "<Expiration><Date>2030-01-01T05:00:00Z</Date></Expiration>".to_owned(),
                Code::InvalidArgument,
            ),
            (
                format!("<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>{days}"),
                Code::NotImplemented,
            ),
            (
                format!("<Transition><Days>1</Days></Transition>{days}"),
                Code::NotImplemented,
            ),
            (
                format!("<Prefix>a</Prefix><Filter><Prefix>b</Prefix></Filter>{days}"),
                Code::MalformedXML,
            ),
        ];
        for (inner, code) in table {
            assert_eq!(
                read_lifecycle(&rule(&inner)).unwrap_err().code,
                code,
                "{inner}"
            );
        }
    }
}
