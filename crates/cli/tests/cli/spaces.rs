//! Spaces on the command line: what a bound token sees, and which edges a revocation waits for.

use crate::keys::stderr;
use crate::support::{Server, database, id, keygate};

/// Runs the command with another token.
fn with_token(server: &Server, token: &str, args: &[&str]) -> assert_cmd::assert::Assert {
    keygate(&[args, &["--token-env", "OTHER_TOKEN"]].concat())
        .env("KEYGATE_SERVICE", &server.url)
        .env("OTHER_TOKEN", token)
        .assert()
}

fn bound(server: &Server, role: &str, space: &str) -> String {
    let args = [
        "tokens", "create", "--name", "x", "--role", role, "--space", space,
    ];
    server.output(&args).trim().to_owned()
}

fn stdout(done: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(done.get_output().stdout.clone()).unwrap()
}

#[test]
fn a_bound_token_lists_creates_and_exports_in_its_space_alone() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let other = id(&server.output(&["keys", "create", "--account", "alice"]));
    let operator = bound(&server, "operator", "staging");
    let run = |args: &[&str]| with_token(&server, &operator, args);
    let create = ["keys", "create", "--account", "alice"];
    let own = id(&stdout(&run(&create).success()));
    let export = stdout(&run(&["keys", "export"]).success());
    assert_eq!(export.lines().count(), 1, "{export}");
    assert!(
        export.contains(&own) && export.contains(r#""space":"staging""#),
        "{export}"
    );
    run(&["keys", "show", &other]).code(1);
    run(&["keys", "revoke", &other]).code(1);
    let told = stderr(&run(&[&create[..], &["--space", "default"]].concat()).code(2));
    assert!(told.contains("bound to another space"), "{told}");
    let list = server.output(&["keys", "list", "--space", "default"]);
    assert!(list.contains(&other) && !list.contains(&own), "{list}");
    let tokens = server.output(&["tokens", "list"]);
    assert!(tokens.contains("  staging  "), "{tokens}");
}

#[test]
fn a_bound_auditor_learns_that_its_export_is_a_part_of_the_log() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    server.output(&["keys", "create", "--account", "alice"]);
    let auditor = bound(&server, "auditor", "staging");
    server.output(&["keys", "create", "--account", "bob", "--space", "staging"]);
    let export = with_token(&server, &auditor, &["audit", "export"]).success();
    assert_eq!(stdout(&export).lines().count(), 2, "the token and the key");
    let told = stderr(&export);
    assert!(told.contains("this export cannot be verified"), "{told}");
    let told = stderr(&with_token(&server, &auditor, &["audit", "verify"]).code(2));
    assert!(told.contains("bound to the space staging"), "{told}");
    assert!(told.contains("with a token that is not bound"), "{told}");
    server.output(&["audit", "verify"]);
}

#[test]
fn a_revocation_does_not_wait_for_the_edges_of_another_space() {
    let (_dir, path) = database();
    let server = Server::start(&path);
    let poll = |space: &str, start: &str| {
        let token = bound(&server, "edge", space);
        let report = format!("start=000000000000000{start} lease=60000 version=0.1.0 name={space}");
        ureq::get(format!("{}/v1/changes", server.url))
            .header("authorization", format!("Bearer {token}"))
            .header("x-keygate-edge", report)
            .call()
            .unwrap();
    };
    let create = |space: &str| {
        let args = ["keys", "create", "--account", "alice", "--space", space];
        id(&server.output(&args))
    };
    let (staging, production) = (create("staging"), create("production"));
    poll("production", "1");
    let told = stderr(
        &server
            .keygate(&["keys", "revoke", &staging, "--wait=5s"])
            .code(0),
    );
    assert!(told.contains("0 edges reject the key"), "{told}");
    let late = server.keygate(&["keys", "revoke", &production, "--wait=100ms"]);
    let told = stderr(&late.code(1));
    assert!(told.contains("1 of 1 edges may still accept"), "{told}");
}
