//! The sockets of the service: how long a connection may take, how many there may be, and which
//! one is closed when there are more.
//!
//! The accept loop of axum has no timeout and no limit: 300 silent sockets use up 256 files, and
//! other clients wait for as long as they stay. Here a connection has [`Limits::head`] for the
//! headers of a request, counted from its start for the first and from their first byte for the
//! next ones, and [`Limits::idle`] between an answer and the next request.
//!
//! A caller is known only once its headers are read, so no place can be kept free for an admin or an
//! edge that is still to connect. Their reserve is what anonymous connections hold. When there are
//! more connections than [`Limits::connections`], the oldest one without an authenticated request is
//! closed. A new connection therefore has time to send a request: until that many others have
//! arrived. Anonymous connections displace only each other. If every other connection had an
//! authenticated request, the one that is idle for longest is closed. If none is idle, no further
//! connection is accepted before one ends.
//!
//! hyper-util's `GracefulShutdown` was considered: it knows neither idle connections nor a limit.

mod files;
mod open;
mod stream;
mod wakes;

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

pub use self::files::allowed_connections;
pub(crate) use self::open::Peer;
use self::open::{Open, Place};
use self::stream::Stream;
use self::wakes::Wakes;

/// Bytes of a connection that are kept in memory, and so the most that headers may have.
const BUFFER: usize = 64 * 1024;

/// Most connections that the system keeps until they are accepted. The usual 128 are too few for a
/// fleet that comes back at once: the system resets the connections of clients beyond them, or leaves
/// them waiting for a second. Linux takes at most `net.core.somaxconn`, which is 4096.
const BACKLOG: u32 = 4096;

/// How long nothing is accepted after an error that the next call would meet, too.
const PAUSE: Duration = Duration::from_millis(100);

/// How often the log says that no connection can be accepted.
const LOGGED: Duration = Duration::from_secs(60);

/// How long and how many connections may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most time for the headers of a request.
    pub head: Duration,
    /// Most time between an answer and the next request. The client has to read the answer in it.
    pub idle: Duration,
    /// Most time for the body of a request, after its headers.
    pub body: Duration,
    /// Most connections at once; one more while the next one waits for a place.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            body: Duration::from_secs(10),
            // A thousand proxies of eight workers, each with two connections.
            connections: 20_000,
        }
    }
}

/// Listens on an address, with room for many clients that connect at once.
///
/// # Errors
/// Those of the system, such as an address in use.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of a service that has just stopped do not keep the next one from starting.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves connections until `stop`, and returns when the last of them has ended. One that is idle
/// ends at once, and one with a request after its answer.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let open = Arc::new(Open::default());
    let stopping = watch::Sender::new(false);
    let mut stop = pin!(stop);
    let mut acceptor = Acceptor {
        listener,
        logged: None,
    };
    loop {
        let accepted = async {
            let stream = acceptor.accept(&open).await;
            let place = Place::take(&open);
            let newest = place.number();
            tokio::spawn(connection(
                stream,
                router.clone(),
                limits,
                place,
                stopping.subscribe(),
            ));
            open.shrink(limits.connections, newest).await;
        };
        tokio::select! {
            () = &mut stop => break,
            () = accepted => {}
        }
    }
    drop(acceptor);
    stopping.send_replace(true);
    open.emptied().await;
}

struct Acceptor {
    listener: TcpListener,
    /// When the log last said that no connection can be accepted.
    logged: Option<Instant>,
}

impl Acceptor {
    /// The next connection, however often the system fails to give one.
    async fn accept(&mut self, open: &Open) -> TcpStream {
        loop {
            let error = match self.listener.accept().await {
                Ok((stream, _)) => {
                    // Answers are small and wait for nothing: Nagle's algorithm would only delay them.
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!("no TCP_NODELAY: {error}");
                    }
                    return stream;
                }
                Err(error) if is_about_one(&error) => continue,
                Err(error) => error,
            };
            // Such as too many open files: what is in use besides connections has grown.
            if self.logged.is_none_or(|it| it.elapsed() >= LOGGED) {
                self.logged = Some(Instant::now());
                tracing::warn!("cannot accept a connection, trying again: {error}");
            }
            open.evict(None);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Whether the next connection may be fine: this one was gone before it was accepted.
fn is_about_one(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

/// Serves one connection to its end.
async fn connection(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    place: Place,
    mut stopping: watch::Receiver<bool>,
) {
    let peer = place.peer();
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: Request<Incoming>| {
        peer.asked();
        request.extensions_mut().insert(peer.clone());
        let answer = router.call(request);
        async {
            let answer = answer.await;
            peer.answered();
            answer
        }
    });
    let stream = TokioIo::new(Stream::new(stream, peer.clone()));
    let connection = http1::Builder::new()
        // It would also end connections that are idle.
        .header_read_timeout(None)
        .max_buf_size(BUFFER)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    let mut timer = pin!(tokio::time::sleep(limits.head));
    let wakes = Wakes::new();
    let mut is_stopping = false;
    loop {
        let ended = poll_fn(|context| {
            let polled = wakes.poll(context, |context| connection.as_mut().poll(context));
            if let Poll::Ready(end) = polled {
                return Poll::Ready(end);
            }
            // What the connection waits for changes while it is polled, and at no other time.
            let Some(deadline) = peer.deadline(&limits) else {
                return Poll::Pending;
            };
            // A timer that is early is set again when it fires: that is rarer than a request.
            if timer.is_elapsed() || deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            while timer.as_mut().poll(context).is_ready() {
                if deadline <= Instant::now() {
                    return Poll::Ready(Ok(()));
                }
                timer.as_mut().reset(deadline);
            }
            Poll::Pending
        });
        tokio::select! {
            end = ended => {
                if let Err(error) = end {
                    tracing::debug!("a connection broke: {error}");
                }
                break;
            }
            () = place.evicted() => break,
            _ = stopping.wait_for(|it| *it), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
