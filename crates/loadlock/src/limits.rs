//! How often one client may ask, and try to sign in: token buckets by address, owner, API key and name, in the memory of this process.

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, Reference as _},
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::keyed::DashMapStateStore,
};
use ipnet::IpNet;
use quick_cache::sync::Cache;
use serde_json::json;

use crate::{
    auth::{Caller, Who},
    clock::Clock,
    error::{Error, Kind},
    upload::quota::network,
};

/// Clients are told apart by a secret hash of so many values: one who asks by ever new names fills no more memory than this.
const BUCKETS: u32 = 1 << 18;
/// After so many requests buckets that are full again are forgotten.
const SWEEP: u32 = 1 << 16;
/// Of how many users it is remembered from where they signed in.
const AT_HOME: usize = 1 << 14;
/// How many addresses are kept away at a time; one that is forgotten is kept away again by its next failure.
const BARRED: usize = 1 << 14;
/// A clock set back by more than this goes on from where it was.
const JITTER: i64 = 1000;

/// Attempts to sign in: from one address, under one name from one address, and under one name from wherever nobody has signed in
/// under it.
const SIGN_INS: [(&str, Rate); 3] = [
    (SIGN_IN, Rate::one_each(Duration::from_secs(2), 30)),
    (SIGN_IN, Rate::one_each(Duration::from_secs(10), 10)),
    (SIGN_IN, Rate::one_each(Duration::from_secs(1), 1000)),
];
const SIGN_IN: &str = "sign_in";

/// What a process bears from one client. What is not said is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests of one user, or by one upload token.
    pub per_owner: Option<Rate>,
    /// Requests from one address; of IPv6, from one /64. API keys are not counted here.
    pub per_address: Option<Rate>,
    /// Requests by one API key.
    pub per_key: Option<Rate>,
    /// Requests from one address with tokens that do not hold.
    pub failures: Option<Rate>,
    /// Those whose `x-forwarded-for` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// So many in so long, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub count: NonZeroU32,
    pub per: Duration,
    pub burst: NonZeroU32,
}

/// How a client stands after a request was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// By what it was counted: `owner`, `address`, `key`, `failures` or `sign_in`.
    pub policy: &'static str,
    pub rate: Rate,
    /// How many more there may be right now.
    pub left: u32,
    /// When there is one more; for one that came too early, how long it has to wait.
    pub wait: Duration,
    pub verdict: Verdict,
}

/// Whether a request goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Admitted,
    TooMany,
}

impl Rate {
    const fn one_each(per: Duration, burst: u32) -> Self {
        Self {
            count: NonZeroU32::MIN,
            per,
            burst: NonZeroU32::MIN.saturating_add(burst - 1),
        }
    }
}

impl Standing {
    /// Whole seconds until there is one more, rounded up: whoever comes back then is not too early once more.
    pub fn seconds(&self) -> u64 {
        let seconds = self.wait.as_millis().div_ceil(1000);
        seconds.try_into().unwrap_or(u64::MAX)
    }

    /// Refuses a request that came too early.
    pub fn check(&self) -> Result<(), Error> {
        match self.verdict {
            Verdict::Admitted => Ok(()),
            Verdict::TooMany => Err(self.refusal()),
        }
    }

    /// Says when to come back.
    pub fn refusal(&self) -> Error {
        let wait = self.seconds().max(1);
        let plural = if wait == 1 { "" } else { "s" };
        let what = match self.policy {
            SIGN_IN => "attempts to sign in",
            _ => "requests",
        };
        Kind::RateLimited
            .because(format!(
                "too many {what}: try again in {wait} second{plural}"
            ))
            .with_details(json!({ "retry_after": wait, "policy": self.policy }))
            .after(self.wait)
    }
}

/// The buckets of a process.
#[derive(Debug)]
pub struct RateLimits {
    address: Option<Buckets>,
    owner: Option<Buckets>,
    key: Option<Buckets>,
    failures: Option<Buckets>,
    sign_ins: [Buckets; 3],
    /// From where users have signed in: a name and an address, as a hash.
    at_home: Cache<u64, ()>,
    hash: RandomState,
    /// Until when an address that failed too often is kept away.
    barred: Cache<IpAddr, Nanos>,
    ticks: Ticks,
}

impl RateLimits {
    /// Full buckets.
    pub fn new(limits: &Limits, clock: Clock) -> Self {
        let ticks = Ticks::new(clock);
        let buckets =
            |policy, rate: Option<Rate>| rate.map(|rate| Buckets::new(policy, rate, &ticks));
        Self {
            address: buckets("address", limits.per_address),
            owner: buckets("owner", limits.per_owner),
            key: buckets("key", limits.per_key),
            failures: buckets("failures", limits.failures),
            sign_ins: SIGN_INS.map(|(policy, rate)| Buckets::new(policy, rate, &ticks)),
            at_home: Cache::new(AT_HOME),
            hash: RandomState::new(),
            barred: Cache::new(BARRED),
            ticks,
        }
    }

    /// Counts a request from an address.
    pub fn address(&self, address: IpAddr) -> Option<Standing> {
        self.address.as_ref()?.ask(network(address)).into()
    }

    /// Counts a caller's request, by what they are known as.
    pub fn caller(&self, caller: &Caller) -> Option<Standing> {
        match &caller.who {
            Who::User { owner, .. } => self.owner.as_ref()?.ask(("user", owner)).into(),
            Who::Upload { id } => self.owner.as_ref()?.ask(("upload", id)).into(),
            Who::Server { name, .. } => self.key.as_ref()?.ask(name).into(),
            Who::Nobody => None,
        }
    }

    /// Counts an attempt to sign in, or refuses it. What is refused for one reason does not count for the next: who tries too often
    /// keeps nobody but themselves from a name.
    pub fn sign_in(&self, name: &str, address: Option<IpAddr>) -> Result<(), Error> {
        let [by_network, by_both, by_name] = &self.sign_ins;
        let network = address.map(network);
        if let Some(network) = network {
            by_network.ask(network).check()?;
        }
        by_both.ask((name, network)).check()?;
        match self.at_home.get(&self.home(name, network)) {
            Some(()) => Ok(()),
            None => by_name.ask(name).check(),
        }
    }

    /// Remembers from where a user has signed in: guesses from elsewhere do not keep them out there.
    pub fn signed_in(&self, name: &str, address: Option<IpAddr>) {
        self.at_home
            .insert(self.home(name, address.map(network)), ());
    }

    fn home(&self, name: &str, network: Option<IpAddr>) -> u64 {
        self.hash.hash_one((name, network))
    }

    /// Counts a token that did not hold.
    pub fn failed(&self, address: IpAddr) {
        let Some(failures) = &self.failures else {
            return;
        };
        let address = network(address);
        let standing = failures.ask(address);
        if standing.verdict == Verdict::TooMany {
            let until = self.ticks.now() + standing.wait;
            self.barred.insert(address, until);
        }
    }

    /// Whether one more refusal of somebody known is worth writing down: as many are as there may be failures.
    pub fn is_worth_noting(&self, actor: &str) -> bool {
        let failures = self.failures.as_ref();
        failures.is_none_or(|failures| failures.ask(("known", actor)).verdict == Verdict::Admitted)
    }

    /// Why nobody guesses any more from this address, if so.
    pub fn barred(&self, address: IpAddr) -> Option<Standing> {
        let until = self.barred.get(&network(address))?;
        let wait = until.duration_since(self.ticks.now());
        (wait > Nanos::new(0)).then_some(Standing {
            policy: "failures",
            rate: self.failures.as_ref()?.rate,
            left: 0,
            wait: wait.into(),
            verdict: Verdict::TooMany,
        })
    }
}

type Limiter = RateLimiter<u32, DashMapStateStore<u32>, Ticks, StateInformationMiddleware>;

/// One bucket for each client.
#[derive(Debug)]
struct Buckets {
    policy: &'static str,
    rate: Rate,
    limiter: Limiter,
    ticks: Ticks,
    hash: RandomState,
    asked: AtomicU32,
}

impl Buckets {
    fn new(policy: &'static str, rate: Rate, ticks: &Ticks) -> Self {
        // A rate of more than one in a nanosecond is as none.
        let quota = Quota::with_period(rate.per / rate.count.get());
        let quota = quota.unwrap_or(Quota::per_second(NonZeroU32::MAX));
        let limiter = Limiter::new(
            quota.allow_burst(rate.burst),
            DashMapStateStore::default(),
            ticks.clone(),
        );
        Self {
            policy,
            rate,
            limiter,
            ticks: ticks.clone(),
            hash: RandomState::new(),
            asked: AtomicU32::new(0),
        }
    }

    fn ask(&self, client: impl Hash) -> Standing {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.limiter.retain_recent();
            self.limiter.shrink_to_fit();
        }
        let hash = self.hash.hash_one(client) % u64::from(BUCKETS);
        let bucket = u32::try_from(hash).unwrap_or_default();
        let (left, wait, verdict) = match self.limiter.check_key(&bucket) {
            Ok(state) => {
                let left = state.remaining_burst_capacity();
                let wait = match left {
                    0 => self.rate.per / self.rate.count.get(),
                    _ => Duration::ZERO,
                };
                (left, wait, Verdict::Admitted)
            }
            Err(early) => {
                let wait = early.wait_time_from(self.ticks.now());
                (0, wait, Verdict::TooMany)
            }
        };
        Standing {
            policy: self.policy,
            rate: self.rate,
            left,
            wait,
            verdict,
        }
    }
}

/// The service's clock, which may be set back, as one that never goes back.
#[derive(Debug, Clone)]
struct Ticks {
    clock: Clock,
    kept: Arc<Mutex<Kept>>,
}

/// In milliseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    last: i64,
    ahead: i64,
}

impl Ticks {
    fn new(clock: Clock) -> Self {
        Self {
            clock,
            kept: Arc::default(),
        }
    }
}

impl governor::clock::Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let now = self.clock.now().as_millisecond();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if now + kept.ahead < kept.last - JITTER {
            kept.ahead = kept.last - now;
        }
        kept.last = kept.last.max(now + kept.ahead);
        let millis = u64::try_from(kept.last).unwrap_or(0);
        Nanos::new(millis.saturating_mul(1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn rate(count: u32, burst: u32) -> Rate {
        Rate {
            count: NonZeroU32::new(count).unwrap(),
            per: Duration::from_mins(1),
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    fn buckets(rate: Rate) -> (loadlock_store::Clock, Buckets) {
        let clock = loadlock_store::Clock::manual(UNIX_EPOCH + Duration::from_hours(1));
        let ticks = Ticks::new(clock.clone().into());
        (clock, Buckets::new("owner", rate, &ticks))
    }

    #[test]
    fn a_bucket_empties_at_once_and_fills_by_and_by() {
        let (clock, buckets) = buckets(rate(60, 3));
        let asks = || {
            let standing = buckets.ask("me");
            (standing.verdict, standing.left, standing.wait.as_millis())
        };
        assert_eq!(asks(), (Verdict::Admitted, 2, 0));
        assert_eq!(asks(), (Verdict::Admitted, 1, 0));
        assert_eq!(asks(), (Verdict::Admitted, 0, 1000));
        assert_eq!(asks(), (Verdict::TooMany, 0, 1000));
        clock.advance(Duration::from_millis(400));
        assert_eq!(asks(), (Verdict::TooMany, 0, 600));
        clock.advance(Duration::from_millis(600));
        assert_eq!(asks(), (Verdict::Admitted, 0, 1000));
        clock.advance(Duration::from_mins(1));
        assert_eq!(asks(), (Verdict::Admitted, 2, 0));
    }

    #[test]
    fn one_clients_bucket_is_not_anothers() {
        let (_, buckets) = buckets(rate(60, 1));
        let admitted = (0..100).filter(|n| buckets.ask(n).verdict == Verdict::Admitted);
        // Of a hundred, two may have met in one of 262,144.
        assert!(admitted.count() >= 99);
    }

    #[test]
    fn however_many_names_there_are_there_are_only_so_many_buckets() {
        let (clock, buckets) = buckets(rate(60, 1));
        for n in 0..2 * BUCKETS {
            buckets.ask(n);
        }
        assert!(buckets.limiter.len() <= BUCKETS as usize);
        clock.advance(Duration::from_hours(1));
        for _ in 0..SWEEP {
            buckets.ask("me");
        }
        assert!(buckets.limiter.len() < 10);
    }

    #[test]
    fn attempts_to_sign_in_are_counted_by_address_by_both_and_by_name() {
        let clock = loadlock_store::Clock::manual(UNIX_EPOCH + Duration::from_hours(1));
        let limits = RateLimits::new(&Limits::default(), clock.clone().into());
        let tried = |name: &str, address: &str| {
            let tried = limits.sign_in(name, address.parse().ok());
            tried.map_err(|error| error.retry_after().unwrap().as_secs())
        };
        for _ in 0..10 {
            assert_eq!(tried("anna", "192.0.2.1"), Ok(()));
        }
        assert_eq!(tried("anna", "192.0.2.1"), Err(10));
        assert_eq!(tried("otto", "192.0.2.1"), Ok(()));
        assert_eq!(tried("anna", "192.0.2.2"), Ok(()), "from elsewhere");
        clock.advance(Duration::from_secs(10));
        assert_eq!(tried("anna", "192.0.2.1"), Ok(()));
        assert_eq!(tried("anna", "192.0.2.1"), Err(10));
        for n in 0..30 {
            assert_eq!(tried(&format!("u{n}"), &format!("2001:db8::{n}")), Ok(()));
        }
        assert_eq!(tried("u30", "2001:db8::ffff"), Err(2), "one network");
        assert_eq!(tried("u30", "2001:db8:0:1::"), Ok(()));
        for _ in 0..10 {
            assert_eq!(tried("nora", ""), Ok(()), "no address is known");
        }
        assert_eq!(tried("nora", ""), Err(10));
    }

    #[test]
    fn a_name_is_not_tried_from_everywhere_without_end() {
        let clock = loadlock_store::Clock::manual(UNIX_EPOCH + Duration::from_hours(1));
        let limits = RateLimits::new(&Limits::default(), clock.clone().into());
        let tries = (0..=u16::MAX).map(|n| {
            let [a, b] = n.to_be_bytes();
            let address = std::net::Ipv4Addr::new(198, 18, a, b);
            limits.sign_in("anna", Some(address.into()))
        });
        // Of many addresses, two may have met in one bucket, which still has room.
        assert_eq!(tries.flatten().count(), 1000);
        clock.advance(Duration::from_secs(1));
        let [home, hotel] = [7, 8].map(|n| Some(IpAddr::from([203, 0, 113, n])));
        assert!(limits.sign_in("anna", home).is_ok());
        limits.signed_in("anna", home);
        assert!(limits.sign_in("anna", hotel).is_err());
        assert!(limits.sign_in("anna", home).is_ok());
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_waiting() {
        let (clock, buckets) = buckets(rate(60, 1));
        buckets.ask("me");
        let earlier = loadlock_store::Clock::manual(UNIX_EPOCH);
        let ticks = Ticks {
            clock: earlier.clone().into(),
            kept: Arc::clone(&buckets.ticks.kept),
        };
        let before = buckets.ticks.now();
        assert_eq!(ticks.now(), before);
        earlier.advance(Duration::from_secs(2));
        assert_eq!(ticks.now(), before + Duration::from_secs(2));
        drop(clock);
    }
}
