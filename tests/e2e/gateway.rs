//! `envoy/gateway` in a real Envoy, as Envoy Gateway would configure it: its listener with the
//! filter of the policy, and its patches applied as JSON Patch. There is no cluster here: what
//! Envoy Gateway makes of its resources is taken from its source (docs/envoy-gateway.md).

use json_patch::PatchOperation;
use keygate_tests::Stack;
use keygate_tests::manifests::resource;
use keygate_tests::service::Service;
use serde_json::{Value, json};
use serde_json_path::JsonPath;

use crate::support::{assert_decides_as_the_demo, assert_never_trapped};

/// The files that a user copies.
pub const SHIPPED: &str = "envoy/gateway";

const FILTER: &str = "envoy.filters.http.wasm/envoyextensionpolicy/edge/keygate/wasm/0";
const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

fn manager(listener: &mut Value) -> &mut Value {
    let place = "/filter_chains/0/filters/0/typed_config";
    listener.pointer_mut(place).unwrap()
}

/// What `client-traffic-policy.yaml` says, in Envoy's words; the rest as Envoy Gateway sets it.
fn as_the_traffic_policy_says(manager: &mut Value, folder: &str) {
    let spec = &resource(&format!("{folder}/client-traffic-policy.yaml"))["spec"];
    let words = [
        ("KeepUnchanged", "KEEP_UNCHANGED"),
        ("RejectRequest", "REJECT_REQUEST"),
        ("UnescapeAndRedirect", "UNESCAPE_AND_REDIRECT"),
    ];
    let in_envoy = |word: &Value| {
        let row = words.iter().find(|row| row.0 == word.as_str().unwrap());
        json!(row.unwrap().1)
    };
    let timeouts = &spec["timeout"]["http"];
    manager["normalize_path"] = json!(true);
    manager["merge_slashes"] = json!(spec["path"]["disableMergeSlashes"] == false);
    manager["path_with_escaped_slashes_action"] = in_envoy(&spec["path"]["escapedSlashesAction"]);
    manager["common_http_protocol_options"] = json!({
        "headers_with_underscores_action": in_envoy(&spec["headers"]["withUnderscoresAction"]),
        "idle_timeout": timeouts["idleTimeout"],
    });
    manager["stream_idle_timeout"] = timeouts["streamIdleTimeout"].clone();
    manager["request_headers_timeout"] = timeouts["requestHeadersReceivedTimeout"].clone();
    manager
        .as_object_mut()
        .unwrap()
        .remove("proxy_100_continue");
}

/// The filter as Envoy Gateway writes it: disabled, and enabled on each route of the policy. The
/// route to /healthz has none, as if its HTTPRoute had a policy of its own.
fn as_the_extension_policy_says(manager: &mut Value, folder: &str) {
    let spec = &resource(&format!("{folder}/extension-policy.yaml"))["spec"]["wasm"][0];
    assert_eq!(spec["failOpen"], false);
    let filter = &mut manager["http_filters"][0];
    filter["name"] = json!(FILTER);
    filter["disabled"] = json!(true);
    let config = &mut filter["typed_config"]["config"];
    config["name"] = spec["name"].clone();
    for member in ["failure_policy", "reload_config"] {
        config.as_object_mut().unwrap().remove(member);
    }
    config["vm_config"]["vm_id"] = json!("envoyextensionpolicy/edge/keygate/wasm/0");
    config["vm_config"]["environment_variables"] =
        json!({ "host_env_keys": spec["env"]["hostKeys"] });
    config["configuration"]["value"] = json!(spec["config"].to_string());
    let on = json!({ FILTER: { "config": {},
        "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig" } });
    let route = |prefix: &str, filters: &Value| {
        json!({ "match": { "prefix": prefix }, "typed_per_filter_config": filters,
            "route": { "cluster": "upstream", "timeout": "0s" } })
    };
    manager["route_config"]["virtual_hosts"][0]["routes"] =
        json!([route("/other", &json!({})), route("/", &on)]);
}

/// Applies a patch as Envoy Gateway does: where `jsonPath` leads, with `path` behind it.
fn apply(resource: &mut Value, operation: &Value) {
    let path = JsonPath::parse(operation["jsonPath"].as_str().unwrap()).unwrap();
    let places: Vec<String> = path
        .query_located(resource)
        .locations()
        .map(|place| place.to_json_pointer())
        .collect();
    assert_eq!(places.len(), 1, "{operation}");
    let mut operation = operation.clone();
    operation.as_object_mut().unwrap().remove("jsonPath");
    operation["path"] = json!(format!(
        "{}/{}",
        places[0],
        operation["path"].as_str().unwrap()
    ));
    let operation: PatchOperation = serde_json::from_value(operation).unwrap();
    json_patch::patch(resource, &[operation]).unwrap();
}

/// The listener and the clusters of a Gateway with everything of a folder, such as [`SHIPPED`], but
/// the patches of the listener, if these are not wanted.
pub fn gateway(folder: &str, with_patches: bool) -> (Stack, Service) {
    let service = Service::start();
    let change = |bootstrap: &mut Value| {
        let mut listener = bootstrap["static_resources"]["listeners"][0].take();
        as_the_traffic_policy_says(manager(&mut listener), folder);
        as_the_extension_policy_says(manager(&mut listener), folder);
        let mut clusters = vec![bootstrap["static_resources"]["clusters"][0].clone()];
        assert_eq!(clusters[0]["name"], "upstream");
        let policy = resource(&format!("{folder}/patch-policy.yaml"));
        for patch in policy["spec"]["jsonPatches"].as_array().unwrap() {
            let operation = &patch["operation"];
            match patch["type"].as_str().unwrap() {
                LISTENER if with_patches => apply(&mut listener, operation),
                LISTENER => {}
                CLUSTER => {
                    assert_eq!(operation["value"]["name"], patch["name"]);
                    clusters.push(here(&operation["value"], service.port()));
                }
                other => panic!("{other}"),
            }
        }
        bootstrap["static_resources"]["listeners"][0] = listener;
        bootstrap["static_resources"]["clusters"] = json!(clusters);
    };
    // The harness knows the clusters of the demo, so they are replaced last.
    let stack = Stack::builder()
        .key_service_at(service.port())
        .envoy(|envoy| envoy.change(change))
        .start();
    (stack, service)
}

/// A cluster of the patches, with the address of the key service of these tests.
fn here(cluster: &Value, port: u16) -> Value {
    let mut cluster = cluster.clone();
    let address = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
    let address = cluster.pointer_mut(address).unwrap();
    assert_eq!(
        *address,
        json!({ "address": "keygate.keygate.svc.cluster.local", "port_value": 8801 })
    );
    *address = json!({ "address": "127.0.0.1", "port_value": port });
    cluster
}

#[test]
fn the_policies_for_envoy_gateway_decide_in_a_real_envoy() {
    let (stack, service) = gateway(SHIPPED, true);
    assert_decides_as_the_demo(&stack, &service);
    let underscore = stack.get("/healthz").header("x_keygate_account", "root");
    assert_eq!(underscore.send().status, 400);
    assert_eq!(stack.get("/beta/a%2Fb").send().status, 400);
    assert_never_trapped(&stack);
}

/// Envoy shows the failure policy, and the harness of faults what it does.
#[test]
fn the_patches_for_envoy_gateway_restart_the_filter_and_leave_no_route_out() {
    let (stack, _service) = gateway(SHIPPED, false);
    let dump = |stack: &Stack| stack.envoy.admin("/config_dump");
    assert!(!dump(&stack).contains("FAIL_RELOAD"));
    assert_eq!(stack.get("/other").send().status, 200, "it is left out");
    let (stack, _service) = gateway(SHIPPED, true);
    assert!(dump(&stack).contains("\"failure_policy\": \"FAIL_RELOAD\""));
    assert_eq!(stack.get("/other").send().status, 403);
}
