//! The server's own reach: both buckets, the copy between them, and what expires by itself.
use aws_sdk_s3::types::LifecycleRule;

use super::{
    Doctor,
    chart::{Chart, Found, breached, holds, lacking, skipped},
    wire::{Answer, Ask, At, Unreachable, Who},
};
use crate::{
    bucket,
    cli::rules::{
        self,
        stored::{self, Refusal},
    },
};

/// What the server itself writes, and nobody else may read.
pub(super) const PRIVATE: &[u8] = b"what no client may read";

/// An `ETag` of no object.
const ANOTHER: &str = "\"00000000000000000000000000000000\"";

const POLICY: &str = "give the server identity the policy of `loadlock provision --policy server`";
const PROVISION: &str = "run `loadlock provision`";

pub(super) async fn examine(doctor: &Doctor<'_>, chart: &mut Chart) {
    chart.group("the server");
    if chart.check("server_staging", staging(doctor)).await {
        chart.check("server_final", copy(doctor)).await;
        // Who can copy nothing is refused for that alone.
        chart
            .check_after(&["server_final"], "pinned_copy", pinned(doctor))
            .await;
        chart.check("pinned_part_copy", pinned_part(doctor)).await;
    } else {
        let all = ["server_final", "pinned_copy", "pinned_part_copy"];
        chart.skip(&all, "server_staging");
    }
    chart.check("server_lists", lists(doctor)).await;
    chart.check("expiry", expiry(doctor)).await;
}

async fn staging(doctor: &Doctor<'_>) -> Found {
    let key = doctor.held("own");
    let put = Ask {
        body: PRIVATE,
        ..Ask::new(Who::Server, "PUT", At::Staging, &key)
    };
    let put = doctor.wire.send(&put).await?;
    if !put.done() {
        return Ok(breached(
            format!("the server cannot write to staging ({put})"),
            POLICY,
        ));
    }
    let got = doctor.read(At::Staging, &key).await?;
    Ok(if got.body == PRIVATE {
        holds("the server writes and reads staging")
    } else {
        breached(format!("the server cannot read staging ({got})"), POLICY)
    })
}

async fn copy(doctor: &Doctor<'_>) -> Found {
    let key = doctor.stored("own");
    let etag = doctor.etag(&doctor.held("own")).await?;
    let copied = doctor.copy(&etag, At::Final, &key).await?;
    if !copied.done() {
        let says = format!("the server cannot copy from staging to final ({copied})");
        return Ok(breached(says, POLICY));
    }
    let got = doctor.read(At::Final, &key).await?;
    Ok(if got.body == PRIVATE {
        holds("the server copies from staging to final, and reads what it copied")
    } else {
        breached(
            format!("the copy in final is not the object ({got})"),
            POLICY,
        )
    })
}

/// The inspected bytes are the promoted bytes only where a copy is bound to an `ETag`.
async fn pinned(doctor: &Doctor<'_>) -> Found {
    let copied = doctor
        .copy(ANOTHER, At::Final, &doctor.stored("pinned"))
        .await?;
    Ok(if copied.done() {
        breached(
            "a copy bound to another ETag was made all the same",
            "on Ceph set `copy_pin = \"ceph\"` under `[store]`; on others nothing but the place where they lie keeps inspected bytes from being exchanged",
        )
    } else {
        holds(format!(
            "a copy bound to another ETag is refused ({copied})"
        ))
    })
}

/// The same for a part, of which a copy of more than 5 GiB is made.
async fn pinned_part(doctor: &Doctor<'_>) -> Found {
    let key = doctor.held("part");
    let Some(id) = doctor.begin_multipart(&key).await? else {
        return Ok(breached(
            "the server cannot begin a multipart upload",
            POLICY,
        ));
    };
    let own = doctor.etag(&doctor.held("own")).await?;
    let bound = doctor.copy_part(&own, &key, &id).await?;
    if !bound.done() {
        // Its refusal of another ETag then says nothing.
        return Ok(lacking(format!(
            "no part can be copied ({bound}): no file over 5 GiB can be promoted"
        )));
    }
    let copied = doctor.copy_part(ANOTHER, &key, &id).await?;
    Ok(if copied.done() {
        lacking(
            "the store does not bind the copy of a file over 5 GiB to its ETag: where it lies alone keeps its bytes",
        )
    } else {
        holds(format!(
            "a part copied from another ETag is refused ({copied})"
        ))
    })
}

async fn lists(doctor: &Doctor<'_>) -> Found {
    for (at, name) in [(At::Staging, "staging"), (At::Final, "final")] {
        let answer = doctor.list(Who::Server, at).await?;
        if !answer.done() {
            return Ok(breached(
                format!("the server cannot list {name} ({answer})"),
                POLICY,
            ));
        }
    }
    Ok(holds("the server lists both buckets"))
}

async fn expiry(doctor: &Doctor<'_>) -> Found {
    let server = &doctor.store.server.0;
    let client = bucket::client(doctor.store, server, doctor.clock.clone()).await;
    let rules = match stored::expiry(&client, &doctor.store.staging_bucket).await {
        Ok((rules, _)) => rules,
        Err(Refusal::Lacking) => {
            return Ok(lacking(
                "the store has no expiry: only Loadlock itself clears staging",
            ));
        }
        Err(Refusal::Denied(_)) => {
            return Ok(skipped(
                "the server identity may not see the rules; `loadlock provision --dry-run` shows them",
            ));
        }
        Err(Refusal::Absent | Refusal::Forgotten) => Vec::new(),
        Err(Refusal::Failed(why)) => return Err(Unreachable(why)),
    };
    Ok(missing(&rules).map_or_else(
        || holds("what is left in staging expires by itself"),
        |prefix| {
            breached(
                format!("nothing under `{prefix}` expires by itself"),
                PROVISION,
            )
        },
    ))
}

/// The first prefix of staging under which nothing expires.
fn missing(rules: &[LifecycleRule]) -> Option<&'static str> {
    let expires = |prefix| {
        rules
            .iter()
            .any(|rule| rules::expires_after(rule, prefix).is_some())
    };
    let mut prefixes = rules::EXPIRY.iter().map(|expiry| expiry.prefix);
    prefixes.find(|prefix| !expires(prefix))
}

/// Deletes what was written, as the server does when an upload is over.
pub(super) async fn clear(doctor: &Doctor<'_>) -> Found {
    const DELETE: &str =
        "let the server identity delete objects of both buckets, and delete these by hand";
    let room = &doctor.room;
    let left = doctor.wire.clear().await?;
    if left > 0 {
        let says = format!("{left} objects under `{room}` could not be deleted");
        return Ok(breached(says, DELETE));
    }
    for at in [At::Staging, At::Final] {
        for prefix in [
            doctor.sent(""),
            doctor.held(""),
            doctor.lent(""),
            doctor.stored(""),
        ] {
            for (asked, mark) in [(("list-type", "2"), "Key"), (("uploads", ""), "UploadId")] {
                let list = Ask {
                    query: &[asked, ("prefix", &prefix)],
                    ..Ask::new(Who::Server, "GET", at, "")
                };
                let list = doctor.wire.send(&list).await?;
                if !list.done() {
                    let says =
                        format!("the server deletes, and cannot list what may be left ({list})");
                    return Ok(skipped(says));
                }
                if list.element(mark).is_some() {
                    let says = format!("something is left under `{prefix}`");
                    return Ok(breached(says, DELETE));
                }
            }
        }
    }
    Ok(holds("everything that was written is deleted"))
}

impl Doctor<'_> {
    /// An object, as the server gets it.
    pub(super) async fn read(&self, at: At, key: &str) -> Result<Answer, Unreachable> {
        self.wire.send(&Ask::new(Who::Server, "GET", at, key)).await
    }

    pub(super) async fn list(&self, who: Who, at: At) -> Result<Answer, Unreachable> {
        let list = Ask {
            query: &[("list-type", "2"), ("max-keys", "1")],
            ..Ask::new(who, "GET", at, "")
        };
        self.wire.send(&list).await
    }

    pub(super) async fn etag(&self, key: &str) -> Result<String, Unreachable> {
        let head = self
            .wire
            .send(&Ask::new(Who::Server, "HEAD", At::Staging, key))
            .await?;
        Ok(head.header("etag").unwrap_or_default().to_owned())
    }

    /// Its copy as the first part of a file, bound to an `ETag`.
    async fn copy_part(&self, etag: &str, key: &str, id: &str) -> Result<Answer, Unreachable> {
        let source = format!("{}/{}", self.store.staging_bucket, self.held("own"));
        let copy = Ask {
            signed: &[
                ("x-amz-copy-source", &source),
                ("x-amz-copy-source-if-match", etag),
            ],
            ..Ask::new(Who::Server, "PUT", At::Staging, key)
        };
        self.part(key, id, copy).await
    }

    /// The server's copy of its own object, bound to an `ETag`.
    async fn copy(&self, etag: &str, at: At, key: &str) -> Result<Answer, Unreachable> {
        let from = self.held("own");
        let source = format!("{}/{from}", self.store.staging_bucket);
        let mut signed = vec![
            ("x-amz-copy-source", source.as_str()),
            ("x-amz-metadata-directive", "REPLACE"),
            ("content-type", super::grants::TYPE),
        ];
        let pins = self.store.copy_pin.headers().iter();
        signed.extend(pins.map(|name| (*name, etag)));
        let copy = Ask {
            signed: &signed,
            ..Ask::new(Who::Server, "PUT", at, key)
        };
        self.wire.send(&copy).await
    }
}
