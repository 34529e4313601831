//! What counters for each rule need: few rules, and names that the proxy can read back.

use super::{Compiler, is_name, item, written};

/// Most rules that are counted apart. Each has a counter for each of four decisions.
const MAX_RULES: usize = 1_000;

impl Compiler<'_> {
    /// Checks the rules, if their decisions are to be counted.
    pub(super) fn metrics_by_rule(&mut self, written: &written::Policy<'_>) {
        if !written.metrics_by_rule {
            return;
        }
        let rules = &written.rules;
        if rules.len() > MAX_RULES {
            let many = rules.len();
            let message = format!("is for at most {MAX_RULES} rules, and this policy has {many}");
            self.wrong("metrics_by_rule", message);
        }
        for (index, rule) in rules.iter().enumerate() {
            // A name that no rule may have is reported with its rule.
            if is_name(&rule.name)
                && let Err(message) = check_label(&rule.name)
            {
                self.wrong_in(&item("rules", index), "name", message);
            }
        }
    }
}

/// Rejects a name that Envoy does not give back as one label.
fn check_label(name: &str) -> Result<(), &'static str> {
    if name.split('.').any(str::is_empty) {
        return Err(DOTS);
    }
    // Envoy's own tags, for the end of any name: `_rq(_(\d{3}))$` and `_rq(_(\d)xx)$`.
    let end = name.rsplit_once("_rq_").map(|(_, end)| end.as_bytes());
    match end {
        Some([digit, b'x', b'x']) if digit.is_ascii_digit() => Err(STATUS),
        Some(end) if end.len() == 3 && end.iter().all(u8::is_ascii_digit) => Err(STATUS),
        Some(_) | None => Ok(()),
    }
}

const DOTS: &str = "must not begin or end with \".\", or contain \"..\": with \
                    \"metrics_by_rule\", it is a part of the name of a counter";

const STATUS: &str = "must not end with a status, such as \"_rq_200\" or \"_rq_2xx\": with \
                      \"metrics_by_rule\", Envoy would make another label of it";
