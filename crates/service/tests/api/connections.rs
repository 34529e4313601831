//! Connections that are slow, idle or too many.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use keygate_service::Limits;
use ureq::http::HeaderName;

use crate::support::{self, ADMIN, EDGE, Running};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(100);

const PATIENT: Limits = Limits {
    head: LONG,
    idle: LONG,
    body: LONG,
    connections: 1000,
};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

fn start(limits: Limits) -> Running {
    let randomness = keygate_service::Ambient::real().randomness;
    Running::configured(randomness, |config| config.limits = limits)
}

/// A request that lists nothing, by an admin.
fn list() -> String {
    format!("GET /v1/keys HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {ADMIN}\r\n\r\n")
}

/// The headers of a request that creates a key.
fn create(token: &str, headers: &str) -> String {
    format!(
        "POST /v1/keys HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\n{headers}\r\n\r\n"
    )
}

struct Client(BufReader<TcpStream>);

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Client {
    fn open(service: &Running) -> Self {
        let stream = TcpStream::connect(service.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self, bytes: &str) {
        self.0.get_mut().write_all(bytes.as_bytes()).unwrap();
    }

    #[track_caller]
    fn receive(&mut self) -> Answer {
        self.try_receive().unwrap()
    }

    fn try_receive(&mut self) -> io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let length = head
            .lines()
            .find_map(|it| it.strip_prefix("content-length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        self.0.read_exact(&mut body)?;
        Ok(Answer {
            status: head[9..12].parse().unwrap(),
            head,
            body: String::from_utf8(body).unwrap(),
        })
    }

    #[track_caller]
    fn ask(&mut self, bytes: &str) -> Answer {
        self.send(bytes);
        self.receive()
    }

    /// Waits for the end of the connection, before which nothing more comes.
    #[track_caller]
    fn assert_closed(&mut self) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("still open: {error}"),
        }
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

impl Answer {
    #[track_caller]
    fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        let code = format!(r#""code":"{code}""#);
        assert!(self.body.contains(&code), "{}", self.body);
    }

    fn closes(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }
}

#[test]
fn a_connection_without_complete_headers_is_closed() {
    let service = start(Limits {
        head: SHORT,
        ..PATIENT
    });
    let mut silent = Client::open(&service);
    let mut partial = Client::open(&service);
    partial.send("GET /healthz HTTP/1.1\r\nhost: a\r\n");
    silent.assert_closed();
    partial.assert_closed();
}

#[test]
fn a_connection_between_two_requests_has_another_timeout_than_headers() {
    // Long enough to send the headers of a request on a busy machine.
    let service = start(Limits {
        head: Duration::from_secs(2),
        ..PATIENT
    });
    let mut idle = Client::open(&service);
    assert_eq!(idle.ask(HEALTH).status, 200);
    Client::open(&service).assert_closed();
    assert_eq!(idle.ask(HEALTH).status, 200);
    idle.send("G");
    idle.assert_closed();
}

#[test]
fn an_idle_connection_is_closed() {
    let service = start(Limits {
        idle: SHORT,
        ..PATIENT
    });
    let mut client = Client::open(&service);
    assert_eq!(client.ask(HEALTH).status, 200);
    client.assert_closed();
}

#[test]
fn a_slow_body_without_a_token_is_rejected_at_once() {
    let service = start(PATIENT);
    for headers in [
        "content-length: 10",
        "transfer-encoding: chunked",
        "content-length: 10\r\nexpect: 100-continue",
    ] {
        let mut client = Client::open(&service);
        let answer = client.ask(&create("no-token-of-this-service", headers));
        answer.assert_problem(401, "invalid_token");
        assert!(answer.closes(), "{}", answer.head);
        client.assert_closed();
    }
}

#[test]
fn a_rejected_client_that_still_sends_reads_its_answer() {
    let service = start(PATIENT);
    let mut client = Client::open(&service);
    client.send(&create(
        "no-token-of-this-service",
        "content-length: 400000",
    ));
    client.0.fill_buf().unwrap();
    for _ in 0..40 {
        client.send(&" ".repeat(10_000));
    }
    client.receive().assert_problem(401, "invalid_token");
    let mut rest = Vec::new();
    let end = client.0.read_to_end(&mut rest);
    assert_eq!(end.expect("no reset"), 0);
}

/// The answer to a body that does not come.
pub fn answer_to_a_slow_body() -> support::Answer {
    let service = start(Limits {
        body: SHORT,
        ..PATIENT
    });
    let answer = Client::open(&service).ask(&create(ADMIN, "content-length: 15"));
    let headers = answer.head.lines().filter_map(|it| it.split_once(": "));
    let headers = headers.map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, value.parse().unwrap())
    });
    support::Answer {
        status: answer.status,
        headers: headers.collect(),
        text: answer.body,
    }
}

#[test]
fn a_slow_body_with_a_token_gets_408() {
    let service = start(Limits {
        body: SHORT,
        ..PATIENT
    });
    let mut client = Client::open(&service);
    client.send(&create(ADMIN, "content-length: 15"));
    client.send(r#"{"account":"#);
    let answer = client.receive();
    answer.assert_problem(408, "body_timeout");
    assert!(answer.closes(), "{}", answer.head);
    client.assert_closed();
}

#[test]
fn a_body_that_says_it_is_too_long_is_rejected_before_it_arrives() {
    let service = start(PATIENT);
    let mut client = Client::open(&service);
    let answer = client.ask(&create(ADMIN, "content-length: 65537"));
    answer.assert_problem(413, "body_too_large");
    assert!(answer.closes(), "{}", answer.head);
}

#[test]
fn a_rejected_request_that_is_complete_keeps_its_connection() {
    let service = start(PATIENT);
    let mut client = Client::open(&service);
    let rejected = create("no-token-of-this-service", "content-length: 2") + "{}";
    for _ in 0..3 {
        let answer = client.ask(&rejected);
        answer.assert_problem(401, "invalid_token");
        assert!(!answer.closes(), "{}", answer.head);
    }
    let created = create(ADMIN, "content-length: 15") + r#"{"account":"a"}"#;
    assert_eq!(client.ask(&created).status, 201);
}

#[test]
fn anonymous_connections_beyond_the_limit_displace_the_oldest() {
    let service = start(Limits {
        connections: 4,
        ..PATIENT
    });
    let mut admin = Client::open(&service);
    assert_eq!(admin.ask(&list()).status, 200);
    let mut anonymous: Vec<_> = (0..4).map(|_| Client::open(&service)).collect();
    // By its answer it was accepted, and so were those before it.
    assert_eq!(Client::open(&service).ask(HEALTH).status, 200);
    anonymous[0].assert_closed();
    anonymous[1].assert_closed();
    assert_eq!(anonymous[3].ask(HEALTH).status, 200);
    assert_eq!(admin.ask(&list()).status, 200);
    for _ in 0..20 {
        anonymous.push(Client::open(&service));
    }
    assert_eq!(Client::open(&service).ask(HEALTH).status, 200);
    assert_eq!(admin.ask(&list()).status, 200, "it was never displaced");
}

#[test]
fn a_new_connection_displaces_the_longest_idle_caller_if_all_are_known() {
    let service = start(Limits {
        connections: 2,
        ..PATIENT
    });
    let mut admins = [Client::open(&service), Client::open(&service)];
    for at in [0, 1, 0] {
        assert_eq!(admins[at].ask(&list()).status, 200);
    }
    let mut third = Client::open(&service);
    assert_eq!(third.ask(&list()).status, 200);
    admins[1].assert_closed();
    assert_eq!(admins[0].ask(&list()).status, 200);
}

#[test]
fn a_held_poll_is_not_displaced() {
    let service = start(Limits {
        connections: 2,
        ..PATIENT
    });
    let mut edge = Client::open(&service);
    edge.send(&format!(
        "GET /v1/changes?after=0&wait=2s HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {EDGE}\r\n\r\n"
    ));
    let mut others = vec![Client::open(&service)];
    let metrics = "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n";
    let end = Instant::now() + Duration::from_secs(20);
    while !others[0].ask(metrics).body.contains("held_polls 1") {
        assert!(Instant::now() < end, "the poll is not held");
    }
    others.extend((0..3).map(|_| Client::open(&service)));
    assert_eq!(others[3].ask(HEALTH).status, 200);
    others[0].assert_closed();
    assert_eq!(edge.receive().status, 200);
}

#[test]
fn a_stopping_service_closes_idle_connections_and_answers_the_others() {
    let mut service = start(PATIENT);
    let mut idle = Client::open(&service);
    assert_eq!(idle.ask(HEALTH).status, 200);
    let mut silent = Client::open(&service);
    let mut busy = Client::open(&service);
    busy.send(&create(ADMIN, "content-length: 15\r\nexpect: 100-continue"));
    // Its headers are read.
    let mut line = String::new();
    busy.0.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n");
    busy.0.read_line(&mut line).unwrap();
    service.stop();
    idle.assert_closed();
    silent.assert_closed();
    assert!(TcpStream::connect(service.address).is_err(), "no listener");
    let answer = busy.ask(r#"{"account":"a"}"#);
    assert_eq!(answer.status, 201);
    busy.assert_closed();
    service.await_end();
}

/// A fleet that comes back at once connects faster than connections are accepted. The system keeps
/// them meanwhile, and resets none.
#[test]
fn clients_that_connect_at_once_are_not_turned_away() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listening = async { keygate_service::connections::listen(([127, 0, 0, 1], 0).into()) };
    let listener = runtime.block_on(listening).unwrap();
    let address = listener.local_addr().unwrap();
    // Nothing accepts them.
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_secs(2));
    let clients: Vec<_> = (0..600).map_while(|it| connect(it).ok()).collect();
    assert_eq!(clients.len(), 600);
}
