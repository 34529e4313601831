//! The upstream: answers every request with JSON of what it received, and keeps
//! a record from the moment the headers arrive, so that a test can tell whether
//! anything passed before a verdict. It judges nothing. A test may have it serve files
//! and add headers to its answers.

mod content;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use content::Content;

/// One request, as the upstream saw it.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Like `GET`.
    pub method: String,
    /// Path and query, byte for byte.
    pub path: String,
    /// Names in lower case; values as they came, duplicates one by one.
    pub headers: Vec<(String, Vec<u8>)>,
    /// What has arrived of the body so far.
    pub body: Vec<u8>,
    /// Whether the body has arrived to its end.
    pub complete: bool,
}

impl Received {
    /// Every value of one header, as text.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<String> {
        let named = self.headers.iter().filter(|(n, _)| n == name);
        named
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// The only value of a header, `None` if it is absent.
    ///
    /// # Panics
    /// If it stands there twice.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let mut values = self.values(name);
        assert!(values.len() < 2, "{name} stands there twice: {values:?}");
        values.pop()
    }
}

/// What has been received since the start, oldest first. A clone shares the record.
#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<Vec<Received>>>);

impl Record {
    /// A copy of everything so far.
    #[must_use]
    pub fn all(&self) -> Vec<Received> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Received>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says where it stands, so that the body can be added as it comes.
    fn begin(&self, received: Received) -> usize {
        let mut all = self.lock();
        all.push(received);
        all.len() - 1
    }

    fn update(&self, place: usize, change: impl FnOnce(&mut Received)) {
        // A test may have cleared the record in between.
        if let Some(received) = self.lock().get_mut(place) {
            change(received);
        }
    }
}

/// The upstream in threads of this process; it ends when dropped.
pub struct Echo {
    address: SocketAddr,
    record: Record,
    content: Content,
    runtime: Option<Runtime>,
}

impl Echo {
    /// On a free port.
    #[must_use]
    pub fn start() -> Self {
        let runtime = runtime();
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("the loopback interface has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let (record, content) = (Record::default(), Content::default());
        runtime.spawn(serve(listener, Some(record.clone()), content.clone()));
        Self {
            address,
            record,
            content,
            runtime: Some(runtime),
        }
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on every answer carries these headers, too.
    pub fn answer_with(&self, headers: &[(&'static str, &'static str)]) {
        self.content.answer_with(headers);
    }

    /// From now on a path that names a file in this directory is answered with the file.
    pub fn serve_files(&self, directory: &Path) {
        self.content.serve_files(directory);
    }

    /// Everything received so far, oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.record.all()
    }

    /// How many requests have begun to arrive.
    #[must_use]
    pub fn count(&self) -> usize {
        self.record.lock().len()
    }

    /// The newest request.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn last(&self) -> Received {
        let last = self.record.lock().last().cloned();
        last.expect("the upstream has received a request")
    }

    /// What it has received since it was asked last, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.record.lock())
    }

    /// Forgets what it has received.
    pub fn clear(&self) {
        self.record.lock().clear();
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Serves on one address until the process ends: the upstream of the demo.
///
/// # Errors
/// When the address cannot be bound.
pub fn serve_forever(address: SocketAddr, ready: impl FnOnce(SocketAddr)) -> std::io::Result<()> {
    runtime().block_on(async {
        let listener = TcpListener::bind(address).await?;
        ready(listener.local_addr()?);
        serve(listener, None, Content::default()).await;
        Ok(())
    })
}

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_io()
        .build()
        .expect("a runtime can be made")
}

async fn serve(listener: TcpListener, record: Option<Record>, content: Content) {
    loop {
        // A connection that died before it was accepted is ignored.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (record, content) = (record.clone(), content.clone());
        tokio::spawn(async move {
            let answer =
                service_fn(move |request| answer(request, record.clone(), content.clone()));
            let _ = http1::Builder::new()
                .max_headers(1000)
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    record: Option<Record>,
    content: Content,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, mut body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("*", |path| path.as_str());
    let headers = head.headers.iter();
    let received = Received {
        method: head.method.to_string(),
        path: path.to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect(),
        ..Received::default()
    };
    let place = record.as_ref().map(|record| record.begin(received.clone()));
    let update = |change: &dyn Fn(&mut Received)| {
        if let (Some(record), Some(place)) = (&record, place) {
            record.update(place, change);
        }
    };
    let mut length = 0;
    // An error ends the body too: the sender has gone.
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            length += data.len();
            update(&|received| received.body.extend_from_slice(&data));
        }
    }
    update(&|received| received.complete = true);

    let (kind, body) = content.file(&received.path).unwrap_or_else(|| {
        let page = page(&received, length);
        ("application/json", page.into_bytes())
    });
    let mut response = Response::builder().header("content-type", kind);
    for (name, value) in content.headers() {
        response = response.header(name, value);
    }
    Ok(response
        .body(Full::from(body))
        .expect("a fixed header is valid"))
}

/// One header a line: a person reads this in a terminal.
fn page(received: &Received, length: usize) -> String {
    let headers: Vec<_> = received
        .headers
        .iter()
        .map(|(name, value)| format!("    {}", json!([name, String::from_utf8_lossy(value)])))
        .collect();
    format!(
        "{{\n  \"method\": {},\n  \"path\": {},\n  \"headers\": [\n{}\n  ],\n  \"body_bytes\": {length}\n}}\n",
        json!(received.method),
        json!(received.path),
        headers.join(",\n"),
    )
}
