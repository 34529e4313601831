//! What a request may get at its moment, by what is promised and by what is known to be
//! broken just then. Pure: the caller says when something was.

use std::time::{Duration, Instant};

/// What a busy machine is granted on top of every bound: it is slow, not wrong.
pub const SLACK: Duration = Duration::from_secs(2);

/// A revocation that was acknowledged holds on every worker after this.
pub const REVOKED_WITHIN: Duration = Duration::from_secs(2);

/// How long a worker that died may keep the others from polling.
pub const TAKEOVER: Duration = Duration::from_secs(2);

/// A virtual machine that died is back after this: Envoy waits a second, and makes it.
pub const RELOADED_WITHIN: Duration = Duration::from_secs(3);

/// What the configuration promises.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How long a cached key counts while the key service is away.
    pub lease: Duration,
    /// How often the change feed is read.
    pub poll: Duration,
    /// How long a callout may take.
    pub timeout: Duration,
    /// Envoy ends a request that waits for longer.
    pub idle: Duration,
}

impl Bounds {
    /// Once the key service is back, everything is as before after this: a call that was
    /// lost is given up, and the next poll is due.
    #[must_use]
    pub fn recovery(&self) -> Duration {
        self.timeout * 2 + Duration::from_secs(1) + self.poll * 2
    }

    /// A request without an answer for so long hangs.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.idle + SLACK
    }
}

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The key service cannot be reached.
    Unreachable,
    /// It has more to do than it can.
    Busy,
    /// Virtual machines of the filter die.
    Reload,
}

/// A time in which something is broken.
#[derive(Clone, Copy, Debug)]
pub struct Spell {
    /// What.
    pub trouble: Trouble,
    /// Since when.
    pub from: Instant,
    /// Until when; `None` while it lasts.
    pub until: Option<Instant>,
}

/// What a credential is worth.
#[derive(Clone, Copy, Debug)]
pub enum Right {
    /// Never issued.
    Never,
    /// A signed link, which needs no lookup.
    Link,
    /// A key.
    Key {
        /// Every worker has used it lately.
        warm: bool,
        /// What has become of it.
        revocation: Revocation,
    },
}

/// What has become of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// Nothing.
    No,
    /// It was asked for, and not acknowledged: the key may count or not.
    Asked,
    /// Acknowledged then.
    Done(Instant),
}

/// What a client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The upstream's answer.
    Passed,
    /// Another status.
    Rejected(u16),
    /// None that is whole, within [`Bounds::patience`].
    Missing,
}

/// What to think of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// As it should be.
    Right,
    /// A valid request was rejected with 5xx within the bound.
    Excused,
    /// It must not have passed.
    WronglyPassed,
    /// It must have passed.
    WronglyRejected,
    /// It hangs, or the connection was closed.
    Unanswered,
}

/// Bounds and what is broken.
#[derive(Clone, Debug)]
pub struct Oracle {
    /// What is promised.
    pub bounds: Bounds,
    /// What was and is broken.
    pub spells: Vec<Spell>,
}

impl Oracle {
    /// Judges an answer. `right` is what held when the request was sent, `later` when it was
    /// answered.
    #[must_use]
    pub fn judge(
        &self,
        (right, sent): (Right, Instant),
        (later, answered): (Right, Instant),
        answer: Answer,
    ) -> Finding {
        match answer {
            Answer::Missing => Finding::Unanswered,
            Answer::Passed if self.may_pass(right, sent) => Finding::Right,
            Answer::Passed => Finding::WronglyPassed,
            Answer::Rejected(status) => self.rejected(later, (sent, answered), status),
        }
    }

    /// Whether a request that is sent then may pass.
    #[must_use]
    pub fn may_pass(&self, right: Right, sent: Instant) -> bool {
        match right {
            Right::Never => false,
            Right::Link => true,
            Right::Key { revocation, .. } => match revocation {
                Revocation::No | Revocation::Asked => true,
                Revocation::Done(at) => sent < self.dead_by(at) + SLACK,
            },
        }
    }

    fn rejected(&self, right: Right, span: (Instant, Instant), status: u16) -> Finding {
        let is_warm = match right {
            Right::Key {
                revocation: Revocation::No,
                warm,
            } => Some(warm),
            Right::Link => None,
            Right::Never | Right::Key { .. } => return Finding::Right,
        };
        let excuses = |spell: &Spell| self.excuses(spell, is_warm, span);
        match status >= 500 && self.spells.iter().any(excuses) {
            true => Finding::Excused,
            false => Finding::WronglyRejected,
        }
    }

    /// Whether a valid request may be rejected in this time. `is_warm` is `None` for a link.
    fn excuses(
        &self,
        spell: &Spell,
        is_warm: Option<bool>,
        (sent, answered): (Instant, Instant),
    ) -> bool {
        let Bounds { lease, poll, .. } = self.bounds;
        // The last poll that was answered may be two older than the trouble.
        let held = lease.saturating_sub(poll * 2 + SLACK);
        let (after, linger) = match (spell.trouble, is_warm) {
            (Trouble::Reload, _) => (Duration::ZERO, RELOADED_WITHIN),
            (Trouble::Unreachable, Some(false)) => (Duration::ZERO, self.bounds.recovery()),
            (Trouble::Unreachable, Some(true)) => (held, self.bounds.recovery()),
            (Trouble::Busy, Some(false)) => (Duration::ZERO, self.bounds.timeout),
            (Trouble::Busy, Some(true)) | (Trouble::Busy | Trouble::Unreachable, None) => {
                return false;
            }
        };
        let has_begun = spell.from + after <= answered;
        // The lease outlives a trouble that is shorter.
        let lasted = spell.until.is_none_or(|until| spell.from + after <= until);
        let is_over = spell.until.is_some_and(|it| it + linger + SLACK < sent);
        has_begun && lasted && !is_over
    }

    /// From when on no worker lets a key pass whose revocation was acknowledged then.
    fn dead_by(&self, acknowledged: Instant) -> Instant {
        let healthy = acknowledged + REVOKED_WITHIN;
        let bounds = self.spells.iter().filter_map(|spell| {
            let (linger, by) = match spell.trouble {
                Trouble::Busy => return None,
                Trouble::Unreachable => {
                    let lease = spell.from + self.bounds.lease;
                    let back = spell.until.map(|it| it + self.bounds.recovery());
                    (
                        self.bounds.recovery(),
                        back.map_or(lease, |it| it.min(lease)),
                    )
                }
                Trouble::Reload => {
                    let end = spell.until.unwrap_or(acknowledged).max(acknowledged);
                    (TAKEOVER, end + TAKEOVER + REVOKED_WITHIN)
                }
            };
            let was_over = spell.until.is_some_and(|it| it + linger < acknowledged);
            (healthy > spell.from && !was_over).then_some(by)
        });
        bounds.fold(healthy, Instant::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn oracle(zero: Instant, trouble: Trouble, from: u64, until: Option<u64>) -> Oracle {
        Oracle {
            bounds: Bounds {
                lease: second(20),
                poll: second(1),
                timeout: second(1),
                idle: second(15),
            },
            spells: vec![Spell {
                trouble,
                from: zero + second(from),
                until: until.map(|it| zero + second(it)),
            }],
        }
    }

    const COLD: Right = Right::Key {
        warm: false,
        revocation: Revocation::No,
    };
    const WARM: Right = Right::Key {
        warm: true,
        revocation: Revocation::No,
    };

    #[test]
    fn an_unissued_credential_never_passes_in_any_fault() {
        let zero = Instant::now();
        for trouble in [Trouble::Unreachable, Trouble::Busy, Trouble::Reload] {
            let oracle = oracle(zero, trouble, 0, None);
            let at = (Right::Never, zero + second(5));
            assert_eq!(oracle.judge(at, at, Answer::Passed), Finding::WronglyPassed);
            assert_eq!(oracle.judge(at, at, Answer::Rejected(401)), Finding::Right);
        }
    }

    #[test]
    fn a_revoked_key_may_pass_for_two_seconds_and_in_an_outage_for_the_lease() {
        let zero = Instant::now();
        let passes = |oracle: &Oracle, acknowledged, sent| {
            let revocation = Revocation::Done(zero + second(acknowledged));
            let right = Right::Key {
                warm: true,
                revocation,
            };
            oracle.may_pass(right, zero + second(sent))
        };
        let healthy = oracle(zero, Trouble::Busy, 0, None);
        assert!(passes(&healthy, 100, 103));
        assert!(!passes(&healthy, 100, 104));
        let away = oracle(zero, Trouble::Unreachable, 100, None);
        assert!(passes(&away, 101, 121));
        assert!(!passes(&away, 101, 122), "the lease has ended");
        assert!(!passes(&away, 50, 60), "that was before");
        let back = oracle(zero, Trouble::Unreachable, 100, Some(105));
        assert!(passes(&back, 101, 111));
        assert!(!passes(&back, 101, 112), "it was heard of after the outage");
        assert!(!passes(&back, 130, 134), "long after the outage");
        let died = oracle(zero, Trouble::Reload, 100, Some(101));
        assert!(passes(&died, 101, 106), "another worker must take over");
        assert!(!passes(&died, 101, 107));
    }

    #[test]
    fn in_an_outage_a_cold_key_may_be_unavailable_and_a_warm_one_only_after_the_lease() {
        let zero = Instant::now();
        let found = |oracle: &Oracle, right, at, status| {
            let at = (right, zero + second(at));
            oracle.judge(at, at, Answer::Rejected(status))
        };
        let away = oracle(zero, Trouble::Unreachable, 100, None);
        assert_eq!(found(&away, COLD, 101, 503), Finding::Excused);
        assert_eq!(found(&away, COLD, 101, 401), Finding::WronglyRejected);
        assert_eq!(found(&away, COLD, 99, 503), Finding::WronglyRejected);
        assert_eq!(found(&away, WARM, 115, 503), Finding::WronglyRejected);
        assert_eq!(found(&away, WARM, 116, 503), Finding::Excused);
        assert_eq!(
            found(&away, Right::Link, 116, 503),
            Finding::WronglyRejected
        );
        let back = oracle(zero, Trouble::Unreachable, 100, Some(110));
        assert_eq!(found(&back, COLD, 117, 503), Finding::Excused);
        assert_eq!(found(&back, COLD, 118, 503), Finding::WronglyRejected);
        assert_eq!(found(&back, WARM, 112, 503), Finding::WronglyRejected);
        let died = oracle(zero, Trouble::Reload, 100, Some(101));
        assert_eq!(found(&died, Right::Link, 106, 503), Finding::Excused);
        assert_eq!(
            found(&died, Right::Link, 107, 503),
            Finding::WronglyRejected
        );
    }

    #[test]
    fn a_key_revoked_during_an_answer_may_get_either() {
        let zero = Instant::now();
        let oracle = oracle(zero, Trouble::Busy, 0, Some(0));
        let revoked = Right::Key {
            warm: true,
            revocation: Revocation::Asked,
        };
        let (sent, later) = ((WARM, zero + second(60)), (revoked, zero + second(61)));
        for answer in [Answer::Passed, Answer::Rejected(401)] {
            assert_eq!(oracle.judge(sent, later, answer), Finding::Right);
        }
        let missing = oracle.judge(sent, later, Answer::Missing);
        assert_eq!(missing, Finding::Unanswered);
    }
}
