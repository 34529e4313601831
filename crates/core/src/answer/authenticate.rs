//! `www-authenticate`: which credential a client should send (RFC 6750 section 3, RFC 7617).

use arrayvec::ArrayVec;

use super::{Rejection, Scheme};
use crate::identity::scopes::Scopes;
use crate::reason::PublicReason;

/// What a 401 asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticate {
    /// What is protected: visible ASCII and spaces, no quotes.
    pub realm: String,
    /// Whether a browser may ask for user name and password.
    pub basic: bool,
}

impl Default for Authenticate {
    fn default() -> Self {
        Self {
            realm: "keygate".to_owned(),
            basic: false,
        }
    }
}

impl Authenticate {
    /// The challenges that go with a rejection and the status that is sent for it. A
    /// status of the operator's own choice hides that a credential is asked for; only
    /// a 401 must always say (RFC 9110 section 15.5.2).
    pub(super) fn values(
        &self,
        rejection: Rejection,
        status: u16,
        needed: Option<&Scopes>,
    ) -> ArrayVec<String, 2> {
        if status != rejection.status() && status != 401 {
            return ArrayVec::new();
        }
        let mut values: ArrayVec<String, 2> = self.bearer(rejection, needed).into_iter().collect();
        if status == 401 {
            if values.is_empty() {
                values.push(["Bearer realm=\"", &self.realm, "\""].concat());
            }
            if self.basic {
                values.push(format!("Basic realm=\"{}\", charset=\"UTF-8\"", self.realm));
            }
        }
        values
    }

    fn bearer(&self, rejection: Rejection, needed: Option<&Scopes>) -> Option<String> {
        if rejection.scheme != Scheme::AppKey {
            return None;
        }
        let error = match rejection.reason.public() {
            // RFC 6750 section 3.1: without a credential the header contains no error.
            PublicReason::MissingCredential => None,
            PublicReason::InvalidCredential | PublicReason::Expired => Some("invalid_token"),
            PublicReason::AmbiguousRequest => Some("invalid_request"),
            PublicReason::InsufficientScope => Some("insufficient_scope"),
            PublicReason::NotAllowedHere
            | PublicReason::ChallengeRequired
            | PublicReason::RateLimited
            | PublicReason::Unavailable => return None,
        };
        let realm = &self.realm;
        Some(match error {
            None => ["Bearer realm=\"", realm, "\""].concat(),
            Some(error) => {
                let said = rejection.message();
                let needed = needed.filter(|_| error == "insufficient_scope");
                let scope = needed.map_or_else(String::new, |needed| {
                    [", scope=\"", &needed.names().join(" "), "\""].concat()
                });
                let parts = ["Bearer realm=\"", realm, "\", error=\"", error];
                let said = ["\", error_description=\"", said, "\"", &scope];
                [parts.concat(), said.concat()].concat()
            }
        })
    }
}
