//! What concerns all of Envoy: its admin port, its runtime, and what it counts.

use std::net::IpAddr;

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
    let runtime = bootstrap.inside("layered_runtime");
    for layer in runtime.iter().flat_map(|it| it.items("layers")) {
        for kind in ["disk_layer", "rtds_layer"] {
            if let Some(layer) = layer.field(kind) {
                exam.say(
                    Id::RuntimeOverride,
                    &layer,
                    "its values are not in the dump",
                );
            }
        }
        let values = layer.inside("static_layer");
        for (name, _) in values.iter().flat_map(|it| it.members()) {
            if OF_REQUESTS.iter().any(|it| name.starts_with(it)) {
                exam.say(Id::RuntimeOverride, &layer, name);
            }
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
