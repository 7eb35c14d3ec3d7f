//! Where a request comes from: the connection's other end, or whom trusted proxies name.
use std::{
    net::{IpAddr, SocketAddr},
    sync::Once,
};

use axum::{
    extract::ConnectInfo,
    http::{HeaderMap, request::Parts},
};
use ipnet::IpNet;

use crate::app::App;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address. None where the connection's is not known: an application that serves us without
/// `into_make_service_with_connect_info` tells nobody.
pub(super) fn client(parts: &Parts, app: &App) -> Option<IpAddr> {
    let ConnectInfo(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()?;
    let trusted = &app.config.limits.trusted_proxies;
    let client = behind(peer.ip(), &parts.headers, trusted);
    if is_near(client) && parts.headers.contains_key(FORWARDED_FOR) {
        TOLD.call_once(|| {
            tracing::warn!(%client, "a proxy that `limits.trusted_proxies` does not name: all behind it count as one address");
        });
    }
    Some(client)
}

static TOLD: Once = Once::new();

/// Of this machine or its network, where no strangers are.
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback(),
    }
}

/// Each proxy adds at the right whom it heard. What stands left of the first stranger is that stranger's own invention.
fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut at = peer.to_canonical();
    let mut told = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .rev()
        .flat_map(|line| line.to_str().unwrap_or("?").rsplit(','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    while trusted.iter().any(|net| net.contains(&at)) {
        // Where a trusted proxy names nobody, what it sends is its own.
        let Some(before) = told.next().and_then(parse) else {
            break;
        };
        at = before.to_canonical();
    }
    at
}

/// `203.0.113.7`, `203.0.113.7:1234`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:1234`.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    entry.parse().ok().or_else(bare).or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, told: &[&str], expected: &str) {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in told {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let found = behind(peer.parse().unwrap(), &headers, &trusted);
        assert_eq!(found.to_string(), expected, "{peer} {told:?}");
    }

    #[test]
    fn a_stranger_is_who_it_is_whatever_it_says() {
        check("203.0.113.7", &[], "203.0.113.7");
        check("203.0.113.7", &["198.51.100.1"], "203.0.113.7");
        check("::ffff:203.0.113.7", &["198.51.100.1"], "203.0.113.7");
    }

    #[test]
    fn trusted_proxies_name_whom_they_heard() {
        check("10.0.0.1", &["203.0.113.7"], "203.0.113.7");
        check("::ffff:10.0.0.1", &["203.0.113.7"], "203.0.113.7");
        check("10.0.0.1", &["203.0.113.7, 10.0.0.2"], "203.0.113.7");
        check("10.0.0.1", &["203.0.113.7", "10.0.0.2"], "203.0.113.7");
        check("fd00::1", &["2001:db8::1"], "2001:db8::1");
        check("10.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1");
        check("10.0.0.1", &["[2001:db8::1]"], "2001:db8::1");
        check("10.0.0.1", &["203.0.113.7:5555 ,"], "203.0.113.7");
        check("10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7");
    }

    #[test]
    fn what_a_client_made_up_is_not_believed() {
        check("10.0.0.1", &["10.9.9.9, 203.0.113.7"], "203.0.113.7");
        check("10.0.0.1", &["127.0.0.1", "203.0.113.7"], "203.0.113.7");
        check(
            "10.0.0.1",
            &["198.51.100.1, 203.0.113.7, 10.0.0.2, 10.0.0.3"],
            "203.0.113.7",
        );
        check(
            "10.0.0.1",
            &["1.2.3.4", "203.0.113.7, 10.0.0.2"],
            "203.0.113.7",
        );
        check("10.0.0.1", &["1.2.3.4, unknown"], "10.0.0.1");
        check("10.0.0.1", &["1.2.3.4, <script>, 10.0.0.2"], "10.0.0.2");
        check("10.0.0.1", &["10.0.0.3"], "10.0.0.3");
        check("10.0.0.1", &[], "10.0.0.1");
    }
}
