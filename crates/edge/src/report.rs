//! What the edge tells its host to count and to log.
//!
//! Both are values in a queue. A line of the log could go through the crate `log` instead; but
//! its logger is that of the whole process, so a test could not tell which worker wrote what,
//! and a host whose workers log through another thread would have to hook into it.
//!
//! Names of counters are fixed, or hold the name of a [rule](crate::by_rule); no path, account or
//! key id is ever part of one.

use std::collections::VecDeque;
use std::fmt;

use keygate_core::{Outcome, Reason, Verdict};

use crate::by_rule::RuleMetric;
use crate::counter::Counter;
use crate::fault::Fault;

/// A counter to which one is to be added: the two parts of its name, so that no request has
/// to put them together. All of the same name are the same two `static` texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric(pub &'static str, pub &'static str);

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A call to the key service failed; each kind once a minute.
    Fault {
        /// How.
        fault: Fault,
        /// Through which cluster the call went.
        cluster: String,
    },
    /// The key service answers a poll after one that failed.
    AnswersAgain,
    /// The key service sent a record that must not reach a header.
    UnusableRecord,
    /// Cached keys do not count any more.
    LeaseEnded,
    /// Cached keys count again.
    LeaseRenewed,
    /// The proxy hands paths on as clients spell them; once a minute.
    NotNormalized,
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A change for the better.
    Info,
    /// An operator has to set something right.
    Warning,
}

/// What is not yet taken by the host.
#[derive(Default)]
pub(crate) struct Report {
    metrics: VecDeque<Metric>,
    rule_metrics: VecDeque<RuleMetric>,
    notices: VecDeque<Notice>,
}

impl Metric {
    /// The counters that begin at 0 with the host. An alert on the growth of any other misses
    /// the first event: Prometheus sees no growth in a series that begins at 1.
    pub fn from_the_start() -> impl Iterator<Item = Self> {
        let own = Counter::ALL.iter().map(|counter| Self(counter.name(), ""));
        let denials = Reason::ALL.iter().map(|reason| Self::denied(*reason));
        own.chain(denials)
    }

    fn denied(reason: Reason) -> Self {
        Self("keygate_decision.deny.", reason.code())
    }

    /// The counter of a final decision:
    /// `keygate_decision.<allow|deny|would_deny|reply>.<reason>`; `None` for a question.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        Some(match verdict {
            Verdict::Ask(_) | Verdict::Redeem(_) => return None,
            Verdict::Deny(denial) => Self::denied(denial.reason),
            Verdict::Reply(reply) => Self("keygate_decision.reply.", reply.code),
            Verdict::Allow(grant) => match grant.outcome {
                Outcome::Verified => Self("keygate_decision.allow.", "verified"),
                Outcome::Cleared => Self("keygate_decision.allow.", "cleared"),
                Outcome::Unchecked => {
                    let reason = Reason::KeyServiceUnavailable.code();
                    Self("keygate_decision.allow.", reason)
                }
                Outcome::Anonymous => Self("keygate_decision.allow.", "anonymous"),
                Outcome::WouldDeny(reason) => Self("keygate_decision.would_deny.", reason.code()),
            },
        })
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(first, second) = self;
        write!(f, "{first}{second}")
    }
}

impl Notice {
    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Self::AnswersAgain | Self::LeaseRenewed => Level::Info,
            Self::Fault { .. } | Self::UnusableRecord | Self::LeaseEnded | Self::NotNormalized => {
                Level::Warning
            }
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fault { fault, cluster } => return fault.write(cluster, f),
            Self::AnswersAgain => "the key service is available again",
            Self::UnusableRecord => "the key service sent an invalid record of a key",
            Self::LeaseEnded => {
                "the lease has ended: cached keys are not valid until the key service answers a \
                 poll of the change feed"
            }
            Self::LeaseRenewed => "the lease is renewed: cached keys are valid again",
            Self::NotNormalized => {
                "a path with a percent-encoded letter, digit or one of -._~ was rejected \
                 (not_normalized): set normalize_path: true and merge_slashes: true in the HTTP \
                 connection manager of this filter"
            }
        })
    }
}

impl Report {
    /// Adds one to a counter.
    pub(crate) fn count(&mut self, counter: Counter) {
        self.add(Metric(counter.name(), ""));
    }

    pub(crate) fn add(&mut self, metric: Metric) {
        self.metrics.push_back(metric);
    }

    /// Adds one to the counter of the rule that decided.
    #[cold]
    pub(crate) fn count_for_rule(&mut self, verdict: &Verdict) {
        self.rule_metrics.extend(RuleMetric::of(verdict));
    }

    pub(crate) fn log(&mut self, notice: Notice) {
        self.notices.push_back(notice);
    }

    pub(crate) fn next_metric(&mut self) -> Option<Metric> {
        self.metrics.pop_front()
    }

    pub(crate) fn next_rule_metric(&mut self) -> Option<RuleMetric> {
        self.rule_metrics.pop_front()
    }

    pub(crate) fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }
}
