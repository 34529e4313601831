//! The parts of the config dump of an Envoy that runs the demo, to be changed.

use serde_json::{Value, json};

const TYPES: &str = "type.googleapis.com";

/// A message of this type.
pub fn any(r#type: &str) -> Value {
    json!({ "@type": format!("{TYPES}/{type}", r#type = r#type) })
}

pub fn section<'d>(dump: &'d mut Value, name: &str) -> &'d mut Value {
    let r#type = format!("{TYPES}/envoy.admin.v3.{name}ConfigDump");
    let mut sections = dump["configs"].as_array_mut().unwrap().iter_mut();
    sections.find(|it| it["@type"] == *r#type).unwrap()
}

pub fn bootstrap(dump: &mut Value) -> &mut Value {
    &mut section(dump, "Bootstrap")["bootstrap"]
}

pub fn listeners(dump: &mut Value) -> &mut Vec<Value> {
    let listeners = &mut section(dump, "Listeners")["static_listeners"];
    listeners.as_array_mut().unwrap()
}

pub fn listener(dump: &mut Value) -> &mut Value {
    &mut listeners(dump)[0]["listener"]
}

/// The connection manager.
pub fn manager(dump: &mut Value) -> &mut Value {
    &mut listener(dump)["filter_chains"][0]["filters"][0]["typed_config"]
}

pub fn filters(dump: &mut Value) -> &mut Vec<Value> {
    manager(dump)["http_filters"].as_array_mut().unwrap()
}

/// Puts a filter before Keygate.
pub fn before(dump: &mut Value, r#type: &str) {
    let config = any(&format!(
        "envoy.extensions.filters.http.{type}",
        r#type = r#type
    ));
    filters(dump).insert(0, json!({ "name": "first", "typed_config": config }));
}

pub fn plugin(dump: &mut Value) -> &mut Value {
    &mut filters(dump)[0]["typed_config"]["config"]
}

pub fn vm(dump: &mut Value) -> &mut Value {
    &mut plugin(dump)["vm_config"]
}

pub fn edit_policy(dump: &mut Value, change: impl FnOnce(&mut Value)) {
    let text = &mut plugin(dump)["configuration"]["value"];
    let mut policy = serde_json::from_str(text.as_str().unwrap()).unwrap();
    change(&mut policy);
    *text = policy.to_string().into();
}

pub fn host(dump: &mut Value) -> &mut Value {
    &mut manager(dump)["route_config"]["virtual_hosts"][0]
}

pub fn route(dump: &mut Value) -> &mut Value {
    &mut host(dump)["routes"][0]
}

/// Disables Keygate at a level of the routes.
pub fn disable(level: &mut Value) {
    let mut config = any("envoy.config.route.v3.FilterConfig");
    config["disabled"] = json!(true);
    level["typed_per_filter_config"] = json!({ "keygate": config });
}

pub fn clusters(dump: &mut Value) -> &mut Vec<Value> {
    let clusters = &mut section(dump, "Clusters")["static_clusters"];
    clusters.as_array_mut().unwrap()
}

pub fn keys(dump: &mut Value) -> &mut Value {
    let mut clusters = clusters(dump).iter_mut();
    let found = clusters.find(|it| it["cluster"]["name"] == "keygate_keys");
    &mut found.unwrap()["cluster"]
}

pub fn address(dump: &mut Value, address: &str) {
    let endpoint = &mut keys(dump)["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
    endpoint["endpoint"]["address"]["socket_address"]["address"] = json!(address);
}

pub fn tls(dump: &mut Value, context: Value) {
    let mut tls = any("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext");
    tls["common_tls_context"] = json!({ "validation_context": context });
    keys(dump)["transport_socket"] = json!({ "name": "tls", "typed_config": tls });
}

pub fn remove(from: &mut Value, name: &str) {
    from.as_object_mut().unwrap().remove(name).unwrap();
}

/// A second listener, which is the first with a change.
pub fn another(dump: &mut Value, change: impl FnOnce(&mut Value)) {
    let mut other = listeners(dump)[0].clone();
    other["listener"]["name"] = json!("other");
    change(&mut other["listener"]);
    listeners(dump).push(other);
}

/// A filter that comes from a discovery service.
pub fn discovered(dump: &mut Value, r#type: &str) {
    let keygate = &mut filters(dump)[0];
    let mut config = keygate["typed_config"].clone();
    if !r#type.is_empty() {
        config = any(r#type);
    }
    remove(keygate, "typed_config");
    keygate["config_discovery"] = json!({ "config_source": { "ads": {} } });
    let mut filter = any("envoy.config.core.v3.TypedExtensionConfig");
    filter["name"] = json!("keygate");
    filter["typed_config"] = config;
    let mut section = any("envoy.admin.v3.EcdsConfigDump");
    section["ecds_filters"] = json!([{ "ecds_filter": filter }]);
    dump["configs"].as_array_mut().unwrap().push(section);
}
