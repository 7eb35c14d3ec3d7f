//! Usage: what somebody has stored and under way, and what quotas leave them.

use crate::{
    app::App,
    auth::{Caller, Scope, Who},
    clock::day,
    error::{Error, Kind},
    upload::{
        Owner, Quota,
        quota::{Counter, Standing},
    },
};

/// What counts for somebody, within all that they may know of.
#[derive(Debug, Clone)]
pub struct UsageReport {
    /// Whose it is; none where only profiles were asked for.
    pub owner: Option<Owner>,
    /// The owner's, over all profiles.
    pub total: Option<Measured>,
    pub profiles: Vec<ProfileUsage>,
}

/// A profile's part of it.
#[derive(Debug, Clone)]
pub struct ProfileUsage {
    pub profile: String,
    /// The owner's.
    pub owner: Option<Measured>,
    /// All owners', for an application's server.
    pub all: Option<Measured>,
}

/// A counter beside its quota.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub standing: Standing,
    pub begun_today: i64,
    pub quota: Quota,
}

/// What an owner uses: a user their own, an application's server anybody's and, of each of its profiles, that of all.
pub async fn usage(app: &App, caller: &Caller, named: Option<&str>) -> Result<UsageReport, Error> {
    let (owner, scope) = whose(caller, named)?;
    let covers = |name: &str| scope.is_none_or(|scope| scope.covers(name));
    let profiles: Vec<&str> = app
        .config
        .profiles
        .iter()
        .map(|profile| profile.name.as_str())
        .filter(|name| covers(name))
        .collect();
    let of_owner = owner.as_ref().map(Owner::as_str);
    let counters = profiles.iter().flat_map(|profile| {
        let owner = of_owner.map(|owner| Counter::of(profile, owner));
        [Some(Counter::of(profile, "")), owner]
    });
    let total = of_owner.map(|owner| Counter::of("", owner));
    let counters: Vec<Counter> = counters.flatten().chain(total.clone()).collect();
    let found = app.records.usage(counters).await?;
    let today = day(app.clock.now());
    let measured = |counter: &Counter, quota: Quota| {
        let standing = found.get(counter).copied().unwrap_or_default();
        Measured {
            standing,
            begun_today: standing.begun_on(today),
            quota,
        }
    };
    let profile = |name: &&str| {
        let quotas = app.config.profile(name).map(|profile| profile.quotas);
        let quotas = quotas.unwrap_or_default();
        ProfileUsage {
            profile: (*name).to_owned(),
            owner: of_owner.map(|owner| measured(&Counter::of(name, owner), quotas.owner)),
            all: scope.map(|_| measured(&Counter::of(name, ""), quotas.all)),
        }
    };
    Ok(UsageReport {
        profiles: profiles.iter().map(profile).collect(),
        // A key for some profiles is not told of the others.
        total: total
            .filter(|_| scope.is_none_or(|scope| *scope == Scope::AllProfiles))
            .map(|counter| measured(&counter, app.config.quotas)),
        owner,
    })
}

/// Whose usage is asked for, and within what an application's server may see.
fn whose<'a>(
    caller: &'a Caller,
    named: Option<&str>,
) -> Result<(Option<Owner>, Option<&'a Scope>), Error> {
    let named = named.map(str::parse::<Owner>).transpose();
    let named = named.map_err(|error| Kind::InvalidRequest.because(format!("`owner`: {error}")))?;
    match &caller.who {
        Who::Server { scope, .. } => Ok((named, Some(scope))),
        Who::User { owner, .. } if named.as_ref().is_none_or(|named| named == owner) => {
            Ok((Some(owner.clone()), None))
        }
        Who::User { .. } => Err(Kind::Forbidden.because("another owner's usage is not yours")),
        Who::Upload { .. } => {
            Err(Kind::Forbidden.because("an upload token is for its one upload only"))
        }
        Who::Nobody => Err(Kind::Unauthenticated.into()),
    }
}
