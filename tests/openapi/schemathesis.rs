//! schemathesis makes requests from the document, valid ones and others, and checks each answer
//! against it. `KEYGATE_OPENAPI_SECONDS` makes it go on for so long (`make stress`).

use std::fs;
use std::time::Duration;

use keygate_tests::repository;
use keygate_tests::service::{ADMIN_TOKEN, EDGE_TOKEN, Service};

use crate::{run, tool, url};

/// What only an edge may call.
const OF_EDGES: [&str; 4] = ["follow_changes", "look_up_keys", "report_uses", "use_link"];

/// How long it goes on; without it, it makes a few requests, always the same.
fn seconds() -> Option<u64> {
    let seconds = std::env::var("KEYGATE_OPENAPI_SECONDS").ok()?;
    Some(seconds.parse().unwrap())
}

/// Runs it with this token over some operations.
fn attack(service: &Service, token: &str, operations: &[&str], options: &[&str]) {
    let Some(mut command) = tool("schemathesis") else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    // It looks for the one beside its working directory, and leaves files there.
    for file in ["schemathesis.toml", "hooks.py"] {
        let from = repository().join("tests/openapi").join(file);
        fs::copy(from, home.path().join(file)).unwrap();
    }
    command
        .current_dir(home.path())
        .args(["run", &format!("{}/openapi.json", url(service))])
        // It warns where most random requests fit nothing that is stored.
        .args(["--request-timeout", "30", "--warnings", "off"])
        .args(operations)
        .args(options)
        .env("KEYGATE_TOKEN", token);
    let printed = run(&mut command);
    // It also ends well if it has found nothing to do.
    assert!(printed.contains("No issues found in "), "{printed}");
    assert!(service.request("GET", "/healthz", token, None).status == 200);
    println!("{printed}");
}

fn flags<'a>(name: &'a str, operations: &[&'a str]) -> Vec<&'a str> {
    operations.iter().flat_map(|id| [name, *id]).collect()
}

#[test]
fn no_request_gets_an_answer_that_the_document_does_not_have() {
    let service = Service::start();
    let of_edges = flags("--include-operation-id", &OF_EDGES);
    let others = flags("--exclude-operation-id", &OF_EDGES);
    let Some(seconds) = seconds() else {
        let few = ["--seed", "1", "--max-examples", "3", "--phases"];
        let with = |phases| [&few[..], &[phases]].concat();
        attack(&service, ADMIN_TOKEN, &others, &with("coverage,stateful"));
        attack(&service, EDGE_TOKEN, &of_edges, &with("coverage,fuzzing"));
        return;
    };
    let all = "examples,coverage,fuzzing,stateful";
    // No operation of an edge leads to another.
    let no_links = "examples,coverage,fuzzing";
    for (token, operations, phases, share) in [
        (ADMIN_TOKEN, &others, all, 8),
        (EDGE_TOKEN, &of_edges, no_links, 1),
        ("a-token-that-is-unknown", &others, no_links, 1),
    ] {
        let time = Duration::from_secs(seconds) * share / 10;
        let time = time.as_secs().max(1).to_string();
        let options = ["--max-time", &time, "--phases", phases];
        attack(&service, token, operations, &options);
    }
}
