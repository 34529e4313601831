//! What the service does besides answering requests.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use futures_util::future::{join_all, join3};
use keygate_core::{Millis, UnixMillis};

use super::Service;
use crate::courier::Courier;
use crate::events::{EventTarget, EventType};
use crate::outbound::Client;
use crate::store::StoreError;

/// How often keys are announced that come closer to their end.
const ENDING: Millis = Millis::from_secs(60);

/// How often keys are announced that no client uses: all last uses are read.
const UNUSED: Millis = Millis::from_secs(3600);

/// How often keys are deleted that have ended.
const RETIRED: Millis = Millis::from_secs(3600);

/// How often edges are forgotten that are long gone.
const SWEEP: Duration = Duration::from_secs(3600);

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);

impl Service {
    /// Delivers events, deletes ended keys, and tells other replicas of edges, for as long as it is
    /// polled.
    pub async fn background(self: Arc<Self>) {
        join3(self.deliver(), self.retire(), self.tell()).await;
    }

    /// Tells other replicas which edges have polled here.
    async fn tell(&self) {
        if !self.store.is_shared() {
            return;
        }
        let mut swept: Option<Instant> = None;
        loop {
            let polls = self.edges.untold();
            if !polls.is_empty()
                && let Err(error) = self.store.write_polls(&polls).await
            {
                tracing::debug!("other replicas do not hear of edges: {error}");
                self.edges.tell_again(&polls);
            }
            if swept.is_none_or(|at| at.elapsed() >= SWEEP) {
                swept = Some(Instant::now());
                if let Err(error) = self.store.forget_polls().await {
                    tracing::debug!("edges that are gone stay in the database: {error}");
                }
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Deletes the keys that ended longer ago than they are to be kept.
    async fn retire(&self) {
        let Some(kept) = self.retention else {
            return;
        };
        let mut last: Option<UnixMillis> = None;
        loop {
            let now = self.now();
            if last.is_none_or(|last| last.0.abs_diff(now.0) >= RETIRED.0) {
                match self.store.delete_ended(kept, now).await {
                    Ok(true) => continue,
                    Ok(false) => last = Some(now),
                    Err(error) => tracing::warn!("cannot delete keys that have ended: {error}"),
                }
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Delivers events. Without targets it ends at once.
    async fn deliver(&self) {
        if let Err(error) = self.forget_targets().await {
            tracing::warn!("events for URLs that are not configured any more stay: {error}");
        }
        if self.events.is_empty() {
            return;
        }
        let client = Client::new();
        let couriers = self.events.iter().enumerate();
        let couriers: Vec<Courier<'_>> = couriers
            .map(|(place, target)| Courier {
                store: &self.store,
                ambient: &self.ambient,
                metrics: &self.metrics,
                client: client.clone(),
                target,
                number: place.saturating_add(1),
                is_failing: AtomicBool::new(false),
            })
            .collect();
        let ends = self.announce(EventType::Expiring, ENDING, |now| self.store.announce(now));
        let unused = self.announce(EventType::Unused, UNUSED, |now| {
            self.store.announce_unused(self.unused_after, now)
        });
        join3(join_all(couriers.iter().map(Courier::run)), ends, unused).await;
    }

    /// Gives up what is on its way to targets of an earlier configuration.
    async fn forget_targets(&self) -> Result<(), StoreError> {
        if self.store.waiting_deliveries().await? == 0 {
            return Ok(());
        }
        let targets = self.events.iter().map(EventTarget::id).collect();
        self.store.keep_deliveries(targets, self.now()).await
    }

    /// Announces keys in events of one type, if any target gets it: `some` announces some of them,
    /// and says whether there may be more.
    async fn announce<F>(&self, of: EventType, every: Millis, some: impl Fn(UnixMillis) -> F)
    where
        F: Future<Output = Result<bool, StoreError>>,
    {
        if !self.store.outbox().wants(of) {
            return;
        }
        let mut last: Option<UnixMillis> = None;
        loop {
            let now = self.now();
            if last.is_none_or(|last| last.0.abs_diff(now.0) >= every.0) {
                match some(now).await {
                    Ok(true) => continue,
                    Ok(false) => last = Some(now),
                    Err(error) => {
                        tracing::warn!("cannot write events of the type {}: {error}", of.word());
                    }
                }
            }
            tokio::time::sleep(TICK).await;
        }
    }
}
