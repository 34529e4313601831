//! The HTTP calls that the service makes itself: to the receivers of events, to the hook, and for
//! the keys of leak reports. Every call has a time and a size, follows no redirect and uses no proxy.
//!
//! The client is hyper's, as is the server. `reqwest` 0.13 is the same client with redirects and proxies
//! around it, and adds 28 crates and a second version of tower-http.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

/// What every call says of its sender.
pub(crate) const USER_AGENT: &str = concat!("keygate/", env!("CARGO_PKG_VERSION"));

/// Most bytes of a URL.
const MAX_URL: usize = 2048;

/// How long a connection is kept that nothing uses.
const IDLE: Duration = Duration::from_secs(60);

/// How long, and for how many bytes, the rest of an answer is read that says nothing more. Then its
/// connection can be used again.
const REST: Bounds = Bounds {
    time: Duration::from_secs(1),
    body: 16 * 1024,
};

/// The URL of another service: `https`, or `http` on this machine alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Uri);

impl Endpoint {
    /// Parses a URL.
    ///
    /// # Errors
    /// What it must be.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let wrong = "must be a URL of at most 2048 characters, such as https://example.com/keygate";
        // `Uri` drops a fragment.
        if text.len() > MAX_URL || text.contains('#') {
            return Err(wrong);
        }
        let uri: Uri = text.parse().map_err(|_| wrong)?;
        let authority = uri.authority().ok_or(wrong)?;
        if authority.as_str().contains('@') {
            return Err("must not contain a user or a password");
        }
        let host = authority.host();
        match uri.scheme_str() {
            Some("https") if !host.is_empty() => Ok(Self(uri)),
            Some("http") if is_loopback(host) => Ok(Self(uri)),
            Some("http") => Err("must begin with https:// unless its host is this machine"),
            _ => Err(wrong),
        }
    }

    /// The URL.
    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }
}

/// Shows the origin alone: a path or a query may be a secret of the receiver.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.0.authority().map_or("", |it| it.as_str());
        write!(f, "{scheme}://{authority}")
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let address = bare.unwrap_or(host).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|it| it.is_loopback())
}

/// How long a call may take, and how many bytes its answer may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    pub(crate) body: usize,
}

/// Why a call has no answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("no complete response came within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error("the response has more than {0} bytes")]
    TooLong(usize),
    /// In the words of the system or of the libraries.
    #[error("{0}")]
    Failed(String),
}

impl CallError {
    fn of(error: &dyn Error) -> Self {
        let mut told = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            told = format!("{told}: {cause}");
            source = cause.source();
        }
        Self::Failed(told)
    }
}

/// Makes calls. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Client(legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Client {
    /// Reads the certificates of the system.
    pub(crate) fn new() -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls())
            .https_or_http()
            .enable_http1()
            .build();
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Self(client)
    }

    /// The status and the body of a page.
    pub(crate) async fn get(
        &self,
        endpoint: &Endpoint,
        bounds: Bounds,
    ) -> Result<(StatusCode, Bytes), CallError> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = endpoint.uri().clone();
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        self.answer(request, bounds).await
    }

    /// The status and the body of the answer to a request.
    pub(crate) async fn answer(
        &self,
        request: Request<Full<Bytes>>,
        bounds: Bounds,
    ) -> Result<(StatusCode, Bytes), CallError> {
        let answer = async {
            let answer = self.0.request(request).await;
            let (head, body) = answer.map_err(|error| CallError::of(&error))?.into_parts();
            Ok((head.status, whole(body, bounds.body).await?))
        };
        let answer = tokio::time::timeout(bounds.time, answer).await;
        answer.map_err(|_| CallError::Timeout(bounds.time))?
    }

    /// The status of the answer to a request; its body is of no interest.
    pub(crate) async fn status(
        &self,
        request: Request<Full<Bytes>>,
        time: Duration,
    ) -> Result<StatusCode, CallError> {
        let answer = tokio::time::timeout(time, self.0.request(request)).await;
        let answer = answer.map_err(|_| CallError::Timeout(time))?;
        let (head, body) = answer.map_err(|error| CallError::of(&error))?.into_parts();
        // Whatever comes of it: the receiver has answered.
        let _ = tokio::time::timeout(REST.time, whole(body, REST.body)).await;
        Ok(head.status)
    }
}

/// All bytes of a body.
async fn whole(body: Incoming, most: usize) -> Result<Bytes, CallError> {
    let read = Limited::new(body, most).collect().await;
    let read = read.map_err(|error| match error.is::<LengthLimitError>() {
        true => CallError::TooLong(most),
        false => CallError::of(&*error),
    })?;
    Ok(read.to_bytes())
}

/// The authorities of the system, so that an operator can add one of their own; those of Mozilla where
/// the system has none, as in an image without files.
pub(crate) fn roots_of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}

fn tls() -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has all that TLS 1.2 and 1.3 need")
        .with_root_certificates(roots_of_the_system())
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_tls_is_of_this_machine_alone() {
        for url in [
            "https://example.com/a?b=c",
            "https://10.0.0.7:8443",
            "http://localhost:1/a",
            "http://127.0.0.1",
            "http://127.9.9.9/",
            "http://[::1]:8080/x",
        ] {
            assert!(Endpoint::parse(url).is_ok(), "{url}");
        }
        for url in [
            "http://example.com/a",
            "http://10.0.0.7/",
            "http://[::2]/",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "ftp://127.0.0.1/",
            "https://user:secret@example.com/",
            "https://example.com/#a",
            "https:///a",
            "/a",
            "example.com",
            "",
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn what_is_logged_of_a_url_is_its_origin() {
        let endpoint = Endpoint::parse("https://example.com:8443/hooks/T0KEN?key=T0KEN").unwrap();
        assert_eq!(endpoint.to_string(), "https://example.com:8443");
        assert_eq!(
            format!("{endpoint:?}"),
            "Endpoint(https://example.com:8443)"
        );
    }
}
