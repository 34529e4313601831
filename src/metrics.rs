//! What is counted. Names are fixed; no path, account or key id is ever part of one.

use std::cell::{Cell, RefCell};

use keygate_core::grant::Outcome;
use keygate_core::policy::Verdict;
use keygate_core::reason::Reason;
use litemap::LiteMap;

use crate::host::{self, Metric};

thread_local! {
    /// Once per virtual machine: every definition takes memory of the host that is
    /// never given back, also when a configuration follows another.
    static METRICS: RefCell<LiteMap<String, u32>> = const { RefCell::new(LiteMap::new_vec()) };

    /// What was told of it last.
    static MEMORY: Cell<u64> = const { Cell::new(0) };
}

/// Counts a final decision: `keygate_decision.<allow|deny|would_deny|reply>.<reason>`.
pub fn decision(verdict: &Verdict) {
    match verdict {
        Verdict::Ask(_) | Verdict::Redeem(_) => {}
        Verdict::Deny(denial) => count(&format!("keygate_decision.deny.{}", denial.reason.code())),
        Verdict::Reply(reply) => count(&format!("keygate_decision.reply.{}", reply.code)),
        Verdict::Allow(grant) => match grant.outcome {
            Outcome::Verified => count("keygate_decision.allow.verified"),
            Outcome::Cleared => count("keygate_decision.allow.cleared"),
            Outcome::Unchecked => {
                let reason = Reason::KeyServiceUnavailable.code();
                count(&format!("keygate_decision.allow.{reason}"));
            }
            Outcome::Anonymous => count("keygate_decision.allow.anonymous"),
            Outcome::WouldDeny(reason) => {
                count(&format!("keygate_decision.would_deny.{}", reason.code()));
            }
        },
    }
}

/// Adds one to a counter. A host that cannot count stops no request.
pub fn count(name: &str) {
    if let Some(counter) = metric(Metric::Counter, name) {
        let _ = host::increment(counter);
    }
}

/// Tells the size of the virtual machine's memory, when it has grown. All workers write the
/// same gauge: it shows the one that grew last.
pub fn memory() {
    let Some(bytes) = host::memory() else {
        return;
    };
    if MEMORY.replace(bytes) != bytes
        && let Some(gauge) = metric(Metric::Gauge, "keygate_memory.bytes")
    {
        let _ = host::record(gauge, bytes);
    }
}

fn metric(kind: Metric, name: &str) -> Option<u32> {
    let defined = METRICS.with_borrow(|metrics| metrics.get(name).copied());
    defined.or_else(|| {
        let metric = host::define_metric(kind, name).ok()?;
        METRICS.with_borrow_mut(|metrics| metrics.insert(name.to_owned(), metric));
        Some(metric)
    })
}
