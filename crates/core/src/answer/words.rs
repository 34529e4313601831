//! What a rejection tells a client and a person, for each public reason. The words tell apart
//! what was asked for, an app key or a signed link, and no two ways to be invalid.

use super::{Rejection, Scheme};
use crate::reason::{PublicReason, Reason};

/// The words for one rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// What happened, without a full stop.
    pub title: &'static str,
    /// One sentence more about it.
    pub explanation: &'static str,
    /// Title and explanation as sentences: the `{message}` of JSON, gRPC and RFC 6750.
    pub message: &'static str,
    /// What a person can do next.
    pub advice: &'static str,
}

macro_rules! words {
    ($title:literal, $explanation:literal, $advice:literal) => {
        Words {
            title: $title,
            explanation: $explanation,
            message: concat!($title, ". ", $explanation),
            advice: $advice,
        }
    };
}

impl Words {
    pub(super) fn of(rejection: Rejection) -> Self {
        match (rejection.reason.public(), rejection.scheme) {
            (PublicReason::MissingCredential, Scheme::SignedUrl) => words!(
                "This link is incomplete",
                "It may have been cut off when it was copied.",
                "Copy the whole link and open it again, or ask the sender for a new one."
            ),
            (PublicReason::InvalidCredential, Scheme::SignedUrl) => words!(
                "This link does not work",
                "It may have been changed or cut off when it was copied.",
                "Copy the whole link and open it again, or ask the sender for a new one."
            ),
            // The link itself says its end, so that this tells its holder nothing more.
            (PublicReason::Expired, Scheme::SignedUrl) if rejection.reason == Reason::LinkUsed => {
                words!(
                    "This link has already been used",
                    "It worked only once.",
                    "Ask the sender for a new link."
                )
            }
            (PublicReason::Expired, Scheme::SignedUrl) => words!(
                "This link has expired",
                "It worked for a limited time only.",
                "Reload the page where you found this link, or ask the sender for a new one."
            ),
            (PublicReason::MissingCredential, Scheme::AppKey | Scheme::None) => words!(
                "You are not signed in",
                "Sign in, or send an API key.",
                "If you have no account and no API key, ask the owner of this site for access."
            ),
            (PublicReason::InvalidCredential, Scheme::AppKey | Scheme::None) => words!(
                "Your API key or sign-in is not valid",
                "It may be incomplete, or it is no longer accepted.",
                "Sign in again, or check that you sent the whole API key."
            ),
            (PublicReason::Expired, Scheme::AppKey | Scheme::None) => words!(
                "Your API key or sign-in has expired",
                "It was valid for a limited time only.",
                "Sign in again, or use a new API key."
            ),
            (PublicReason::InsufficientScope, _) => words!(
                "You don't have permission",
                "Your API key or account isn't allowed to do this.",
                "If you need this permission, ask the owner of this site for it."
            ),
            (PublicReason::AmbiguousRequest, _) => words!(
                "We can't read this request",
                "Its address may be malformed, or it may contain more than one credential.",
                "Check the address for characters that do not belong there, and open it again."
            ),
            (PublicReason::ChallengeRequired, _) => words!(
                "Your browser must pass a check first",
                "Open this address in a web browser.",
                "If you see this page in a browser, reload it to try again."
            ),
            (PublicReason::NotAllowedHere, _) => words!(
                "You can't open this from here",
                "This address, your network or the page that you came from is not allowed.",
                "Check the address. If you should have access, ask the owner of this site."
            ),
            (PublicReason::RateLimited, _) if rejection.reason.is_of_rate() => words!(
                "You have sent too many requests",
                "Please wait a moment before you send more.",
                "If you need more requests, ask the owner of this site."
            ),
            (PublicReason::RateLimited, _) => words!(
                "Too many attempts failed",
                "Please try again in a moment.",
                "If it happens again, check that your link or API key is complete."
            ),
            (PublicReason::Unavailable, _) => words!(
                "We can't check this right now",
                "Please try again in a moment.",
                "If it happens again, tell the owner of this site."
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = (Rejection, Words)> {
        Reason::ALL.iter().flat_map(|&reason| {
            [Scheme::None, Scheme::AppKey, Scheme::SignedUrl].map(|scheme| {
                let rejection = Rejection { reason, scheme };
                (rejection, Words::of(rejection))
            })
        })
    }

    #[test]
    fn no_message_needs_an_escape_in_a_header() {
        for (rejection, words) in all() {
            // RFC 6750 section 3: the characters that error_description allows.
            let fits = |byte: u8| (b' '..=b'~').contains(&byte) && !b"\"\\".contains(&byte);
            assert!(words.message.bytes().all(fits), "{rejection:?}");
        }
    }

    #[test]
    fn every_rejection_has_a_title_and_short_sentences() {
        for (rejection, words) in all() {
            assert!(!words.title.ends_with('.'), "{rejection:?}");
            for text in [words.explanation, words.message, words.advice] {
                assert!(text.ends_with('.'), "{rejection:?}");
                let longest = text.split_inclusive(". ").map(|it| it.split(' ').count());
                assert!(longest.max() <= Some(25), "{text}");
            }
        }
    }

    #[test]
    fn invalid_credentials_of_one_kind_share_their_words() {
        for (rejection, words) in all() {
            if rejection.reason.public() == PublicReason::InvalidCredential {
                let reason = Reason::WrongSignature;
                assert_eq!(
                    words,
                    Words::of(Rejection {
                        reason,
                        ..rejection
                    })
                );
            }
        }
    }
}
