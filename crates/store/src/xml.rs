//! XML out and in: a writer that escapes whatever a key may contain, and the reading of request documents.

use std::fmt::Write as _;

use serde::de::DeserializeOwned;

use crate::error::{Code, S3Error, S3Result};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A document being written.
#[derive(Debug)]
pub(crate) struct Xml(String);

impl Xml {
    /// Writes a whole answer: its root element in S3's namespace, filled by `content`.
    pub(crate) fn document(root: &str, content: impl FnOnce(&mut Self)) -> String {
        Self::document_in(NAMESPACE, root, content)
    }

    /// The same in another service's namespace.
    pub(crate) fn document_in(
        namespace: &str,
        root: &str,
        content: impl FnOnce(&mut Self),
    ) -> String {
        let mut xml = Self::start();
        let _ = write!(xml.0, "<{root} xmlns=\"{namespace}\">");
        content(&mut xml);
        let _ = write!(xml.0, "</{root}>");
        xml.0
    }

    /// Writes an answer that is one value.
    pub(crate) fn value(root: &str, value: &str) -> String {
        Self::document(root, |xml| xml.escape(value))
    }

    /// Writes an error, which S3 sends without a namespace.
    pub(crate) fn error(content: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self::start();
        xml.element("Error", content);
        xml.0
    }

    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        let _ = write!(self.0, "<{name}>");
        content(self);
        let _ = write!(self.0, "</{name}>");
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.element(name, |xml| xml.escape(value));
    }

    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.element(name, |xml| {
            let _ = write!(xml.0, "{value}");
        });
    }

    pub(crate) fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn start() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned())
    }

    /// Control characters leave as references, as S3 sends them: a strict parser refuses those, and a caller with such
    /// keys asks for `encoding-type=url`.
    fn escape(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\u{fffe}' | '\u{ffff}' | '\0'..='\x1f' | '\x7f' => {
                    let _ = write!(self.0, "&#x{:X};", u32::from(character));
                }
                other => self.0.push(other),
            }
        }
    }
}

/// Reads a request document whose root must be `root`. quick-xml knows no external or custom entities.
pub(crate) fn read<T: DeserializeOwned>(root: &str, body: &[u8]) -> S3Result<T> {
    let malformed = || S3Error::from(Code::MalformedXML);
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    if root_name(text) != Some(root) {
        return Err(malformed());
    }
    quick_xml::de::from_str(text).map_err(|_| malformed())
}

fn root_name(text: &str) -> Option<&str> {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    while rest.starts_with("<?") || rest.starts_with("<!--") {
        let end = if rest.starts_with("<?") { "?>" } else { "-->" };
        rest = rest.split_once(end)?.1.trim_start();
    }
    let name = rest.strip_prefix('<')?;
    let end = name.find(|c: char| c.is_whitespace() || c == '>' || c == '/')?;
    let name = &name[..end];
    Some(name.split_once(':').map_or(name, |(_, local)| local))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{Xml, read};

    #[test]
    fn whatever_a_key_contains_is_escaped() {
        let xml = Xml::document("R", |xml| xml.text("Key", "<a>&\"'\x01\n\u{1F600}"));
        assert!(
            xml.ends_with("<Key>&lt;a&gt;&amp;&quot;&#39;&#x1;&#xA;\u{1F600}</Key></R>"),
            "{xml}"
        );
    }

    #[test]
    fn a_document_with_another_root_is_malformed() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Delete {
            #[serde(rename = "Key")]
            key: Vec<String>,
        }
        let good = b"<?xml version='1.0'?>\n<!-- x --><Delete xmlns=\"x\"><Key>a&amp;b</Key><Key> c </Key></Delete>";
        assert_eq!(read::<Delete>("Delete", good).unwrap().key, ["a&b", " c "]);
        let prefixed = b"<s:Delete xmlns:s=\"x\"><s:Key>a</s:Key></s:Delete>";
        assert_eq!(read::<Delete>("Delete", prefixed).unwrap().key, ["a"]);
        for bad in [
            &b"<Other><Key>a</Key></Other>"[..],
            b"",
            b"<Delete><Key>a</Delete>",
            b"\xff",
            b"<Delete>",
        ] {
            assert!(read::<Delete>("Delete", bad).is_err());
        }
    }

    #[test]
    fn custom_entities_are_not_expanded() {
        #[derive(Debug, Deserialize)]
        struct Delete {
            #[serde(rename = "Key")]
            _key: String,
        }
        let bomb = b"<!DOCTYPE x [<!ENTITY e \"eeee\">]><Delete><Key>&e;</Key></Delete>";
        assert!(read::<Delete>("Delete", bomb).is_err());
    }
}
