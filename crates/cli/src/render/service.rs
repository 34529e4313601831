//! Where things are: the key service, the upstream, the listener.

use std::net::IpAddr;

use ureq::http::Uri;

/// The address of a key service.
#[derive(Clone)]
pub struct Service {
    pub is_tls: bool,
    pub host: Host,
}

/// A name or an IP address, and a port.
#[derive(Clone)]
pub struct Host {
    /// Without brackets.
    pub name: String,
    pub port: u16,
}

impl Host {
    /// Parses `HOST:PORT`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "must be HOST:PORT, such as 127.0.0.1:8080 or app.internal:80".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let is_bare = uri.scheme().is_none() && uri.path_and_query().is_none();
        let authority = uri.authority().filter(|_| is_bare).ok_or_else(wrong)?;
        Self::of(authority.host(), authority.port_u16(), authority.as_str()).ok_or_else(wrong)
    }

    /// Parses `IP:PORT`, where something listens.
    pub fn parse_listener(text: &str) -> Result<Self, String> {
        let host = Self::parse(text).ok().filter(Host::is_address);
        host.ok_or_else(|| "must be IP:PORT, such as 0.0.0.0:10000".to_owned())
    }

    /// Whether this is an IP address, which needs no DNS.
    pub fn is_address(&self) -> bool {
        self.name.parse::<IpAddr>().is_ok()
    }

    fn of(host: &str, port: Option<u16>, authority: &str) -> Option<Self> {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        let is_name = !name.is_empty() && name.bytes().all(fits) && !authority.contains('@');
        Some(Self {
            name: Some(name).filter(|_| is_name)?.to_owned(),
            port: port.filter(|port| *port > 0)?,
        })
    }
}

impl Service {
    /// Parses `http://HOST:PORT` or `https://HOST:PORT`; without a port, that of the scheme.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "must be http://HOST:PORT or https://HOST:PORT".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let (is_tls, port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let port = match authority.as_str().ends_with(authority.host()) {
            true => Some(port),
            false => authority.port_u16(),
        };
        let host = Host::of(authority.host(), port, authority.as_str());
        let host = host.filter(|_| matches!(uri.path(), "" | "/") && uri.query().is_none());
        Ok(Self {
            is_tls,
            host: host.ok_or_else(wrong)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for (text, name, port) in [
            ("127.0.0.1:80", "127.0.0.1", 80),
            ("[::1]:8080", "::1", 8080),
            ("app.internal:1", "app.internal", 1),
        ] {
            let host = Host::parse(text).unwrap();
            assert_eq!((host.name.as_str(), host.port), (name, port));
        }
        for wrong in [
            "",
            "a",
            "a:",
            "a:0",
            "a:70000",
            ":1",
            "http://a:1",
            "a:1/x",
            "u@a:1",
            "a b:1",
        ] {
            assert!(Host::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Host::parse_listener("app.internal:80").is_err());
    }

    #[test]
    fn a_service_has_a_scheme_and_no_path() {
        for (text, is_tls, name, port) in [
            ("http://keys:8801", false, "keys", 8801),
            ("https://keys.example.com/", true, "keys.example.com", 443),
            ("http://[::1]", false, "::1", 80),
        ] {
            let it = Service::parse(text).unwrap();
            assert_eq!(
                (it.is_tls, it.host.name.as_str(), it.host.port),
                (is_tls, name, port)
            );
        }
        for wrong in [
            "keys:8801",
            "ftp://keys",
            "http://",
            "http://a/b",
            "http://a?b",
            "http://u:p@a",
        ] {
            assert!(Service::parse(wrong).is_err(), "{wrong}");
        }
    }
}
