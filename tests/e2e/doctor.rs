//! `keygate doctor` and real Envoys: with the files that users copy, and with faults.

mod bypasses;
mod dump;
mod faults;
mod input;
mod service;

use std::fs;
use std::process::Command;

use keygate_tests::service::{EDGE_TOKEN, Service, keygate};
use keygate_tests::{Stack, repository};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::bypasses::BYPASSES;
use self::dump::manager;
use self::faults::{FAULTS, Fault};
use crate::commands::commands;
use crate::support::followed;
use crate::{gateway, istio, render};

/// What no dump shows.
const OF_RUNNING_SERVICES: [&str; 7] = [
    "service_unanswered",
    "lease_ended",
    "filter_died",
    "service_unreachable",
    "service_unknown",
    "token_refused",
    "clock_differs",
];

/// What a run has printed, and its code.
struct Done {
    code: i32,
    output: String,
    error: String,
}

impl Done {
    fn json(&self) -> Value {
        serde_json::from_str(&self.output).unwrap_or_else(|_| panic!("{}", self.error))
    }

    /// The ids of the findings, each with its place.
    fn findings(&self) -> Vec<(String, String)> {
        let json = self.json();
        let findings = json["findings"].as_array().unwrap().iter();
        let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
        findings
            .map(|it| (text(it, "id"), text(it, "place")))
            .collect()
    }
}

/// Every fault that is planted.
fn planted() -> impl Iterator<Item = &'static Fault> {
    FAULTS.iter().chain(BYPASSES)
}

fn doctor(arguments: &[&str]) -> Done {
    let done = Command::new(keygate())
        .arg("doctor")
        .args(arguments)
        .env("KEYGATE_EDGE_TOKEN", EDGE_TOKEN)
        .output()
        .unwrap();
    Done {
        code: done.status.code().unwrap(),
        output: String::from_utf8(done.stdout).unwrap(),
        error: String::from_utf8(done.stderr).unwrap(),
    }
}

/// What doctor says of a dump.
fn judge(dump: &Value) -> Done {
    judge_as(dump, "json")
}

/// The same, in another form.
fn judge_as(dump: &Value, format: &str) -> Done {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.json");
    fs::write(&file, dump.to_string()).unwrap();
    doctor(&[file.to_str().unwrap(), "--format", format])
}

fn dump_of(stack: &Stack) -> Value {
    let dump = stack.envoy.admin("/config_dump?include_eds");
    serde_json::from_str(&dump).unwrap()
}

fn admin(stack: &Stack) -> String {
    format!("http://127.0.0.1:{}", stack.envoy.admin_port())
}

#[test]
fn the_files_that_users_copy_are_clean() {
    for file in ["envoy", "cache", "identity", "self-service"] {
        let stack = Stack::of_file(&format!("envoy/{file}.yaml"))
            .envoy(|it| it.env("KEYGATE_ASSERTION", "an assertion secret of 32 bytes!"))
            .start();
        let done = judge(&dump_of(&stack));
        assert_eq!((done.code, done.findings()), (0, vec![]), "{file}");
        assert_eq!(done.json()["clean"], true, "{file}");
    }
    // With the endpoints, the health check and the outlier detection of docs/postgresql.md.
    let other = Service::start();
    let stack = Stack::builder().envoy(|it| it.another_key_service(other.port()));
    let done = judge(&dump_of(&stack.start()));
    assert_eq!((done.code, done.findings()), (0, vec![]), "postgresql");
    let stack = Stack::builder().envoy(|it| it.dynamic()).start();
    let done = judge(&dump_of(&stack));
    assert_eq!((done.code, done.findings()), (0, vec![]), "dynamic");
    assert_eq!(done.json()["listeners"], json!(["public"]));
}

#[test]
fn the_manifests_for_meshes_have_no_other_findings_than_their_pages_name() {
    for (name, (stack, _service), expected) in [
        (
            "istio",
            istio::gateway(istio::SHIPPED, true),
            &["vm_shared"][..],
        ),
        ("gateway", gateway::gateway(gateway::SHIPPED, true), &[][..]),
        (
            "gateway without patches",
            gateway::gateway(gateway::SHIPPED, false),
            &["filter_disabled", "no_reload"][..],
        ),
    ] {
        let done = judge(&dump_of(&stack));
        let findings = done.findings();
        let ids: Vec<&str> = findings.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, expected, "{name}: {}", done.output);
    }
}

/// What `keygate render` makes is as clean as the files that it is made from.
#[test]
fn rendered_configurations_have_no_other_findings() {
    let rendered = render::rendered("envoy", &[]);
    let file = render::file(&rendered, "envoy.yaml");
    let done = judge(&dump_of(&Stack::of_file(&file).start()));
    assert_eq!((done.code, done.findings()), (0, vec![]), "{}", done.output);
    let [istio, gateway] = ["istio", "envoy-gateway"].map(|it| render::rendered(it, &[]));
    let folder = |of: &TempDir| of.path().to_str().unwrap().to_owned();
    for (name, (stack, _service), expected) in [
        ("istio", istio::gateway(&folder(&istio), true), 1),
        ("gateway", gateway::gateway(&folder(&gateway), true), 0),
    ] {
        let done = judge(&dump_of(&stack));
        assert_eq!(done.findings().len(), expected, "{name}: {}", done.output);
    }
}

#[test]
fn a_running_envoy_and_its_key_service_are_clean() {
    let stack = Stack::builder().concurrency(1).start();
    followed(&stack, 1);
    let service = format!("http://127.0.0.1:{}", stack.service().port());
    let done = doctor(&[&admin(&stack), "--service", &service]);
    assert_eq!(done.code, 0, "{}{}", done.output, done.error);
    let lines: Vec<&str> = done.output.lines().collect();
    let last = "clean: every request passes Keygate first (asked: Envoy, the key service)";
    assert_eq!(lines.last(), Some(&last));
    assert!(lines[0].ends_with(": 1 listener, 1 filter chain, 1 route"));
}

#[test]
fn the_commands_of_the_page_find_nothing_at_a_healthy_envoy() {
    let stack = Stack::builder().concurrency(1).start();
    followed(&stack, 1);
    let service = format!("http://127.0.0.1:{}", stack.service().port());
    let calls = commands("docs/doctor.md", "keygate ");
    assert!(calls.len() >= 2);
    for (place, call) in calls {
        let call = call.replace("http://127.0.0.1:9901", &admin(&stack));
        let call = call.replace("http://127.0.0.1:8801", &service);
        let words: Vec<&str> = call.split(' ').skip(2).collect();
        let done = doctor(&words);
        assert_eq!(done.code, 0, "{place}: {}{}", done.output, done.error);
    }
}

#[test]
fn the_report_of_the_page_is_what_doctor_prints() {
    let page = fs::read_to_string(repository().join("docs/doctor.md")).unwrap();
    let (_, report) = page.split_once("```text\n").unwrap();
    let (report, _) = report.split_once("```").unwrap();
    let mut dump = dump_of(&Stack::start());
    let plugin = &mut manager(&mut dump)["http_filters"][0]["typed_config"]["config"];
    plugin["failure_policy"] = json!("FAIL_OPEN");
    let lines = |text: &str| -> Vec<String> {
        // Other versions are tested as well.
        let lines = text.lines().map(|line| match line.strip_prefix("Envoy ") {
            Some(rest) => rest.split_once(':').unwrap().1.to_owned(),
            None => line.to_owned(),
        });
        lines.collect()
    };
    assert_eq!(lines(&judge_as(&dump, "text").output), lines(report));
}

#[test]
fn each_planted_fault_is_found_by_its_id_and_place() {
    let stack = Stack::start();
    let dump = dump_of(&stack);
    let mut missed = Vec::new();
    for (id, place, plant) in planted() {
        let mut sick = dump.clone();
        plant(&mut sick);
        assert_ne!(sick, dump, "{id} is planted");
        let done = judge(&sick);
        let findings = done.findings();
        let is_found = findings
            .iter()
            .any(|(found, at)| found == id && at.contains(place));
        if !is_found || done.code != 1 {
            missed.push(format!("{id} at {place}: {findings:?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    for change in bypasses::HARMLESS {
        let mut well = dump.clone();
        change(&mut well);
        assert_ne!(well, dump);
        let done = judge(&well);
        assert_eq!((done.code, done.findings()), (0, vec![]));
    }
    let sarif = judge_as(&dump, "sarif");
    let log = sarif.json();
    let rules = log["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .unwrap();
    let ids = rules.iter().map(|rule| rule["id"].as_str().unwrap());
    let unplanted: Vec<&str> = ids
        .filter(|id| !planted().any(|(planted, ..)| planted == id))
        .collect();
    assert_eq!(unplanted, OF_RUNNING_SERVICES, "each has a fault");
}

#[test]
fn faults_that_envoy_runs_with_are_found_in_its_own_words() {
    let sick = |bootstrap: &mut Value| {
        let listener = &mut bootstrap["static_resources"]["listeners"][0];
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        let manager = manager.as_object_mut().unwrap();
        for absent in ["normalize_path", "merge_slashes", "request_headers_timeout"] {
            manager.remove(absent);
        }
        manager["use_remote_address"] = json!(false);
        manager.insert("xff_num_trusted_hops".to_owned(), json!(2));
        manager["path_with_escaped_slashes_action"] = json!("UNESCAPE_AND_FORWARD");
        manager["stream_idle_timeout"] = json!("0s");
        manager["common_http_protocol_options"] = json!({ "idle_timeout": "300s" });
        manager["access_log"][0]["typed_config"] = json!({ "@type":
            "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog" });
        let lua = json!({ "name": "lua", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": { "inline_string": "function envoy_on_request(it) end" },
        } });
        let filters = manager["http_filters"].as_array_mut().unwrap();
        let plugin = &mut filters[0]["typed_config"]["config"];
        plugin["failure_policy"] = json!("FAIL_OPEN");
        plugin.as_object_mut().unwrap().remove("reload_config");
        plugin["vm_config"].as_object_mut().unwrap().remove("vm_id");
        filters.insert(0, lua);
        let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"][0];
        routes["typed_per_filter_config"] = json!({ "keygate": {
            "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true,
        } });
        let cluster = &mut bootstrap["static_resources"]["clusters"][1];
        cluster["outlier_detection"] = json!({});
        cluster.as_object_mut().unwrap().remove("circuit_breakers");
        bootstrap["layered_runtime"] = json!({ "layers": [{ "name": "own", "static_layer": {
            "envoy.reloadable_features.reject_invalid_yaml": false,
        } }] });
    };
    let stack = Stack::builder().envoy(|it| it.change(sick)).start();
    let done = judge(&dump_of(&stack));
    let mut found: Vec<String> = done.findings().into_iter().map(|(id, _)| id).collect();
    found.sort();
    let mut expected = [
        "client_address",
        "cluster_outlier",
        "cluster_unbounded",
        "escaped_slashes",
        "fail_open",
        "filter_disabled_by_route",
        "header_timeout",
        "idle_timeout",
        "lua_before",
        "path_not_normalized",
        "query_logged",
        "runtime_override",
        "slashes_not_merged",
        "trusted_hops",
        "underscores_allowed",
        "vm_shared",
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(
        stack.get("/api/x").send().status,
        200,
        "it is as sick as that"
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), dump_of(&stack).to_string()).unwrap();
    let name = file.path().to_str().unwrap();
    let open = doctor(&[name, "--except", "public", "--trusted-hops", "2"]);
    assert!(
        open.output.contains("not examined: public"),
        "{}",
        open.output
    );
    assert!(!open.output.contains("trusted_hops"), "{}", open.output);
    let hops = doctor(&[name, "--trusted-hops", "2"]);
    assert!(!hops.output.contains("trusted_hops:"), "{}", hops.output);
}

#[test]
fn a_report_for_machines_has_every_finding_and_no_secret() {
    let stack = Stack::start();
    let mut dump = dump_of(&stack);
    manager(&mut dump)["http_filters"][0]["disabled"] = json!(true);
    let vm = &mut manager(&mut dump)["http_filters"][0]["typed_config"]["config"]["vm_config"];
    vm["environment_variables"] = json!({ "key_values": { "KEYGATE_MEDIA": "S3CRET" } });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a dump.json");
    fs::write(&file, dump.to_string()).unwrap();
    let name = file.to_str().unwrap();
    let sarif = doctor(&[name, "--format", "sarif"]);
    assert_eq!(sarif.code, 1);
    let log = sarif.json();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    let ids: Vec<&Value> = results.iter().map(|it| &it["ruleId"]).collect();
    assert_eq!(
        ids,
        [
            "filter_disabled",
            "variable_missing",
            "variable_missing",
            "secret_in_config"
        ]
    );
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        let uri = place.as_str().unwrap();
        assert!(uri.ends_with("/a%20dump.json"), "{uri}");
    }
    for format in ["text", "json", "sarif"] {
        let done = doctor(&[name, "--format", format]);
        assert_eq!(done.code, 1);
        assert!(!done.output.contains("S3CRET"), "{}", done.output);
        assert!(done.output.contains("filter_disabled"), "{}", done.output);
    }
}
