//! Whose tokens sign users in: whether each provider is there, is who it says, and has keys that serve.
use super::chart::{Chart, Found, breached, holds, skipped};
use super::wire::Unreachable;
use crate::{
    auth::issuers::{Issuer, Provider, Trouble},
    clock::Clock,
};

const ISSUER: &str = "write `issuer` as the provider's discovery document has it, to the last slash, or say `jwks_url`";
const KEYS: &str =
    "see which `algorithms` the provider signs with, and whether `jwks_url` is right";
const CLOCK: &str = "let both clocks be set by NTP, or raise the issuer's `leeway`";

pub(super) async fn examine(issuers: &[Issuer], clock: &Clock, chart: &mut Chart) {
    let providers: Result<Vec<_>, _> = issuers.iter().map(Provider::of).collect();
    let providers: Vec<Provider<'_>> = match providers {
        Ok(providers) => providers.into_iter().flatten().collect(),
        Err(error) => {
            chart.group("issuers");
            let why = Err(Unreachable(error.to_string()));
            chart.check("issuer_discovery", async { why }).await;
            return;
        }
    };
    if providers.is_empty() {
        return;
    }
    chart.group("issuers");
    if chart.check("issuer_discovery", discovery(&providers)).await {
        chart.check("issuer_keys", keys(&providers)).await;
        chart
            .check_after(&["issuer_keys"], "issuer_clock", times(&providers, clock))
            .await;
    } else {
        chart.skip(&["issuer_keys", "issuer_clock"], "issuer_discovery");
    }
}

async fn discovery(providers: &[Provider<'_>]) -> Found {
    for provider in providers {
        if let Err(trouble) = provider.address().await {
            return told(provider, &trouble, ISSUER);
        }
    }
    let names: Vec<&str> = providers.iter().map(name).collect();
    Ok(holds(format!(
        "{} says where its keys are",
        names.join(", ")
    )))
}

async fn keys(providers: &[Provider<'_>]) -> Found {
    let mut all = 0;
    for provider in providers {
        match provider.serves().await {
            Ok((0, _)) => {
                let says = format!("{} serves no key for its algorithms", name(provider));
                return Ok(breached(says, KEYS));
            }
            Ok((usable, _)) => all += usable,
            Err(trouble) => return told(provider, &trouble, KEYS),
        }
    }
    let plural = if all == 1 { "" } else { "s" };
    Ok(holds(format!("{all} key{plural} verify users' tokens")))
}

/// A token's times are by its issuer's clock, and are held against ours.
async fn times(providers: &[Provider<'_>], clock: &Clock) -> Found {
    for provider in providers {
        let at = match provider.serves().await {
            Ok((_, Some(at))) => at,
            Ok((_, None)) => {
                let says = format!("{} does not say what time it is", name(provider));
                return Ok(skipped(says));
            }
            Err(trouble) => return told(provider, &trouble, CLOCK),
        };
        let apart = at.duration_since(clock.now()).unsigned_abs();
        if apart > provider.issuer.leeway {
            let (name, seconds) = (name(provider), apart.as_secs());
            let says = format!("the clock of {name} and ours are {seconds} seconds apart");
            return Ok(breached(says, CLOCK));
        }
    }
    Ok(holds("the issuers' clocks are ours, within the leeway"))
}

fn told(provider: &Provider<'_>, trouble: &Trouble, advice: &'static str) -> Found {
    let says = format!("{}: {trouble}", name(provider));
    match trouble {
        Trouble::Away(_) => Err(Unreachable(says)),
        Trouble::Wrong(_) => Ok(breached(says, advice)),
    }
}

fn name<'p>(provider: &Provider<'p>) -> &'p str {
    &provider.issuer.name
}
