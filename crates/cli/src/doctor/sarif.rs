//! What was found as SARIF 2.1.0 (OASIS standard,
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>).

use serde_json::{Value, json};

use super::findings::{Finding, Id, Severity};
use super::report::Report;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The log of one run, with a rule for every kind of finding.
pub fn log(report: &Report<'_>) -> Value {
    let rules: Vec<Value> = Id::ALL.iter().copied().map(rule).collect();
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|it| result(it, report))
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "keygate doctor",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "results": results,
        }],
    })
}

fn level(id: Id) -> &'static str {
    match id.severity() {
        Severity::Error => "error",
        Severity::Warning | Severity::Unproven => "warning",
    }
}

fn rule(id: Id) -> Value {
    json!({
        "id": id.name(),
        "shortDescription": { "text": id.what() },
        "help": { "text": id.to_do() },
        "defaultConfiguration": { "level": level(id) },
        "properties": { "severity": id.severity() },
    })
}

fn result(finding: &Finding, report: &Report<'_>) -> Value {
    let Finding { id, place, detail } = finding;
    let detail = match detail.as_str() {
        "" => String::new(),
        detail => format!(" ({detail})"),
    };
    let index = Id::ALL.iter().position(|it| it == id);
    json!({
        "ruleId": id.name(),
        "ruleIndex": index,
        "level": level(*id),
        "message": { "text": format!("{place}{detail}: {} {}", id.what(), id.to_do()) },
        "locations": [{
            // The admin port, or a file: neither has a line that a person has written.
            "physicalLocation": { "artifactLocation": { "uri": uri(report.source) } },
            "logicalLocations": [{ "fullyQualifiedName": place }],
        }],
    })
}

/// The name of a file as a reference (RFC 3986); a URL as it is.
fn uri(source: &str) -> String {
    if source.starts_with("http") {
        return source.to_owned();
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let bytes = source.bytes();
    bytes
        .map(|byte| match is_plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}
