//! What concerns all of Envoy: its admin port, its runtime, and what it counts.

use std::net::IpAddr;

use super::at::At;
use super::dump::Stats;
use super::exam::Exam;
use super::findings::Id;

/// Runtime values that change how Envoy handles requests begin so.
const OF_REQUESTS: [&str; 4] = [
    "envoy.reloadable_features.",
    "envoy.restart_features.",
    "http_connection_manager.",
    "envoy.uhv.",
];

/// The counters of failed calls to the key service, and what each means.
const FAILURES: [(&str, &str); 5] = [
    ("keygate_key_service.unreachable", "no connection"),
    ("keygate_key_service.timed_out", "no response in time"),
    ("keygate_key_service.not_sent", "Envoy did not send them"),
    ("keygate_key_service.token_refused", "wrong edge token"),
    ("keygate_key_service.unusable", "any other response"),
];

/// Examines the bootstrap configuration.
pub fn examine(exam: &mut Exam<'_>) {
    let dump = exam.dump;
    let Some(bootstrap) = dump.bootstrap() else {
        return;
    };
    let admin = bootstrap
        .json()
        .pointer("/admin/address/socket_address/address");
    if let Some(address) = admin.and_then(|it| it.as_str()) {
        let is_here = address.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
        if !is_here {
            exam.findings.add(Id::AdminExposed, "admin", address);
        }
    }
    if let Some(names) = &dump.runtime {
        for name in names.iter().filter(|name| is_of_requests(name)) {
            exam.findings.add(Id::RuntimeOverride, "runtime", name);
        }
        return;
    }
    let runtime = bootstrap.inside("layered_runtime");
    for layer in runtime.iter().flat_map(|it| it.items("layers")) {
        for kind in ["disk_layer", "rtds_layer", "admin_layer"] {
            if let Some(layer) = layer.field(kind) {
                exam.say(
                    Id::RuntimeOverride,
                    &layer,
                    "its values are not in the dump",
                );
            }
        }
        let mut names = Vec::new();
        if let Some(values) = layer.inside("static_layer") {
            collect_names(&values, "", &mut names);
        }
        for name in names.iter().filter(|name| is_of_requests(name)) {
            exam.say(Id::RuntimeOverride, &layer, name);
        }
    }
}

fn is_of_requests(name: &str) -> bool {
    OF_REQUESTS.iter().any(|it| name.starts_with(it))
}

/// The names of the values in a layer. Envoy joins the names of nested values with dots.
fn collect_names(values: &At<'_>, prefix: &str, names: &mut Vec<String>) {
    for (name, value) in values.members() {
        let name = format!("{prefix}{name}");
        match value.json().is_object() {
            true => collect_names(&value, &format!("{name}."), names),
            false => names.push(name),
        }
    }
}

/// Examines what Envoy has counted.
pub fn examine_stats(exam: &mut Exam<'_>, stats: &Stats) {
    let died = stats.ending(".vm_reload");
    if died > 0 {
        let detail = format!("{died} times, on all workers");
        exam.findings.add(Id::FilterDied, "stats", detail);
    }
    if exam.services.is_empty() {
        return;
    }
    if stats.of_filter("keygate_poll.answered") == 0 {
        let counted = FAILURES.map(|(name, why)| (stats.of_filter(name), why));
        let counted = counted.iter().filter(|(count, _)| *count > 0);
        let told: Vec<String> = counted
            .map(|(count, why)| format!("{count} calls failed: {why}"))
            .collect();
        let detail = told.join(", ");
        exam.findings.add(Id::ServiceUnanswered, "stats", detail);
    } else if stats.of_filter("keygate_lease.ended") > stats.of_filter("keygate_lease.renewed") {
        exam.findings.add(Id::LeaseEnded, "stats", "");
    }
}
