//! A stand-in for the key service with the faults that the real one cannot have:
//! late, silent, wrong, too long, or not HTTP at all.
//!
//! The crate `wiremock` was considered: its faults end above HTTP.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What it answers.
#[derive(Clone, Debug)]
pub enum Answer {
    /// HTTP, with whatever is in it.
    Http(Http),
    /// These bytes, then the connection closes.
    Raw(Vec<u8>),
    /// The connection closes without a byte.
    Close,
    /// Nothing, ever; the connection stays open.
    Never,
    /// These bytes, then a blank now and then without an end.
    Trickle(Vec<u8>),
}

/// The parts of an HTTP answer. `content-length` is added.
#[derive(Clone, Debug)]
pub struct Http {
    delay: Duration,
    status: u16,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

/// What it was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Like `POST`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// All of the body.
    pub body: Vec<u8>,
}

/// An answer as the real service would mark it: JSON, with `x-keygate-service: 1`.
pub fn json(status: u16, body: &serde_json::Value) -> Http {
    http(status, body.to_string())
        .header("content-type", "application/json")
        .header("x-keygate-service", "1")
}

/// An answer without any header.
pub fn http(status: u16, body: impl Into<Vec<u8>>) -> Http {
    Http {
        delay: Duration::ZERO,
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}

impl Http {
    /// Adds a header of any bytes.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Waits before it answers.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} Fake\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend([&name[..], b": ", value, b"\r\n"].concat());
        }
        bytes.extend(format!("content-length: {}\r\n\r\n", self.body.len()).bytes());
        bytes.extend(&self.body);
        bytes
    }
}

impl From<Http> for Answer {
    fn from(http: Http) -> Self {
        Self::Http(http)
    }
}

type Responder = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

#[derive(Default)]
struct Shared {
    responders: Mutex<HashMap<String, Responder>>,
    asked: Mutex<Vec<Asked>>,
    stopped: AtomicBool,
}

/// The stand-in in threads of this process; it ends when dropped. A path that no
/// one has set answers 404 without the marker.
pub struct FakeService {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl FakeService {
    /// On a free port; its change feed works and is empty.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let ours = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ours.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let shared = ours.clone();
                thread::spawn(move || serve(stream, &shared));
            }
        });
        let fake = Self { address, shared };
        let no_changes =
            serde_json::json!({ "epoch": 0, "reset": false, "more": false, "changed": [] });
        fake.set("/v1/changes", json(200, &no_changes));
        fake
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on, this path (without its query) answers so.
    pub fn set(&self, path: &str, answer: impl Into<Answer>) {
        let answer = answer.into();
        self.on(path, move |_| answer.clone());
    }

    /// From now on, this path answers what the closure says.
    pub fn on(&self, path: &str, answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) {
        lock(&self.shared.responders).insert(path.to_owned(), Arc::new(answer));
    }

    /// What was asked of one path (without its query) so far, oldest first.
    #[must_use]
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        let all = lock(&self.shared.asked);
        all.iter()
            .filter(|asked| without_query(&asked.path) == path)
            .cloned()
            .collect()
    }
}

impl Drop for FakeService {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts, so that the port is free again.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) {
    while let Some(asked) = read(&mut stream) {
        lock(&shared.asked).push(asked.clone());
        let responder = lock(&shared.responders)
            .get(without_query(&asked.path))
            .cloned();
        let answer = responder.map_or_else(|| http(404, "").into(), |responder| responder(&asked));
        match answer {
            Answer::Http(answer) => {
                thread::sleep(answer.delay);
                // The client may have gone, because the answer was late.
                if stream.write_all(&answer.bytes()).is_err() {
                    return;
                }
            }
            Answer::Raw(bytes) => {
                let _ = stream.write_all(&bytes);
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Answer::Close => return,
            Answer::Trickle(bytes) => {
                let mut sent = stream.write_all(&bytes);
                // Until the client closes the connection.
                while sent.is_ok() {
                    thread::sleep(Duration::from_millis(50));
                    sent = stream.write_all(b" ");
                }
                return;
            }
            Answer::Never => {
                // Until the client closes the connection.
                let _ = stream.read(&mut [0; 1]);
                return;
            }
        }
    }
}

/// The next request; `None` when the connection closes or is not HTTP.
fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        if let Some(asked) = parse(&bytes) {
            return Some(asked);
        }
        let mut buffer = [0; 16 * 1024];
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
    }
}

fn parse(bytes: &[u8]) -> Option<Asked> {
    let mut space = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut space);
    let start = match head.parse(bytes).ok()? {
        httparse::Status::Complete(start) => start,
        httparse::Status::Partial => return None,
    };
    let headers: Vec<_> = head
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), header.value.to_vec()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
    let chunked = headers.iter().any(|(name, _)| name == "transfer-encoding");
    let body = if chunked {
        crate::client::unchunk(&bytes[start..]).ok()??.0
    } else {
        bytes[start..].get(..length.unwrap_or(0))?.to_vec()
    };
    let (method, path) = (head.method?.to_owned(), head.path?.to_owned());
    Some(Asked {
        method,
        path,
        headers,
        body,
    })
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
