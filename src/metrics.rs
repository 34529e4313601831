//! Counters of the host, by the names that the edge gives, and the gauge for memory.

use std::cell::{Cell, RefCell};

use keygate_core::Verdict;
use keygate_edge::Metric;
use litemap::LiteMap;

use crate::host;

/// The positions of the two parts of a name: to compare that costs less than to compare texts,
/// and of two of the same text the host makes one counter.
type Place = (*const str, *const str);

thread_local! {
    /// Once per virtual machine: every definition takes memory of the host that is
    /// never given back, also when a configuration follows another.
    static COUNTERS: RefCell<LiteMap<Place, u32>> = const { RefCell::new(LiteMap::new()) };

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
