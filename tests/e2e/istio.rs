//! `envoy/istio` in a real Envoy, as Istio would configure it: its plugin, its patch and its
//! authorization in the demo's listener. There is no mesh here: what Istio makes of its resources
//! is taken from its source (docs/istio.md).

use keygate_tests::manifests::resource;
use keygate_tests::service::Service;
use keygate_tests::{Stack, client};
use serde_json::{Value, json};

use crate::support::{assert_decides_as_the_demo, assert_never_trapped};

/// The files that a user copies.
pub const SHIPPED: &str = "envoy/istio";

const FAILURES: [(&str, &str); 2] = [
    ("FAIL_RELOAD", "FAIL_RELOAD"),
    ("FAIL_CLOSE", "FAIL_CLOSED"),
];

fn manager(bootstrap: &mut Value) -> &mut Value {
    let place = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    bootstrap.pointer_mut(place).unwrap()
}

/// Adds a part to an object, member by member, as a merge of messages does.
fn merge(into: &mut Value, part: &Value) {
    match (into, part) {
        (Value::Object(into), Value::Object(part)) => {
            for (name, value) in part {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, part) => *into = part.clone(),
    }
}

/// What Istio sets of the connection manager of a gateway by `mesh-values.yaml`, and nothing of
/// what `envoy-filter.yaml` must add.
fn as_istio_leaves_it(manager: &mut Value, folder: &str) {
    let mesh = resource(&format!("{folder}/mesh-values.yaml"));
    let paths = &mesh["meshConfig"]["pathNormalization"]["normalization"];
    assert_eq!(*paths, "MERGE_SLASHES");
    let members = manager.as_object_mut().unwrap();
    for name in [
        "common_http_protocol_options",
        "path_with_escaped_slashes_action",
        "proxy_100_continue",
        "request_headers_timeout",
        "stream_idle_timeout",
    ] {
        assert!(members.remove(name).is_some(), "{name}");
    }
    manager["normalize_path"] = json!(true);
    manager["merge_slashes"] = json!(true);
    let log = &mesh["meshConfig"]["extensionProviders"][0];
    let telemetry = resource(&format!("{folder}/telemetry.yaml"));
    let chosen = &telemetry["spec"]["accessLogging"][0]["providers"][0]["name"];
    assert_eq!(log["name"], *chosen);
    manager["access_log"][0]["typed_config"]["log_format"]["text_format_source"]["inline_string"] =
        log["envoyFileAccessLog"]["logFormat"]["text"].clone();
}

/// The plugin as Istio writes it, with the module of these tests.
fn as_istio_writes_it(filter: &mut Value, folder: &str) {
    let spec = &resource(&format!("{folder}/plugin.yaml"))["spec"];
    let config = &mut filter["typed_config"]["config"];
    config["name"] = json!("istio-ingress.keygate");
    let strategy = spec["failStrategy"].as_str().unwrap();
    let failure = FAILURES.iter().find(|row| row.0 == strategy);
    config["failure_policy"] = json!(failure.unwrap().1);
    config.as_object_mut().unwrap().remove("reload_config");
    let machine = config["vm_config"].as_object_mut().unwrap();
    // All plugins of Istio share the machine without an id.
    machine.remove("vm_id");
    let variables = spec["vmConfig"]["env"].as_array().unwrap();
    let names: Vec<&Value> = variables.iter().map(|it| &it["name"]).collect();
    machine["environment_variables"] = json!({ "host_env_keys": names });
    config["configuration"]["value"] = json!(spec["pluginConfig"].to_string());
}

/// Copies the clusters of the key service under the names that Istio gives them.
fn with_istios_clusters(bootstrap: &mut Value, folder: &str, port: u16) {
    let spec = &resource(&format!("{folder}/plugin.yaml"))["spec"];
    let service = &spec["pluginConfig"]["key_service"];
    let clusters = bootstrap["static_resources"]["clusters"].as_array_mut();
    let clusters = clusters.unwrap();
    let keys = clusters.iter().find(|it| it["name"] == "keygate_keys");
    let mut keys = keys.unwrap().clone();
    let address = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
    keys.pointer_mut(address).unwrap()["port_value"] = json!(port);
    for member in ["cluster", "poll_cluster"] {
        let mut cluster = keys.clone();
        cluster["name"] = service[member].clone();
        cluster["load_assignment"]["cluster_name"] = service[member].clone();
        clusters.push(cluster);
    }
}

/// Envoy's RBAC as Istio makes it of `authorization.yaml`, which stands behind AUTHZ.
fn authorization() -> Value {
    let spec = &resource("envoy/istio/authorization.yaml")["spec"];
    assert_eq!(spec["action"], "DENY");
    let rule = &spec["rules"][0];
    let paths = rule["to"][0]["operation"]["paths"].as_array().unwrap();
    let paths: Vec<Value> = paths
        .iter()
        .map(|path| {
            let path = path.as_str().unwrap();
            let matcher = match path.strip_suffix('*') {
                Some(prefix) => json!({ "prefix": prefix }),
                None => json!({ "exact": path }),
            };
            json!({ "url_path": { "path": matcher } })
        })
        .collect();
    let when = &rule["when"][0];
    let header = when["key"].as_str().unwrap();
    let header = header.strip_prefix("request.headers[").unwrap();
    let header = json!({ "header": { "name": header.strip_suffix(']').unwrap(),
        "string_match": { "exact": when["notValues"][0] } } });
    json!({ "name": "envoy.filters.http.rbac", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": { "action": "DENY", "policies": { "identity": {
            "permissions": [{ "or_rules": { "rules": paths } }],
            "principals": [{ "not_id": header }] } } } } })
}

/// The listener of a gateway with everything of a folder, such as [`SHIPPED`], and its key service.
pub fn gateway(folder: &str, with_patch: bool) -> (Stack, Service) {
    let service = Service::start();
    let change = |bootstrap: &mut Value| {
        with_istios_clusters(bootstrap, folder, service.port());
        let manager = manager(bootstrap);
        as_istio_leaves_it(manager, folder);
        if with_patch {
            let filter = resource(&format!("{folder}/envoy-filter.yaml"));
            let patch = &filter["spec"]["configPatches"][0];
            assert_eq!(patch["patch"]["operation"], "MERGE");
            merge(manager, &patch["patch"]["value"]["typed_config"]);
        }
        as_istio_writes_it(&mut manager["http_filters"][0], folder);
        let filters = manager["http_filters"].as_array_mut().unwrap();
        filters.insert(1, authorization());
    };
    let stack = Stack::builder()
        .key_service_at(service.port())
        .envoy(|envoy| envoy.change(change))
        .start();
    (stack, service)
}

#[test]
fn the_plugin_for_istio_decides_in_a_real_envoy() {
    let (stack, service) = gateway(SHIPPED, true);
    assert_decides_as_the_demo(&stack, &service);
    // The access log names the path and no token.
    stack.envoy.wait_for_log("GET /media/cat.jpg 200");
    assert!(!stack.envoy.log().contains("kg=kg1."));
    assert_never_trapped(&stack);
}

#[test]
fn the_patch_for_istio_rejects_what_its_resources_let_pass() {
    let ask = |stack: &Stack| {
        let underscore = stack.get("/healthz").header("x_keygate_account", "root");
        let slash = stack.get("/beta/a%2Fb");
        [underscore.send().status, slash.send().status]
    };
    // Without the patch, the header reaches the upstream. Keygate itself rejects the slash.
    assert_eq!(ask(&gateway(SHIPPED, false).0), [200, 400]);
    assert_eq!(ask(&gateway(SHIPPED, true).0), [400, 400]);
}

#[test]
fn istios_authorization_reads_the_identity_that_keygate_has_proved() {
    let (stack, service) = gateway(SHIPPED, true);
    let [alice, ops] =
        ["alice", "ops"].map(|account| service.create_key(&json!({ "account": account })).key);
    let ask = |path: &str, key: &str| {
        let request = client::get(stack.envoy.port(), path).header("x-api-key", key);
        // What a client claims is removed before RBAC reads it.
        request.header("x-keygate-account", "ops").send()
    };
    assert_eq!(ask("/api/x", &alice).status, 200);
    for path in ["/api/admin", "/api/admin/users"] {
        assert_eq!(ask(path, &ops).status, 200, "{path}");
        let denied = ask(path, &alice);
        assert_eq!(
            (denied.status, denied.text().as_str()),
            (403, "RBAC: access denied")
        );
    }
}
