//! Clients that generators make from the document.

use std::fs;

use keygate_tests::repository;
use keygate_tests::service::{ADMIN_TOKEN, Service};
use serde_json::json;

use crate::{run, tool, url};

#[test]
fn the_client_that_the_page_generates_manages_keys() {
    let page = fs::read_to_string(repository().join("docs/http-api.md")).unwrap();
    let (_, command) = page.split_once("    openapi-python-client ").unwrap();
    let command = command.lines().next().unwrap();
    let service = Service::start();
    let command = command.replace("http://127.0.0.1:8801", &url(&service));
    let Some(mut generator) = tool("openapi-python-client") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let settings = repository().join("tests/openapi/openapi-python-client.yaml");
    generator
        .args(command.split(' '))
        .args(["--fail-on-warning", "--config"])
        .arg(settings)
        .current_dir(dir.path());
    run(&mut generator);
    let mut python = tool("python").unwrap();
    python
        .arg(repository().join("tests/openapi/client.py"))
        .arg(url(&service))
        .env("PYTHONPATH", dir.path().join("keygate-key-service-client"))
        .env("KEYGATE_ADMIN_TOKEN", ADMIN_TOKEN);
    let printed = run(&mut python);
    let id = printed.trim();
    let path = format!("/v1/keys/{id}");
    let key = service.request("GET", &path, ADMIN_TOKEN, None).json();
    assert_eq!(key["account"], "alice");
    assert_eq!(key["status"], "revoked");
    assert_eq!(key["revoked_reason"], "superseded");
}

/// pydantic checks every value against its schema.
#[test]
fn models_that_are_generated_read_the_answers() {
    let service = Service::start();
    let body = json!({ "account": "alice", "name": "CI", "labels": ["team=core"] });
    let created = service.create_key(&body).json;
    let listed = service.request("GET", "/v1/keys", ADMIN_TOKEN, None).json();
    let problem = service.request("POST", "/v1/keys", ADMIN_TOKEN, Some(&json!({ "x": 1 })));
    let Some(mut generator) = tool("datamodel-codegen") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    generator
        .arg("--input")
        .arg(repository().join("docs/openapi.json"))
        .args(["--input-file-type", "openapi", "--output", "models.py"])
        .args([
            "--output-model-type",
            "pydantic_v2.BaseModel",
            "--formatters",
            "builtin",
        ])
        .current_dir(dir.path());
    run(&mut generator);
    for (model, answer) in [
        ("CreatedKey", created),
        ("KeyList", listed),
        ("Problem", problem.json()),
    ] {
        let read = format!("import models; models.{model}.model_validate_json(input())");
        let text = dir.path().join("answer.json");
        fs::write(&text, answer.to_string()).unwrap();
        let mut python = tool("python").unwrap();
        python.args(["-c", &read]).current_dir(dir.path());
        run(python.stdin(fs::File::open(text).unwrap()));
    }
}
