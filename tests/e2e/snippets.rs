//! The blocks of pages that need a real Envoy or a real key service.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use keygate_tests::process::Process;
use keygate_tests::service::{ADMIN_TOKEN, APP_KEYS, EDGE_TOKEN, Options, Service, keygate};
use keygate_tests::{Stack, client, repository, wait};
use serde_json::{Value, json};

use crate::support::sign;

/// The blocks of a page in one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join(page)).unwrap();
    let mark = format!("```{language}\n");
    let blocks = text.split(&mark).skip(1);
    let blocks = blocks.map(|it| it.split("```").next().unwrap().to_owned());
    blocks.collect()
}

fn shell(command: &str, variables: &[(&str, &str)]) -> String {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", command]);
    bash.envs(variables.iter().copied());
    let output = bash.output().expect("bash is installed");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// The connection manager of the demo.
fn manager(bootstrap: &mut Value) -> &mut Value {
    let path = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    bootstrap.pointer_mut(path).unwrap()
}

#[test]
fn the_cors_of_the_page_answers_a_preflight() {
    let block = &blocks("docs/envoy.md", "yaml")[0];
    let block = block.replace("  - name: keygate\n    …\n", "");
    let shown: Value = serde_saphyr::from_str(&block).unwrap();
    let change = |bootstrap: &mut Value| {
        let manager = manager(bootstrap);
        let filters = manager["http_filters"].as_array_mut().unwrap();
        filters.insert(0, shown["http_filters"][0].clone());
        manager["route_config"]["virtual_hosts"][0]["typed_per_filter_config"] =
            shown["virtual_hosts"][0]["typed_per_filter_config"].clone();
    };
    let stack = Stack::builder().envoy(|envoy| envoy.change(change)).start();
    let page = "https://app.example.com";
    let preflight = client::request("OPTIONS", stack.envoy.port(), "/api/x")
        .header("origin", page)
        .header("access-control-request-method", "POST")
        .send();
    let header = |name| preflight.header(name);
    assert_eq!(header("access-control-allow-origin").as_deref(), Some(page));
    let allowed = header("access-control-allow-headers").unwrap_or_default();
    assert!(allowed.contains("x-keygate-solution"), "{allowed}");
    assert_eq!(stack.echo.count(), 0);
    let rejected = stack.get("/api/x").header("origin", page).send();
    assert_eq!(rejected.status, 401);
    let origin = rejected.header("access-control-allow-origin");
    assert_eq!(origin.as_deref(), Some(page));
}

/// There is no store, so a request that passes gets no answer from it.
#[test]
fn the_object_store_of_the_page_is_loaded_by_envoy() {
    let shown: Value = serde_saphyr::from_str(&blocks("docs/envoy.md", "yaml")[1]).unwrap();
    let host = "my-bucket.s3.eu-central-1.amazonaws.com";
    let change = |bootstrap: &mut Value| {
        manager(bootstrap)["route_config"]["virtual_hosts"][0]["routes"] = shown["routes"].clone();
        let clusters = bootstrap["static_resources"]["clusters"].as_array_mut();
        let mut store = shown["clusters"][0].clone();
        // Nothing leaves this machine.
        let address = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
        let address = store.pointer_mut(address).unwrap();
        assert_eq!(*address, json!({ "address": host, "port_value": 443 }));
        *address = json!({ "address": "127.0.0.1", "port_value": 1 });
        clusters.unwrap().push(store);
    };
    let stack = Stack::builder()
        .envoy(|envoy| {
            envoy
                .change(change)
                .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
                .env(
                    "AWS_SECRET_ACCESS_KEY",
                    "a-secret-key-of-the-store-for-tests",
                )
        })
        .start();
    assert_eq!(stack.get(sign("/media/cat.jpg", &[])).send().status, 503);
    assert_eq!(stack.get("/media/cat.jpg").send().status, 403);
    assert_eq!(stack.echo.count(), 0);
    assert_eq!(
        stack.envoy.stat("cluster.store.upstream_cx_connect_fail"),
        Some(1)
    );
}

fn members(object: &Value) -> BTreeSet<&str> {
    let members = object.as_object().unwrap_or_else(|| panic!("{object}"));
    members.keys().map(String::as_str).collect()
}

#[test]
fn the_objects_of_the_page_have_the_members_that_the_service_sends() {
    let stack = Stack::start();
    let created = stack
        .service()
        .create_key(&json!({ "account": "alice", "name": "nightly" }));
    let blocks = blocks("docs/http-api.md", "json");
    let shown: Vec<Value> = blocks
        .iter()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let sent = |path: &str| {
        let answer = stack.service().request("GET", path, ADMIN_TOKEN, None);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };
    let key = sent(&format!("/v1/keys/{}", created.id));
    assert_eq!(members(&shown[0]), members(&key));
    let used = stack.get("/api/x").header("x-api-key", &created.key);
    assert_eq!(used.send().status, 200);
    let edges = wait::until("the edge to be listed", wait::STARTUP, || {
        let edges = sent("/v1/edges");
        let is_listed = edges["edges"][0]["start"].is_string();
        is_listed.then_some(edges)
    });
    assert_eq!(members(&shown[2]), members(&edges));
    assert_eq!(members(&shown[2]["edges"][0]), members(&edges["edges"][0]));
    let audit = sent("/v1/audit");
    assert_eq!(members(&shown[3]), members(&audit));
    let entry = &audit["entries"][0];
    assert_eq!(members(&shown[3]["entries"][0]), members(entry));
    let report = json!({ "id": created.id, "minute": 0, "allowed": 1, "rejected": 0 });
    let report = json!({ "uses": [report] });
    let reported = stack
        .service()
        .request("POST", "/v1/uses", EDGE_TOKEN, Some(&report));
    assert_eq!(reported.status, 200, "{}", reported.text());
    let usage = wait::until("the report to be written", wait::STARTUP, || {
        let usage = sent(&format!("/v1/keys/{}/usage", created.id));
        let is_written = usage["days"][0].is_object();
        is_written.then_some(usage)
    });
    assert_eq!(members(&shown[4]), members(&usage));
    assert_eq!(members(&shown[4]["days"][0]), members(&usage["days"][0]));
}

#[test]
fn the_revocation_of_the_page_revokes_what_it_counts() {
    let service = Service::start();
    let body: Value = serde_json::from_str(&blocks("docs/http-api.md", "json")[1]).unwrap();
    for number in 0..body["expect"].as_u64().unwrap() {
        let name = format!("ci-{number}");
        let _ = service.create_key(&json!({ "account": "alice", "name": name }));
    }
    let other = service.create_key(&json!({ "account": "alice", "name": "laptop" }));
    let answer = service.request("POST", "/v1/keys/revoke", ADMIN_TOKEN, Some(&body));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let active = service.request("GET", "/v1/keys?status=active", ADMIN_TOKEN, None);
    let active = active.json();
    let ids: Vec<&Value> = active["keys"].as_array().unwrap().iter().collect();
    assert_eq!(ids.len(), 1, "{active}");
    assert_eq!(ids[0]["id"], other.id.as_str());
}

#[test]
fn the_call_of_the_page_about_the_api_creates_a_key() {
    let service = Service::start();
    let page = fs::read_to_string(repository().join("docs/http-api.md")).unwrap();
    let (_, rest) = page.split_once("    curl ").unwrap();
    let call = rest.split("\n\n").next().unwrap();
    let url = format!("http://127.0.0.1:{}", service.port());
    let call = format!("curl {call}").replace("http://127.0.0.1:8801", &url);
    let printed = shell(&call, &[("KEYGATE_ADMIN_TOKEN", ADMIN_TOKEN)]);
    let created: Value = serde_json::from_str(&printed).unwrap();
    assert!(created["key"].is_string(), "{created}");
    assert_eq!(created["account"], "alice");
    assert_eq!(page.matches("curl ").count(), 1, "each call needs a test");
}

#[test]
fn the_unit_for_systemd_is_valid_and_its_command_serves() {
    let read = |name: &str| fs::read_to_string(repository().join("packaging").join(name)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().display().to_string();
    let settings = read("keygate.toml").replace("/var/lib/keygate", &state);
    fs::write(dir.path().join("keygate.toml"), settings).unwrap();
    let unit = read("keygate.service")
        .replace("/usr/bin/keygate", &keygate().display().to_string())
        .replace(
            "/etc/keygate/keygate.toml",
            &format!("{state}/keygate.toml"),
        );
    let file = dir.path().join("keygate.service");
    fs::write(&file, &unit).unwrap();
    match Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&file)
        .output()
    {
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{told}");
            assert!(!told.contains("keygate.service"), "{told}");
        }
        Err(error) => eprintln!("!!! SKIPPED: systemd-analyze: {error}: the unit is not checked"),
    }
    // The exposure that docs/operations.md names; 0 is best, 10 worst.
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--threshold=14"]);
    if let Ok(output) = security.arg(&file).output() {
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}");
    }
    let line = unit.lines().find_map(|it| it.strip_prefix("ExecStart="));
    let mut words = line.unwrap().split(' ');
    let mut command = Command::new(words.next().unwrap());
    command
        .args(words)
        .args(["--listen", "127.0.0.1:0"])
        .env("KEYGATE_APP_KEYS", APP_KEYS)
        .env("KEYGATE_ADMIN_TOKEN", ADMIN_TOKEN)
        .env("KEYGATE_EDGE_TOKEN", EDGE_TOKEN);
    let mut process = Process::start("the unit", command, dir.path().join("log"));
    wait::until("the unit to listen", wait::STARTUP, || {
        process.assert_running();
        process.log().contains("listening on").then_some(())
    });
    assert!(process.stop().success());
    assert!(dir.path().join("keygate.db").is_file());
}

#[test]
fn the_command_for_a_backup_copies_the_keys() {
    let service = Service::start();
    let key = service.create_key(&json!({ "account": "alice" }));
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup.db");
    let command = blocks("docs/operations.md", "sh")[0]
        .replace(
            "/var/lib/keygate/keygate.db",
            &service.database().display().to_string(),
        )
        .replace("/var/backups/keygate.db", &backup.display().to_string());
    if Command::new("sqlite3").arg("--version").output().is_err() {
        let missing = "sqlite3 is missing: apt-get install sqlite3";
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("!!! SKIPPED: {missing} (the key service's tests run its SQL)");
        return;
    }
    shell(&command, &[]);
    let copy = rusqlite::Connection::open(&backup).unwrap();
    let id: String = copy
        .query_row("SELECT id FROM keys", [], |row| row.get(0))
        .unwrap();
    assert_eq!(id, key.id);
    assert_eq!(mode(&backup), 0o600, "a backup is private");
}

fn mode(file: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_pair_of_keys_that_the_page_makes_is_accepted() {
    let page = fs::read_to_string(repository().join("docs/sessions.md")).unwrap();
    let is_command = |it: &&str| it.starts_with("openssl ") || it.starts_with("tail ");
    let lines: Vec<&str> = page.lines().map(str::trim).filter(is_command).collect();
    let dir = tempfile::tempdir().unwrap();
    let printed = shell(
        &format!("cd {}\n{}", dir.path().display(), lines.join("\n")),
        &[],
    );
    let [seed, public]: [&str; 2] = printed.lines().collect::<Vec<_>>().try_into().unwrap();
    let bytes: [u8; 32] = STANDARD.decode(seed).unwrap().try_into().unwrap();
    let pair = SigningKey::from_bytes(&bytes).verifying_key();
    assert_eq!(STANDARD.encode(pair.as_bytes()), public, "one pair");
    let arguments = [
        "--assertion-public-key",
        "1=KEYGATE_PUBLIC",
        "--assertion-algorithm",
        "EdDSA",
        "--assertion-audience",
        "keygate-keys",
    ];
    let service = Service::start_with(Options {
        arguments: arguments.map(str::to_owned).to_vec(),
        variables: vec![("KEYGATE_PUBLIC".to_owned(), public.to_owned())],
        ..Options::default()
    });
    let keys = service.request("GET", "/v1/jwks.json", ADMIN_TOKEN, None);
    assert_eq!(keys.json()["keys"][0]["kid"], "1", "{}", keys.text());
}
