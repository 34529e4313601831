//! What is counted. Names are fixed; no path, account or key id is ever part of one.

use std::cell::RefCell;
use std::collections::BTreeMap;

use keygate_core::grant::Outcome;
use keygate_core::policy::Verdict;

use crate::host;

thread_local! {
    /// Once per virtual machine: every definition takes memory of the host that is
    /// never given back, also when a configuration follows another.
    static COUNTERS: RefCell<BTreeMap<String, u32>> = const { RefCell::new(BTreeMap::new()) };
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
            Outcome::Anonymous => count("keygate_decision.allow.anonymous"),
            Outcome::WouldDeny(reason) => {
                count(&format!("keygate_decision.would_deny.{}", reason.code()));
            }
        },
    }
}

/// Adds one to a counter. A host that cannot count stops no request.
pub fn count(name: &str) {
    let defined = COUNTERS.with_borrow(|counters| counters.get(name).copied());
    let counter = defined.or_else(|| {
        let counter = host::define_counter(name).ok()?;
        COUNTERS.with_borrow_mut(|counters| counters.insert(name.to_owned(), counter));
        Some(counter)
    });
    if let Some(counter) = counter {
        let _ = host::increment(counter);
    }
}
