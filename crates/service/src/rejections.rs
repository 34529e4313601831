//! Rejected credentials in the log: one line a minute for each kind, however many calls are
//! rejected. Anyone who reaches the service can cause one, so a flood must not fill the log.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use keygate_core::{Millis, UnixMillis};

use crate::problem::Problem;
use crate::roles::Action;

/// Time between two lines about the same kind.
const PAUSE: Millis = Millis::from_secs(60);

/// What was rejected of late, of each kind.
#[derive(Debug, Default)]
pub(crate) struct Rejections {
    edge: Mutex<Recent>,
    admin: Mutex<Recent>,
    assertions: Mutex<Recent>,
    reports: Mutex<Recent>,
    hook: Mutex<Recent>,
}

/// Calls that were rejected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted {
    /// As what they came: `edge` or `admin`.
    pub(crate) role: &'static str,
    /// How many since the last note.
    pub(crate) count: u64,
}

#[derive(Debug, Default)]
struct Recent {
    logged: Option<UnixMillis>,
    /// Rejections since then, which have no line of their own.
    silent: u64,
}

impl Rejections {
    /// Logs that a call for this role was rejected. The token is never part of the line. Returns
    /// what the audit log notes of it, as seldom.
    pub(crate) fn note(&self, action: Action, problem: &Problem, now: UnixMillis) -> Option<Noted> {
        let (recent, caller, role) = match action {
            Action::Follow => (&self.edge, "an edge", "edge"),
            _ => (&self.admin, "an admin", "admin"),
        };
        let silent = rejected(recent, now)?;
        tracing::warn!(
            "a call of {caller} was rejected: {problem}; compare the token that it sends \
             with the {role} tokens of this service ({silent} more rejected since the last line)"
        );
        Some(Noted {
            role,
            count: silent.saturating_add(1),
        })
    }

    /// Logs that an assertion was rejected, and why. It is never part of the line.
    pub(crate) fn note_assertion(&self, why: &dyn fmt::Display, now: UnixMillis) {
        if let Some(silent) = rejected(&self.assertions, now) {
            tracing::warn!(
                "an assertion was rejected: {why}; compare the assertion of the policy with \
                 what this service accepts ({silent} more rejected since the last line)"
            );
        }
    }
}

impl Rejections {
    /// Logs that the hook before save failed, and why.
    pub(crate) fn note_hook(&self, why: &dyn fmt::Display, now: UnixMillis) {
        if let Some(silent) = rejected(&self.hook, now) {
            tracing::warn!(
                "the hook before save failed, so nothing was saved: {why} ({silent} more failures \
                 since the last line)"
            );
        }
    }

    /// Logs that a report of leaked keys was rejected, and why.
    pub(crate) fn note_report(&self, why: &dyn fmt::Display, now: UnixMillis) {
        if let Some(silent) = rejected(&self.reports, now) {
            tracing::warn!(
                "a report of leaked keys was rejected: {why} ({silent} more rejected since the last \
                 line)"
            );
        }
    }
}

/// Counts a rejection; how many had no line before it, if one is due.
fn rejected(recent: &Mutex<Recent>, now: UnixMillis) -> Option<u64> {
    let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
    recent.rejected(now)
}

impl Recent {
    /// Counts a rejection; how many had no line before it, if one is due.
    fn rejected(&mut self, now: UnixMillis) -> Option<u64> {
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
    use axum::http::{HeaderMap, HeaderValue};
    use keygate_core::identity::assertion::{ASSERTION_HEADER, Verifier};
    use keygate_core::secret::KeyRing;

    use super::*;
    use crate::auth::{Gate, Tokens};
    use crate::caller::Assertions;
    use crate::rights::Caller;
    use crate::tokens::CreatedTokens;

    fn gate() -> Gate {
        let tokens = Tokens::parse("a-token-of-16-bytes").unwrap();
        Gate {
            owner: tokens.clone(),
            edge: tokens,
        }
    }

    /// Accepts no assertion: no key has signed one.
    fn none() -> Assertions {
        Assertions {
            verifier: Verifier {
                ring: KeyRing(Vec::new()),
                issuer: "keygate".to_owned(),
                audience: "keygate-keys".to_owned(),
                skew: Millis(0),
            },
            sessions_need_scopes: false,
        }
    }

    #[test]
    fn a_flood_of_rejections_has_one_line_a_minute() {
        let mut recent = Recent::default();
        let at = |seconds: u64| UnixMillis::from_secs(1_000 + seconds);
        assert_eq!(recent.rejected(at(0)), Some(0));
        for second in 0..59 {
            assert_eq!(recent.rejected(at(second)), None);
        }
        assert_eq!(recent.rejected(at(60)), Some(59));
        assert_eq!(recent.rejected(at(61)), None);
        assert_eq!(recent.rejected(UnixMillis(0)), Some(1), "set back");
    }

    #[test]
    fn a_flood_of_wrong_assertions_hides_no_rejected_token() {
        let rejections = Rejections::default();
        let now = UnixMillis::from_secs(1_000);
        let mut headers = HeaderMap::new();
        headers.insert(ASSERTION_HEADER, HeaderValue::from_static("a.b.c"));
        for _ in 0..3 {
            let (action, created) = (Action::ReadKeys, CreatedTokens::default());
            let caller = Caller::identify(
                &gate(),
                &created,
                Some(&none()),
                &headers,
                action,
                &rejections,
                now,
            );
            assert!(matches!(caller, Err(Problem::InvalidAssertion)));
        }
        let silent = |recent: &Mutex<Recent>| recent.lock().unwrap().silent;
        assert_eq!(silent(&rejections.assertions), 2);
        rejections.note(Action::ReadKeys, &Problem::InvalidToken, now);
        let admin = rejections.admin.lock().unwrap();
        assert_eq!((admin.logged, admin.silent), (Some(now), 0));
    }
}
