//! What is counted. Names are fixed; no path, account or key id is ever part of one.

use std::cell::{Cell, RefCell};

use keygate_core::decision::grant::Outcome;
use keygate_core::decision::verdict::Verdict;
use keygate_core::reason::Reason;
use litemap::LiteMap;

use crate::host::{self, Metric};

/// A name in two parts, so that nobody has to put it together for each request.
type Name = (&'static str, &'static str);

/// Where it stands, and how long it is: to compare that costs less than to compare texts, and of
/// two of the same text the host makes one.
type Place = (*const str, *const str);

thread_local! {
    /// Once per virtual machine: every definition takes memory of the host that is
    /// never given back, also when a configuration follows another.
    static COUNTERS: RefCell<LiteMap<Place, u32>> = const { RefCell::new(LiteMap::new_vec()) };

    /// The number of the gauge for memory, and what was told last.
    static MEMORY: Cell<(Option<u32>, u64)> = const { Cell::new((None, 0)) };
}

/// Counts a final decision: `keygate_decision.<allow|deny|would_deny|reply>.<reason>`.
pub fn decision(verdict: &Verdict) {
    let (kind, reason) = match verdict {
        Verdict::Ask(_) | Verdict::Redeem(_) => return,
        Verdict::Deny(denial) => ("keygate_decision.deny.", denial.reason.code()),
        Verdict::Reply(reply) => ("keygate_decision.reply.", reply.code),
        Verdict::Allow(grant) => match grant.outcome {
            Outcome::Verified => ("keygate_decision.allow.", "verified"),
            Outcome::Cleared => ("keygate_decision.allow.", "cleared"),
            Outcome::Unchecked => {
                let reason = Reason::KeyServiceUnavailable.code();
                ("keygate_decision.allow.", reason)
            }
            Outcome::Anonymous => ("keygate_decision.allow.", "anonymous"),
            Outcome::WouldDeny(reason) => ("keygate_decision.would_deny.", reason.code()),
        },
    };
    add((kind, reason));
}

/// Adds one to a counter. A host that cannot count stops no request.
#[cold]
pub fn count(name: &'static str) {
    add((name, ""));
}

fn add(name: Name) {
    let place: Place = (name.0, name.1);
    let known = COUNTERS.with_borrow(|counters| counters.get(&place).copied());
    let counter = known.or_else(|| {
        let counter = host::define_metric(Metric::Counter, &[name.0, name.1].concat()).ok()?;
        COUNTERS.with_borrow_mut(|counters| counters.insert(place, counter));
        Some(counter)
    });
    if let Some(counter) = counter {
        let _ = host::increment(counter);
    }
}

/// Tells the size of the virtual machine's memory, when it has grown. All workers write the
/// same gauge: it shows the one that grew last.
#[cold]
pub fn memory() {
    let (id, told) = MEMORY.get();
    let Some(bytes) = host::memory().filter(|bytes| *bytes != told) else {
        return;
    };
    let id = id.or_else(|| host::define_metric(Metric::Gauge, "keygate_memory.bytes").ok());
    if let Some(id) = id {
        let _ = host::record(id, bytes);
    }
    MEMORY.set((id, bytes));
}
