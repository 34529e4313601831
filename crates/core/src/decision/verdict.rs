//! What is decided about a request.

use crate::answer::Denial;
use crate::decision::challenge::Reply;
use crate::decision::grant::Grant;
use crate::keys::service::Lookup;
use crate::signed_url::once_link::OnceLink;

/// What is to be done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes, after edits.
    Allow(Grant),
    /// The key service must be asked about this key first.
    Ask(Lookup),
    /// It may pass once: the key service must be asked first.
    Redeem(Box<Redemption>),
    /// It is rejected.
    Deny(Denial),
    /// It is answered here, and that is no rejection.
    Reply(Reply),
}

impl Verdict {
    /// Returns the place of the rule that decided, from 0; `None` if none did.
    pub fn rule(&self) -> Option<usize> {
        match self {
            Self::Allow(grant) => grant.rule,
            Self::Deny(denial) => denial.rule,
            Self::Reply(reply) => reply.rule,
            Self::Redeem(redemption) => redemption.grant.rule,
            Self::Ask(_) => None,
        }
    }

    /// Sets the place of the rule that decided.
    pub(super) fn set_rule(&mut self, place: usize) {
        let rule = Some(place);
        match self {
            Self::Allow(grant) => grant.rule = rule,
            Self::Deny(denial) => denial.rule = rule,
            Self::Reply(reply) => reply.rule = rule,
            Self::Redeem(redemption) => {
                redemption.grant.rule = rule;
                redemption.used.rule = rule;
                redemption.unavailable.rule = rule;
            }
            // The request is decided once more, after the answer.
            Self::Ask(_) => {}
        }
    }
}

/// A request that may pass if its link was not used before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redemption {
    /// The link.
    pub link: OnceLink,
    /// Whether this request uses it up. HEAD only asks, unless the link is for nothing else.
    pub uses: bool,
    /// What holds when it was not used before.
    pub grant: Grant,
    /// The answer when it was.
    pub used: Denial,
    /// The answer when the key service gives none.
    pub unavailable: Denial,
}
