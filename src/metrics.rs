//! Counters of the host, by the names that the edge gives, those of rules, and the gauge for
//! memory.

use std::cell::{Cell, RefCell};

use keygate_core::{Policy, Verdict};
use keygate_edge::{Metric, RuleMetric};
use litemap::LiteMap;

use crate::host;

/// Most counters of rules in a virtual machine, besides those of `(other)`. One policy makes up to
/// 4,004. The policies that replace it can have other rules, and no counter is ever removed.
const MAX_RULE_COUNTERS: usize = 10_000;

/// The positions of the two parts of a name: to compare that costs less than to compare texts,
/// and of two of the same text the host makes one counter.
type Place = (*const str, *const str);

thread_local! {
    /// Once per virtual machine: every definition takes memory of the host that is
    /// never given back, also when a configuration follows another.
    static COUNTERS: RefCell<LiteMap<Place, u32>> = const { RefCell::new(LiteMap::new()) };

    /// The ids of the counters of rules by their names, for all configurations of the virtual
    /// machine.
    static RULE_COUNTERS: RefCell<LiteMap<String, u32>> = const { RefCell::new(LiteMap::new()) };

    /// The id of the memory gauge, and the last value that was recorded.
    static MEMORY: Cell<(Option<u32>, u64)> = const { Cell::new((None, 0)) };
}

/// Counts a verdict that is not one of the edge.
pub fn decision(verdict: &Verdict) {
    if let Some(metric) = Metric::of(verdict) {
        add(metric);
    }
}

/// Makes the counters that begin at 0; once for each virtual machine.
pub fn begin() {
    for metric in Metric::from_the_start() {
        counter(metric);
    }
}

/// Adds one to a counter. A host that cannot count stops no request.
pub fn add(metric: Metric) {
    if let Some(counter) = counter(metric) {
        let _ = host::increment(counter);
    }
}

/// The id that the host gave to a counter.
fn counter(metric: Metric) -> Option<u32> {
    let place: Place = (metric.0, metric.1);
    let known = COUNTERS.with_borrow(|counters| counters.get(&place).copied());
    known.or_else(|| {
        let name = metric.to_string();
        let counter = host::define_metric(host::Metric::Counter, &name).ok()?;
        COUNTERS.with_borrow_mut(|counters| counters.insert(place, counter));
        Some(counter)
    })
}

/// The counters of the rules of one configuration.
pub struct RuleCounters {
    /// Ids by place. Each is looked up once, when its rule first decides so.
    ids: RefCell<Vec<Option<u32>>>,
}

impl RuleCounters {
    /// Returns the counters of a policy, if it has `metrics_by_rule`.
    pub fn of(policy: &Policy) -> Option<Self> {
        policy.metrics_by_rule.then(|| Self {
            ids: RefCell::new(vec![None; RuleMetric::places(policy)]),
        })
    }

    /// Adds one to a counter. A host that cannot count stops no request.
    pub fn add(&self, metric: RuleMetric, name: impl FnOnce() -> Option<String>) {
        let mut ids = self.ids.borrow_mut();
        let Some(id) = ids.get_mut(metric.place()) else {
            return;
        };
        if id.is_none() {
            *id = name().and_then(|name| rule_counter(metric, name));
        }
        if let Some(id) = *id {
            let _ = host::increment(id);
        }
    }
}

/// The id that the host gave to the counter of a rule, or to the one that replaces it.
#[cold]
fn rule_counter(metric: RuleMetric, name: String) -> Option<u32> {
    let known = |name: &String| RULE_COUNTERS.with_borrow(|ids| ids.get(name).copied());
    if let Some(id) = known(&name) {
        return Some(id);
    }
    let is_full = RULE_COUNTERS.with_borrow(LiteMap::len) >= MAX_RULE_COUNTERS;
    let name = match is_full {
        true => metric.name_of_others(),
        false => name,
    };
    known(&name).or_else(|| {
        let id = host::define_metric(host::Metric::Counter, &name).ok()?;
        RULE_COUNTERS.with_borrow_mut(|ids| ids.insert(name, id));
        Some(id)
    })
}

/// Tells the size of the virtual machine's memory, when it has grown. All workers write the
/// same gauge: it shows the one that grew last.
#[cold]
pub fn memory() {
    let (id, told) = MEMORY.get();
    let Some(bytes) = host::memory().filter(|bytes| *bytes != told) else {
        return;
    };
    let id = id.or_else(|| host::define_metric(host::Metric::Gauge, "keygate_memory.bytes").ok());
    if let Some(id) = id {
        let _ = host::record(id, bytes);
    }
    MEMORY.set((id, bytes));
}
