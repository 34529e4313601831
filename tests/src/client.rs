//! An HTTP/1.1 client that sends exactly the bytes it is given and reads answers
//! as bytes. It follows nothing, retries nothing, and gives up in time: a hang
//! is a failure that says so.
//!
//! The crates `ureq` and `hyper` were considered: neither sends a request that is broken.

mod response;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::leaks;
pub use response::Response;
use response::parse;
pub(crate) use response::unchunk;

/// How long an answer may take, unless a test says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A request that is still being put together.
#[derive(Clone)]
pub struct Request {
    port: u16,
    method: Vec<u8>,
    path: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Option<Vec<u8>>,
    patience: Duration,
}

/// `GET`; the path may be any bytes.
pub fn get(port: u16, path: impl AsRef<[u8]>) -> Request {
    request("GET", port, path)
}

/// `POST`, for now with an empty body.
pub fn post(port: u16, path: impl AsRef<[u8]>) -> Request {
    request("POST", port, path).body("")
}

/// Any method.
pub fn request(method: impl AsRef<[u8]>, port: u16, path: impl AsRef<[u8]>) -> Request {
    Request {
        port,
        method: method.as_ref().to_vec(),
        path: path.as_ref().to_vec(),
        headers: Vec::new(),
        body: None,
        patience: PATIENCE,
    }
}

/// Sends exactly these bytes on a connection of its own and reads one answer.
///
/// # Panics
/// When no answer comes.
pub fn raw(port: u16, bytes: impl AsRef<[u8]>) -> Response {
    let mut connection = Connection::open(port);
    connection.send(bytes);
    connection.receive()
}

impl Request {
    /// Adds a header; the same name twice stands there twice.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body, sent with its `content-length`.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    /// Replaces [`PATIENCE`].
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The bytes of it. `host` is there unless a test has given its own.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.method[..], b" ", &self.path, b" HTTP/1.1\r\n"].concat();
        let named = |wanted: &str| {
            let mut names = self.headers.iter();
            names.any(|(name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
        };
        if !named("host") {
            bytes.extend(format!("host: 127.0.0.1:{}\r\n", self.port).bytes());
        }
        for (name, value) in &self.headers {
            bytes.extend([&name[..], b": ", value, b"\r\n"].concat());
        }
        let body = self.body.as_deref();
        if let Some(body) = body.filter(|_| !named("content-length")) {
            bytes.extend(format!("content-length: {}\r\n", body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body.unwrap_or_default());
        bytes
    }

    /// Sends it on a connection of its own.
    ///
    /// # Panics
    /// When no whole answer comes in time.
    pub fn send(&self) -> Response {
        let line = String::from_utf8_lossy(&self.path);
        self.try_send()
            .unwrap_or_else(|error| panic!("no answer to {line} on port {}: {error}", self.port))
    }

    /// Sends the request, where no answer is a possible outcome.
    ///
    /// # Errors
    /// The connection was refused or closed, or the answer came too late or is not HTTP.
    pub fn try_send(&self) -> io::Result<Response> {
        Connection::try_open(self.port)?.try_exchange(self)
    }
}

/// One connection, kept alive between requests.
pub struct Connection {
    stream: TcpStream,
    /// Read, but not yet part of an answer.
    pending: Vec<u8>,
    patience: Duration,
}

impl Connection {
    /// To 127.0.0.1.
    ///
    /// # Panics
    /// When nothing listens there.
    #[must_use]
    pub fn open(port: u16) -> Self {
        Self::try_open(port).unwrap_or_else(|error| panic!("port {port}: {error}"))
    }

    /// Opens a connection to 127.0.0.1, where no listener is a possible outcome.
    ///
    /// # Errors
    /// The connection was refused.
    pub fn try_open(port: u16) -> io::Result<Self> {
        Self::try_open_from(Ipv4Addr::LOCALHOST, port)
    }

    /// The same as another client: one with this address, of 127.0.0.0/8.
    ///
    /// # Panics
    /// When nothing listens there.
    #[must_use]
    pub fn open_from(client: Ipv4Addr, port: u16) -> Self {
        let opened = Self::try_open_from(client, port);
        opened.unwrap_or_else(|error| panic!("port {port} from {client}: {error}"))
    }

    fn try_open_from(client: Ipv4Addr, port: u16) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((client, 0)).into())?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        socket.connect_timeout(&address.into(), PATIENCE)?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            pending: Vec::new(),
            patience: PATIENCE,
        })
    }

    /// Sends exactly these bytes.
    ///
    /// # Panics
    /// When the other side does not take them.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("the peer takes the bytes");
    }

    /// The same, where a closed connection is a possible outcome.
    ///
    /// # Errors
    /// Closed, or too slow.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends a request and reads its answer; the connection stays open.
    ///
    /// # Panics
    /// When no whole answer comes in time.
    pub fn exchange(&mut self, request: &Request) -> Response {
        self.try_exchange(request).expect("an answer")
    }

    /// The same, where no answer is a possible outcome.
    ///
    /// # Errors
    /// Closed, too late, or not HTTP.
    pub fn try_exchange(&mut self, request: &Request) -> io::Result<Response> {
        self.patience = request.patience;
        leaks::request(&request.path, &request.headers);
        // A rejection may come, and the connection close, before a long body is sent.
        let sent = self.try_send(request.bytes());
        let answer = self.try_receive(request.method == b"HEAD");
        answer.map_err(|error| sent.err().unwrap_or(error))
    }

    /// Reads one answer to anything but HEAD.
    ///
    /// # Panics
    /// When no whole answer comes in time.
    pub fn receive(&mut self) -> Response {
        self.try_receive(false).expect("an answer")
    }

    /// Whether nothing at all arrives for so long, and the connection stays open.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        let start = Instant::now();
        self.pending.is_empty()
            && matches!(self.fill(start, time), Err(error) if error.kind() == ErrorKind::TimedOut)
    }

    /// Reads one answer.
    ///
    /// # Errors
    /// Closed, too late, or not HTTP.
    pub fn try_receive(&mut self, to_head: bool) -> io::Result<Response> {
        let start = Instant::now();
        let patience = self.patience;
        loop {
            if let Some((response, used)) = parse(&self.pending, to_head, false)? {
                self.pending.drain(..used);
                // 100 Continue and its kind come before the answer.
                if response.status >= 200 {
                    leaks::response(response.status, &response.headers, &response.body);
                    return Ok(Response {
                        took: start.elapsed(),
                        ..response
                    });
                }
            } else if self.fill(start, patience)? == 0 {
                let (response, used) = parse(&self.pending, to_head, true)?.ok_or_else(|| {
                    let read = self.pending.len();
                    io::Error::new(
                        ErrorKind::UnexpectedEof,
                        format!("closed after {read} bytes of an answer"),
                    )
                })?;
                self.pending.drain(..used);
                leaks::response(response.status, &response.headers, &response.body);
                return Ok(Response {
                    took: start.elapsed(),
                    ..response
                });
            }
        }
    }

    fn fill(&mut self, start: Instant, patience: Duration) -> io::Result<usize> {
        let read = self.pending.len();
        let late = || {
            let text = format!("hangs: no whole answer in {patience:?}, {read} bytes of it so far");
            io::Error::new(ErrorKind::TimedOut, text)
        };
        let left = patience.checked_sub(start.elapsed()).ok_or_else(late)?;
        self.stream
            .set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut buffer = [0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                self.pending.extend_from_slice(&buffer[..count]);
                Ok(count)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(late())
            }
            Err(error) => Err(error),
        }
    }
}
