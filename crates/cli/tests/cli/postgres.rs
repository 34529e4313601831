//! `keygate serve --store`: what is wrong with a URL is one line, and no password is shown. What is
//! wrong with a database is tested in the service, over a real server.

use std::net::TcpListener;
use std::process::Command;

use crate::support::serve_bare;

const PASSWORD: &str = "hunter2-of-the-database";

/// What a service that does not start says.
#[track_caller]
fn said(command: &mut Command) -> String {
    let dir = tempfile::tempdir().unwrap();
    let done = command.current_dir(dir.path()).output().unwrap();
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(2), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(!told.contains(PASSWORD), "{told}");
    let files = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files, 0, "no database is made");
    told
}

#[test]
fn a_password_in_an_argument_or_a_configuration_is_rejected() {
    let url = format!("postgres://keygate:{PASSWORD}@127.0.0.1/keygate");
    let told = said(serve_bare().args(["--store", &url]));
    assert!(told.contains("--store must not have a password"), "{told}");
    assert!(told.contains("--store-password-file"), "{told}");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keygate.toml");
    std::fs::write(&file, format!("store = \"{url}\"\n")).unwrap();
    let told = said(serve_bare().arg("--config").arg(&file));
    assert!(told.contains("must not have a password"), "{told}");
}

#[test]
fn a_url_that_cannot_be_used_is_rejected_with_what_to_do() {
    for (url, expected) in [
        (
            "mysql://keygate@127.0.0.1/keygate",
            "must begin with postgres://",
        ),
        ("postgres://127.0.0.1/keygate", "must name a user"),
        (
            "postgres://keygate@db.example.com/keygate?sslmode=require",
            "sslmode=require does not prove that db.example.com is the database",
        ),
        (
            "postgres://keygate@db.example.com/keygate?sslrootcert=/nowhere.pem",
            "sslrootcert: /nowhere.pem cannot be read",
        ),
    ] {
        let told = said(serve_bare().args(["--store", url]));
        assert!(told.contains(expected), "{url}: {told}");
        let told = said(serve_bare().env("KEYGATE_STORE", url));
        assert!(told.contains("KEYGATE_STORE"), "{url}: {told}");
        assert!(told.contains(expected), "{url}: {told}");
    }
}

#[test]
fn a_server_that_does_not_answer_is_named_without_its_password() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Now nothing listens there.
    drop(listener);
    let url = format!("postgres://keygate:{PASSWORD}@127.0.0.1:{port}/keys");
    let mut command = serve_bare();
    command
        .env("KEYGATE_STORE", &url)
        .args(["--listen", "127.0.0.1:0"]);
    let told = said(&mut command);
    let place = format!("cannot use the database keys on 127.0.0.1 port {port} as keygate");
    assert!(told.contains(&place), "{told}");
    assert!(told.contains("cannot connect to it"), "{told}");
}

#[test]
fn a_password_file_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    std::fs::write(&empty, "\n").unwrap();
    let missing = dir.path().join("missing");
    for (file, expected) in [(&empty, "is empty"), (&missing, "cannot read")] {
        let mut command = serve_bare();
        command.args(["--store", "postgres://keygate@127.0.0.1/keygate"]);
        let told = said(command.arg("--store-password-file").arg(file));
        assert!(told.contains(expected), "{told}");
        assert!(told.contains(&file.display().to_string()), "{told}");
    }
}
