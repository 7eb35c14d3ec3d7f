//! Tags as requests write them, in a header, in a document and in a form, and as answers do.

use serde::Deserialize;

use crate::disk::{TagError, Tags};
use crate::error::{Code, S3Error, S3Result};
use crate::request::{Attributes, Query};
use crate::xml::{self, Xml};

pub(crate) const HEADER: &str = "x-amz-tagging";

impl Attributes {
    /// The tags of `x-amz-tagging`, which is written as a query is.
    pub(crate) fn tags(&self) -> S3Result<Tags> {
        let invalid = || {
            let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.";
            S3Error::new(Code::InvalidArgument, message).with("ArgumentName", HEADER)
        };
        let query = Query::parse(self.value(HEADER).unwrap_or_default()).map_err(|_| invalid())?;
        Tags::new(owned(query.iter())).map_err(|error| match error {
            TagError::Twice => invalid(),
            other => other.into(),
        })
    }
}

fn owned<'a>(
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> impl Iterator<Item = (String, String)> {
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
}

impl From<TagError> for S3Error {
    fn from(error: TagError) -> Self {
        let code = match error {
            TagError::TooMany => Code::BadRequest,
            TagError::Name | TagError::Value | TagError::System | TagError::Twice => {
                Code::InvalidTag
            }
        };
        Self::new(code, error.to_string())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tagging {
    tag_set: TagSet,
}

#[derive(Deserialize)]
struct TagSet {
    #[serde(rename = "Tag", default)]
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

/// Reads a `Tagging` document.
pub(crate) fn read(document: &[u8]) -> S3Result<Tags> {
    let Tagging { tag_set } = xml::read("Tagging", document)?;
    let tags = tag_set.tags.into_iter();
    Ok(Tags::new(tags.map(|Tag { key, value }| (key, value)))?)
}

pub(crate) fn write(tags: &Tags) -> String {
    Xml::document("Tagging", |xml| {
        xml.element("TagSet", |xml| {
            for (name, value) in tags.iter() {
                xml.element("Tag", |xml| {
                    xml.text("Key", name);
                    xml.text("Value", value);
                });
            }
        });
    })
}

#[cfg(test)]
mod tests {
    use super::{read, write};
    use crate::disk::Tags;
    use crate::error::{Code, S3Result};
    use crate::request::Attributes;

    fn header(value: &str) -> S3Result<Tags> {
        Attributes::of_fields(&[("x-amz-tagging".to_owned(), value.to_owned())]).tags()
    }

    fn code<T>(result: S3Result<T>) -> Option<Code> {
        result.err().map(|error| error.code)
    }

    #[test]
    fn a_header_is_a_query() {
        let tags = header("team=photo+room&%C3%A9=a%2Fb%3Dc&empty=&alone").unwrap();
        let pairs: Vec<_> = tags.iter().collect();
        assert_eq!(
            pairs,
            [
                ("alone", ""),
                ("empty", ""),
                ("team", "photo room"),
                ("é", "a/b=c")
            ]
        );
        assert!(header("").unwrap().is_empty());
        assert_eq!(code(header("a=1&a=2")), Some(Code::InvalidArgument));
        assert_eq!(code(header("a=%ff")), Some(Code::InvalidArgument));
        assert_eq!(code(header("=1")), Some(Code::InvalidTag));
        assert_eq!(code(header("aws:a=1")), Some(Code::InvalidTag));
        let eleven: Vec<String> = (0..11).map(|number| format!("n{number}=v")).collect();
        assert_eq!(code(header(&eleven.join("&"))), Some(Code::BadRequest));
    }

    #[test]
    fn what_is_written_is_read() {
        let tags = header("a=1&b=+&c=%E6%97%A5").unwrap();
        assert_eq!(read(write(&tags).as_bytes()).unwrap(), tags);
        let none = write(&Tags::default());
        assert!(none.ends_with("<TagSet></TagSet></Tagging>"), "{none}");
        assert!(read(none.as_bytes()).unwrap().is_empty());
    }

    #[test]
    fn a_document_that_is_none_is_refused() {
        let set = |inner: &str| format!("<Tagging><TagSet>{inner}</TagSet></Tagging>");
        let table = [
            (String::new(), Code::MalformedXML),
            ("<Tagging/>".to_owned(), Code::MalformedXML),
            (set("<Tag><Key>a</Key></Tag>"), Code::MalformedXML),
            (set("<Tag><Key/><Value/></Tag>"), Code::InvalidTag),
            (
                set("<Tag><Key>a</Key><Value>&lt;</Value></Tag>"),
                Code::InvalidTag,
            ),
            (
                set(&"<Tag><Key>a</Key><Value/></Tag>".repeat(2)),
                Code::InvalidTag,
            ),
        ];
        for (document, expected) in table {
            assert_eq!(
                code(read(document.as_bytes())),
                Some(expected),
                "{document}"
            );
        }
    }
}
