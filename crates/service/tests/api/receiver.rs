//! Another service, which the key service calls.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{KeyInit as _, Mac as _};
use serde_json::Value;

/// The bytes of the secret.
const SECRET: &[u8] = b"a-webhook-secret-of-32-bytes-000";

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The secret as a configuration has it.
pub fn secret() -> String {
    format!("whsec_{}", STANDARD.encode(SECRET))
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Got {
    pub headers: HeaderMap,
    pub path: String,
    pub body: String,
}

impl Got {
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether the signature is one of [`SECRET`], by the rules of Standard Webhooks.
    pub fn is_signed(&self) -> bool {
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(SECRET).unwrap();
        for part in [self.header("webhook-id"), self.header("webhook-timestamp")] {
            mac.update(part.as_bytes());
            mac.update(b".");
        }
        mac.update(self.body.as_bytes());
        let signature = self.header("webhook-signature").strip_prefix("v1,");
        let signature = STANDARD.decode(signature.unwrap()).unwrap();
        mac.verify_slice(&signature).is_ok()
    }
}

/// What it does with a request.
pub enum Reply {
    Status(u16),
    Body(String),
    To(String),
    Never,
}

/// A service that keeps what it gets.
pub struct Receiver {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Receiver {
    /// One that accepts everything.
    pub fn start() -> Self {
        Self::replying(|_, _| Reply::Status(204))
    }

    /// `reply` gets the number of the request, from 0, and the request.
    pub fn replying(reply: impl Fn(usize, &Got) -> Reply + Send + Sync + 'static) -> Self {
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let (kept, reply) = (Arc::clone(&got), Arc::new(reply));
        let handler = move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let request = Got {
                headers,
                path: uri.to_string(),
                body: String::from_utf8(body.into()).unwrap(),
            };
            let number = {
                let mut kept = kept.lock().unwrap();
                kept.push(request.clone());
                kept.len() - 1
            };
            let reply = reply(number, &request);
            async move { respond(reply).await }
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let bind = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = runtime.block_on(bind).unwrap();
        let address = listener.local_addr().unwrap();
        let router: Router = Router::new().fallback(handler);
        runtime.spawn(async move {
            let connection = |stream| {
                let service = hyper_util::service::TowerToHyperService::new(router.clone());
                let io = hyper_util::rt::TokioIo::new(stream);
                hyper::server::conn::http1::Builder::new().serve_connection(io, service)
            };
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream));
            }
        });
        Self {
            address,
            got,
            _runtime: runtime,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Waits for so many requests.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Got> {
        until(&format!("{count} requests"), || {
            Some(self.got()).filter(|got| got.len() >= count)
        })
    }
}

async fn respond(reply: Reply) -> Response {
    match reply {
        Reply::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Reply::Body(body) => body.into_response(),
        Reply::To(location) => {
            (StatusCode::TEMPORARY_REDIRECT, [("location", location)]).into_response()
        }
        Reply::Never => std::future::pending().await,
    }
}

/// Waits until there is one.
#[track_caller]
pub fn until<T>(what: &str, found: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "no {what} in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}
