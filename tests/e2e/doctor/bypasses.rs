//! Ways around Keygate in a config dump that a first look misses: tunnels, and two things of one name.

use serde_json::{Value, json};

use super::dump::{any, disable, discovered, filters, manager, remove, route, section};
use super::faults::Fault;

/// An upgrade whose filters are those of the manager, with Keygate under another name.
fn upgrade(dump: &mut Value) {
    let mut filters = filters(dump).clone();
    filters[0]["name"] = json!("upgrades");
    let upgrade = json!({ "upgrade_type": "websocket", "filters": filters });
    manager(dump)["upgrade_configs"] = json!([upgrade]);
}

/// Routes of a discovery service. The config dump has others with that name beside them.
fn discovered_routes(dump: &mut Value, other: &str) {
    let mut good = manager(dump)["route_config"].clone();
    good["name"] = json!("twice");
    let mut bad = good.clone();
    disable(&mut bad);
    remove(manager(dump), "route_config");
    manager(dump)["rds"] = json!({ "route_config_name": "twice" });
    let routes = section(dump, "Routes");
    let [good, bad] = [good, bad].map(|it| json!({ "route_config": it }));
    routes["static_route_configs"] = json!([]);
    routes["dynamic_route_configs"] = json!([]);
    for (list, routes_of) in [(other, good), ("dynamic_route_configs", bad)] {
        routes[list].as_array_mut().unwrap().push(routes_of);
    }
}

/// All of them.
pub const BYPASSES: &[Fault] = &[
    ("tunnel", "routes/0/upgrade_configs/0/connect", |dump| {
        let connect =
            json!({ "upgrade_type": "CONNECT", "connect_config": { "allow_post": true } });
        route(dump)["route"]["upgrade_configs"] = json!([connect]);
    }),
    ("unknown_setting", "upgrade_configs/0/new", |dump| {
        let upgrade = json!({ "upgrade_type": "websocket", "new": {} });
        route(dump)["route"]["upgrade_configs"] = json!([upgrade]);
    }),
    ("filter_disabled_by_route", "routes/0/typed_per", |dump| {
        upgrade(dump);
        let mut config = any("envoy.config.route.v3.FilterConfig");
        config["disabled"] = json!(true);
        route(dump)["typed_per_filter_config"] = json!({ "upgrades": config });
    }),
    (
        "route_override",
        "typed_per_filter_config/upgrades",
        |dump| {
            upgrade(dump);
            let config = any("envoy.extensions.filters.http.wasm.v3.Wasm");
            route(dump)["typed_per_filter_config"] = json!({ "upgrades": config });
        },
    ),
    ("filter_disabled_by_route", "rds/twice", |dump| {
        discovered_routes(dump, "static_route_configs");
    }),
    ("filter_disabled_by_route", "rds/twice", |dump| {
        discovered_routes(dump, "dynamic_route_configs");
    }),
    ("filter_ambiguous", "http_filters/keygate", |dump| {
        discovered(dump, "");
        let mut other = any("envoy.config.core.v3.TypedExtensionConfig");
        other["name"] = json!("keygate");
        other["typed_config"] = any("envoy.extensions.filters.http.cors.v3.Cors");
        let filters = section(dump, "Ecds")["ecds_filters"]
            .as_array_mut()
            .unwrap();
        filters.push(json!({ "ecds_filter": other }));
    }),
];
