//! What is counted. Names are fixed; no path, account or key id is ever part of one.

use std::cell::{Cell, RefCell};

use keygate_core::grant::Outcome;
use keygate_core::policy::Verdict;
use keygate_core::reason::Reason;
use litemap::LiteMap;

use crate::host::{self, Metric};

/// A name in two parts, so that nobody has to put it together for each request.
type Name = (&'static str, &'static str);

/// A counter: its number at the host, once it has one, and what the host was not told yet.
#[derive(Clone, Copy, Default)]
struct Counter {
    id: Option<u32>,
    untold: u64,
}

thread_local! {
    /// Once per virtual machine: every definition takes memory of the host that is
    /// never given back, also when a configuration follows another.
    static COUNTERS: RefCell<LiteMap<Name, Counter>> = const { RefCell::new(LiteMap::new_vec()) };

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

/// Adds one to a counter.
pub fn count(name: &'static str) {
    add((name, ""));
}

fn add(name: Name) {
    COUNTERS.with_borrow_mut(|counters| {
        if let Some(counter) = counters.get_mut(&name) {
            counter.untold = counter.untold.saturating_add(1);
        } else {
            let (id, untold) = (None, 1);
            counters.insert(name, Counter { id, untold });
        }
    });
}

/// Tells the host what was counted since the last time: a call for each request would cost
/// more than some decisions do. A host that cannot count is asked again.
pub fn tell() {
    COUNTERS.with_borrow_mut(|counters| {
        for ((name, end), counter) in counters.iter_mut() {
            if counter.untold == 0 {
                continue;
            }
            let define = || host::define_metric(Metric::Counter, &[*name, *end].concat()).ok();
            counter.id = counter.id.or_else(define);
            if let Some(id) = counter.id
                && host::increment(id, counter.untold).is_ok()
            {
                counter.untold = 0;
            }
        }
    });
    memory();
}

/// Tells the size of the virtual machine's memory, when it has grown. All workers write the
/// same gauge: it shows the one that grew last.
fn memory() {
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
