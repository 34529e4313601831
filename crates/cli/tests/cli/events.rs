//! `[[events]]` of `keygate serve`: what is delivered after a crash, over TLS, and to a receiver that
//! verifies as the page says.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Server, serve_bare};

/// The base64 of 32 bytes.
const SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// A directory with a file that sends events to this URL.
fn file(url: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keygate.toml");
    let events = format!("[[events]]\nurl = \"{url}\"\nsecret_env = \"EVENTS_SECRET\"\n");
    fs::write(&path, format!("listen = \"127.0.0.1:0\"\n{events}")).unwrap();
    (dir, path)
}

/// `keygate serve` with that file, in that directory.
fn serve(dir: &TempDir, path: &Path) -> Command {
    let mut command = serve_bare();
    command
        .current_dir(dir.path())
        .env("EVENTS_SECRET", SECRET)
        .arg("--config")
        .arg(path);
    command
}

/// A request without its answer.
struct Request {
    stream: TcpStream,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        let patience = Some(Duration::from_secs(30));
        stream.set_read_timeout(patience).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let headers = lines.iter().skip(1).map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        });
        let mut request = Self {
            stream,
            headers: headers.collect(),
            body: Vec::new(),
        };
        let length = request.header("content-length").parse().unwrap();
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body).unwrap();
        request
    }

    fn header(&self, name: &str) -> &str {
        let mut headers = self.headers.iter();
        &headers.find(|(found, _)| found == name).unwrap().1
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn accept(mut self) {
        let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
        self.stream.write_all(answer).unwrap();
    }
}

#[test]
fn an_event_is_delivered_after_a_kill_before_its_delivery() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let (dir, path) = file(&format!("http://{}/", receiver.local_addr().unwrap()));
    let server = Server::run(&mut serve(&dir, &path));
    server.output(&["keys", "create", "--account", "alice"]);
    // It is under way, and not answered.
    let first = Request::read(&receiver);
    server.kill();
    drop(first.stream);

    let server = Server::run(&mut serve(&dir, &path));
    let again = Request::read(&receiver);
    let id = |request: &Vec<(String, String)>| {
        let mut headers = request.iter();
        headers
            .find(|(name, _)| name == "webhook-id")
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(id(&again.headers), id(&first.headers));
    assert_eq!(again.body, first.body);
    let event = again.json();
    assert_eq!(event["type"], "key.created");
    assert_eq!(event["data"]["key"]["account"], "alice");
    again.accept();
    let key = event["data"]["key"]["id"].as_str().unwrap();
    server.keygate(&["keys", "revoke", key]).success();
    let next = Request::read(&receiver);
    assert_eq!(next.json()["type"], "key.revoked", "the first is done");
}

#[test]
fn the_lines_of_the_page_verify_an_event() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let (dir, path) = file(&format!("http://{}/", receiver.local_addr().unwrap()));
    let server = Server::run(&mut serve(&dir, &path));
    server.output(&["keys", "create", "--account", "alice"]);
    let request = Request::read(&receiver);
    let page = include_str!("../../../../docs/webhooks.md");
    let (_, code) = page.split_once("```python\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let headers = Value::Object(headers).to_string();
    let verifies = |secret: &str, headers: &str, body: &[u8]| {
        let call = "\nimport json, sys\nprint(verify(sys.argv[1], json.loads(sys.argv[2]), \
                    bytes.fromhex(sys.argv[3])))";
        let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
        let python = Command::new("python3")
            .args(["-c", &format!("{code}{call}"), secret, headers, &hex])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&python.stderr).into_owned();
        match String::from_utf8(python.stdout).unwrap().trim() {
            "True" => true,
            "False" => false,
            other => panic!("{other}{errors}"),
        }
    };
    assert!(verifies(SECRET, &headers, &request.body));
    let other = SECRET.replace("MDEy", "MDEz");
    assert!(!verifies(&other, &headers, &request.body));
    assert!(!verifies(
        SECRET,
        &headers,
        &[&request.body[..], b" "].concat()
    ));
    let old = headers.replace(request.header("webhook-timestamp"), "1614265330");
    assert!(!verifies(SECRET, &old, &request.body), "not fresh");
}

/// A receiver with TLS, which prints each body and ends with the test.
struct Tls(Child);

impl Tls {
    /// Its certificate is in the directory, as `cert.pem`.
    fn start(dir: &Path) -> (Self, BufReader<std::process::ChildStdout>, u16) {
        let certificate = Command::new("openssl")
            .current_dir(dir)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem"])
            .args(["-out", "cert.pem", "-subj", "/CN=localhost", "-days", "2"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&certificate.stderr).into_owned();
        assert!(certificate.status.success(), "{errors}");
        let program = "
import http.server, ssl
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length']))
        self.send_response(204)
        self.end_headers()
        print(body.decode(), flush=True)
server = http.server.HTTPServer(('127.0.0.1', 0), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('cert.pem', 'key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
";
        let mut child = Command::new("python3")
            .current_dir(dir)
            .args(["-c", program])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        lines.read_line(&mut port).unwrap();
        (Self(child), lines, port.trim().parse().unwrap())
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_event_reaches_only_a_receiver_with_a_trusted_certificate() {
    let certificates = tempfile::tempdir().unwrap();
    let (_receiver, mut bodies, port) = Tls::start(certificates.path());
    let (dir, path) = file(&format!("https://localhost:{port}/"));
    let mut server = Server::run(&mut serve(&dir, &path));
    server.output(&["keys", "create", "--account", "alice"]);
    let why = server.wait_for("did not accept an event: ");
    assert!(why.contains("certificate"), "{why}");
    drop(server);

    let trusted = certificates.path().join("cert.pem");
    let mut command = serve(&dir, &path);
    let _server = Server::run(command.env("SSL_CERT_FILE", trusted));
    let mut body = String::new();
    bodies.read_line(&mut body).unwrap();
    let event: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(event["data"]["key"]["account"], "alice");
}

#[test]
fn every_error_of_an_entry_is_named_and_a_secret_never() {
    let entry = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keygate.toml");
        fs::write(&path, text).unwrap();
        let done = serve(&dir, &path).output().unwrap();
        assert_eq!(done.status.code(), Some(2));
        String::from_utf8(done.stderr).unwrap()
    };
    for (text, told) in [
        ("[[events]]\n", "1:1: events[0].url: is missing"),
        ("[[events]]\n", "1:1: events[0].secret_env: is missing"),
        ("[hook]\n", "hook.secret_env: is missing"),
        (
            "[leaks]\nkeys_url = \"https://a.example\"\nkeys_file = \"/a\"\n",
            "3:13: leaks.keys_file: cannot be combined with keys_url",
        ),
        (
            "[[events]]\nurl = \"http://example.com\"\n",
            "2:7: events[0].url: must begin with https://",
        ),
        (
            "[[events]]\ntypes = [\"key.made\"]\n",
            "2:9: events[0].types: must be a list of some of key.created, ",
        ),
        (
            "[[events]]\ntypes = []\n",
            "2:9: events[0].types: must be a",
        ),
        (
            "[[events]]\nsecret = \"a\"\n",
            "2:1: events[0].secret: is unknown",
        ),
        (
            "[events]\n",
            "events: must be a list of tables: write [[events]]",
        ),
        (
            &"[[events]]\nurl = \"https://a.example\"\nsecret_env = \"A\"\n".repeat(9),
            "events: must be at most 8 tables",
        ),
    ] {
        let message = entry(text);
        assert!(message.contains(told), "{text}: {message}");
    }
    let with = |variable: &str| {
        entry(&format!(
            "[[events]]\nurl = \"https://a.example\"\nsecret_env = \"{variable}\"\n"
        ))
    };
    let message = with("ABSENT");
    assert!(message.contains("ABSENT is not set"), "{message}");
    let message = with("KEYGATE_APP_KEYS");
    assert!(
        message.contains("the value of KEYGATE_APP_KEYS must be whsec_"),
        "{message}"
    );
    assert!(!message.contains("0123456789"), "{message}");
}
