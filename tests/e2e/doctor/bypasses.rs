//! Ways around Keygate in a config dump that a first look misses: tunnels, and two things of one name.

use serde_json::{Value, json};

use super::dump::{
    any, before, bootstrap, clusters, disable, discovered, filters, host, keys, manager, remove,
    route, section, tls,
};
use super::faults::{Fault, late};

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

/// A cluster with TLS whose certificate has a name that ends with this.
fn suffix(dump: &mut Value, suffix: &str) {
    let name = json!({ "san_type": "DNS", "matcher": { "suffix": suffix } });
    let ca = json!({ "filename": "/ca.pem" });
    tls(
        dump,
        json!({ "trusted_ca": ca, "match_typed_subject_alt_names": [name] }),
    );
}

/// `jwt_authn` before Keygate, which writes a claim into this header.
fn claim(dump: &mut Value, header: &str) {
    before(dump, "jwt_authn.v3.JwtAuthentication");
    let claim = json!({ "header_name": header, "claim_name": "sub" });
    let login = json!({ "issuer": "login", "claim_to_headers": [claim] });
    filters(dump)[0]["typed_config"]["providers"] = json!({ "login": login });
}

/// Changes that are close to a fault, and are none.
pub const HARMLESS: &[fn(&mut Value)] = &[
    |dump| suffix(dump, ".keys.example.com"),
    |dump| claim(dump, "x-department"),
];

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
    ("runtime_override", "", |dump| {
        let nested = json!({ "http_connection_manager": { "x": 0 } });
        let layer = json!({ "name": "x", "static_layer": nested });
        bootstrap(dump)["layered_runtime"] = json!({ "layers": [layer] });
    }),
    ("runtime_override", "admin_layer", |dump| {
        let layer = json!({ "name": "x", "admin_layer": {} });
        bootstrap(dump)["layered_runtime"] = json!({ "layers": [layer] });
    }),
    ("admin_exposed", "clusters/upstream", |dump| {
        let admin = json!({ "socket_address": { "address": "127.0.0.1", "port_value": 9901 } });
        bootstrap(dump)["admin"]["address"] = admin.clone();
        let mut clusters = clusters(dump).iter_mut();
        let upstream = clusters.find(|it| it["cluster"]["name"] == "upstream");
        let assignment = &mut upstream.unwrap()["cluster"]["load_assignment"];
        let endpoint = &mut assignment["endpoints"][0]["lb_endpoints"][0]["endpoint"];
        endpoint["address"] = admin;
    }),
    ("filter_missing", "late/filter_chains/0", |dump| {
        late(dump, "warming_state");
    }),
    ("cluster_by_header", "routes/0", |dump| {
        let cluster = json!({ "name": "upstream", "weight": 1 });
        let weighted = json!({ "clusters": [cluster], "header_name": "x-choice" });
        route(dump)["route"] = json!({ "weighted_clusters": weighted });
    }),
    ("unknown_setting", "request_headers_mutations", |dump| {
        let mirror = json!({ "cluster": "upstream", "request_headers_mutations": [{}] });
        route(dump)["route"]["request_mirror_policies"] = json!([mirror]);
    }),
    ("cluster_by_header", "request_mirror_policies", |dump| {
        let mirror = json!({ "cluster_header": "x-choice" });
        host(dump)["request_mirror_policies"] = json!([mirror]);
    }),
    ("unknown_setting", "mappers/0/status_code", |dump| {
        let mappers = json!([{ "status_code": 200 }]);
        manager(dump)["local_reply_config"] = json!({ "mappers": mappers });
    }),
    (
        "unknown_setting",
        "keygate_keys/endpoints/additional",
        |dump| {
            let endpoints = &mut keys(dump)["load_assignment"]["endpoints"][0]["lb_endpoints"];
            endpoints[0]["endpoint"]["additional_addresses"] = json!([{}]);
        },
    ),
    ("unknown_setting", "clusters/keygate_keys", |dump| {
        let name = json!({ "san_type": "DNS", "matcher": { "prefix": "keys" } });
        let ca = json!({ "filename": "/ca.pem" });
        tls(
            dump,
            json!({ "trusted_ca": ca, "match_typed_subject_alt_names": [name] }),
        );
    }),
    (
        "unknown_setting",
        "match_typed_subject_alt_names/0",
        |dump| suffix(dump, ".com"),
    ),
    (
        "unknown_setting",
        "match_typed_subject_alt_names/0",
        |dump| suffix(dump, "ample.com"),
    ),
    (
        "unknown_setting",
        "keygate_keys/transport_socket/allow_renegotiation",
        |dump| {
            suffix(dump, ".example.com");
            keys(dump)["transport_socket"]["typed_config"]["allow_renegotiation"] = json!(true);
        },
    ),
    (
        "unknown_setting",
        "keygate_keys/transport_socket/key_log",
        |dump| {
            suffix(dump, ".example.com");
            let tls = &mut keys(dump)["transport_socket"]["typed_config"];
            tls["common_tls_context"]["key_log"] = json!({ "path": "/keys" });
        },
    ),
    ("claim_header", "first/providers/login", |dump| {
        claim(dump, "x-keygate-account");
    }),
    ("claim_header", "first/providers/login", |dump| {
        claim(dump, "X-API-Key");
    }),
    ("claim_header", "first/providers/login", |dump| {
        claim(dump, "authorization");
    }),
    ("claim_header", "first/providers/login", |dump| {
        claim(dump, "x-other");
        let login = &mut filters(dump)[0]["typed_config"]["providers"]["login"];
        login["forward_payload_header"] = json!(":path");
    }),
    // Behind Keygate, it overwrites the identity.
    ("claim_header", "first/providers/login", |dump| {
        claim(dump, "x-keygate-scopes");
        filters(dump).swap(0, 1);
    }),
    ("unknown_setting", "allow_expired_certificate", |dump| {
        tls(dump, json!({ "allow_expired_certificate": true }));
    }),
    ("unknown_setting", "custom_validator_config", |dump| {
        tls(dump, json!({ "custom_validator_config": {} }));
    }),
];
