//! Routes: that none takes Keygate out of the way of its requests, or changes what it has set.

use super::at::At;
use super::exam::{Exam, Gate};
use super::findings::Id;
use super::known::{self, Message};

const FILTER_CONFIG: &str = "envoy.config.route.v3.FilterConfig";

/// By this name, older releases of Envoy find the configuration of any wasm filter.
const WASM: &str = "envoy.filters.http.wasm";

/// Examines the routes of a connection manager.
pub fn examine<'d>(exam: &mut Exam<'d>, manager: &At<'d>, gate: &Gate) {
    let all = routes(exam, manager);
    if all.is_empty() {
        exam.add(Id::RoutesMissing, manager);
    }
    for routes in all {
        examine_one(exam, &routes, gate);
    }
}

fn examine_one<'d>(exam: &mut Exam<'d>, routes: &At<'d>, gate: &Gate) {
    level(exam, routes, gate, &known::ROUTES);
    for host in routes.items("virtual_hosts") {
        level(exam, &host, gate, &known::VIRTUAL_HOST);
        for route in host.items("routes") {
            exam.seen.routes += 1;
            level(exam, &route, gate, &known::ROUTE);
            if let Some(action) = route.inside("route") {
                examine_action(exam, &action, gate);
            }
        }
    }
}

/// The routes that a connection manager can have. Two discovery services can send routes with one
/// name, and the dump does not tell them apart.
fn routes<'d>(exam: &Exam<'d>, manager: &At<'d>) -> Vec<At<'d>> {
    if let Some(routes) = manager.field("route_config") {
        return vec![routes];
    }
    let Some(rds) = manager.inside("rds") else {
        return Vec::new();
    };
    let name = rds.text("route_config_name");
    let place = format!("{}/rds/{name}", manager.place);
    let lists = ["dynamic_route_configs"];
    let all = exam.dump.resources("Routes", &lists, "route_config");
    let named = all.into_iter().filter(|it| it.text("name") == name);
    named.map(|it| At::new(it.json(), place.clone())).collect()
}

fn examine_action<'d>(exam: &mut Exam<'d>, action: &At<'d>, gate: &Gate) {
    known::ROUTE_ACTION.check(action, &mut exam.findings);
    exam.upstreams.insert(action.text("cluster"));
    by_header(exam, action);
    mirrors(exam, action);
    for upgrade in action.items("upgrade_configs") {
        known::ROUTE_UPGRADE.check(&upgrade, &mut exam.findings);
        if let Some(tunnel) = upgrade.field("connect_config") {
            exam.add(Id::Tunnel, &tunnel);
        }
    }
    let Some(weighted) = action.inside("weighted_clusters") else {
        return;
    };
    known::WEIGHTED.check(&weighted, &mut exam.findings);
    if !weighted.text("header_name").is_empty() {
        exam.say(Id::ClusterByHeader, &weighted, weighted.text("header_name"));
    }
    for cluster in weighted.items("clusters") {
        level(exam, &cluster, gate, &known::CLUSTER_WEIGHT);
        exam.upstreams.insert(cluster.text("name"));
        by_header(exam, &cluster);
    }
}

fn mirrors<'d>(exam: &mut Exam<'d>, at: &At<'d>) {
    for mirror in at.items("request_mirror_policies") {
        known::MIRROR.check(&mirror, &mut exam.findings);
        exam.upstreams.insert(mirror.text("cluster"));
        by_header(exam, &mirror);
    }
}

fn by_header(exam: &mut Exam<'_>, at: &At<'_>) {
    if !at.text("cluster_header").is_empty() {
        exam.say(Id::ClusterByHeader, at, at.text("cluster_header"));
    }
}

/// What each level has: fields, configuration of filters, and headers.
fn level<'d>(exam: &mut Exam<'d>, at: &At<'d>, gate: &Gate, message: &Message) {
    message.check(at, &mut exam.findings);
    mirrors(exam, at);
    let filters = at.field("typed_per_filter_config");
    for (name, config) in filters.iter().flat_map(At::members) {
        if name != WASM && !gate.names.iter().any(|it| it == name) {
            continue;
        }
        if config.r#type() == FILTER_CONFIG && config.is_true("disabled") {
            exam.add(Id::FilterDisabledByRoute, &config);
        } else if !only_enables(&config) {
            exam.add(Id::RouteOverride, &config);
        }
    }
    let added = at.items("request_headers_to_add");
    let added = added.iter().filter_map(|it| it.inside("header"));
    let mut names: Vec<&str> = added.map(|it| it.text("key")).collect();
    let removed = at.json().get("request_headers_to_remove");
    let removed = removed.and_then(|it| it.as_array()).into_iter().flatten();
    names.extend(removed.filter_map(|it| it.as_str()));
    for name in names {
        let mut policies = gate.policies.iter();
        if policies.any(|it| it.identity.is_claimed_by(name.as_bytes())) {
            exam.say(Id::IdentityOverwritten, at, name);
        }
    }
}

/// Whether a configuration enables a filter and changes nothing, as Envoy Gateway writes it.
fn only_enables(config: &At<'_>) -> bool {
    let is_empty = |at: &At<'_>| at.json().as_object().is_some_and(|it| it.is_empty());
    let mut members = config.members();
    config.r#type() == FILTER_CONFIG
        && members.all(|(name, member)| match name {
            "@type" => true,
            "config" => is_empty(&member),
            "disabled" => member.json() == false,
            _ => false,
        })
}
