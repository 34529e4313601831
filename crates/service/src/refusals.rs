//! Refused tokens in the log: one line a minute for each role, however many calls are refused.
//! Anyone who reaches the service can cause one, so a flood must not fill the log.

use std::sync::{Mutex, PoisonError};

use keygate_core::{Millis, UnixMillis};

use crate::auth::Role;
use crate::problem::Problem;

/// Time between two lines about the same role.
const PAUSE: Millis = Millis::from_secs(60);

/// What was refused of late, for each role.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    edge: Mutex<Recent>,
    admin: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    logged: Option<UnixMillis>,
    /// Refusals since then, which have no line of their own.
    silent: u64,
}

impl Refusals {
    /// Logs that a call for this role was refused. The token is never part of the line.
    pub(crate) fn note(&self, needed: Role, problem: &Problem, now: UnixMillis) {
        let (recent, caller, role) = match needed {
            Role::Edge => (&self.edge, "an edge", "edge"),
            Role::Admin => (&self.admin, "an admin", "admin"),
        };
        let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(silent) = recent.refused(now) {
            tracing::warn!(
                "a call of {caller} was refused: {problem}; compare the token that it sends \
                 with the {role} tokens of this service ({silent} more refused since the last line)"
            );
        }
    }
}

impl Recent {
    /// Counts a refusal; how many had no line before it, if one is due.
    fn refused(&mut self, now: UnixMillis) -> Option<u64> {
        // Also where the clock was set back.
        let is_due = |last: UnixMillis| last.0.abs_diff(now.0) >= PAUSE.0;
        if self.logged.is_none_or(is_due) {
            self.logged = Some(now);
            return Some(std::mem::take(&mut self.silent));
        }
        self.silent = self.silent.saturating_add(1);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_has_one_line_a_minute() {
        let mut recent = Recent::default();
        let at = |seconds: u64| UnixMillis::from_secs(1_000 + seconds);
        assert_eq!(recent.refused(at(0)), Some(0));
        for second in 0..59 {
            assert_eq!(recent.refused(at(second)), None);
        }
        assert_eq!(recent.refused(at(60)), Some(59));
        assert_eq!(recent.refused(at(61)), None);
        assert_eq!(recent.refused(UnixMillis(0)), Some(1), "set back");
    }
}
