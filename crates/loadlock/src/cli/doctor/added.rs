//! What a hostile client adds to a request that was signed for it.
use std::fmt::Write as _;

use md5::{Digest as _, Md5};

use super::{
    Doctor,
    chart::{Chart, Found, breached, holds, lacking},
    grants::{BYTES, PART, SIGNED, granted},
    server::PRIVATE,
    wire::{Ask, At, Pairs, Unreachable, Who},
};
use crate::upload::Method;

const UPLOADER: &str = "give the uploader identity the policy of `loadlock provision --policy uploader`: it denies these \
                        headers by name";
const PARTS: &str = "give the uploader identity the policy of `loadlock provision --policy uploader`; where the store makes \
                     such parts all the same, leave `multipart` out of the profiles' `methods`";
const PUBLIC: &str = "block public access (`loadlock provision`), and give the uploader identity the policy of \
                      `loadlock provision --policy uploader`";

pub(super) async fn examine(doctor: &Doctor<'_>, chart: &mut Chart) {
    chart.group("what nobody signed");
    if !chart.holds("put") {
        let all = [
            "added_copy_source",
            "added_part_copy",
            "added_acl",
            "added_headers",
        ];
        return chart.skip(&all, "put");
    }
    let written = ["server_staging", "server_final"];
    chart
        .check_after(&written, "added_copy_source", copy_source(doctor))
        .await;
    let written = ["server_staging", "server_final", "multipart"];
    chart
        .check_after(&written, "added_part_copy", part_copy(doctor))
        .await;
    chart.check("added_acl", acl(doctor)).await;
    chart.check("added_headers", headers(doctor)).await;
}

/// What a copy may be made of: where it lies, as copies name it, its bytes, and what it is in words.
type Source = (String, &'static [u8], &'static str);

/// What no client may read. The last was sent by the uploader itself, and some stores let whoever wrote an object read it.
fn sources(doctor: &Doctor<'_>) -> [Source; 3] {
    let (staging, finals) = (&doctor.store.staging_bucket, &doctor.store.final_bucket);
    let closed = "what no client may read";
    let (held, stored, sent) = (doctor.held("own"), doctor.stored("own"), doctor.sent("put"));
    [
        (format!("{staging}/{held}"), PRIVATE, closed),
        (format!("{finals}/{stored}"), PRIVATE, closed),
        (
            format!("{staging}/{sent}"),
            BYTES,
            "what was sent by another grant",
        ),
    ]
}

/// The least that is ever signed (`POST /upload_url`): the type alone. A copy has no body.
async fn copy_source(doctor: &Doctor<'_>) -> Found {
    for (source, content, what) in sources(doctor) {
        let key = doctor.sent("copied");
        let ask = Ask {
            body: b"",
            added: &[("x-amz-copy-source", &source)],
            ..granted(&key, &SIGNED[..1])
        };
        doctor.wire.send(&ask).await?;
        if doctor.read(At::Staging, &key).await?.body == content {
            let says = format!("an unsigned `x-amz-copy-source` makes the store copy {what}");
            return Ok(breached(says, UPLOADER));
        }
    }
    Ok(holds("an unsigned `x-amz-copy-source` copies nothing"))
}

async fn part_copy(doctor: &Doctor<'_>) -> Found {
    let key = doctor.sent("copied-part");
    let Some(id) = doctor.begin_multipart(&key).await? else {
        return Err(Unreachable(
            "the server cannot begin a multipart upload".to_owned(),
        ));
    };
    let Some(what) = copied_part(doctor, &key, &id).await? else {
        return Ok(holds("an unsigned `x-amz-copy-source` makes no part"));
    };
    let says = format!("an unsigned `x-amz-copy-source` makes a part of {what}");
    Ok(if doctor.methods.contains(&Method::Multipart) {
        breached(says, PARTS)
    } else {
        lacking(format!("{says}, and no profile takes parts"))
    })
}

/// What the store has made a part of.
async fn copied_part(
    doctor: &Doctor<'_>,
    key: &str,
    id: &str,
) -> Result<Option<&'static str>, Unreachable> {
    for (source, content, what) in sources(doctor) {
        // As every part is granted, of one length: Ceph 16 copies against any policy where none is signed, and never where one is.
        let length = content.len().to_string();
        let ask = Ask {
            signed: &[("content-length", &length)],
            body: &vec![b'x'; content.len()],
            added: &[("x-amz-copy-source", &source)],
            ..PART
        };
        doctor.part(key, id, ask).await?;
        let list = Ask {
            query: &[("uploadId", id)],
            ..Ask::new(Who::Server, "GET", At::Staging, key)
        };
        let parts = doctor.wire.send(&list).await?;
        if parts
            .element("ETag")
            .is_some_and(|etag| etag.contains(&md5(content)))
        {
            return Ok(Some(what));
        }
    }
    Ok(None)
}

/// What S3 makes a part's ETag of, in hex.
fn md5(content: &[u8]) -> String {
    Md5::digest(content)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            // Writing into a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

async fn acl(doctor: &Doctor<'_>) -> Found {
    const EVERYBODY: &str = "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"";
    let key = doctor.sent("public");
    for added in [
        ("x-amz-acl", "public-read"),
        ("x-amz-grant-read", EVERYBODY),
        ("x-amz-grant-full-control", EVERYBODY),
    ] {
        let ask = Ask {
            added: &[added],
            ..granted(&key, &SIGNED)
        };
        doctor.wire.send(&ask).await?;
        let shown = doctor
            .wire
            .send(&Ask::new(Who::Stranger, "GET", At::Staging, &key))
            .await?;
        if shown.body == BYTES {
            let says = format!("an unsigned `{}` lets anybody read what was sent", added.0);
            return Ok(breached(says, PUBLIC));
        }
    }
    Ok(holds(
        "an unsigned `x-amz-acl` or `x-amz-grant-…` makes nothing public",
    ))
}

/// Headers that change what is stored, and by which a HEAD tells that they did.
const MARKS: [(Pairs<'static>, &str); 3] = [
    (&[("x-amz-tagging", "a=b")], "x-amz-tagging-count"),
    (
        &[("x-amz-storage-class", "REDUCED_REDUNDANCY")],
        "x-amz-storage-class",
    ),
    (
        &[("x-amz-website-redirect-location", "https://example.com/")],
        "x-amz-website-redirect-location",
    ),
];

async fn headers(doctor: &Doctor<'_>) -> Found {
    let key = doctor.sent("marked");
    let mut taken = Vec::new();
    for (added, mark) in MARKS {
        let ask = Ask {
            added,
            ..granted(&key, &SIGNED)
        };
        doctor.wire.send(&ask).await?;
        let head = Ask::new(Who::Server, "HEAD", At::Staging, &key);
        if doctor.wire.send(&head).await?.header(mark).is_some() {
            taken.push(added[0].0);
        }
    }
    Ok(if taken.is_empty() {
        holds("unsigned tags, storage classes and redirects change nothing")
    } else {
        let taken = taken.join(", ");
        lacking(format!(
            "the store takes unsigned {taken}: inspection rejects such an upload"
        ))
    })
}
