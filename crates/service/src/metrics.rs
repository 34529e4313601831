//! What is counted, for Prometheus. Every label has a fixed set of values.

use std::sync::atomic::AtomicU64;

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::edges::Standing;
use crate::leaks::Label;
use crate::uses::Added;
use crate::words::words;

/// The media type of [`Metrics::text`].
pub const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The counters of one service.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    lookups: Family<LookupLabels, Counter>,
    epoch: Gauge<u64, AtomicU64>,
    held_polls: Gauge<u64, AtomicU64>,
    waiting_changes: Gauge<u64, AtomicU64>,
    edges: Family<EdgeLabels, Gauge<u64, AtomicU64>>,
    applied_epoch: Gauge<u64, AtomicU64>,
    deliveries: Family<DeliveryLabels, Counter>,
    waiting_deliveries: Gauge<u64, AtomicU64>,
    reported: Family<ReportLabels, Counter>,
    hook_calls: Family<HookLabels, Counter>,
    /// Events that were given up since too many others came after them.
    pub events_dropped: Counter,
    use_reports: Counter,
    uses: Family<UseLabels, Counter>,
    uses_dropped: Counter,
    /// Keys issued.
    pub keys_created: Counter,
    /// Keys that were made elsewhere.
    pub keys_imported: Counter,
    /// Keys revoked; a second revocation of the same key does not count.
    pub keys_revoked: Counter,
    /// Keys that were changed, disabled and enabled included.
    pub keys_changed: Counter,
    /// Keys that another replaced.
    pub keys_rotated: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    /// The template, such as `/v1/keys/{id}`: never the path itself.
    route: String,
    method: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EdgeLabels {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    /// The place of the URL in the configuration, from 1.
    url: usize,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReportLabels {
    label: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HookLabels {
    result: &'static str,
}

words! {
    /// What came of a call of the hook before save.
    HookResult {
        /// It allowed the draft, as it was or narrowed.
        Allowed = "allowed",
        /// It refused.
        Refused = "refused",
        /// It said neither.
        Failed = "failed",
    }
}

words! {
    /// What came of an event and one of its URLs.
    DeliveryResult {
        /// The receiver accepted it.
        Delivered = "delivered",
        /// An attempt failed, and another one follows unless the event is given up.
        Failed = "failed",
        /// No other attempt is made.
        GivenUp = "given_up",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UseLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LookupLabels {
    result: LookupResult,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum LookupResult {
    Found,
    Unknown,
}

impl EncodeLabelValue for LookupResult {
    fn encode(
        &self,
        encoder: &mut prometheus_client::encoding::LabelValueEncoder,
    ) -> Result<(), std::fmt::Error> {
        let word = match self {
            Self::Found => "found",
            Self::Unknown => "unknown",
        };
        EncodeLabelValue::encode(&word, encoder)
    }
}

impl Metrics {
    /// Counters at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("keygate_service");
        let requests = Family::<RequestLabels, Counter>::default();
        let lookups = Family::<LookupLabels, Counter>::default();
        let epoch = Gauge::default();
        let held_polls = Gauge::default();
        let waiting_changes = Gauge::default();
        let edges = Family::<EdgeLabels, Gauge<u64, AtomicU64>>::default();
        let applied_epoch = Gauge::default();
        let deliveries = Family::<DeliveryLabels, Counter>::default();
        let waiting_deliveries = Gauge::default();
        let reported = Family::<ReportLabels, Counter>::default();
        let hook_calls = Family::<HookLabels, Counter>::default();
        let events_dropped = Counter::default();
        let use_reports = Counter::default();
        let uses = Family::<UseLabels, Counter>::default();
        let uses_dropped = Counter::default();
        let keys_created = Counter::default();
        let keys_imported = Counter::default();
        let keys_revoked = Counter::default();
        let keys_changed = Counter::default();
        let keys_rotated = Counter::default();
        registry.register("requests", "Answered requests", requests.clone());
        registry.register(
            "lookup_hashes",
            "Hashes looked up by the edge",
            lookups.clone(),
        );
        registry.register("epoch", "Newest epoch of the change feed", epoch.clone());
        registry.register(
            "held_polls",
            "Polls of the change feed that wait for a change",
            held_polls.clone(),
        );
        registry.register(
            "waiting_changes",
            "Changes that wait for the disk",
            waiting_changes.clone(),
        );
        registry.register("edges", "Edges that follow the change feed", edges.clone());
        registry.register(
            "applied_epoch",
            "Epoch up to which every edge has applied all changes",
            applied_epoch.clone(),
        );
        registry.register(
            "event_deliveries",
            "Attempts to deliver an event",
            deliveries.clone(),
        );
        registry.register(
            "event_deliveries_waiting",
            "Deliveries of events that are not done",
            waiting_deliveries.clone(),
        );
        registry.register(
            "reported_keys",
            "Texts reported as leaked keys",
            reported.clone(),
        );
        registry.register(
            "hook_calls",
            "Calls of the hook before save",
            hook_calls.clone(),
        );
        registry.register(
            "events_dropped",
            "Events given up since there were too many",
            events_dropped.clone(),
        );
        registry.register(
            "use_reports",
            "Reports of uses of keys by edges",
            use_reports.clone(),
        );
        registry.register("uses", "Reported uses of keys", uses.clone());
        registry.register(
            "uses_dropped",
            "Reported keys whose uses were not counted",
            uses_dropped.clone(),
        );
        registry.register("keys_created", "Keys issued", keys_created.clone());
        registry.register("keys_imported", "Keys imported", keys_imported.clone());
        registry.register("keys_revoked", "Keys revoked", keys_revoked.clone());
        registry.register("keys_changed", "Keys changed", keys_changed.clone());
        registry.register("keys_rotated", "Keys replaced", keys_rotated.clone());
        Self {
            registry,
            requests,
            lookups,
            epoch,
            held_polls,
            waiting_changes,
            edges,
            applied_epoch,
            deliveries,
            waiting_deliveries,
            reported,
            hook_calls,
            events_dropped,
            use_reports,
            uses,
            uses_dropped,
            keys_created,
            keys_imported,
            keys_revoked,
            keys_changed,
            keys_rotated,
        }
    }

    /// Counts an answer; `route` is the template, or `None` when no route matched.
    pub fn answered(&self, route: Option<&str>, method: &Method, status: StatusCode) {
        let labels = RequestLabels {
            route: route.unwrap_or("none").to_owned(),
            method: method_label(method),
            status: status_class(status),
        };
        self.requests.get_or_create(&labels).inc();
    }

    /// Counts the hashes of one lookup.
    pub fn looked_up(&self, found: usize, asked: usize) {
        let unknown = asked.saturating_sub(found);
        for (result, count) in [
            (LookupResult::Found, found),
            (LookupResult::Unknown, unknown),
        ] {
            let labels = LookupLabels { result };
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            self.lookups.get_or_create(&labels).inc_by(count);
        }
    }

    /// Counts what came of a delivery to the URL with this number.
    pub fn delivery(&self, url: usize, result: DeliveryResult) {
        let result = result.word();
        let labels = DeliveryLabels { url, result };
        self.deliveries.get_or_create(&labels).inc();
    }

    /// Counts a call of the hook before save.
    pub(crate) fn hook(&self, result: HookResult) {
        let result = result.word();
        self.hook_calls.get_or_create(&HookLabels { result }).inc();
    }

    /// Counts a text that was reported as a leaked key.
    pub(crate) fn reported(&self, label: Label) {
        let label = label.word();
        self.reported.get_or_create(&ReportLabels { label }).inc();
    }

    /// Counts a report of uses.
    pub(crate) fn used(&self, added: &Added) {
        self.use_reports.inc();
        self.uses_dropped.inc_by(added.dropped);
        let counts = added.counts;
        for (result, count) in [("allowed", counts.allowed), ("rejected", counts.rejected)] {
            self.uses.get_or_create(&UseLabels { result }).inc_by(count);
        }
    }

    /// All of it in the OpenMetrics text format.
    ///
    /// # Errors
    /// None in practice: writing to a string does not fail.
    pub fn text(
        &self,
        epoch: u64,
        held_polls: usize,
        waiting_changes: usize,
        waiting_deliveries: u64,
        edges: &Standing,
    ) -> Result<String, std::fmt::Error> {
        let count = |number| u64::try_from(number).unwrap_or(u64::MAX);
        self.epoch.set(epoch);
        self.held_polls.set(count(held_polls));
        self.waiting_changes.set(count(waiting_changes));
        self.waiting_deliveries.set(waiting_deliveries);
        self.applied_epoch.set(edges.applied);
        for (&state, &count) in &edges.counts {
            self.edges.get_or_create(&EdgeLabels { state }).set(count);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// A client can make up methods: those get one label together.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PATCH" => "PATCH",
        _ => "other",
    }
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        200..=299 => "2xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "other",
    }
}
