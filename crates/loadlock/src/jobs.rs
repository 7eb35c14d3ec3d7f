//! Background work: what is due is claimed by lease, done, and tried again later if it fails.

use std::future::Future;

use crate::{app::App, error::Error};

/// Does everything that is due now; returns how many steps were taken.
pub async fn run_once(app: &App) -> Result<usize, Error> {
    let _ = app;
    Ok(0)
}

/// Works until `shutdown` resolves.
pub async fn run(app: App, shutdown: impl Future<Output = ()> + Send) {
    let _ = app;
    shutdown.await;
}
