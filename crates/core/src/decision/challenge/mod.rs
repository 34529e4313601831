//! What a rule in mode `challenge` offers in place of a rejection: a proof of work that earns a
//! clearance, or the way to a login. Stateless, and without randomness: every issued token is
//! a MAC over properties of the request.

pub(crate) mod login;
mod page;
mod seal;
pub(crate) mod work;

use std::fmt;

use crate::answer::{Denial, Headers, Rejection, Scheme, Voice};
use crate::http::client::Client;
use crate::http::request::Request;
use crate::reason::{PublicReason, Reason};
use crate::time::UnixMillis;

pub use login::{Login, LoginError};
pub use page::Page;
pub use seal::{Binding, Purpose, SealKeys};
pub use work::ProofOfWork;

/// The header in which the page sends a solution: `TOKEN:NONCE`.
pub const SOLUTION_HEADER: &str = "x-keygate-solution";

/// A way past a rejection.
#[derive(Debug)]
pub enum Challenge {
    /// A browser computes, and is cleared for a while.
    Work(ProofOfWork),
    /// A browser is sent to log in.
    Login(Login),
}

/// What becomes of a request that does not meet the requirement of its rule.
#[derive(Debug)]
pub enum Step {
    /// It holds a clearance, and passes.
    Clear,
    /// Its solution holds, and earns a clearance.
    Reply(Reply),
    /// It is rejected, perhaps with a challenge.
    Deny(Denial),
}

/// A local answer that is no rejection.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// What it answers: a stable name for the metric.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// Headers beyond the status.
    pub headers: Headers,
    /// For `%RESPONSE_CODE_DETAILS%`: the code and the rule.
    pub details: String,
    /// The place of the rule that decided, from 0.
    pub rule: Option<usize>,
}

/// Without the headers: one is the cookie of a client that passed.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("code", &self.code)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Challenge {
    /// Answers a request that a rule rejects; `voice` is that of the rule.
    pub fn meet(
        &self,
        rejection: Rejection,
        request: &Request<'_>,
        voice: &Voice<'_>,
        client: Client<'_>,
        now: UnixMillis,
    ) -> Step {
        let asked = Asked {
            rejection,
            request,
            voice,
            client,
            now,
        };
        if !is_substitute_for(rejection.reason) {
            return asked.reject();
        }
        match self {
            Self::Work(work) => work.meet(&asked),
            Self::Login(login) => login.meet(&asked),
        }
    }

    /// The name of the cookie that holds a clearance.
    pub fn cookie(&self) -> Option<&str> {
        match self {
            Self::Work(work) => Some(&work.cookie),
            Self::Login(_) => None,
        }
    }
}

/// A challenge replaces a credential: not for a readable request, not for the key service, and
/// not for a permission that a credential lacks.
fn is_substitute_for(reason: Reason) -> bool {
    match reason.public() {
        PublicReason::MissingCredential
        | PublicReason::InvalidCredential
        | PublicReason::Expired => true,
        PublicReason::AmbiguousRequest
        | PublicReason::InsufficientScope
        | PublicReason::NotAllowedHere
        | PublicReason::ChallengeRequired
        | PublicReason::RateLimited
        | PublicReason::Unavailable => false,
    }
}

/// A rejected request, with all that answering it takes.
struct Asked<'a> {
    rejection: Rejection,
    request: &'a Request<'a>,
    voice: &'a Voice<'a>,
    client: Client<'a>,
    now: UnixMillis,
}

impl Asked<'_> {
    /// As in mode `block`.
    fn reject(&self) -> Step {
        Step::Deny(self.answer(self.rejection))
    }

    /// Another rejection than that of the requirement; the log names both.
    fn reject_for(&self, reason: Reason) -> Step {
        let scheme = Scheme::None;
        let answer = self.answer(Rejection { reason, scheme });
        Step::Deny(Denial {
            details: self.details(reason),
            ..answer
        })
    }

    fn answer(&self, rejection: Rejection) -> Denial {
        rejection.answer(self.request.headers, self.voice)
    }

    /// A challenge in place of the rejection.
    fn challenge(&self, status: u16, mut headers: Headers, body: String) -> Step {
        let reason = Reason::ChallengeRequired;
        headers.extend([
            ("cache-control".into(), "no-store".into()),
            ("x-content-type-options".into(), "nosniff".into()),
            ("vary".into(), "accept".into()),
        ]);
        Step::Deny(Denial {
            reason,
            status,
            headers,
            body,
            details: self.details(reason),
            grpc_status: None,
            edits: self.answer(self.rejection).edits,
            rule: None,
        })
    }

    fn details(&self, reason: Reason) -> String {
        let (code, cause) = (reason.code(), self.rejection.reason.code());
        let rule = self.voice.rule;
        format!("keygate_denied{{reason={code},cause={cause},rule={rule}}}")
    }

    /// Whether a person sits in front of it who can be shown a page or sent elsewhere.
    fn is_browser(&self) -> bool {
        let accept = self.request.text("accept").to_ascii_lowercase();
        matches!(self.request.method, "GET" | "HEAD") && accept.contains("text/html")
    }
}
