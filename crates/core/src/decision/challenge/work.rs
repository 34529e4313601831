//! Proof of work: the page, its solution, and the clearance that a solution earns.

use std::rc::Rc;
use std::slice;

use sha2::{Digest, Sha256};

use super::page::Page;
use super::seal::{Binding, Purpose, SealKeys, decimal};
use super::{Asked, Reply, SOLUTION_HEADER, Step};
use crate::http::credential::{self, Carrier};
use crate::http::request::Request;
use crate::reason::Reason;
use crate::secret::KeyRing;
use crate::time::{Millis, UnixMillis};

/// How long a challenge may be worked at.
pub(crate) const CHALLENGE_LIFETIME: Millis = Millis::from_secs(5 * 60);

/// How far the clock of another proxy, which made the challenge, may be ahead.
const SKEW: Millis = Millis::from_secs(30);

/// Longest solution that is looked at; a genuine one has fewer than 80 characters.
const MAX_SOLUTION: usize = 128;

/// A challenge to compute.
#[derive(Debug)]
pub struct ProofOfWork {
    /// What seals challenges and clearances.
    pub ring: KeyRing<SealKeys>,
    /// How many leading bits of the hash must be zero.
    pub difficulty: u8,
    /// How long a clearance lasts.
    pub clearance: Millis,
    /// The name of its cookie.
    pub cookie: String,
    /// What a browser shows while it computes.
    pub page: Rc<Page>,
}

impl ProofOfWork {
    /// A solution first, then a clearance, then the challenge.
    pub(super) fn meet(&self, asked: &Asked<'_>) -> Step {
        // Without an address there is nothing to bind to, and nothing holds.
        let Some(client) = asked.client.address() else {
            return asked.reject();
        };
        let (request, now) = (asked.request, asked.now);
        let binding = Binding::new(request, client, asked.voice.rule, self.difficulty);
        let mut solutions = request.values(SOLUTION_HEADER);
        if let Some(solution) = solutions.next() {
            let is_alone = solutions.next().is_none();
            return match self.clear(solution, &binding, now).filter(|_| is_alone) {
                Some(clearance) => self.reply(&clearance, asked),
                None => asked.reject_for(Reason::ChallengeFailed),
            };
        }
        let carrier = Carrier::Cookie(self.cookie.clone());
        match credential::find(slice::from_ref(&carrier), request) {
            Ok(Some(found)) if self.is_cleared(found.text.expose(), &binding, now) => Step::Clear,
            Err(Reason::DuplicateCredential) => asked.reject_for(Reason::DuplicateCredential),
            Ok(_) | Err(_) => self.challenge(asked, &binding),
        }
    }

    fn challenge(&self, asked: &Asked<'_>, binding: &Binding) -> Step {
        if !asked.is_browser() {
            return asked.reject_for(Reason::ChallengeRequired);
        }
        let now = asked.now;
        let issued = now.as_secs();
        match self.ring.seal(Purpose::Challenge, issued, binding, now) {
            Some(token) => asked.challenge(
                403,
                self.page.headers(),
                self.page.body(&token, self.difficulty, asked.request),
            ),
            // No secret of the ring is valid now, so the answer could not be checked later
            // either.
            None => asked.reject(),
        }
    }

    /// The clearance that `TOKEN:NONCE` earns.
    fn clear(&self, solution: &[u8], binding: &Binding, now: UnixMillis) -> Option<String> {
        if solution.len() > MAX_SOLUTION {
            return None;
        }
        let solution = std::str::from_utf8(solution).ok()?;
        let (token, nonce) = solution.split_once(':')?;
        decimal(nonce)?;
        let issued = self.ring.open(Purpose::Challenge, token, binding, now)?;
        let issued = UnixMillis::from_secs(issued);
        let in_time = issued <= now.plus(SKEW) && now < issued.plus(CHALLENGE_LIFETIME);
        let worked = leading_zeros(&Sha256::digest(solution)) >= u32::from(self.difficulty);
        if !in_time || !worked {
            return None;
        }
        let expires = now.plus(self.clearance).as_secs();
        self.ring.seal(Purpose::Clearance, expires, binding, now)
    }

    fn is_cleared(&self, clearance: &[u8], binding: &Binding, now: UnixMillis) -> bool {
        let clearance = std::str::from_utf8(clearance).ok();
        let expires = clearance.and_then(|it| self.ring.open(Purpose::Clearance, it, binding, now));
        // One that was earned under a longer clearance ends with the shorter one.
        expires
            .map(UnixMillis::from_secs)
            .is_some_and(|expires| now < expires && expires <= now.plus(self.clearance).plus(SKEW))
    }

    /// 204 with the cookie; the page then loads itself again.
    fn reply(&self, clearance: &str, asked: &Asked<'_>) -> Step {
        let (name, seconds) = (&self.cookie, self.clearance.0 / 1000);
        let secure = if is_https(asked.request) {
            "; Secure"
        } else {
            ""
        };
        let cookie = format!(
            "{name}={clearance}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        );
        Step::Reply(Reply {
            code: "challenge_solved",
            status: 204,
            headers: vec![
                ("set-cookie".into(), cookie.into()),
                ("cache-control".into(), "no-store".into()),
            ],
            details: format!("keygate_challenge_solved{{rule={}}}", asked.voice.rule),
            rule: None,
        })
    }
}

/// What the client speaks, as Envoy knows it or a proxy in front of it says.
fn is_https(request: &Request<'_>) -> bool {
    let mut schemes = request
        .values(":scheme")
        .chain(request.values("x-forwarded-proto"));
    schemes.any(|scheme| scheme.eq_ignore_ascii_case(b"https"))
}

fn leading_zeros(hash: &[u8]) -> u32 {
    let whole = hash.iter().take_while(|&&byte| byte == 0).count();
    let next = hash.get(whole).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(whole)
        .unwrap_or(0)
        .saturating_mul(8)
        .saturating_add(next)
}
