//! Who is served when more connections come than there are places.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

/// So long a connection may show what it is.
const GRACE: Duration = Duration::from_secs(5);

/// What a connection has done so far.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    /// Bytes in either direction.
    pub(super) moved: Arc<AtomicU64>,
    /// Whether it is the store that the peer waits for.
    pub(super) ours: AtomicBool,
}

/// The connections that are served.
#[derive(Debug, Default)]
pub(super) struct Places(Vec<Place>);

#[derive(Debug)]
struct Place {
    since: Instant,
    traffic: Arc<Traffic>,
    connection: AbortHandle,
}

impl Places {
    pub(super) fn take(&mut self, traffic: Arc<Traffic>, connection: AbortHandle) {
        self.0.push(Place {
            since: Instant::now(),
            traffic,
            connection,
        });
    }

    /// Forgets the connections that have ended.
    pub(super) fn tidy(&mut self) {
        self.0.retain(|place| !place.connection.is_finished());
    }

    /// Cuts off the connection that has moved the least for its time, so that silent and trickling peers cannot keep
    /// others out. None is while it is young, or while it waits for the store.
    pub(super) fn cut_off_slowest(&mut self) {
        let now = Instant::now();
        let rates = self.0.iter().enumerate().filter_map(|(index, place)| {
            let age = now.duration_since(place.since);
            let spared = age < GRACE || place.traffic.ours.load(Ordering::Relaxed);
            let moved = place.traffic.moved.load(Ordering::Relaxed);
            (!spared).then(|| (u128::from(moved) * 1000 / age.as_millis().max(1), index))
        });
        if let Some((bytes_per_second, slowest)) = rates.min() {
            tracing::debug!(%bytes_per_second, "a slow connection makes room");
            self.0.swap_remove(slowest).connection.abort();
        }
    }
}
