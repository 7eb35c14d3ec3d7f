//! Where a bucket is: its endpoint's scheme and host, and how the bucket is named in a URL.

use std::net::Ipv4Addr;
use std::ops::Range;

use crate::encode::push_key;
use crate::error::SignError;

/// How a request names its bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `https://endpoint/bucket/key`
    Path,
    /// `https://bucket.endpoint/key`
    VirtualHost,
}

/// A bucket at an endpoint, with what its URLs have in common worked out once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    name: String,
    /// What stands before a key's slash: `https://host:port`, the endpoint's own path and, in path style, the bucket.
    base: String,
    /// Where in `base` the host is.
    host: Range<usize>,
}

impl Bucket {
    /// `endpoint` is a URL such as `https://s3.eu-central-1.amazonaws.com` or `http://127.0.0.1:9000`, perhaps with a path of
    /// its own. A scheme's default port is left out, as clients leave it out of `Host`.
    ///
    /// A name is one to 255 letters, digits, `.`, `-` and `_`; whether such a bucket may exist is the store's business
    /// (S3 user guide, "General purpose bucket naming rules").
    ///
    /// # Errors
    /// [`SignError::Endpoint`], [`SignError::Bucket`], or [`SignError::VirtualHostOnAddress`] where `endpoint` is an IP address.
    pub fn new(endpoint: &str, name: &str, style: Style) -> Result<Self, SignError> {
        check_name(name, style)?;
        let (scheme, default_port, rest) = split_scheme(endpoint).ok_or(SignError::Endpoint)?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        check_authority(authority)?;
        if !path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#'))
        {
            return Err(SignError::Endpoint);
        }
        let host = authority.to_ascii_lowercase();
        let host = host.strip_suffix(default_port).unwrap_or(&host);
        let path = path.trim_end_matches('/');
        let (host, prefix) = match style {
            Style::Path => (host.to_owned(), format!("{path}/{name}")),
            Style::VirtualHost if is_address(host) => return Err(SignError::VirtualHostOnAddress),
            Style::VirtualHost => (format!("{name}.{host}"), path.to_owned()),
        };
        Ok(Self {
            name: name.to_owned(),
            base: format!("{scheme}{host}{prefix}"),
            host: scheme.len()..scheme.len() + host.len(),
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of the `Host` header, with the port unless it is the scheme's own.
    pub fn host(&self) -> &str {
        &self.base[self.host.clone()]
    }

    /// The bucket's own URL, where a form is posted to.
    pub fn url(&self) -> String {
        let mut url = String::new();
        self.push_url(&mut url, None);
        url
    }

    /// Writes the URL of the key, or of the bucket itself, and tells where in `out` its path begins.
    pub(crate) fn push_url(&self, out: &mut String, key: Option<&str>) -> usize {
        let path = out.len() + self.host.end;
        out.push_str(&self.base);
        match key {
            Some(key) => {
                out.push('/');
                push_key(out, key);
            }
            None if self.host.end == self.base.len() => out.push('/'),
            None => {}
        }
        path
    }
}

fn split_scheme(endpoint: &str) -> Option<(&'static str, &'static str, &str)> {
    [("http://", ":80"), ("https://", ":443")]
        .into_iter()
        .find_map(|(scheme, port)| {
            let (start, rest) = endpoint.split_at_checked(scheme.len())?;
            start
                .eq_ignore_ascii_case(scheme)
                .then_some((scheme, port, rest))
        })
}

fn check_name(name: &str, style: Style) -> Result<(), SignError> {
    let byte_ok = |byte: u8| match style {
        Style::Path => byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'),
        Style::VirtualHost => {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-')
        }
    };
    let shape_ok = (1..=255).contains(&name.len()) && !matches!(name, "." | "..");
    if shape_ok && name.bytes().all(byte_ok) {
        Ok(())
    } else {
        Err(SignError::Bucket(name.to_owned()))
    }
}

fn check_authority(authority: &str) -> Result<(), SignError> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_ok = port.is_none_or(|port| {
        port.parse::<u16>()
            .is_ok_and(|number| number.to_string() == port)
    });
    let bracketed = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let host_ok = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        }
    };
    if host_ok && port_ok {
        Ok(())
    } else {
        Err(SignError::Endpoint)
    }
}

fn is_address(host: &str) -> bool {
    let name = host.split(':').next().unwrap_or_default();
    host.starts_with('[') || name.parse::<Ipv4Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(endpoint: &str, style: Style, host: &str, url: &str) {
        let bucket = Bucket::new(endpoint, "photos", style).unwrap();
        assert_eq!((bucket.host(), bucket.url().as_str()), (host, url));
    }

    #[test]
    fn endpoints_become_hosts_and_urls() {
        check(
            "https://s3.amazonaws.com",
            Style::VirtualHost,
            "photos.s3.amazonaws.com",
            "https://photos.s3.amazonaws.com/",
        );
        check(
            "HTTPS://S3.amazonaws.com:443/",
            Style::Path,
            "s3.amazonaws.com",
            "https://s3.amazonaws.com/photos",
        );
        check(
            "http://127.0.0.1:9000",
            Style::Path,
            "127.0.0.1:9000",
            "http://127.0.0.1:9000/photos",
        );
        check(
            "http://localhost:443",
            Style::VirtualHost,
            "photos.localhost:443",
            "http://photos.localhost:443/",
        );
        check(
            "http://[::1]:80/base/",
            Style::Path,
            "[::1]",
            "http://[::1]/base/photos",
        );
        check("http://[::1]", Style::Path, "[::1]", "http://[::1]/photos");
    }

    #[test]
    fn what_is_no_endpoint_is_refused() {
        for endpoint in [
            "",
            "s3.amazonaws.com",
            "ftp://x",
            "http://",
            "http://a@b",
            "http://a?b",
            "http://a/b#c",
            "http://a:b",
            "http://a:099999",
            "http://[::1",
            "http://ä",
            "http://a /",
        ] {
            assert_eq!(
                Bucket::new(endpoint, "photos", Style::Path),
                Err(SignError::Endpoint),
                "{endpoint}"
            );
        }
        assert_eq!(
            Bucket::new("http://127.0.0.1:1", "photos", Style::VirtualHost),
            Err(SignError::VirtualHostOnAddress)
        );
        for name in ["", "a/b", "..", "ä"] {
            assert!(
                Bucket::new("http://a", name, Style::Path).is_err(),
                "{name}"
            );
        }
    }
}
