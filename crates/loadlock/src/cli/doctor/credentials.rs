//! Temporary credentials: whether they are given, and are good for their own prefix and nothing else.
use loadlock_sigv4::Signer;

use super::{
    Doctor,
    chart::{Chart, Found, breached, holds, skipped},
    grants::BYTES,
    wire::{Ask, At, Unreachable, Who},
};
use crate::{
    bucket::{SHORTEST, Vendor, Way, Wish},
    config::Config,
    upload::session::Prefix,
};

const ROLE: &str = "give the role the policy of `loadlock provision --policy session`, and let the uploader assume it";
const NARROW: &str = "the token service lets keys do more than their session policy says: leave `[credentials]` out, or use another service";

pub(super) async fn examine(doctor: &Doctor<'_>, config: &Config, chart: &mut Chart) {
    let Some(vending) = &config.credentials else {
        return;
    };
    chart.group("temporary credentials");
    if !matches!(vending.way, Way::Sts { .. }) {
        let says = "they are given for a user's own token, and there is none here";
        let skipped = async { Ok(skipped(says)) };
        chart.check("session_writes", skipped).await;
        return;
    }
    let vendor = Vendor::open(vending, &config.store, doctor.clock.clone()).await;
    if chart.check("session_writes", writes(doctor, &vendor)).await {
        chart.check("session_elsewhere", elsewhere(doctor)).await;
    } else {
        chart.skip(&["session_elsewhere"], "session_writes");
    }
}

async fn writes(doctor: &Doctor<'_>, vendor: &Vendor) -> Found {
    let wish = Wish {
        name: "loadlock-doctor",
        prefix: &Prefix::new(doctor.lent("")),
        lifetime: SHORTEST,
        token: None,
    };
    let vended = match vendor.vend(&wish).await {
        Ok(vended) => vended,
        Err(error) => {
            let why = error.sources();
            return Ok(breached(format!("no keys are given: {why}"), ROLE));
        }
    };
    let signer = Signer::new(vended.credentials, &doctor.store.region);
    doctor.wire.lend(signer);
    let answer = put(doctor, At::Staging, &doctor.lent("own")).await?;
    Ok(if answer.done() {
        holds("temporary credentials are given, and write below their prefix")
    } else {
        let says = format!("temporary credentials cannot write below their prefix ({answer})");
        breached(says, ROLE)
    })
}

async fn elsewhere(doctor: &Doctor<'_>) -> Found {
    let own = doctor.lent("own");
    let beside = format!("cred/{}-other/own", doctor.room);
    let places = [
        ("below another's prefix", At::Staging, beside),
        (
            "below the uploader's prefix",
            At::Staging,
            doctor.sent("lent"),
        ),
        (
            "where inspected bytes lie",
            At::Staging,
            doctor.held("lent"),
        ),
        ("to the final bucket", At::Final, doctor.stored("lent")),
    ];
    for (what, at, key) in places {
        if put(doctor, at, &key).await?.done() {
            let says = format!("temporary credentials write {what}");
            return Ok(breached(says, NARROW));
        }
    }
    for (what, method, key) in [
        ("read", "GET", own.as_str()),
        ("list", "GET", ""),
        ("delete", "DELETE", &own),
    ] {
        let asked = Ask::new(Who::Session, method, At::Staging, key);
        if doctor.wire.send(&asked).await?.done() {
            let says = format!("temporary credentials {what}");
            return Ok(breached(says, NARROW));
        }
    }
    Ok(holds(
        "they write nowhere else, and read, list and delete nothing",
    ))
}

async fn put(doctor: &Doctor<'_>, at: At, key: &str) -> Result<super::wire::Answer, Unreachable> {
    let put = Ask {
        body: BYTES,
        ..Ask::new(Who::Session, "PUT", at, key)
    };
    doctor.wire.send(&put).await
}
