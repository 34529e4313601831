//! Load: as much as goes through, by wrk; and at a rate that nothing slows, by our own client.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::cpu;

/// Connections of wrk.
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

/// What wrk has counted.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// Answers.
    pub requests: u64,
    /// Answers with a status from 400 on.
    pub refused: u64,
    /// Connections and requests that failed.
    pub failed: u64,
    /// How long it took.
    pub duration: Duration,
}

/// Requests in a file, ready for wrk.
pub struct Script {
    _directory: TempDir,
    requests: PathBuf,
}

impl Script {
    /// Writes them.
    pub fn new(requests: &[Request]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("requests");
        let mut text = String::new();
        for request in requests {
            let _ = write!(text, "{}\tHost: {HOST}", request.target);
            for (name, value) in &request.headers {
                let _ = write!(text, "\t{name}: {value}");
            }
            text.push('\n');
        }
        std::fs::write(&file, text).expect("a temporary directory can be written to");
        Self {
            _directory: directory,
            requests: file,
        }
    }

    /// Sends them in turn for so many seconds, from one core, as fast as they are answered.
    pub fn run(&self, port: u16, seconds: u64, core: usize) -> Counted {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("wrk.lua");
        let output = Command::new("taskset")
            .args(["-c", &core.to_string(), "wrk", "--threads", "1"])
            .args(["--connections", &CONNECTIONS.to_string()])
            .args(["--duration", &format!("{seconds}s"), "--script"])
            .arg(script)
            .args([&format!("http://127.0.0.1:{port}"), "--"])
            .arg(&self.requests)
            .output()
            .expect("taskset and wrk are installed");
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text
            .lines()
            .find_map(|it| it.strip_prefix("keygate-bench "));
        let errors = String::from_utf8_lossy(&output.stderr);
        let line = line.unwrap_or_else(|| panic!("wrk has failed: {text}{errors}"));
        let numbers: Vec<u64> = line.split(' ').filter_map(|it| it.parse().ok()).collect();
        let [requests, refused, failed, micros] = numbers[..] else {
            panic!("wrk says {line}");
        };
        Counted {
            requests,
            refused,
            failed,
            duration: Duration::from_micros(micros),
        }
    }
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
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            cpu::pin_thread(None, core);
            Client::connect(port).run(&requests, per_second, duration)
        });
        client.join().expect("the client has come to its end")
    })
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
        let connection = |_| {
            let stream = TcpStream::connect(("127.0.0.1", port)).expect("the proxy listens");
            stream.set_nonblocking(true).expect("a socket can be set");
            stream.set_nodelay(true).expect("a socket can be set");
            Connection {
                stream,
                due: Duration::ZERO,
                received: Vec::new(),
            }
        };
        Self {
            idle: (0..OPEN_CONNECTIONS).map(connection).collect(),
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
                connection
                    .stream
                    .write_all(request)
                    .expect("a small request fits into a socket");
                connection.due = due;
                self.busy.push_back(connection);
                sent += 1;
            }
            for _ in 0..self.busy.len() {
                let Some(mut connection) = self.busy.pop_front() else {
                    break;
                };
                if connection.has_answer() {
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
    /// Reads what is there; `true` when the answer is whole.
    fn has_answer(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("the proxy has closed a connection"),
            Ok(read) => self.received.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("a connection has broken: {error}"),
        }
        let is_whole = whole(&self.received);
        if is_whole {
            self.received.clear();
        }
        is_whole
    }
}

/// Whether these bytes are a whole answer with a `content-length`.
fn whole(bytes: &[u8]) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(head)) = response.parse(bytes) else {
        return false;
    };
    let mut headers = response.headers.iter();
    let length = headers.find(|it| it.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|it| std::str::from_utf8(it.value).ok()?.parse::<usize>().ok());
    bytes.len() >= head + length.expect("the answer says how long it is")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        for end in 0..answer.len() {
            assert!(!whole(&answer[..end]), "{end}");
        }
        assert!(whole(answer));
    }
}
