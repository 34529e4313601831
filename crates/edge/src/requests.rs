//! How a request is decided, how it comes to wait, and how it is decided again.

use std::cell::Cell;
use std::rc::Rc;

use keygate_core::answer::{Rejection, Scheme, Voice};
use keygate_core::decision::Redemption;
use keygate_core::identity::Claims;
use keygate_core::keys::{Answer, KeyHash, KeyLookup, Knowledge, KnownKey, Lookup};
use keygate_core::signed_url::Checks;
use keygate_core::{Client, Facts, Header, Millis, Reason, UnixMillis, Verdict};

use crate::cache::{KeyCache, LastKnown};
use crate::caller::Caller;
use crate::counter::Counter;
use crate::edge::Edge;
use crate::host::{RequestId, Step};
use crate::lookups::Payer;
use crate::report::{Metric, Notice};
use crate::uses::Use;
use crate::waiting::{Ground, Waiter};

/// Most keys that are asked about on account of one request.
const MAX_QUESTIONS_OF_ONE: u8 = 4;

/// A path that is not normalized is logged once in this time.
const PAUSE: Millis = Millis::from_secs(60);

/// What a worker knows, when a request may ask no more: any other key is rejected for this
/// reason. What is known, or a link, may still let it pass. Never [`Knowledge::NotAsked`].
struct AsksNoMore<'a> {
    cache: &'a KeyCache,
    reason: Reason,
}

impl KeyLookup for AsksNoMore<'_> {
    fn find(&self, hashes: &[KeyHash], now: UnixMillis) -> Knowledge {
        match self.cache.find(hashes, now) {
            Knowledge::NotAsked => Knowledge::Unavailable(self.reason),
            found => found,
        }
    }

    fn presented(&self, key: &Rc<KnownKey>, usable: Result<(), Reason>) {
        self.cache.presented(key, usable);
    }
}

/// Adds `transfer-encoding` for the decision where a body follows without a length, as over
/// HTTP/2: HTTP/1.1 would declare it so. For a host to call on a request that does not end with
/// its headers. What the upstream gets is not changed.
pub fn declare_body(headers: &mut Vec<Header>) {
    let mut names = headers.iter().map(|(name, _)| name);
    // An upgraded connection has no body.
    let said = ["content-length", "transfer-encoding", "upgrade"];
    if !names.any(|name| said.iter().any(|it| name == it)) {
        headers.push(("transfer-encoding".into(), "chunked".into()));
    }
}

/// The rejection of a request that the host could not read or change. A host counts it by
/// [`Metric::of`].
pub fn host_failure(headers: &[Header]) -> Verdict {
    let rejection = Rejection {
        reason: Reason::HostFailure,
        scheme: Scheme::None,
    };
    Verdict::Deny(rejection.answer(headers, &Voice::default()))
}

impl Edge {
    /// A request has arrived: `headers` are all of it, pseudo-headers among them.
    ///
    /// The client's address and the claims are asked for only if the decision needs them, or
    /// when the request pauses; never after this call has returned.
    pub fn request(
        &mut self,
        id: RequestId,
        headers: Vec<Header>,
        client: Client<'_>,
        claims: &dyn Claims,
        now: UnixMillis,
    ) -> Step {
        let failed = Cell::new(0);
        self.cache.forget_presented();
        let facts = Facts {
            client,
            keys: &self.cache,
            claims,
            checks: Checks::new(&failed, &self.signatures),
            now,
        };
        let verdict = self.verdict(&headers, &facts);
        if !matches!(verdict, Verdict::Ask(_) | Verdict::Redeem(_)) {
            return Step::Decided(self.decided(verdict, &headers, now));
        }
        // A link that works once is decided already, but for the key service.
        let caller = match verdict {
            Verdict::Ask(_) => Caller::by(client, claims, &self.sessions),
            Verdict::Allow(_) | Verdict::Deny(_) | Verdict::Redeem(_) | Verdict::Reply(_) => {
                Caller::default()
            }
        };
        let waiter = Waiter::new(id, headers, caller, failed);
        match self.proceed(waiter, verdict, now) {
            Some(verdict) => Step::Decided(verdict),
            None => Step::Paused,
        }
    }

    /// Decides a paused request; `None` when it waits once more, for another key or a link.
    pub(crate) fn settle(
        &mut self,
        waiter: Waiter,
        ground: Ground,
        now: UnixMillis,
    ) -> Option<Verdict> {
        let cache = &self.cache;
        let verdict = match ground {
            Ground::Answer(hashes, knowledge, at) if at == cache.position() => {
                let answer = Answer {
                    hashes: &hashes,
                    knowledge,
                    others: cache,
                };
                self.judge(&waiter, &answer, now)
            }
            // The feed has moved on since, perhaps past a change of this key.
            Ground::Answer(..) => self.judge(&waiter, cache, now),
            Ground::LastKnown => self.judge(&waiter, &LastKnown(cache), now),
            Ground::NoAnswer(hashes) => {
                let reason = Reason::KeyServiceUnavailable;
                let answer = Answer {
                    hashes: &hashes,
                    knowledge: Knowledge::Unavailable(reason),
                    others: &AsksNoMore { cache, reason },
                };
                self.judge(&waiter, &answer, now)
            }
            Ground::Verdict(verdict) => {
                cache.present_again(waiter.presented.as_deref());
                return Some(self.decided(verdict, &waiter.headers, now));
            }
        };
        self.proceed(waiter, verdict, now)
    }

    /// Lets a request wait, if its verdict is a question; else it is decided.
    fn proceed(&mut self, waiter: Waiter, verdict: Verdict, now: UnixMillis) -> Option<Verdict> {
        let (waiter, verdict) = match verdict {
            Verdict::Ask(lookup) => {
                let (waiter, reason) = self.ask(lookup, waiter, now).err()?;
                let cache = &self.cache;
                let verdict = self.judge(&waiter, &AsksNoMore { cache, reason }, now);
                (waiter, verdict)
            }
            verdict => (waiter, verdict),
        };
        // Also where a key is left that cannot be asked about.
        let (waiter, verdict) = match verdict {
            Verdict::Redeem(redemption) => {
                let mut waiter = waiter;
                waiter.presented = self.cache.last_presented().kept();
                self.redeem(waiter, redemption, now)?
            }
            verdict => (waiter, verdict),
        };
        Some(self.decided(verdict, &waiter.headers, now))
    }

    fn judge(&self, waiter: &Waiter, keys: &dyn KeyLookup, now: UnixMillis) -> Verdict {
        self.cache.forget_presented();
        let facts = Facts {
            client: Client::Known(waiter.caller.address),
            keys,
            claims: &waiter.caller.claims,
            checks: Checks::new(&waiter.failed_checks, &self.signatures),
            now,
        };
        self.verdict(&waiter.headers, &facts)
    }

    /// Decides a request. One that may pass counts for the limits of its key and its account.
    fn verdict(&self, headers: &[Header], facts: &Facts<'_>) -> Verdict {
        let mut verdict = self.policy.decide(headers, facts);
        let grant = match &mut verdict {
            Verdict::Allow(grant) => grant,
            Verdict::Redeem(redemption) => &mut redemption.grant,
            Verdict::Ask(_) | Verdict::Deny(_) | Verdict::Reply(_) => return verdict,
        };
        let of_account = self.policy.account_rate_limit;
        let Some(counted) = self.rates.count(grant, of_account, facts.now) else {
            return verdict;
        };
        let Some(exceeded) = counted.exceeded else {
            grant.response_edits.extend(counted.edits());
            return verdict;
        };
        let mut verdict = self.policy.decide_beyond(headers, facts, exceeded);
        if let Verdict::Deny(denial) = &mut verdict {
            let told = counted.headers.into_iter();
            let told = told.map(|(name, value)| (name.into(), value.into()));
            denial.headers.extend(told);
        }
        verdict
    }

    /// The verdict as the host gets it, counted.
    fn decided(&mut self, verdict: Verdict, headers: &[Header], now: UnixMillis) -> Verdict {
        let verdict = match verdict {
            // Nothing is left to ask.
            Verdict::Ask(_) | Verdict::Redeem(_) => host_failure(headers),
            Verdict::Allow(_) | Verdict::Deny(_) | Verdict::Reply(_) => verdict,
        };
        if let Some(metric) = Metric::of(&verdict) {
            self.report.add(metric);
        }
        if self.policy.metrics_by_rule {
            self.report.count_for_rule(&verdict);
        }
        let presented = self.cache.last_presented();
        for _ in 0..self.key_uses.count(&presented, &verdict, now) {
            self.report.count(Counter::KeyUseDropped);
        }
        drop(presented);
        if let Verdict::Deny(denial) = &verdict
            && denial.reason == Reason::NotNormalized
        {
            self.warn_not_normalized(now);
        }
        verdict
    }

    #[cold]
    fn warn_not_normalized(&mut self, now: UnixMillis) {
        if self.warned.is_none_or(|last| now >= last.plus(PAUSE)) {
            self.warned = Some(now);
            self.report.log(Notice::NotNormalized);
        }
    }

    /// Lets a request wait for what the key service says of a key; gives it back with
    /// the reason when it cannot.
    fn ask(
        &mut self,
        lookup: Lookup,
        mut waiter: Waiter,
        now: UnixMillis,
    ) -> Result<(), (Waiter, Reason)> {
        if self.policy.key_service.is_none() {
            return Err((waiter, Reason::KeyServiceUnavailable));
        }
        waiter.questions = waiter.questions.saturating_add(1);
        if waiter.questions > MAX_QUESTIONS_OF_ONE || !self.room.enter(&mut waiter) {
            return Err((waiter, Reason::Overloaded));
        }
        let client = waiter.caller.address;
        let pays = lookup.is_opaque && !self.lookups.is_asked(&lookup);
        if pays && !self.misses.admit(client, now) {
            return Err((waiter, Reason::TooManyMisses));
        }
        let payer = pays.then_some(Payer(client));
        let joined = self.lookups.join(lookup, waiter, payer, now);
        joined.map_err(|waiter| {
            // It was no miss: the question is not put.
            if pays {
                self.misses.succeeded(client, now);
            }
            (waiter, Reason::Overloaded)
        })
    }

    /// Lets a request wait until its link is used up, and returns `None`; gives it back with
    /// the verdict when there is nothing to wait for, or no room.
    fn redeem(
        &mut self,
        mut waiter: Waiter,
        redemption: Box<Redemption>,
        now: UnixMillis,
    ) -> Option<(Waiter, Verdict)> {
        let has_room = self.room.enter(&mut waiter);
        let one = Use::new(waiter, redemption, now);
        let link = one.link();
        if self.used_links.contains(link) {
            return Some(one.settle(Some(false)));
        }
        if !one.uses() && self.unused_links.contains(link, now) {
            return Some(one.settle(Some(true)));
        }
        if self.policy.key_service.is_none() {
            return Some(one.settle(None));
        }
        let joined = match has_room {
            true => self.uses.join(one),
            false => Err(one),
        };
        let one = joined.err()?;
        self.report.count(Counter::LinkUseOverloaded);
        Some(one.settle(None))
    }
}
