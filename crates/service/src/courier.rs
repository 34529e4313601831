//! Delivers events to one target: at least once, a few at a time, again after a pause that grows.
//! Targets do not wait for each other.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use keygate_core::{Millis, UnixMillis};

use crate::ambient::Ambient;
use crate::events::{Attempt, Delivery, EventTarget};
use crate::metrics::{DeliveryResult, Metrics};
use crate::outbound::Client;
use crate::store::Store;

/// Most requests to a target at a time.
const AT_ONCE: usize = 4;

/// How long a target may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause after the first attempt. Each is four times as long as the one before.
const FIRST_PAUSE: Millis = Millis::from_secs(5);

/// The longest pause.
const LONGEST_PAUSE: Millis = Millis::from_secs(3600);

/// How old an event is when it is given up, and how often it was tried: a clock that jumps, or a
/// service that was away, gives up nothing.
const GIVEN_UP: (Millis, u32) = (Millis::from_secs(24 * 3600), 10);

/// How often the clock is compared with the next attempt.
const TICK: Duration = Duration::from_secs(1);

/// How often events are looked for that another replica has written, or has left behind.
const SHARED: Duration = Duration::from_secs(5);

/// What delivers to one target.
pub(crate) struct Courier<'a> {
    pub(crate) store: &'a Store,
    pub(crate) ambient: &'a Ambient,
    pub(crate) metrics: &'a Metrics,
    pub(crate) client: Client,
    pub(crate) target: &'a EventTarget,
    /// The place of the target in the configuration, from 1.
    pub(crate) number: usize,
    /// Whether the last attempt failed. Only a change is logged.
    pub(crate) is_failing: AtomicBool,
}

impl Courier<'_> {
    /// Delivers for as long as it is polled.
    pub(crate) async fn run(&self) {
        let mut new = self.store.outbox().subscribe();
        let mut under_way = FuturesUnordered::new();
        let mut events = HashSet::new();
        loop {
            new.mark_unchanged();
            let mut waits = false;
            if under_way.len() < AT_ONCE {
                let limit = AT_ONCE.saturating_add(under_way.len());
                let due = self.store.deliveries(self.target.id(), limit).await;
                let due = due.unwrap_or_else(|error| {
                    tracing::warn!("cannot read events: {error}");
                    waits = true;
                    Vec::new()
                });
                let now = self.now();
                for delivery in due {
                    if events.contains(&delivery.event) {
                        continue;
                    }
                    if delivery.due_at <= now && under_way.len() < AT_ONCE {
                        events.insert(delivery.event);
                        under_way.push(self.deliver(delivery));
                    } else {
                        waits = true;
                    }
                }
            }
            let is_free = under_way.len() < AT_ONCE;
            let (pause, waits) = match waits {
                true => (TICK, true),
                false => (SHARED, self.store.is_shared()),
            };
            tokio::select! {
                Some(event) = under_way.next(), if !under_way.is_empty() => {
                    events.remove(&event);
                }
                _ = new.changed(), if is_free => {}
                () = tokio::time::sleep(pause), if is_free && waits => {}
            }
        }
    }

    /// Tries once, and writes what came of it. Returns the number of the event.
    async fn deliver(&self, delivery: Delivery) -> i64 {
        match self.store.claim(self.target.id(), &delivery).await {
            Ok(true) => {}
            Ok(false) => return delivery.event,
            Err(error) => {
                tracing::warn!(event = delivery.id, "cannot take an event: {error}");
                tokio::time::sleep(TICK).await;
                return delivery.event;
            }
        }
        let body = delivery.body.clone().into();
        let EventTarget {
            endpoint, secrets, ..
        } = self.target;
        let request = secrets.request(endpoint, &delivery.id, body, self.now());
        let again_at = match self.client.status(request, PATIENCE).await {
            Ok(status) if status.is_success() => {
                self.delivered();
                None
            }
            Ok(status) => self.failed(&delivery, &answered(status)),
            Err(error) => self.failed(&delivery, &error.to_string()),
        };
        let attempt = Attempt {
            target: self.target.id(),
            event: delivery.event,
            again_at,
        };
        while let Err(error) = self.store.attempted(attempt, self.now()).await {
            tracing::warn!(event = delivery.id, "cannot write of a delivery: {error}");
            tokio::time::sleep(TICK).await;
        }
        delivery.event
    }

    fn delivered(&self) {
        self.metrics
            .delivery(self.number, DeliveryResult::Delivered);
        if self.is_failing.swap(false, Ordering::Relaxed) {
            tracing::info!(
                url = self.number,
                "{} gets events again",
                self.target.endpoint
            );
        }
    }

    /// When to try again.
    fn failed(&self, delivery: &Delivery, why: &str) -> Option<UnixMillis> {
        let endpoint = &self.target.endpoint;
        self.metrics.delivery(self.number, DeliveryResult::Failed);
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                url = self.number,
                event = delivery.id,
                "{endpoint} did not accept an event: {why}; it is tried again for 24 hours"
            );
        }
        let now = self.now();
        let (age, attempts) = GIVEN_UP;
        let is_over = delivery.attempts.saturating_add(1) >= attempts;
        if is_over && delivery.at.plus(age) <= now {
            self.metrics.delivery(self.number, DeliveryResult::GivenUp);
            tracing::warn!(
                url = self.number,
                event = delivery.id,
                "an event for {endpoint} was given up: {why}"
            );
            return None;
        }
        let mut random = [0; 4];
        // Without randomness, all that failed together comes back together.
        let _ = (self.ambient.randomness)(&mut random);
        Some(now.plus(pause(delivery.attempts, u32::from_be_bytes(random))))
    }

    fn now(&self) -> UnixMillis {
        (self.ambient.clock)()
    }
}

fn answered(status: StatusCode) -> String {
    match status.is_redirection() {
        true => format!("it answered {status}, and no redirect is followed"),
        false => format!("it answered {status}"),
    }
}

/// The pause after a failure, when there were `failures` before it: random, so that what failed
/// together does not come back together, and at least half as long as it may be.
fn pause(failures: u32, random: u32) -> Millis {
    let factor = 4_u64.saturating_pow(failures);
    let longest = FIRST_PAUSE.0.saturating_mul(factor).min(LONGEST_PAUSE.0);
    let half = longest / 2;
    let share = half.saturating_mul(u64::from(random)) >> 32;
    Millis(half.saturating_add(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour_and_differ() {
        let least: Vec<u64> = (0..7).map(|it| pause(it, 0).0).collect();
        let hour = 1_800_000;
        assert_eq!(least, [2_500, 10_000, 40_000, 160_000, 640_000, hour, hour]);
        for failures in 0..100 {
            let (least, most) = (pause(failures, 0).0, pause(failures, u32::MAX).0);
            assert!(least < most && most < 2 * least, "{failures}");
        }
    }
}
