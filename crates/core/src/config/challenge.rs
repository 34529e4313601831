//! Modes and challenges: what is made of what is written.

use std::rc::Rc;

use super::written::{self, Challenge as Written};
use super::{Compiler, member};
use crate::decision::challenge::{Challenge, Login, ProofOfWork, SealKeys};
use crate::decision::rule::{Mode, Rule};
use crate::http::glob::PathGlob;
use crate::time::Millis;

const DEFAULT_DIFFICULTY: u64 = 16;
const DEFAULT_CLEARANCE: Millis = Millis::from_secs(30 * 60);
const DEFAULT_COOKIE: &str = "keygate_clearance";

/// Browsers keep no cookie longer than 400 days; a clearance should not last near that.
const MAX_CLEARANCE: Millis = Millis::from_secs(30 * 24 * 60 * 60);

impl Compiler<'_> {
    pub(super) fn mode(
        &mut self,
        rule: &str,
        written: &written::Rule,
        before: &[Rule],
    ) -> Option<Mode> {
        let path = format!("{rule}.challenge");
        if written.challenge.is_some() && written.mode != written::Mode::Challenge {
            self.wrong(&path, "requires \"mode\": \"challenge\"");
        }
        match (written.mode, &written.challenge) {
            (written::Mode::Block, _) => Some(Mode::Block),
            (written::Mode::Simulate, _) => Some(Mode::Simulate),
            (written::Mode::Off, _) => Some(Mode::Off),
            (written::Mode::Challenge, None) => {
                self.wrong(&path, "is required by the mode \"challenge\"");
                None
            }
            (written::Mode::Challenge, Some(challenge)) => {
                if matches!(&written.require, written::Requirement::Name(name) if name == "nothing")
                {
                    self.wrong(
                        &member(rule, "mode"),
                        "has no effect: every request meets \"nothing\"",
                    );
                }
                let challenge = self.challenge(&path, challenge)?;
                if let Challenge::Login(login) = &challenge {
                    self.login_is_elsewhere(&path, login, &written.matches.path, before);
                }
                Some(Mode::Challenge(challenge))
            }
        }
    }

    fn challenge(&mut self, path: &str, written: &Written) -> Option<Challenge> {
        let at = |field: &str| member(path, field);
        if let Some(redirect) = &written.redirect {
            for (field, is_given) in [
                ("secrets", written.secrets.is_some()),
                ("difficulty", written.difficulty.is_some()),
                ("clearance", written.clearance.is_some()),
                ("cookie", written.cookie.is_some()),
            ] {
                if is_given {
                    self.wrong_in(path, field, "cannot be combined with redirect");
                }
            }
            let login = self.checked(&at("redirect"), Login::parse(redirect))?;
            return Some(Challenge::Login(login));
        }
        let difficulty = self.difficulty(&at("difficulty"), written.difficulty);
        let clearance = self.clearance(&at("clearance"), written.clearance.as_deref());
        let cookie = written.cookie.as_deref().unwrap_or(DEFAULT_COOKIE);
        self.cookie(&at("cookie"), cookie);
        let Some(secrets) = &written.secrets else {
            self.wrong(path, "must contain \"secrets\" or \"redirect\"");
            return None;
        };
        let ring = self.ring_of(path, secrets, |this, entry| {
            let keys = SealKeys::derive(&entry.key);
            let named = |error| format!("the secret \"{}\" {error}", entry.id);
            this.checked(&at("secrets"), keys.map_err(named))
        });
        Some(Challenge::Work(ProofOfWork {
            ring: ring?,
            difficulty: difficulty?,
            clearance: clearance?,
            cookie: cookie.to_owned(),
            page: Rc::clone(&self.challenge_page),
        }))
    }

    fn difficulty(&mut self, path: &str, written: Option<u64>) -> Option<u8> {
        let bits = u8::try_from(written.unwrap_or(DEFAULT_DIFFICULTY)).ok();
        let bits = bits.filter(|bits| (8..=24).contains(bits));
        self.checked(path, bits.ok_or("must be 8 to 24 bits"))
    }

    fn clearance(&mut self, path: &str, written: Option<&str>) -> Option<Millis> {
        let Some(text) = written else {
            return Some(DEFAULT_CLEARANCE);
        };
        let span = self.span(path, text)?;
        let fits = (Millis::from_secs(1)..=MAX_CLEARANCE).contains(&span);
        self.checked(path, fits.then_some(span).ok_or("must be 1s to 30d"))
    }

    /// A login on this site must not be challenged by the rule that leads to it.
    fn login_is_elsewhere(&mut self, path: &str, login: &Login, glob: &str, before: &[Rule]) {
        let Some(target) = login.own_path() else {
            return;
        };
        let is_taken = before.iter().any(|rule| rule.path.matches(target));
        if !is_taken && PathGlob::parse(glob).is_ok_and(|glob| glob.matches(target)) {
            self.wrong_in(
                path,
                "redirect",
                "leads back to this rule: add a rule for the login page before it",
            );
        }
    }
}
