//! Listing a bucket in the order of its keys' bytes.

use std::time::SystemTime;

use rusqlite::{Connection, Row, params, types::Value};

use super::{
    BucketName, Disk, DiskError, ETag, ObjectKey,
    bucket::bucket_id,
    columns::{Millis, bytes_at},
};

/// Which part of a bucket to list.
#[derive(Clone, Debug, Default)]
pub struct ListObjects {
    pub prefix: String,
    /// Keys that have it after the prefix are folded into one common prefix each.
    pub delimiter: Option<String>,
    /// Names up to and including this one are left out; a common prefix leaves out all that it stands for.
    pub start_after: Option<String>,
    /// Objects and common prefixes together.
    pub max: usize,
}

/// One page of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPage {
    pub objects: Vec<ListedObject>,
    pub common_prefixes: Vec<String>,
    /// The last name of this page, if there are more: `start_after` of the next.
    pub next: Option<String>,
}

/// An object as a listing tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    pub key: ObjectKey,
    pub etag: ETag,
    pub size_bytes: u64,
    pub modified: SystemTime,
}

impl Disk {
    pub async fn list_objects(
        &self,
        bucket: &BucketName,
        list: ListObjects,
    ) -> Result<ObjectPage, DiskError> {
        let bucket = bucket.clone();
        self.query(move |conn| page(conn, bucket_id(conn, &bucket)?, &list))
            .await
    }
}

/// Walks the keys in order; whenever one falls under a common prefix, it jumps behind all that do.
fn page(conn: &Connection, bucket: i64, list: &ListObjects) -> Result<ObjectPage, DiskError> {
    let mut page = ObjectPage::default();
    let mut statement = conn.prepare_cached(
        "SELECT key, etag, size, modified FROM object
         WHERE bucket = ? AND key >= ? AND key < ? ORDER BY key",
    )?;
    let end = end_of(&list.prefix);
    let mut from = first_key(list);
    while let Some(start) = from.take() {
        let mut rows = statement.query(params![bucket, start, end])?;
        while let Some(row) = rows.next()? {
            let key = row.get_ref("key")?.as_str()?;
            if page.objects.len() + page.common_prefixes.len() == list.max {
                return Ok(page);
            }
            if let Some(common) = list.common_prefix(key) {
                page.common_prefixes.push(common.to_owned());
                page.next = Some(common.to_owned());
                from = after_all(common);
                break;
            }
            page.next = Some(key.to_owned());
            page.objects.push(listed(row)?);
        }
    }
    page.next = None;
    Ok(page)
}

/// The first key that a listing may show.
fn first_key(list: &ListObjects) -> Option<String> {
    let prefix = list.prefix.clone();
    let Some(after) = &list.start_after else {
        return Some(prefix);
    };
    let next = match list.common_prefix(after) {
        Some(common) if common == after => after_all(common)?,
        _ => format!("{after}\0"),
    };
    Some(next.max(prefix))
}

impl ListObjects {
    /// What `key` is folded into, if it is.
    fn common_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self
            .delimiter
            .as_deref()
            .filter(|delimiter| !delimiter.is_empty())?;
        let rest = key.strip_prefix(self.prefix.as_str())?;
        let end = self.prefix.len() + rest.find(delimiter)? + delimiter.len();
        key.get(..end)
    }
}

/// The smallest string greater than all that begin with `prefix`; `None` if there is none. The order of UTF-8's bytes
/// is that of the characters.
fn after_all(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// The bound that every key with `prefix` is below. SQLite holds any blob to be greater than every text.
pub(super) fn end_of(prefix: &str) -> Value {
    after_all(prefix).map_or(Value::Blob(Vec::new()), Value::Text)
}

fn listed(row: &Row<'_>) -> rusqlite::Result<ListedObject> {
    let key: String = row.get("key")?;
    Ok(ListedObject {
        key: ObjectKey::stored(key),
        etag: ETag::new(row.get_ref("etag")?.as_str()?),
        size_bytes: bytes_at(row, "size")?,
        modified: row.get::<_, Millis>("modified")?.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_string_in_byte_order() {
        let check = |prefix: &str, expected: Option<&str>| {
            assert_eq!(after_all(prefix).as_deref(), expected);
        };
        check("", None);
        check("a/", Some("a0"));
        check("a\u{7f}", Some("a\u{80}"));
        check("\u{d7ff}", Some("\u{e000}"));
        check("a\u{10ffff}", Some("b"));
        check("\u{10ffff}", None);
    }
}
