//! What was found, for a person and as JSON.

use keygate_service::shown::escaped;
use serde_json::{Value, json};

use super::exam::Seen;
use super::findings::{Finding, Severity};

/// The result of an examination.
pub struct Report<'r> {
    /// The file or URL of the dump.
    pub source: &'r str,
    /// The version of Envoy.
    pub envoy: &'r str,
    /// What was looked at.
    pub seen: &'r Seen,
    /// Whether the key service was asked.
    pub asked: &'r [&'static str],
    /// What is wrong, the worst first.
    pub findings: &'r [Finding],
}

impl Report<'_> {
    /// Lines for a person.
    pub fn text(&self) -> String {
        let Seen {
            listeners,
            excepted,
            chains,
            routes,
        } = self.seen;
        let mut lines = vec![format!(
            "Envoy {}: {}, {}, {}",
            self.envoy,
            counted(listeners.len(), "listener"),
            counted(*chains, "filter chain"),
            counted(*routes, "route"),
        )];
        lines.extend(excepted.iter().map(|it| format!("not examined: {it}")));
        for Finding { id, place, detail } in self.findings {
            let severity = id.severity().word();
            let detail = match detail.as_str() {
                "" => String::new(),
                detail => format!(" ({detail})"),
            };
            lines.push(format!("{severity} {}: {place}{detail}", id.name()));
            lines.push(format!("  {} {}", id.what(), id.to_do()));
        }
        lines.push(self.conclusion());
        lines
            .iter()
            .map(|it| escaped(it))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn conclusion(&self) -> String {
        if self.findings.is_empty() {
            let asked = match self.asked {
                [] => "the key service was not asked".to_owned(),
                asked => format!("asked: {}", asked.join(", ")),
            };
            return format!("clean: every request passes Keygate first ({asked})");
        }
        let count = |severity| {
            let all = self.findings.iter();
            all.filter(|it| it.id.severity() == severity).count()
        };
        format!(
            "{}: {}, {}, {} unproven",
            counted(self.findings.len(), "finding"),
            counted(count(Severity::Error), "error"),
            counted(count(Severity::Warning), "warning"),
            count(Severity::Unproven),
        )
    }

    /// One JSON object.
    pub fn json(&self) -> Value {
        let finding = |Finding { id, place, detail }: &Finding| {
            json!({
                "id": id.name(), "severity": id.severity(), "place": place, "detail": detail,
                "what": id.what(), "to_do": id.to_do(),
            })
        };
        let findings: Vec<Value> = self.findings.iter().map(finding).collect();
        json!({
            "source": self.source, "envoy": self.envoy, "asked": self.asked,
            "listeners": self.seen.listeners, "excepted": self.seen.excepted,
            "filter_chains": self.seen.chains, "routes": self.seen.routes,
            "clean": findings.is_empty(), "findings": findings,
        })
    }
}

fn counted(count: usize, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        count => format!("{count} {thing}s"),
    }
}
