//! What a rule adds to a request of the data that is sealed with its key.

use crate::answer::{Rejection, Scheme};
use crate::decision::grant::Outcome;
use crate::decision::provider::Conclusion;
use crate::http::edit::Edit;
use crate::http::header_name::reads_as;
use crate::http::request::Request;
use crate::keys::sealed::Locked;
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
    /// Opens what is sealed with the key of a request that meets its rule in all else, and returns
    /// the edits that add it. A key that could not be looked up may have sealed data as well.
    pub(super) fn apply(&self, conclusion: Conclusion) -> (Conclusion, Vec<Edit>) {
        let opened = match &conclusion {
            Conclusion::Met(holder) => self.open(holder.locked.as_deref()),
            Conclusion::Unchecked => Err(Reason::KeyServiceUnavailable),
            Conclusion::Ask(_) | Conclusion::Rejected(_) => Ok(Vec::new()),
        };
        match opened {
            Ok(edits) => (conclusion, edits),
            Err(reason) => {
                let scheme = Scheme::AppKey;
                let rejection = Rejection { reason, scheme };
                (Conclusion::Rejected(rejection), Vec::new())
            }
        }
    }

    fn open(&self, locked: Option<&Locked>) -> Result<Vec<Edit>, Reason> {
        let Some(locked) = locked else {
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

    /// Adds what removes the headers of these names that the client has sent, in any spelling:
    /// none of them passes for one that was sealed. What a rule would reject passes as it came.
    pub(super) fn take_out(&self, outcome: Outcome, request: &Request<'_>, edits: &mut Vec<Edit>) {
        if matches!(outcome, Outcome::WouldDeny(_)) {
            return;
        }
        for (name, _) in request.headers {
            if self.headers.iter().any(|ours| reads_as(name, ours)) {
                let remove = Edit::Remove(String::from_utf8_lossy(name).into_owned().into());
                if !edits.contains(&remove) {
                    edits.push(remove);
                }
            }
        }
    }
}
