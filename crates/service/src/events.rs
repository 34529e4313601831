//! Events: what happens to keys, sent to URLs that the operator names. An event is written in the
//! transaction of the change (`store`) and delivered afterwards, at least once (`courier`).

use std::sync::atomic::{AtomicBool, Ordering};

use keygate_core::{Millis, UnixMillis};
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use crate::key::KeyObject;
use crate::outbound::Endpoint;
use crate::webhook::WebhookSecrets;
use crate::words::words;

/// Most URLs that events are sent to.
pub const MAX_TARGETS: usize = 8;

/// After which time without uses a key is announced, unless the operator says otherwise.
pub const UNUSED_AFTER: Millis = Millis::from_secs(90 * 24 * 3600);

words! {
    /// What happened.
    EventType {
        /// A key was created or imported.
        Created = "key.created",
        /// A key was changed, disabled or enabled.
        Changed = "key.changed",
        /// A key was replaced.
        Rotated = "key.rotated",
        /// A key was revoked.
        Revoked = "key.revoked",
        /// A key was reported as leaked, and revoked.
        Leaked = "key.leaked",
        /// A key expires in 14 days, 3 days or 1 day.
        Expiring = "key.expiring",
        /// A key was not used for the configured time.
        Unused = "key.unused",
    }
}

/// A URL that events are sent to.
#[derive(Clone, Debug)]
pub struct EventTarget {
    /// Where it is.
    pub endpoint: Endpoint,
    /// What it verifies events with.
    pub secrets: WebhookSecrets,
    /// Which events it gets.
    pub types: Vec<EventType>,
}

/// Names a target in the store: the SHA-256 of its URL.
pub(crate) type TargetId = [u8; 32];

impl EventTarget {
    pub(crate) fn id(&self) -> TargetId {
        Sha256::digest(self.endpoint.uri().to_string()).into()
    }
}

/// All targets, for the one that writes.
#[derive(Debug)]
pub(crate) struct Outbox {
    targets: Vec<(TargetId, Vec<EventType>)>,
    /// Events that were given up since there were too many.
    pub(crate) dropped: Counter,
    /// Whether the transaction under way has an event.
    has_new: AtomicBool,
    new: watch::Sender<()>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new(&[], Counter::default())
    }
}

impl Outbox {
    pub(crate) fn new(targets: &[EventTarget], dropped: Counter) -> Self {
        let target = |it: &EventTarget| (it.id(), it.types.clone());
        Self {
            targets: targets.iter().map(target).collect(),
            dropped,
            has_new: AtomicBool::new(false),
            new: watch::Sender::new(()),
        }
    }

    /// The targets that get events of this type.
    pub(crate) fn targets(&self, of: EventType) -> impl Iterator<Item = &TargetId> {
        let wants = move |(_, types): &&(TargetId, Vec<EventType>)| types.contains(&of);
        self.targets.iter().filter(wants).map(|(id, _)| id)
    }

    /// Whether any target gets events of this type.
    pub(crate) fn wants(&self, of: EventType) -> bool {
        self.targets(of).next().is_some()
    }

    /// The transaction under way has an event.
    pub(crate) fn note(&self) {
        self.has_new.store(true, Ordering::Relaxed);
    }

    /// A transaction is on disk: wakes those that deliver, if it has an event.
    pub(crate) fn committed(&self) {
        if self.has_new.swap(false, Ordering::Relaxed) {
            self.new.send_replace(());
        }
    }

    /// Changes when there are new events.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.new.subscribe()
    }
}

/// An event on its way to a target.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// Its number.
    pub(crate) event: i64,
    /// The same for all its targets and attempts.
    pub(crate) id: String,
    /// When it happened.
    pub(crate) at: UnixMillis,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// When it is tried next.
    pub(crate) due_at: UnixMillis,
    /// What is sent.
    pub(crate) body: String,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    pub(crate) target: TargetId,
    pub(crate) event: i64,
    /// When it is tried again; `None` when it is delivered or given up.
    pub(crate) again_at: Option<UnixMillis>,
}

/// The body of an event.
#[derive(Serialize)]
pub(crate) struct Body<'a> {
    pub(crate) r#type: EventType,
    pub(crate) timestamp: String,
    pub(crate) data: Data<'a>,
}

/// What an event is about.
#[derive(Serialize)]
pub(crate) struct Data<'a> {
    /// The key as the API shows it.
    pub(crate) key: KeyObject,
    /// Who did it, as in the audit log.
    pub(crate) actor: &'a str,
    pub(crate) request_id: Option<&'a str>,
    #[serde(flatten)]
    pub(crate) more: Option<More<'a>>,
}

/// What else there is to say.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum More<'a> {
    /// The fields that changed.
    Changed(&'a [&'static str]),
    /// The key that was replaced.
    Replaced(Box<KeyObject>),
    /// Full days until the end.
    DaysLeft(u32),
    /// Full days since the last use, or since the creation.
    DaysUnused(u32),
    /// Where the key was found.
    Leak(&'a Leak),
}

/// Where a leaked key was found, in the words of the reporter.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Leak {
    /// The address; it may be empty.
    pub(crate) url: String,
    /// The kind of place.
    pub(crate) source: String,
    /// What the reporter calls this kind of key.
    pub(crate) r#type: String,
}
