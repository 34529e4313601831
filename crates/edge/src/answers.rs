//! What becomes of a call: whether it was sent, what its answer says, and when it is lost.

use std::rc::Rc;

use keygate_core::UnixMillis;
use keygate_core::keys::wire::{ChangesResponse, LinkUseResponse, LookupResponse};
use keygate_core::keys::{KeyHash, Knowledge, KnownKey};

use crate::call::{About, Call};
use crate::counter::Counter;
use crate::edge::Edge;
use crate::fault::Fault;
use crate::faults::read_answer;
use crate::feed::Position;
use crate::host::{NotSent, Response, Token};
use crate::lookups::Payer;
use crate::report::Notice;
use crate::shared::Shared;
use crate::uses::Question;
use crate::waiting::{Ground, Waiter};
use crate::{lookups, uses};

impl Edge {
    /// The host has sent a call, under this number, or could not send it. A call that is taken
    /// and never reported here counts as lost: the requests that wait for it are rejected after
    /// a while.
    pub fn sent(&mut self, call: Call, sent: Result<Token, NotSent>, now: UnixMillis) {
        let token = match sent {
            Ok(token) => token,
            Err(error) => return self.not_sent(call, error, now),
        };
        match call.about {
            About::Poll(due) => {
                if let Some(follower) = &mut self.follower {
                    follower.sent(&due, token, now);
                }
            }
            About::Keys(questions) => {
                let asked = lookups::Asked {
                    questions,
                    generation: self.cache.generation(),
                    at: now,
                };
                self.lookups.sent(token, asked);
            }
            About::Link(question) => self.uses.sent(token, question, now),
            About::Uses => self.key_uses.sent(token, now),
        }
    }

    fn not_sent(&mut self, call: Call, error: NotSent, now: UnixMillis) {
        if !matches!(call.about, About::Uses) {
            let fault = Fault::NotSent(error);
            self.faults
                .note(fault, &call.cluster, now, &mut self.report);
        }
        match call.about {
            About::Poll(_) => {
                if let Some(follower) = &mut self.follower {
                    follower.failed(&mut self.report);
                }
            }
            About::Keys(questions) => {
                self.report.count(Counter::LookupUnavailable);
                self.give_up(&questions);
            }
            About::Link(question) => {
                self.report.count(Counter::LinkUseUnavailable);
                self.settle_link(&question, None);
            }
            About::Uses => self.report.count(Counter::KeyUseUnavailable),
        }
    }

    /// A response has arrived. The number of a call that is not under way is ignored.
    pub fn answer(
        &mut self,
        token: Token,
        response: &Response,
        shared: &dyn Shared,
        now: UnixMillis,
    ) {
        if let Some(poll) = self.follower.as_mut().and_then(|it| it.answered(token)) {
            let answer = self.read(response, ChangesResponse::read, true, now);
            if let Some(follower) = &mut self.follower {
                match answer {
                    Some(answer) => follower.publish(&poll, &answer, &mut self.report, shared),
                    None => follower.failed(&mut self.report),
                }
            }
        } else if let Some(asked) = self.uses.answered(token) {
            let answer = self.read(response, LinkUseResponse::read, false, now);
            self.read_use(&asked, answer);
        } else if let Some(asked) = self.lookups.answered(token) {
            let answer = self.read(response, LookupResponse::read, false, now);
            self.read_lookup(&asked, answer, now);
        } else if self.key_uses.answered(token) {
            // Why a report fails is said by the polls: an older key service takes none.
            self.report
                .count(match read_answer(response, |_| Some(())) {
                    Ok(()) => Counter::KeyUseAnswered,
                    Err(_) => Counter::KeyUseUnavailable,
                });
        }
        self.follow(shared, now);
    }

    /// The answer of the key service, or `None`, and then the fault is noted.
    fn read<T>(
        &mut self,
        response: &Response,
        read: fn(&[u8]) -> Option<T>,
        is_poll: bool,
        now: UnixMillis,
    ) -> Option<T> {
        let fault = match read_answer(response, read) {
            Ok(answer) => return Some(answer),
            Err(fault) => fault,
        };
        let service = self.policy.key_service.as_ref()?;
        let cluster = match is_poll {
            true => &service.poll_cluster,
            false => &service.cluster,
        };
        self.faults.note(fault, cluster, now, &mut self.report);
        None
    }

    fn read_lookup(
        &mut self,
        asked: &lookups::Asked,
        answer: Option<LookupResponse>,
        now: UnixMillis,
    ) {
        let Some(answer) = answer else {
            self.report.count(Counter::LookupUnavailable);
            return self.give_up(&asked.questions);
        };
        self.report.count(Counter::LookupAnswered);
        let is_current = asked.generation == self.cache.generation();
        let at = Position::new(answer.incarnation, answer.epoch);
        for hashes in &asked.questions {
            let Ok(found) = KnownKey::among(&answer.records, hashes) else {
                self.report.log(Notice::UnusableRecord);
                self.reject(hashes);
                continue;
            };
            let known = found.as_ref().map(|(_, known)| Rc::clone(known));
            if !is_current || !self.cache.insert(hashes, found, at) {
                if !self.lookups.ask_again(hashes) {
                    self.reject(hashes);
                }
                continue;
            }
            let knowledge = known.map_or(Knowledge::Unknown, Knowledge::Known);
            self.settle_key(hashes, &knowledge, now);
        }
    }

    fn read_use(&mut self, asked: &uses::Asked, answer: Option<LinkUseResponse>) {
        let uses::Asked { question, at } = asked;
        let first = answer.map(|it| it.first);
        self.report.count(match first {
            Some(_) => Counter::LinkUseAnswered,
            None => Counter::LinkUseUnavailable,
        });
        match (first, question.uses) {
            (Some(true), false) => self.unused_links.remember(&question.link, *at),
            (Some(_), _) => self.used_links.remember(&question.link),
            (None, _) => {}
        }
        self.settle_link(question, first);
    }

    /// Polls the change feed when it is this worker's turn, and follows what was published.
    pub(crate) fn follow(&mut self, shared: &dyn Shared, now: UnixMillis) {
        let (Some(follower), Some(service)) = (&mut self.follower, &self.policy.key_service) else {
            return;
        };
        let report = &mut self.report;
        follower.poll(service, &mut self.faults, report, shared, now);
        follower.follow(&self.cache, report, shared, now);
    }

    /// Ends the wait for answers that were lost.
    pub(crate) fn give_up_overdue(&mut self, now: UnixMillis) {
        let Some(service) = &self.policy.key_service else {
            return;
        };
        let patience = service.patience();
        let keys = self.lookups.overdue(patience, now);
        let links = self.uses.overdue(patience, now);
        if !keys.is_empty() || links.lost_calls > 0 {
            let report = &mut self.report;
            self.faults
                .note(Fault::TimedOut, &service.cluster, now, report);
        }
        if self.key_uses.is_overdue(patience, now) {
            self.report.count(Counter::KeyUseUnavailable);
        }
        self.give_up(&keys);
        for (waiter, verdict) in links.waiters {
            self.make_due(waiter, Ground::Verdict(verdict));
        }
    }

    /// All requests that wait for a key are due, on what is now known of it.
    fn settle_key(&mut self, hashes: &Rc<[KeyHash]>, knowledge: &Knowledge, now: UnixMillis) {
        let was_no_miss = matches!(knowledge, Knowledge::Known(_));
        let at = self.cache.position();
        let settled = self.lookups.settle(hashes);
        if let Some(Payer(client)) = settled.payer {
            match was_no_miss {
                true => self.misses.succeeded(client, now),
                false => self.misses.failed(client, now),
            }
        }
        for waiter in settled.waiters {
            let ground = Ground::Answer(Rc::clone(hashes), knowledge.clone(), at);
            self.make_due(waiter, ground);
        }
    }

    /// The key service gave no answer about these keys: here an outage policy holds.
    fn give_up(&mut self, keys: &[Rc<[KeyHash]>]) {
        for hashes in keys {
            for waiter in self.lookups.settle(hashes).waiters {
                self.make_due(waiter, Ground::LastKnown);
            }
        }
    }

    /// The key service gave an answer that does not count, and may have meant to reject the
    /// key.
    fn reject(&mut self, hashes: &Rc<[KeyHash]>) {
        for waiter in self.lookups.settle(hashes).waiters {
            self.make_due(waiter, Ground::NoAnswer(Rc::clone(hashes)));
        }
    }

    /// All requests that wait with a link are due, on what the key service said of it.
    fn settle_link(&mut self, question: &Question, first: Option<bool>) {
        for (waiter, verdict) in self.uses.settle(question, first) {
            self.make_due(waiter, Ground::Verdict(verdict));
        }
    }

    fn make_due(&mut self, waiter: Waiter, ground: Ground) {
        self.due.push_back((waiter, ground));
    }
}
