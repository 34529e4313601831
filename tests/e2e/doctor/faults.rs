//! Faults that are planted into the config dump of an Envoy that runs the demo.

use serde_json::{Value, json};

use super::dump::{
    address, another, any, before, bootstrap, disable, discovered, edit_policy, filters, host,
    keys, listener, listeners, manager, plugin, remove, route, section, tls, vm,
};

/// The id of the finding, a part of its place, and what plants the fault.
pub type Fault = (&'static str, &'static str, fn(&mut Value));

/// A listener without Keygate that a discovery service has sent.
pub fn late(dump: &mut Value, state: &str) {
    let mut listener = listener(dump).clone();
    listener["name"] = json!("late");
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager["http_filters"].as_array_mut().unwrap().remove(0);
    let mut late = json!({ "name": "late" });
    late[state] = json!({ "listener": listener });
    section(dump, "Listeners")["dynamic_listeners"] = json!([late]);
}

const PATH: &str = "public/filter_chains/0";

/// All of them.
pub const FAULTS: &[Fault] = &[
    ("no_listener", "", |dump| listeners(dump).clear()),
    ("filter_missing", PATH, |dump| {
        filters(dump).remove(0);
    }),
    ("filter_missing", "other/filter_chains/0", |dump| {
        another(dump, |it| {
            let manager = &mut it["filter_chains"][0]["filters"][0]["typed_config"];
            manager["http_filters"].as_array_mut().unwrap().remove(0);
        });
    }),
    ("filter_missing", "public/default_filter_chain", |dump| {
        let mut chain = listener(dump)["filter_chains"][0].clone();
        let manager = &mut chain["filters"][0]["typed_config"];
        manager["http_filters"].as_array_mut().unwrap().remove(0);
        listener(dump)["default_filter_chain"] = chain;
    }),
    // By its name, and yet another filter.
    ("filter_missing", PATH, |dump| {
        filters(dump)[0]["typed_config"] = any("envoy.extensions.filters.http.lua.v3.Lua");
    }),
    ("filter_missing", PATH, |dump| {
        discovered(dump, "envoy.extensions.filters.http.rbac.v3.RBAC");
    }),
    // Behind a condition.
    ("filter_missing", PATH, |dump| {
        let mut matcher = any("envoy.extensions.common.matching.v3.ExtensionWithMatcher");
        matcher["extension_config"] = filters(dump)[0].clone();
        filters(dump)[0]["typed_config"] = matcher;
    }),
    ("filter_not_received", "http_filters/keygate", |dump| {
        remove(&mut filters(dump)[0], "typed_config");
        filters(dump)[0]["config_discovery"] = json!({});
    }),
    (
        "unknown_setting",
        "apply_default_config_without_warming",
        |dump| {
            discovered(dump, "");
            let discovery = &mut filters(dump)[0]["config_discovery"];
            discovery["apply_default_config_without_warming"] = json!(true);
        },
    ),
    ("chain_not_http", PATH, |dump| {
        let mut proxy = any("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy");
        proxy["cluster"] = json!("upstream");
        let filters = json!([{ "name": "tcp", "typed_config": proxy }]);
        listener(dump)["filter_chains"][0]["filters"] = filters;
    }),
    ("chain_not_http", "other", |dump| {
        another(dump, |it| remove(it, "filter_chains"));
    }),
    ("filter_disabled", "http_filters/keygate", |dump| {
        filters(dump)[0]["disabled"] = json!(true);
    }),
    ("filter_optional", "http_filters/keygate", |dump| {
        filters(dump)[0]["is_optional"] = json!(true);
    }),
    ("filter_twice", "http_filters/second", |dump| {
        let mut second = filters(dump)[0].clone();
        second["name"] = json!("second");
        filters(dump).insert(1, second);
    }),
    (
        "filter_disabled_by_route",
        "route_config/typed_per",
        |dump| {
            disable(&mut manager(dump)["route_config"]);
        },
    ),
    (
        "filter_disabled_by_route",
        "virtual_hosts/all/typed_per",
        |dump| {
            disable(host(dump));
        },
    ),
    (
        "filter_disabled_by_route",
        "virtual_hosts/all/routes/0",
        |dump| {
            disable(route(dump));
        },
    ),
    ("filter_disabled_by_route", "clusters/heavy", |dump| {
        let mut cluster = json!({ "name": "heavy", "weight": 1 });
        disable(&mut cluster);
        route(dump)["route"] = json!({ "weighted_clusters": { "clusters": [cluster] } });
    }),
    (
        "route_override",
        "typed_per_filter_config/keygate",
        |dump| {
            let config = any("envoy.extensions.filters.http.wasm.v3.Wasm");
            route(dump)["typed_per_filter_config"] = json!({ "keygate": config });
        },
    ),
    (
        "route_override",
        "typed_per_filter_config/keygate",
        |dump| {
            let mut config = any("envoy.config.route.v3.FilterConfig");
            config["config"] = any("envoy.extensions.filters.http.wasm.v3.Wasm");
            route(dump)["typed_per_filter_config"] = json!({ "keygate": config });
        },
    ),
    ("routes_missing", PATH, |dump| {
        remove(manager(dump), "route_config");
        manager(dump)["rds"] = json!({ "route_config_name": "elsewhere" });
    }),
    ("filter_disabled_by_route", "rds/elsewhere", |dump| {
        let mut routes = manager(dump)["route_config"].clone();
        routes["name"] = json!("elsewhere");
        disable(&mut routes);
        remove(manager(dump), "route_config");
        manager(dump)["rds"] = json!({ "route_config_name": "elsewhere" });
        let mut section = any("envoy.admin.v3.RoutesConfigDump");
        section["dynamic_route_configs"] = json!([{ "route_config": routes }]);
        dump["configs"].as_array_mut().unwrap().insert(0, section);
    }),
    ("cluster_by_header", "routes/0", |dump| {
        route(dump)["route"] = json!({ "cluster_header": "x-cluster" });
    }),
    ("identity_overwritten", "virtual_hosts/all", |dump| {
        let header = json!({ "key": "X-Keygate-Account", "value": "root" });
        host(dump)["request_headers_to_add"] = json!([{ "header": header }]);
    }),
    ("identity_overwritten", "routes/0", |dump| {
        route(dump)["request_headers_to_remove"] = json!(["x-keygate-scopes"]);
    }),
    ("upgrade_unprotected", "upgrade_configs/0", |dump| {
        let router = filters(dump).last().unwrap().clone();
        let upgrade = json!({ "upgrade_type": "websocket", "filters": [router] });
        manager(dump)["upgrade_configs"] = json!([upgrade]);
    }),
    ("cache_before", "http_filters/first", |dump| {
        before(dump, "cache.v3.CacheConfig")
    }),
    ("ext_proc_before", "http_filters/first", |dump| {
        before(dump, "ext_proc.v3.ExternalProcessor");
    }),
    ("lua_before", "http_filters/first", |dump| {
        before(dump, "lua.v3.Lua")
    }),
    ("answers_before", "http_filters/first", |dump| {
        before(dump, "rbac.v3.RBAC")
    }),
    ("unknown_filter_before", "http_filters/first", |dump| {
        before(dump, "header_mutation.v3.HeaderMutation");
    }),
    ("fail_open", "http_filters/keygate", |dump| {
        plugin(dump)["failure_policy"] = json!("FAIL_OPEN");
    }),
    ("fail_open", "http_filters/keygate", |dump| {
        remove(plugin(dump), "failure_policy");
        plugin(dump)["fail_open"] = json!(true);
    }),
    ("no_reload", "http_filters/keygate", |dump| {
        remove(plugin(dump), "failure_policy")
    }),
    ("vm_shared", "http_filters/keygate", |dump| {
        remove(vm(dump), "vm_id")
    }),
    ("vm_shared", "http_filters/keygate", |dump| {
        let mut other = filters(dump)[0].clone();
        other["name"] = json!("other");
        other["typed_config"]["config"]["name"] = json!("other");
        remove(&mut other["typed_config"]["config"], "configuration");
        filters(dump).insert(1, other);
    }),
    ("precompiled", "http_filters/keygate", |dump| {
        vm(dump)["allow_precompiled"] = json!(true);
    }),
    ("unknown_runtime", "http_filters/keygate", |dump| {
        vm(dump)["runtime"] = json!("envoy.wasm.runtime.null");
    }),
    ("policy_unreadable", "http_filters/keygate", |dump| {
        plugin(dump)["configuration"] = any("google.protobuf.Struct");
    }),
    ("policy_rejected", "http_filters/keygate", |dump| {
        edit_policy(dump, |it| it["unmatched"] = json!("perhaps"));
    }),
    ("variable_missing", "http_filters/keygate", |dump| {
        vm(dump)["environment_variables"]["host_env_keys"] = json!(["KEYGATE_MEDIA"]);
    }),
    ("secret_in_config", "http_filters/keygate", |dump| {
        vm(dump)["environment_variables"]["key_values"] = json!({ "KEYGATE_MEDIA": "s" });
    }),
    ("path_not_normalized", PATH, |dump| {
        remove(manager(dump), "normalize_path")
    }),
    ("slashes_not_merged", PATH, |dump| {
        remove(manager(dump), "merge_slashes")
    }),
    ("escaped_slashes", PATH, |dump| {
        remove(manager(dump), "path_with_escaped_slashes_action");
    }),
    ("underscores_allowed", PATH, |dump| {
        remove(manager(dump), "common_http_protocol_options");
    }),
    ("client_address", PATH, |dump| {
        remove(manager(dump), "use_remote_address")
    }),
    ("client_address", PATH, |dump| {
        manager(dump)["original_ip_detection_extensions"] = json!([{ "name": "x" }]);
    }),
    ("trusted_hops", PATH, |dump| {
        manager(dump)["xff_num_trusted_hops"] = json!(1)
    }),
    ("proxy_protocol", "listener_filters/pp", |dump| {
        let config = any("envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol");
        listener(dump)["listener_filters"] = json!([{ "name": "pp", "typed_config": config }]);
    }),
    ("unknown_listener_filter", "listener_filters/x", |dump| {
        listener(dump)["listener_filters"] = json!([{ "name": "x" }]);
    }),
    ("unknown_network_filter", "filters/echo", |dump| {
        let echo = any("envoy.extensions.filters.network.echo.v3.Echo");
        let filters = &mut listener(dump)["filter_chains"][0]["filters"];
        let echo = json!({ "name": "echo", "typed_config": echo });
        filters.as_array_mut().unwrap().insert(0, echo);
    }),
    ("chunked_length", PATH, |dump| {
        manager(dump)["http_protocol_options"] = json!({ "allow_chunked_length": true });
    }),
    ("idle_timeout", PATH, |dump| {
        manager(dump)["stream_idle_timeout"] = json!("300s")
    }),
    ("header_timeout", PATH, |dump| {
        remove(manager(dump), "request_headers_timeout")
    }),
    ("query_logged", "access_log", |dump| {
        let log = &mut manager(dump)["access_log"][0]["typed_config"];
        log["log_format"]["text_format_source"]["inline_string"] = json!("%REQ(:PATH)%");
    }),
    (
        "unknown_setting",
        "early_header_mutation_extensions",
        |dump| {
            manager(dump)["early_header_mutation_extensions"] = json!([{ "name": "x" }]);
        },
    ),
    ("unknown_setting", "scoped_routes", |dump| {
        manager(dump)["scoped_routes"] = json!({})
    }),
    ("unknown_setting", "virtual_hosts/all/matcher", |dump| {
        host(dump)["matcher"] = json!({});
    }),
    (
        "unknown_setting",
        "routes/0/non_forwarding_action",
        |dump| {
            route(dump)["non_forwarding_action"] = json!({});
        },
    ),
    ("unknown_setting", "capability_restriction_config", |dump| {
        plugin(dump)["capability_restriction_config"] = json!({});
    }),
    ("unknown_setting", "public/fcds_config", |dump| {
        listener(dump)["fcds_config"] = json!({});
    }),
    ("runtime_override", "", |dump| {
        let layer = json!({ "name": "x", "static_layer": { "http_connection_manager.x": true } });
        bootstrap(dump)["layered_runtime"] = json!({ "layers": [layer] });
    }),
    ("update_rejected", "late", |dump| {
        let state = json!({ "name": "late", "error_state": { "details": "x" } });
        section(dump, "Listeners")["dynamic_listeners"] = json!([state]);
    }),
    ("filter_missing", "late/filter_chains/0", |dump| {
        late(dump, "active_state")
    }),
    ("filter_missing", "late/filter_chains/0", |dump| {
        late(dump, "draining_state")
    }),
    ("admin_exposed", "admin", |dump| {
        let address = &mut bootstrap(dump)["admin"]["address"]["socket_address"];
        address["address"] = json!("0.0.0.0");
    }),
    ("cluster_missing", "clusters/keygate_keys", |dump| {
        keys(dump)["name"] = json!("other");
    }),
    ("cluster_missing", "clusters/elsewhere", |dump| {
        edit_policy(dump, |it| {
            it["key_service"]["poll_cluster"] = json!("elsewhere")
        });
    }),
    (
        "cluster_without_endpoint",
        "clusters/keygate_keys",
        |dump| {
            keys(dump)["load_assignment"]["endpoints"] = json!([]);
        },
    ),
    ("cluster_cleartext", "clusters/keygate_keys", |dump| {
        address(dump, "10.0.0.7")
    }),
    ("cluster_unverified", "clusters/keygate_keys", |dump| {
        tls(dump, json!({ "trusted_ca": { "filename": "/ca.pem" } }));
    }),
    ("cluster_unverified", "clusters/keygate_keys", |dump| {
        tls(
            dump,
            json!({ "match_typed_subject_alt_names": [{ "san_type": "DNS" }] }),
        );
    }),
    ("cluster_unbounded", "clusters/keygate_keys", |dump| {
        remove(keys(dump), "circuit_breakers");
    }),
    ("cluster_outlier", "clusters/keygate_keys", |dump| {
        keys(dump)["outlier_detection"] = json!({});
    }),
    // As docs/postgresql.md has it, but for answers with 5xx as well.
    ("cluster_outlier", "clusters/keygate_keys", |dump| {
        keys(dump)["outlier_detection"] = json!({
            "max_ejection_percent": 50, "split_external_local_origin_errors": true,
            "consecutive_local_origin_failure": 1, "enforcing_success_rate": 0,
            "enforcing_local_origin_success_rate": 0,
        });
    }),
    // The same with a member that the page does not have.
    ("cluster_outlier", "clusters/keygate_keys", |dump| {
        keys(dump)["outlier_detection"] = json!({
            "max_ejection_percent": 50, "split_external_local_origin_errors": true,
            "enforcing_consecutive_5xx": 0, "enforcing_success_rate": 0,
            "enforcing_local_origin_success_rate": 0, "always_eject_one_host": true,
        });
    }),
    ("cluster_idle", "clusters/keygate_keys", |dump| {
        remove(keys(dump), "typed_extension_protocol_options");
    }),
    ("unknown_setting", "clusters/keygate_keys/filters", |dump| {
        keys(dump)["filters"] = json!([{ "name": "x" }]);
    }),
];
