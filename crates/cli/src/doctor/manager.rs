//! An HTTP connection manager: what it does to a request before any filter.

use super::at::At;
use super::exam::{Exam, Gate};
use super::findings::Id;
use super::{chain, known, routes};

/// The longest time that a request may wait for a verdict, in seconds.
const LONGEST_WAIT: f64 = 60.0;

/// Access logs whose format the configuration has.
const TEXT_LOGS: [&str; 3] = [
    "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
    "envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
    "envoy.extensions.access_loggers.file.v3.FileAccessLog",
];

/// Examines a connection manager, its filters and its routes.
pub fn examine<'d>(exam: &mut Exam<'d>, manager: &At<'d>) {
    known::MANAGER.check(manager, &mut exam.findings);
    let mut gate = chain::examine(exam, manager, "http_filters", Id::FilterMissing);
    path(exam, manager, &gate);
    client(exam, manager);
    protocol(exam, manager);
    logs(exam, manager);
    local_replies(exam, manager);
    for upgrade in manager.items("upgrade_configs") {
        known::UPGRADE.check(&upgrade, &mut exam.findings);
        // Without filters of their own, upgrades take those of the manager.
        if !upgrade.items("filters").is_empty() {
            let own = chain::examine(exam, &upgrade, "filters", Id::UpgradeUnprotected);
            // A route can change these filters as well.
            gate.names.extend(own.names);
            gate.policies.extend(own.policies);
            gate.headers.extend(own.headers);
        }
    }
    routes::examine(exam, manager, &gate);
}

fn path(exam: &mut Exam<'_>, manager: &At<'_>, gate: &Gate) {
    if !manager.is_true("normalize_path") {
        exam.add(Id::PathNotNormalized, manager);
    }
    if !manager.is_true("merge_slashes") {
        exam.add(Id::SlashesNotMerged, manager);
    }
    let takes_slashes = |policy: &keygate_core::Policy| {
        let mut rules = policy.rules.all().iter();
        rules.any(|rule| rule.allow_encoded_slash)
    };
    match manager.text("path_with_escaped_slashes_action") {
        "REJECT_REQUEST" => {}
        "KEEP_UNCHANGED" if gate.policies.iter().any(takes_slashes) => {}
        "" => exam.add(Id::EscapedSlashes, manager),
        action => exam.say(Id::EscapedSlashes, manager, action),
    }
}

fn client(exam: &mut Exam<'_>, manager: &At<'_>) {
    let has_extensions = !manager.items("original_ip_detection_extensions").is_empty();
    if !manager.is_true("use_remote_address") || has_extensions {
        exam.add(Id::ClientAddress, manager);
    }
    let hops = manager.number("xff_num_trusted_hops");
    if hops != exam.trusted_hops {
        let expected = exam.trusted_hops;
        let detail = format!("it is {hops}, and {expected} was expected");
        exam.say(Id::TrustedHops, manager, detail);
    }
}

fn protocol(exam: &mut Exam<'_>, manager: &At<'_>) {
    let common = manager.field("common_http_protocol_options");
    if let Some(common) = &common {
        known::COMMON_PROTOCOL.check(common, &mut exam.findings);
    }
    let action = common.map_or("", |it| it.text("headers_with_underscores_action"));
    if !["REJECT_REQUEST", "DROP_HEADER"].contains(&action) {
        exam.add(Id::UnderscoresAllowed, manager);
    }
    if let Some(http1) = manager.field("http_protocol_options") {
        known::HTTP1.check(&http1, &mut exam.findings);
        if http1.is_true("allow_chunked_length") {
            exam.add(Id::ChunkedLength, manager);
        }
    }
    let bounded = |name: &str| manager.seconds(name).is_some_and(|it| it > 0.0);
    let wait = manager.seconds("stream_idle_timeout");
    if !bounded("stream_idle_timeout") || wait > Some(LONGEST_WAIT) {
        exam.add(Id::IdleTimeout, manager);
    }
    if !bounded("request_headers_timeout") {
        exam.add(Id::HeaderTimeout, manager);
    }
}

fn logs(exam: &mut Exam<'_>, manager: &At<'_>) {
    for log in manager.items("access_log") {
        match log.typed("typed_config") {
            Some((r#type, config)) if TEXT_LOGS.contains(&r#type) => {
                let formats = ["log_format", "format", "json_format", "typed_json_format"];
                let formats: Vec<_> = formats.iter().filter_map(|it| config.field(it)).collect();
                let mut texts = formats.iter().flat_map(At::texts);
                // Without a format, it is Envoy's own, which has the path with its query.
                if formats.is_empty() || texts.any(has_query) {
                    exam.add(Id::QueryLogged, &log);
                }
            }
            other => exam.say(
                Id::QueryLogged,
                &log,
                format!(
                    "of {}, the fields are not known",
                    other.map_or("", |it| it.0)
                ),
            ),
        }
    }
}

/// A refusal must stay one.
fn local_replies(exam: &mut Exam<'_>, manager: &At<'_>) {
    let Some(config) = manager.field("local_reply_config") else {
        return;
    };
    known::LOCAL_REPLY.check(&config, &mut exam.findings);
    for mapper in config.items("mappers") {
        known::MAPPER.check(&mapper, &mut exam.findings);
        if let Some(status) = mapper.field("status_code")
            && mapper.number("status_code") < 400
        {
            exam.say(Id::UnknownSetting, &status, "it can hide a refusal");
        }
    }
}

/// Whether a format of a log has the query.
fn has_query(format: &str) -> bool {
    let format = format.to_ascii_uppercase();
    let commands = format.split('%').skip(1).step_by(2);
    let mut names = commands.map(|it| it.split_once('(').unwrap_or((it, "")));
    names.any(|(name, rest)| match name {
        "REQ" | "REQUEST_HEADER" => {
            rest.contains(":PATH")
                || rest.contains("X-ENVOY-ORIGINAL-PATH")
                || rest.contains("REFERER")
        }
        "PATH" => !rest.starts_with("NQ"),
        // An expression can read the path in many ways.
        "CEL" => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::has_query;

    #[test]
    fn a_format_with_a_path_has_its_query_unless_it_is_left_out() {
        for format in [
            "%REQ(:PATH)%",
            "[%START_TIME%] %req(x-envoy-original-path?:path)%",
            "%PATH(WQ)%",
            "%PATH%",
            "a %REQ(:METHOD)% %PATH(WQ:ORIG)%",
            "%CEL(request.path)%",
        ] {
            assert!(has_query(format), "{format}");
        }
        for format in ["", "PATH", "%PATH(NQ)% :PATH", "%REQ(:METHOD)% (:PATH)"] {
            assert!(!has_query(format), "{format}");
        }
    }
}
