//! What a rule adds to a request of the data that is sealed with its key.

use crate::answer::{Rejection, Scheme};
use crate::decision::grant::{Grant, Outcome};
use crate::decision::provider::{Conclusion, Held};
use crate::http::edit::Edit;
use crate::http::header_name::reads_as;
use crate::http::request::Request;
use crate::reason::Reason;

/// The sealed headers that a rule adds.
#[derive(Debug)]
pub struct Unseal {
    /// Their names in lower case. The creator of a key chooses the values, so no other header
    /// can be set.
    pub headers: Vec<String>,
    /// What becomes of a request without any.
    pub missing: Missing,
}

/// What becomes of a request whose credential has nothing sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is rejected.
    Reject,
    /// It passes without these headers.
    Pass,
}

impl Unseal {
    /// Opens what is sealed with the key of a request that meets its rule in all else. A key that
    /// could not be looked up may have sealed data as well.
    // Few rules have it, and all decisions would pay for its place in them.
    #[cold]
    #[inline(never)]
    pub(super) fn open(&self, conclusion: &mut Conclusion) {
        let opened = match conclusion {
            Conclusion::Met(holder) => {
                let opened = self.edits(holder.sealed.as_deref());
                opened.map(|edits| holder.sealed = Some(Box::new(Held::Opened(edits))))
            }
            Conclusion::Unchecked => Err(Reason::KeyServiceUnavailable),
            Conclusion::Ask(_) | Conclusion::Rejected(_) => Ok(()),
        };
        if let Err(reason) = opened {
            let scheme = Scheme::AppKey;
            *conclusion = Conclusion::Rejected(Rejection { reason, scheme });
        }
    }

    fn edits(&self, sealed: Option<&Held>) -> Result<Vec<Edit>, Reason> {
        let Some(Held::Locked(locked)) = sealed else {
            return match self.missing {
                Missing::Reject => Err(Reason::NothingSealed),
                Missing::Pass => Ok(Vec::new()),
            };
        };
        let headers = locked.open().map_err(|_| Reason::SealedBroken)?;
        let edits = headers.into_headers().map(|(name, value)| {
            let is_listed = self.headers.contains(&name);
            is_listed.then(|| Edit::SetSecret(name.into(), value))
        });
        edits.collect::<Option<_>>().ok_or(Reason::SealedBroken)
    }

    /// Removes the headers of these names that the client has sent, in any spelling: none of them
    /// passes for one that was sealed. What a rule would reject passes as it came.
    #[cold]
    #[inline(never)]
    pub(super) fn take_out(&self, request: &Request<'_>, mut grant: Grant) -> Grant {
        if matches!(grant.outcome, Outcome::WouldDeny(_)) {
            return grant;
        }
        for (name, _) in request.headers {
            if self.headers.iter().any(|ours| reads_as(name, ours)) {
                let remove = Edit::Remove(String::from_utf8_lossy(name).into_owned().into());
                if !grant.edits.contains(&remove) {
                    grant.edits.push(remove);
                }
            }
        }
        grant
    }
}

/// Adds what was opened to a grant, unless its request would be rejected.
#[cold]
#[inline(never)]
pub(super) fn add(sealed: Held, grant: &mut Grant) {
    match (sealed, grant.outcome) {
        (Held::Opened(_), Outcome::WouldDeny(_)) | (Held::Locked(_), _) => {}
        (Held::Opened(edits), _) => grant.edits.extend(edits),
    }
}
