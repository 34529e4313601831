//! What was found, counted.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::oracle::Finding;

/// Most examples that are kept of what is wrong.
const EXAMPLES: usize = 8;

/// Counts since it was taken last.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests that were answered or given up.
    pub sent: u64,
    /// Valid requests that were rejected within the bound.
    pub excused: u64,
    /// Requests that must not have passed.
    pub wrongly_passed: u64,
    /// Requests that must have passed.
    pub wrongly_rejected: u64,
    /// Requests that hang, or whose connection was closed.
    pub unanswered: u64,
    /// What was wrong, in words.
    pub examples: Vec<String>,
    /// When the last valid request was sent that was rejected.
    pub last_rejection: Option<Instant>,
    /// The longest time after its revocation at which a key was sent and still passed.
    pub slowest_revocation: Duration,
    /// The longest time to an answer.
    pub slowest_answer: Duration,
}

impl Tally {
    /// Counts one answer to what was sent then, after so long; `what` says which in words.
    pub fn add(
        &mut self,
        finding: Finding,
        sent: Instant,
        took: Duration,
        what: impl Fn() -> String,
    ) {
        self.sent += 1;
        self.slowest_answer = self.slowest_answer.max(took);
        let count = match finding {
            Finding::Right => return,
            Finding::Excused => &mut self.excused,
            Finding::WronglyPassed => &mut self.wrongly_passed,
            Finding::WronglyRejected => &mut self.wrongly_rejected,
            Finding::Unanswered => &mut self.unanswered,
        };
        *count += 1;
        if matches!(finding, Finding::Excused | Finding::WronglyRejected) {
            self.last_rejection = self.last_rejection.max(Some(sent));
        }
        if finding != Finding::Excused {
            self.example(format!("{finding:?}: {}", what()));
        }
    }

    /// Counts a request that the upstream got, and must not have.
    pub fn reached_upstream(&mut self, what: String) {
        self.wrongly_passed += 1;
        self.example(what);
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.excused += other.excused;
        self.wrongly_passed += other.wrongly_passed;
        self.wrongly_rejected += other.wrongly_rejected;
        self.unanswered += other.unanswered;
        self.last_rejection = self.last_rejection.max(other.last_rejection);
        self.slowest_revocation = self.slowest_revocation.max(other.slowest_revocation);
        self.slowest_answer = self.slowest_answer.max(other.slowest_answer);
        for text in other.examples {
            self.example(text);
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.wrongly_passed + self.wrongly_rejected + self.unanswered == 0
    }

    /// The counts, for a program to read.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "sent": self.sent,
            "wrongly_passed": self.wrongly_passed,
            "wrongly_rejected": self.wrongly_rejected,
            "unanswered": self.unanswered,
            "rejected_within_the_bound": self.excused,
            "slowest_revocation_seconds": seconds(self.slowest_revocation),
            "slowest_answer_seconds": seconds(self.slowest_answer),
            "examples": self.examples,
        })
    }

    fn example(&mut self, text: String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(text);
        }
    }
}

/// Seconds to a tenth.
#[must_use]
pub fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}
