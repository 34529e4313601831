//! The clusters of the key service.

use std::net::IpAddr;

use serde_json::Value;

use super::at::At;
use super::dump::Dump;
use super::exam::Exam;
use super::findings::Id;
use super::known::upstream as known;

const TLS: &str = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const HTTP: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// The key service closes an idle connection after so many seconds.
const IDLE: f64 = 75.0;

/// Examines the clusters that policies name.
pub fn examine(exam: &mut Exam<'_>) {
    let mut names: Vec<String> = exam
        .services
        .iter()
        .flat_map(|it| it.clusters.clone())
        .collect();
    names.sort();
    names.dedup();
    let dump = exam.dump;
    let lists = ["static_clusters", "dynamic_active_clusters"];
    let all = dump.resources("Clusters", &lists, "cluster");
    let upstreams = exam.upstreams.clone();
    for cluster in all.iter().filter(|it| upstreams.contains(it.text("name"))) {
        examine_upstream(exam, cluster);
    }
    for name in names {
        let place = format!("clusters/{name}");
        match all.iter().find(|it| it.text("name") == name) {
            None => exam.findings.add(Id::ClusterMissing, &place, ""),
            Some(cluster) => examine_one(exam, &At::new(cluster.json(), place)),
        }
    }
}

fn examine_one(exam: &mut Exam<'_>, cluster: &At<'_>) {
    known::CLUSTER.check(cluster, &mut exam.findings);
    let is_remote = endpoints(exam, cluster);
    match cluster.field("transport_socket") {
        None if is_remote => exam.add(Id::ClusterCleartext, cluster),
        None => {}
        Some(socket) => match socket.typed("typed_config") {
            Some((TLS, tls)) => examine_tls(exam, cluster, &tls),
            other => exam.say(
                Id::UnknownSetting,
                &socket,
                other.map_or("", |(name, _)| name),
            ),
        },
    }
    let breakers = cluster.inside("circuit_breakers");
    if breakers.is_none_or(|it| it.items("thresholds").is_empty()) {
        exam.add(Id::ClusterUnbounded, cluster);
    }
    let outlier = cluster.inside("outlier_detection");
    if outlier.is_some_and(|it| !ejects_for_connections_alone(&it)) {
        exam.add(Id::ClusterOutlier, cluster);
    }
    let http = cluster.inside("typed_extension_protocol_options");
    let http = http.and_then(|it| it.inside(HTTP));
    if let Some(filters) = http.as_ref().and_then(|it| it.field("http_filters")) {
        exam.add(Id::UnknownSetting, &filters);
    }
    let idle = |of: &At<'_>| {
        of.inside("common_http_protocol_options")?
            .seconds("idle_timeout")
    };
    let idle = http.as_ref().and_then(idle).or_else(|| idle(cluster));
    if idle.is_none_or(|it| it <= 0.0 || it >= IDLE) {
        exam.add(Id::ClusterIdle, cluster);
    }
}

/// Whether an endpoint is given up only where a connection fails or a response is late, and at least
/// half of them are kept, as in docs/postgresql.md. Any other setting may count answers.
fn ejects_for_connections_alone(outlier: &At<'_>) -> bool {
    const PERMITTED: [&str; 7] = [
        "interval",
        "base_ejection_time",
        "max_ejection_time",
        "max_ejection_percent",
        "split_external_local_origin_errors",
        "consecutive_local_origin_failure",
        "enforcing_consecutive_local_origin_failure",
    ];
    // On, unless they are there and 0.
    const OFF: [&str; 3] = [
        "enforcing_consecutive_5xx",
        "enforcing_success_rate",
        "enforcing_local_origin_success_rate",
    ];
    let is_zero = |name: &str| outlier.json()[name] == 0;
    let is_permitted = |name: &str| PERMITTED.contains(&name) || OFF.contains(&name);
    outlier.members().all(|(name, _)| is_permitted(name))
        && OFF.iter().all(|name| is_zero(name))
        && outlier.is_true("split_external_local_origin_errors")
        && outlier.field("max_ejection_percent").is_some()
        && outlier.number("max_ejection_percent") <= 50
}

/// A route must not lead to the admin port.
fn examine_upstream(exam: &mut Exam<'_>, cluster: &At<'_>) {
    let dump = exam.dump;
    let bootstrap = dump.bootstrap();
    let admin = bootstrap.and_then(|it| it.json().pointer("/admin/address"));
    let leads_there = |endpoint: &At<'_>| {
        let address = endpoint.json().pointer("/endpoint/address");
        admin
            .zip(address)
            .is_some_and(|(admin, it)| is_one(admin, it))
    };
    if endpoints_of(dump, cluster).iter().any(leads_there) {
        let place = format!("clusters/{}", cluster.text("name"));
        let detail = "a route leads to the admin port";
        exam.findings.add(Id::AdminExposed, &place, detail);
    }
}

/// Whether an address of an endpoint is that of the admin port.
fn is_one(admin: &Value, endpoint: &Value) -> bool {
    let [host, to] = [admin, endpoint].map(|it| it.pointer("/socket_address/address"));
    let [port, to_port] = [admin, endpoint].map(|it| it.pointer("/socket_address/port_value"));
    let [pipe, to_pipe] = [admin, endpoint].map(|it| it.pointer("/pipe/path"));
    let is_any = |it: &str| it.parse::<IpAddr>().is_ok_and(|it| it.is_unspecified());
    let hosts = host.and_then(Value::as_str).zip(to.and_then(Value::as_str));
    let is_one_host = hosts
        .is_some_and(|(host, to)| host == to || (is_any(host) || is_here(host)) && is_here(to));
    (is_one_host && port.is_some() && port == to_port) || (pipe.is_some() && pipe == to_pipe)
}

fn is_here(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|it| it.is_loopback())
}

/// Whether an endpoint is on another machine, as far as it is known.
fn endpoints(exam: &mut Exam<'_>, cluster: &At<'_>) -> bool {
    let dump = exam.dump;
    let is_discovered = cluster.text("type") == "EDS";
    let endpoints = endpoints_of(dump, cluster);
    for endpoint in &endpoints {
        let endpoint = At::new(endpoint.json(), format!("{}/endpoints", cluster.place));
        known::LB_ENDPOINT.check(&endpoint, &mut exam.findings);
        if let Some(endpoint) = endpoint.inside("endpoint") {
            known::ENDPOINT.check(&endpoint, &mut exam.findings);
        }
    }
    let hosts: Vec<String> = endpoints
        .iter()
        .map(|it| {
            let address = it
                .json()
                .pointer("/endpoint/address/socket_address/address");
            let address = address.and_then(|it| it.as_str());
            // A socket of the file system, or a listener of this Envoy.
            address.unwrap_or("localhost").to_owned()
        })
        .collect();
    if hosts.is_empty() {
        match is_discovered && dump.section("Endpoints").is_none() {
            true => exam.say(
                Id::UnknownSetting,
                cluster,
                "its endpoints come from a discovery service: take the dump from \
                 /config_dump?include_eds",
            ),
            false => exam.add(Id::ClusterWithoutEndpoint, cluster),
        }
    }
    !hosts.iter().all(|host| is_here(host))
}

/// The endpoints of a cluster that the dump has. Two discovery services can send those of one name.
fn endpoints_of<'d>(dump: &'d Dump, cluster: &At<'d>) -> Vec<At<'d>> {
    let mut assignments = Vec::new();
    if cluster.text("type") == "EDS" {
        let service = cluster.inside("eds_cluster_config");
        let service = service.map_or("", |it| it.text("service_name"));
        let name = match service {
            "" => cluster.text("name"),
            name => name,
        };
        let lists = ["static_endpoint_configs", "dynamic_endpoint_configs"];
        let all = dump.resources("Endpoints", &lists, "endpoint_config");
        let named = all.into_iter();
        assignments.extend(named.filter(|it| it.text("cluster_name") == name));
    } else {
        assignments.extend(cluster.inside("load_assignment"));
    }
    let localities = assignments.iter().flat_map(|it| it.items("endpoints"));
    localities.flat_map(|it| it.items("lb_endpoints")).collect()
}

/// Whether a suffix begins with a dot and has two labels. Others can also buy names that end with
/// `.com` or `ample.com`.
fn is_own_domain(suffix: &str) -> bool {
    let labels = suffix.strip_prefix('.').map(|it| it.split('.'));
    labels.is_some_and(|mut it| it.clone().count() >= 2 && it.all(|label| !label.is_empty()))
}

fn examine_tls(exam: &mut Exam<'_>, cluster: &At<'_>, tls: &At<'_>) {
    known::TLS.check(tls, &mut exam.findings);
    let common = tls.inside("common_tls_context");
    if let Some(common) = &common {
        known::COMMON_TLS.check(common, &mut exam.findings);
    }
    let inside = |name: &str| common.as_ref().and_then(|it| it.inside(name));
    let combined = inside("combined_validation_context");
    if let Some(combined) = &combined {
        known::COMBINED.check(combined, &mut exam.findings);
    }
    let default = combined
        .as_ref()
        .and_then(|it| it.inside("default_validation_context"));
    let has_sds = inside("validation_context_sds_secret_config").is_some();
    let Some(context) = inside("validation_context").or(default) else {
        return match has_sds {
            true => exam.say(
                Id::UnknownSetting,
                cluster,
                "the validation_context comes from a discovery service",
            ),
            false => exam.add(Id::ClusterUnverified, cluster),
        };
    };
    known::VALIDATION.check(&context, &mut exam.findings);
    let has = |name: &str| context.inside(name).is_some();
    let discovered =
        combined.is_some_and(|it| it.inside("validation_context_sds_secret_config").is_some());
    let has_authority = has("trusted_ca") || has("system_root_certs") || discovered;
    let names = context.items("match_typed_subject_alt_names");
    for name in &names {
        let matcher = name.inside("matcher");
        let text = |kind: &str| matcher.as_ref().map_or("", |it| it.text(kind));
        if text("exact").is_empty() && !is_own_domain(text("suffix")) {
            exam.say(
                Id::UnknownSetting,
                name,
                "give the exact name, or a suffix such as .example.com",
            );
        }
    }
    let has_name = !names.is_empty() || tls.is_true("auto_sni_san_validation");
    let accepts_any = context.text("trust_chain_verification") == "ACCEPT_UNTRUSTED";
    if !has_authority || !has_name || accepts_any {
        exam.add(Id::ClusterUnverified, cluster);
    }
}
