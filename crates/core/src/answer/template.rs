//! The answer to a rejected request, as configured.

use super::Blanks;
use crate::reason::PublicReason;

/// The answer to a rejected request, as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// What holds for a reason that has no answer of its own.
    pub reply: Reply,
    /// Answers of their own, each whole.
    pub reasons: Vec<(PublicReason, Reply)>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The status; without one, that of the rejection or of the redirect.
    pub status: Option<u16>,
    /// Headers beyond our own: names in lower case, and values to be filled in.
    pub headers: Vec<(String, Blanks)>,
    /// What the client is to see.
    pub form: Form,
}

/// What the client is to see.
#[derive(Clone, Debug, PartialEq)]
pub enum Form {
    /// One of these bodies: the one that the client prefers.
    Bodies(Bodies),
    /// Another page: its address, to be filled in.
    Redirect(Blanks),
    /// Problem details or the standard page, as without a response.
    Standard,
}

/// At least one body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bodies {
    /// JSON; texts in it are filled in, its structure stays.
    pub json: Option<Blanks>,
    /// HTML; what is filled in is escaped.
    pub html: Option<Blanks>,
    /// Plain text.
    pub text: Option<Blanks>,
}

impl Template {
    /// The answer for this reason.
    pub fn reply(&self, reason: PublicReason) -> &Reply {
        let own = self.reasons.iter().find(|(of, _)| *of == reason);
        own.map_or(&self.reply, |(_, reply)| reply)
    }
}
