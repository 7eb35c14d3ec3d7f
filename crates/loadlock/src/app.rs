//! All that a flow needs, in one place.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::{
    auth::{Passwords, issuers::Issuers},
    bucket::{Bucket, Vendor},
    clock::{Clock, Ids},
    config::Config,
    error::Error,
    hook::Hooks,
    limits::RateLimits,
    records::Records,
    scan::Scanners,
};

/// The service: settings, records, buckets, time and chance. Clones share one service.
#[derive(Debug, Clone)]
pub struct App {
    pub config: Arc<Config>,
    pub records: Records,
    pub bucket: Bucket,
    pub hooks: Hooks,
    /// Gets temporary credentials, if the service hands out any.
    pub vendor: Option<Vendor>,
    pub clock: Clock,
    pub ids: Ids,
    /// Whose tokens say who a user is.
    pub issuers: Issuers,
    pub scanners: Scanners,
    /// How often each client has asked, and tried to sign in.
    pub limits: Arc<RateLimits>,
    /// Places for those who look and wait.
    pub waiting: Arc<Semaphore>,
    pub passwords: Passwords,
}

/// How many may look and wait at once: each asks the records once a second.
const WAITING: usize = 1024;

impl App {
    /// Opens the records (bringing their schema up to date) and makes ready for the store, which is asked nothing yet.
    pub async fn open(config: Config, clock: Clock, ids: Ids) -> Result<Self, Error> {
        let vendor = match &config.credentials {
            Some(vending) => Some(Vendor::open(vending, &config.store, clock.clone()).await),
            None => None,
        };
        let hooks = Hooks::new()?;
        Ok(Self {
            vendor,
            records: Records::open_within(&config.records, config.allowances()).await?,
            issuers: Issuers::new(&config.issuers)?,
            bucket: Bucket::open(&config.store, clock.clone()).await?,
            scanners: Scanners::new(&config.scanning, hooks.clone()),
            hooks,
            limits: Arc::new(RateLimits::new(&config.limits, clock.clone())),
            config: Arc::new(config),
            passwords: Passwords::default(),
            clock,
            ids,
            waiting: Arc::new(Semaphore::new(WAITING)),
        })
    }
}
