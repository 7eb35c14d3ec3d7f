//! What a hostile client adds to a request that was signed for it.
use super::{
    Doctor,
    chart::{Chart, Found, breached, holds, lacking},
    grants::{BYTES, PART, SIGNED, granted},
    server::PRIVATE,
    wire::{Ask, At, Pairs, Unreachable, Who},
};

const UPLOADER: &str = "give the uploader identity the policy of `loadlock provision --policy uploader`: it denies these \
                        headers by name";
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
    chart.check("added_copy_source", copy_source(doctor)).await;
    if chart.holds("multipart") {
        chart.check("added_part_copy", part_copy(doctor)).await;
    } else {
        chart.skip(&["added_part_copy"], "multipart");
    }
    chart.check("added_acl", acl(doctor)).await;
    chart.check("added_headers", headers(doctor)).await;
}

/// Where what no client may read lies, as copies name it.
fn sources(doctor: &Doctor<'_>) -> [String; 2] {
    let (staging, finals) = (&doctor.store.staging_bucket, &doctor.store.final_bucket);
    [
        format!("{staging}/{}", doctor.held("own")),
        format!("{finals}/{}", doctor.stored("own")),
    ]
}

/// The least that is ever signed (`POST /upload_url`): the type alone. A copy has no body.
async fn copy_source(doctor: &Doctor<'_>) -> Found {
    for source in sources(doctor) {
        let key = doctor.sent("copied");
        let ask = Ask {
            body: b"",
            added: &[("x-amz-copy-source", &source)],
            ..granted(&key, &SIGNED[..1])
        };
        doctor.wire.send(&ask).await?;
        if doctor.read(At::Staging, &key).await?.body == PRIVATE {
            return Ok(breached(
                "an unsigned `x-amz-copy-source` makes the store copy what no client may read",
                UPLOADER,
            ));
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
    Ok(if copied_part(doctor, &key, &id).await? {
        breached(
            "an unsigned `x-amz-copy-source` makes a part of what no client may read",
            UPLOADER,
        )
    } else {
        holds("an unsigned `x-amz-copy-source` makes no part")
    })
}

async fn copied_part(doctor: &Doctor<'_>, key: &str, id: &str) -> Result<bool, Unreachable> {
    let size = PRIVATE.len().to_string();
    for source in sources(doctor) {
        let ask = Ask {
            signed: &[],
            added: &[("x-amz-copy-source", &source)],
            ..PART
        };
        doctor.part(key, id, ask).await?;
        let list = Ask {
            query: &[("uploadId", id)],
            ..Ask::new(Who::Server, "GET", At::Staging, key)
        };
        let parts = doctor.wire.send(&list).await?;
        if parts.element("Size") == Some(&size) {
            return Ok(true);
        }
    }
    Ok(false)
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
