//! Paused requests: how much room they may take, and on what each is decided.

use std::cell::Cell;
use std::rc::Rc;

use keygate_core::keys::{KeyHash, Knowledge};
use keygate_core::{Header, Verdict};

use crate::caller::Caller;
use crate::feed::Position;
use crate::host::RequestId;
use crate::key_uses::Presented;

/// Most requests of one worker that wait at the same time. With the default timeout of a
/// call that is room for some 3,000 cold requests a second, far more than warm up a cache.
const MAX_WAITERS: usize = 1024;

/// Most bytes that their headers and claims take. 16 KiB for each of them: Envoy takes up to
/// 60 KiB of headers from any client, and 1024 such requests must not take 60 MiB of each
/// worker.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A paused request, and what it takes to decide it again.
pub(crate) struct Waiter {
    pub(crate) id: RequestId,
    /// Its headers as they arrived.
    pub(crate) headers: Vec<Header>,
    /// What the host says of it.
    pub(crate) caller: Caller,
    /// Its place in the room, once it waits.
    place: Option<Place>,
    /// How many questions were put on its account.
    pub(crate) questions: u8,
    /// How many public-key checks failed on its account.
    pub(crate) failed_checks: Cell<u8>,
    /// The keys that it presents, once its verdict depends on a link alone.
    pub(crate) presented: Option<Box<Presented>>,
}

/// How many requests of a worker wait, and how much memory they use.
#[derive(Default)]
pub(crate) struct Room {
    waiters: Cell<usize>,
    bytes: Cell<usize>,
}

/// One request's part of a [`Room`], which it gives back when it is dropped.
struct Place {
    room: Rc<Room>,
    bytes: usize,
}

/// On what a paused request is decided.
pub(crate) enum Ground {
    /// The answer of the key service about its key, and how far the feed was followed then.
    Answer(Rc<[KeyHash]>, Knowledge, Option<Position>),
    /// What was last known: the key service is away, and an outage policy applies.
    LastKnown,
    /// No answer about its key, to which no outage policy applies.
    NoAnswer(Rc<[KeyHash]>),
    /// A verdict that needs no other decision.
    Verdict(Verdict),
}

impl Waiter {
    /// A request that does not wait yet, of which so many public-key checks have failed.
    pub(crate) fn new(
        id: RequestId,
        headers: Vec<Header>,
        caller: Caller,
        failed: Cell<u8>,
    ) -> Self {
        Self {
            id,
            headers,
            caller,
            place: None,
            questions: 0,
            failed_checks: failed,
            presented: None,
        }
    }
}

impl Room {
    /// A place for a request, unless there is one too many.
    pub(crate) fn enter(self: &Rc<Self>, waiter: &mut Waiter) -> bool {
        if waiter.place.is_some() {
            return true;
        }
        let bytes = size(&waiter.headers).saturating_add(waiter.caller.bytes());
        let waiters = self.waiters.get().saturating_add(1);
        let sum = self.bytes.get().saturating_add(bytes);
        if waiters > MAX_WAITERS || sum > MAX_BYTES {
            return false;
        }
        self.waiters.set(waiters);
        self.bytes.set(sum);
        let room = Rc::clone(self);
        waiter.place = Some(Place { room, bytes });
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self { room, bytes } = self;
        room.waiters.set(room.waiters.get().saturating_sub(1));
        room.bytes.set(room.bytes.get().saturating_sub(*bytes));
    }
}

/// The memory of headers: their texts, and what holds these together.
fn size(headers: &[Header]) -> usize {
    let of_one = |(name, value): &Header| {
        let texts = name.len().saturating_add(value.len());
        texts.saturating_add(size_of::<Header>())
    };
    headers.iter().map(of_one).fold(0, usize::saturating_add)
}
