//! Load: as much as goes through, and at a rate that nothing slows. The client spins: one that
//! sleeps until an answer comes is woken by its peer, and that time counts as the proxy's.
//!
//! The tool `wrk` was considered and measured: it sleeps, see docs/performance.md.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cpu;

/// Connections that send as fast as they are answered.
pub const CONNECTIONS: usize = 16;

/// Connections of the client with a fixed rate: enough that none is waited for.
const OPEN_CONNECTIONS: usize = 64;

/// How long the last answers may take to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// One request: a GET of a target, with these headers. The host is always [`HOST`].
#[derive(Clone, Debug)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// Name and value.
    pub headers: Vec<(&'static str, String)>,
}

/// The host that every request names.
pub const HOST: &str = "media.example.com";

impl Request {
    /// Without more headers.
    pub fn get(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            headers: Vec::new(),
        }
    }

    /// With one.
    pub fn with(target: impl Into<String>, name: &'static str, value: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            headers: vec![(name, value.into())],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("GET {} HTTP/1.1\r\nhost: {HOST}\r\n", self.target);
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// Answers.
    pub requests: u64,
    /// Answers with a status from 400 on.
    pub rejected: u64,
    /// How long it took.
    pub duration: Duration,
}

/// Requests that are ready to be sent.
pub struct Script {
    requests: Vec<Vec<u8>>,
}

impl Script {
    /// Writes them.
    pub fn new(requests: &[Request]) -> Self {
        let requests = requests.iter().map(Request::bytes).collect();
        Self { requests }
    }

    /// Sends them in turn for so many seconds, from one core, as fast as they are answered:
    /// each of [`CONNECTIONS`] sends the next when its answer has come. Spins on its core.
    ///
    /// # Panics
    /// When a connection breaks.
    pub fn run(&self, port: u16, seconds: u64, core: usize) -> Counted {
        self.run_for(port, Duration::from_secs(seconds), core)
    }

    /// The same for any time.
    pub fn run_for(&self, port: u16, duration: Duration, core: usize) -> Counted {
        on_core(core, || {
            let mut connections: Vec<_> =
                (0..CONNECTIONS).map(|_| Connection::open(port)).collect();
            let mut turn = self.requests.iter().cycle();
            let mut next = || turn.next().expect("there is a request");
            for connection in &mut connections {
                connection.send(next());
            }
            let (mut requests, mut rejected) = (0, 0);
            let start = Instant::now();
            while start.elapsed() < duration {
                for connection in &mut connections {
                    if let Some(status) = connection.answer() {
                        requests += 1;
                        rejected += u64::from(status >= 400);
                        connection.send(next());
                    }
                }
            }
            Counted {
                requests,
                rejected,
                duration: start.elapsed(),
            }
        })
    }
}

/// Runs in a thread that is bound to a core.
fn on_core<T: Send>(core: usize, act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            cpu::pin_thread(None, core);
            act()
        });
        client.join().expect("the client has come to its end")
    })
}

/// Sends at a fixed rate, and says how long each answer took, counted from the instant at
/// which its request was due: a proxy that is slow for a while delays what comes after, and
/// all of that counts. Spins on its core.
///
/// # Panics
/// When a connection breaks or an answer does not come.
pub fn at_rate(
    port: u16,
    requests: &[Request],
    per_second: u32,
    duration: Duration,
    core: usize,
) -> Vec<Duration> {
    let requests: Vec<Vec<u8>> = requests.iter().map(Request::bytes).collect();
    on_core(core, || {
        Client::connect(port).run(&requests, per_second, duration)
    })
}

/// A thousand connections are as many files, here and in what is started after this: allows
/// 20,000 of them, or as many as may be allowed.
pub fn allow_many_files() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let current = maximum.map_or(Some(20_000), |it| Some(it.min(20_000)));
    Ok(setrlimit(Resource::Nofile, Rlimit { current, maximum })?)
}

/// Clients with a connection each, which ask together.
pub struct Crowd(Vec<Connection>);

/// What the clients of a [`Crowd`] have seen.
pub struct Burst {
    /// How long it took until the last request was sent.
    pub sent: Duration,
    /// The status, or `None` where the connection broke before the answer was whole; and the
    /// time from the instant before the first request was sent. In the order of the answers.
    pub answers: Vec<(Option<u16>, Duration)>,
}

impl Crowd {
    /// So many connections. The kernel takes them before the proxy does.
    ///
    /// # Panics If there is no listener.
    pub fn open(port: u16, clients: usize) -> Self {
        Self((0..clients).map(|_| Connection::open(port)).collect())
    }

    /// Each client sends one request, as soon after the one before as a core can, and waits.
    /// Spins on its core. The connections stay open until the last answer has come.
    ///
    /// # Panics
    /// When an answer does not come.
    pub fn ask(mut self, requests: &[Request], core: usize) -> Burst {
        assert_eq!(requests.len(), self.0.len(), "a request for each client");
        let requests: Vec<Vec<u8>> = requests.iter().map(Request::bytes).collect();
        on_core(core, || {
            let start = Instant::now();
            for (client, request) in self.0.iter_mut().zip(&requests) {
                client.send(request);
            }
            let sent = start.elapsed();
            let mut answers = Vec::with_capacity(requests.len());
            let mut waiting: Vec<_> = self.0.iter_mut().collect();
            while !waiting.is_empty() {
                waiting.retain_mut(|client| {
                    let status = client.receive();
                    if let Ok(None) = status {
                        return true;
                    }
                    answers.push((status.ok().flatten(), start.elapsed()));
                    false
                });
                assert!(
                    start.elapsed() < PATIENCE,
                    "{} clients have no answer",
                    waiting.len()
                );
            }
            Burst { sent, answers }
        })
    }
}

struct Client {
    idle: Vec<Connection>,
    busy: VecDeque<Connection>,
}

struct Connection {
    stream: TcpStream,
    due: Duration,
    received: Vec<u8>,
}

impl Client {
    fn connect(port: u16) -> Self {
        Self {
            idle: (0..OPEN_CONNECTIONS)
                .map(|_| Connection::open(port))
                .collect(),
            busy: VecDeque::new(),
        }
    }

    fn run(&mut self, requests: &[Vec<u8>], per_second: u32, duration: Duration) -> Vec<Duration> {
        let gap = Duration::from_secs(1) / per_second;
        let total = usize::try_from(duration.as_nanos() / gap.as_nanos()).expect("few enough");
        let mut took = Vec::with_capacity(total);
        let mut sent = 0_u32;
        let start = Instant::now();
        while took.len() < total {
            let due = gap * sent;
            let is_due = (sent as usize) < total && start.elapsed() >= due;
            if is_due && let Some(mut connection) = self.idle.pop() {
                let request = &requests[sent as usize % requests.len()];
                connection.send(request);
                connection.due = due;
                self.busy.push_back(connection);
                sent += 1;
            }
            for _ in 0..self.busy.len() {
                let Some(mut connection) = self.busy.pop_front() else {
                    break;
                };
                if connection.answer().is_some() {
                    took.push(start.elapsed().saturating_sub(connection.due));
                    self.idle.push(connection);
                } else {
                    self.busy.push_back(connection);
                }
            }
            assert!(
                start.elapsed() < duration + PATIENCE,
                "{} of {total} answers have come",
                took.len()
            );
        }
        took
    }
}

impl Connection {
    fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the proxy listens");
        stream.set_nonblocking(true).expect("a socket can be set");
        stream.set_nodelay(true).expect("a socket can be set");
        Self {
            stream,
            due: Duration::ZERO,
            received: Vec::new(),
        }
    }

    fn send(&mut self, request: &[u8]) {
        let sent = self.stream.write_all(request);
        sent.expect("a small request fits into a socket");
    }

    /// Reads what is there; the status when the answer is whole.
    fn answer(&mut self) -> Option<u16> {
        let received = self.receive();
        received.unwrap_or_else(|error| panic!("a connection has broken: {error}"))
    }

    /// The same, where a connection may break.
    fn receive(&mut self) -> io::Result<Option<u16>> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => self.received.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let status = whole(&self.received);
        if status.is_some() {
            self.received.clear();
        }
        Ok(status)
    }
}

/// The status of a whole answer with a `content-length`.
fn whole(bytes: &[u8]) -> Option<u16> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(head)) = response.parse(bytes) else {
        return None;
    };
    let mut headers = response.headers.iter();
    let length = headers.find(|it| it.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|it| std::str::from_utf8(it.value).ok()?.parse::<usize>().ok());
    let is_whole = bytes.len() >= head + length.expect("the answer says how long it is");
    response.code.filter(|_| is_whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        for end in 0..answer.len() {
            assert_eq!(whole(&answer[..end]), None, "{end}");
        }
        assert_eq!(whole(answer), Some(200));
    }
}
