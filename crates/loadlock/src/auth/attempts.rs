//! How often somebody may try to sign in: per name, and per address.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use governor::{Quota, RateLimiter, middleware::NoOpMiddleware, state::keyed::DashMapStateStore};

use super::TokenHash;
use crate::{
    clock::Clock,
    error::{Error, Kind},
};

/// At once, and then one after each such time.
const OF_NAME: (u32, Duration) = (10, Duration::from_secs(10));
const OF_ADDRESS: (u32, Duration) = (30, Duration::from_secs(2));
/// After so many attempts, those are forgotten that count no longer.
const TIDY: u32 = 1024;

/// Counts who tries to sign in. Clones count together.
#[derive(Clone)]
pub struct Attempts(Arc<Counts>);

struct Counts {
    names: Limiter<TokenHash>,
    addresses: Limiter<IpAddr>,
    tidied: AtomicU32,
}

type Limiter<K> = RateLimiter<K, DashMapStateStore<K>, Ticks, NoOpMiddleware<Duration>>;

/// Our clock, as the limiters read it: since 1970.
struct Ticks(Clock);

impl governor::clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.now().as_duration().unsigned_abs()
    }
}

impl Attempts {
    /// Nobody has tried yet.
    pub fn new(clock: &Clock) -> Self {
        Self(Arc::new(Counts {
            names: limiter(OF_NAME, clock),
            addresses: limiter(OF_ADDRESS, clock),
            tidied: AtomicU32::new(0),
        }))
    }

    /// Counts an attempt, or refuses it: there were too many. Whoever is refused for their address does not count for the name.
    pub fn count(&self, name: &str, address: Option<IpAddr>) -> Result<(), Error> {
        let Counts {
            names,
            addresses,
            tidied,
        } = &*self.0;
        if tidied.fetch_add(1, Ordering::Relaxed) % TIDY == TIDY - 1 {
            names.retain_recent();
            addresses.retain_recent();
        }
        if let Some(address) = address {
            check(addresses, &network(address))?;
        }
        check(names, &super::hash(name))
    }
}

impl std::fmt::Debug for Attempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Attempts")
    }
}

fn limiter<K: std::hash::Hash + Eq + Clone>(
    (burst, each): (u32, Duration),
    clock: &Clock,
) -> Limiter<K> {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(each).unwrap_or(Quota::per_second(NonZeroU32::MIN));
    RateLimiter::dashmap_with_clock(quota.allow_burst(burst), Ticks(clock.clone()))
}

fn check<K: std::hash::Hash + Eq + Clone>(limiter: &Limiter<K>, key: &K) -> Result<(), Error> {
    limiter.check_key(key).map_err(|until| {
        let now = governor::clock::Clock::now(limiter.clock());
        Kind::RateLimited
            .because("too many attempts to sign in: wait a little")
            .after(until.wait_time_from(now))
    })
}

/// What one subscriber has at least: of IPv6 the first 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 64 << 64;
            std::net::Ipv6Addr::from_bits(bits).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn attempts_are_limited_per_name_and_per_address_and_come_back_with_time() {
        let hand = loadlock_store::Clock::manual(UNIX_EPOCH + Duration::from_hours(24 * 365 * 56));
        let attempts = Attempts::new(&hand.clone().into());
        let tried = |name: &str, address: &str| {
            let address = address.parse().ok();
            attempts.count(name, address).map_err(|error| {
                assert_eq!(error.kind(), Kind::RateLimited);
                error.retry_after().unwrap().as_secs()
            })
        };
        for n in 0..10 {
            assert_eq!(tried("anna", &format!("192.0.2.{n}")), Ok(()));
        }
        assert_eq!(tried("anna", "192.0.2.77"), Err(10));
        assert_eq!(tried("anna", ""), Err(10), "also where no address is known");
        assert_eq!(tried("otto", "192.0.2.77"), Ok(()));
        hand.advance(Duration::from_secs(10));
        assert_eq!(tried("anna", "192.0.2.77"), Ok(()));
        assert_eq!(tried("anna", "192.0.2.77"), Err(10));
        for n in 0..30 {
            assert_eq!(tried(&format!("u{n}"), &format!("2001:db8::{n}")), Ok(()));
        }
        assert_eq!(tried("u30", "2001:db8::ffff"), Err(2), "one network");
        assert_eq!(tried("u30", "2001:db8:0:1::"), Ok(()));
    }

    #[test]
    fn what_counts_no_longer_is_forgotten() {
        let hand = loadlock_store::Clock::manual(UNIX_EPOCH + Duration::from_hours(24 * 365 * 56));
        let attempts = Attempts::new(&hand.clone().into());
        for n in 0..3 * TIDY {
            attempts.count(&n.to_string(), None).unwrap();
            hand.advance(Duration::from_secs(1));
        }
        assert!(attempts.0.names.len() < 2 * TIDY as usize);
    }
}
