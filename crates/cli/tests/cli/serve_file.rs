//! `keygate serve --config`: what comes before what, and what is wrong with a file.

use std::fs;
use std::io::Read as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{Server, serve_bare};

/// A directory with this file.
fn file(text: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keygate.toml");
    fs::write(&path, text).unwrap();
    (dir, path)
}

/// A new key of the service that this command starts.
fn new_key(command: &mut Command) -> String {
    Server::run(command).output(&["keys", "create", "--account", "alice"])
}

#[test]
fn an_option_comes_before_its_variable_and_that_before_the_file() {
    let (dir, path) = file("listen = \"127.0.0.1:0\"\nprefix = \"file\"\n");
    let serve = || {
        let mut command = serve_bare();
        command.current_dir(dir.path()).arg("--config").arg(&path);
        command
    };
    let starts = |command: &mut Command, prefix: &str| {
        let key = new_key(command);
        assert!(key.starts_with(&format!("{prefix}_01")), "{key}");
    };
    starts(&mut serve(), "file");
    starts(serve().env("KEYGATE_PREFIX", "env"), "env");
    let both = ["--prefix", "option"];
    starts(serve().env("KEYGATE_PREFIX", "env").args(both), "option");
    assert!(dir.path().join("keygate.db").exists(), "the default");

    let other = dir.path().join("other.db");
    fs::write(&path, format!("database = {other:?}\n")).unwrap();
    let mut by_variable = serve_bare();
    let by_variable = by_variable.env("KEYGATE_CONFIG", &path);
    starts(by_variable.env("KEYGATE_LISTEN", "127.0.0.1:0"), "kg");
    assert!(other.exists());
}

#[test]
fn the_connections_of_a_file_are_the_limit() {
    let text = "listen = \"127.0.0.1:0\"\n[connections]\nmax = 1\nheader_timeout = \"1h\"\n";
    let (dir, path) = file(text);
    let mut command = serve_bare();
    let server = Server::run(command.current_dir(dir.path()).arg("--config").arg(path));
    let address = server.url.strip_prefix("http://").unwrap();
    let connect = || TcpStream::connect(address).unwrap();
    let mut first = connect();
    first
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let _second = connect();
    let read = first.read(&mut [0; 64]);
    assert!(matches!(read, Ok(0) | Err(_)), "the first one is displaced");
    let is_late = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    assert!(!read.as_ref().is_err_and(is_late), "{read:?}");
}

#[test]
fn the_limits_of_a_file_hold_for_an_admin() {
    let limits = "[limits]\nallowed_scopes = [\"read\"]\nmax_lifetime = \"30d\"\n";
    let (dir, path) = file(&format!("listen = \"127.0.0.1:0\"\n{limits}"));
    let mut command = serve_bare();
    let server = Server::run(command.current_dir(dir.path()).arg("--config").arg(&path));
    let create = ["keys", "create", "--account", "alice", "--scope"];
    server.output(&[&create[..], &["read"]].concat());
    let done = server.keygate(&[&create[..], &["admin"]].concat()).code(2);
    let told = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(
        told.contains("among the scopes that this service allows"),
        "{told}"
    );
    drop(server);

    let text = format!("{limits}default_lifetime = \"31d\"\n");
    let message = rejection(&text);
    assert!(message.contains("default life of a key"), "{message}");
}

#[test]
fn limits_of_spaces_and_templates_of_a_file_hold() {
    let text = "listen = \"127.0.0.1:0\"\n[limits]\nmax_lifetime = \"90d\"\n\
                [spaces.staging]\nallowed_scopes = [\"read\"]\n\
                [templates.ci]\nspace = \"staging\"\nscopes = [\"read\"]\n\
                metadata = { plan = \"gold\", seats = 3 }\n";
    let (dir, path) = file(text);
    let mut command = serve_bare();
    let server = Server::run(command.current_dir(dir.path()).arg("--config").arg(&path));
    let create = ["keys", "create", "--account", "alice", "--json"];
    let made = |more: &[&str]| {
        let text = server.output(&[&create[..], more].concat());
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let key = made(&["--template", "ci"]);
    assert_eq!(
        (&key["space"], &key["scopes"][0]),
        (&"staging".into(), &"read".into())
    );
    assert_eq!(
        key["metadata"],
        serde_json::json!({ "plan": "gold", "seats": 3 })
    );
    assert!(key["expires_at"].is_string(), "as in [limits]: {key}");
    let list = server.output(&["keys", "list", "--space", "staging"]);
    assert!(list.contains("  staging  "), "{list}");
    for (more, told) in [
        (
            ["--template", "gold"],
            "template: there is no template gold; expected ci",
        ),
        (
            ["--scope", "admin"],
            "among the scopes that this service allows",
        ),
    ] {
        let more = [&create[..], &more, &["--space", "staging"]].concat();
        let done = server.keygate(&more).code(2);
        let message = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
        assert!(message.contains(told), "{message}");
    }
    drop(server);
    for (text, told) in [
        (
            "[spaces.a]\ndefault_lifetime = '9d'\nmax_lifetime = '8d'\n",
            "in the space a, the default life of a key is longer",
        ),
        (
            "[limits]\nmax_lifetime = '8d'\n[templates.ci]\nexpires_in = '9d'\n",
            "the template ci is beyond the limits: expires_at: must not be later",
        ),
        (
            "[spaces.a]\nallowed_scopes = []\n[templates.ci]\nspace = 'a'\nscopes = ['x']\n",
            "the template ci is beyond the limits: scopes[0]: is not among",
        ),
    ] {
        let message = rejection(text);
        assert!(message.contains(told), "{message}");
    }
}

#[test]
fn every_error_of_a_file_is_named_with_line_and_column() {
    for (text, told) in [
        (
            "lisen = \"\"\n",
            "1:1: lisen: is unknown: did you mean `listen`?",
        ),
        (
            "\nlisten = 8801\n",
            "2:10: listen: must be a text in quotes",
        ),
        (
            "listen = \"localhost\"\n",
            "1:10: listen: must be an IP address and a port",
        ),
        ("prefix = \"K_\"\n", "1:10: prefix: "),
        ("connections = 7\n", "1:15: connections: must be a table"),
        (
            "[connections]\nmax = 0\n",
            "2:7: connections.max: must be a whole number from 1 to 1000000",
        ),
        (
            "[connections]\nidle_timeout = \"soon\"\n",
            "2:16: connections.idle_timeout: must be a duration",
        ),
        (
            "[connections]\nbody = \"1s\"\n",
            "2:1: connections.body: is unknown",
        ),
        (
            "[limits]\nmax_lifetime = \"40000d\"\n",
            "2:16: limits.max_lifetime: must be at most 36500d",
        ),
        (
            "[limits]\nallowed_scopes = [\"a\", \"a b\"]\n",
            "2:18: limits.allowed_scopes: must be scopes of",
        ),
        (
            "[unused]\nafter = \"1d\"\n",
            "2:9: unused.after: must be at least 2d",
        ),
        (
            "[connection]\n",
            "1:2: connection: is unknown: did you mean `connections`?",
        ),
        (
            "prefix = \"a\"\nprefix = \"b\"\n",
            "2:1: this name is given more than once",
        ),
        ("spaces = 7\n", "1:10: spaces: must be tables with names"),
        (
            "[spaces.\"a b\"]\n",
            "1:9: spaces.a b: the name must be 1 to 32 letters",
        ),
        ("[spaces.a]\nmax = 7\n", "2:1: spaces.a.max: is unknown"),
        (
            "[templates.ci]\nscopes = ['a', 'b c']\n",
            "2:10: templates.ci.scopes[1]: must be one scope",
        ),
        (
            "[templates.ci]\naccount = 'a'\n",
            "2:1: templates.ci.account: is unknown",
        ),
        (
            "[templates.ci]\nmetadata = { at = 2026-01-01 }\n",
            "2:12: templates.ci.metadata: must not contain a date without quotes",
        ),
        ("listen 1\n", ": this is not TOML: write `name = value`"),
        ("listen = 'a\n", ": this is not TOML: write `name = value`"),
    ] {
        let message = rejection(text);
        assert!(
            message.contains(&format!("keygate.toml:{told}"))
                || (told.starts_with(':') && message.contains(told)),
            "{text}: {message}"
        );
    }
    let message = rejection("a = 1\nmax = 2\n[connections]\nmax = -1\nb.c = 3\n");
    let lines = message
        .lines()
        .filter(|line| line.contains("keygate.toml:"));
    assert_eq!(lines.count(), 4, "{message}");
    let missing = serve_bare().args(["--config", "/missing.toml"]).output();
    let message = String::from_utf8(missing.unwrap().stderr).unwrap();
    assert!(message.contains("cannot read /missing.toml"), "{message}");
}

/// What is said of a file that is wrong.
#[track_caller]
fn rejection(text: &str) -> String {
    let (_dir, path) = file(text);
    let done = serve_bare().arg("--config").arg(path).output().unwrap();
    let message = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2), "{message}");
    message
}
