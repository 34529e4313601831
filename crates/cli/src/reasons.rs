//! What the reasons mean, for a person who may know all of it.

use keygate_core::reason::Reason;

/// What a person can do about it. Never a secret, and never the MAC that would be right.
pub fn explain(reason: Reason) -> &'static str {
    match reason {
        Reason::MissingCredential => "no credential stands where one may stand",
        Reason::DuplicateCredential => "a credential stands twice, or there are two",
        Reason::MalformedCredential => {
            "it is not of the form that it should have. A link: as its format says, with each \
             part once and in its place. A key: prefix, length and checksum"
        }
        Reason::WrongSignature => {
            "no given secret signed this link for this request: compare the secret, the path and \
             query as the filter sees them, and what else the format signs"
        }
        Reason::NoCurrentSecret => {
            "no secret of its ring counts at this time: see not_before and not_after in the policy"
        }
        Reason::NotYetValid => "the link was made in the future: compare the clocks",
        Reason::LifetimeTooLong => "the link ends later than max_lifetime allows",
        Reason::Expired => "it was valid once; its time is over",
        Reason::LinkUsed => "it works once, and was used",
        Reason::Prefetch => "it works once, and a prefetch does not use it up",
        Reason::AmbiguousPath => {
            "the path can be read in more than one way (\"..\", \"//\", \"%5C\", an encoding of an \
             encoding), or is not UTF-8 when it is decoded"
        }
        Reason::EncodedSlash => {
            "the path holds %2F, and the rule does not allow it: see allow_encoded_slash"
        }
        Reason::PathParameter => {
            "the path holds a parameter behind \";\" or %3B, and the rule does not allow it: see \
             allow_path_parameters"
        }
        Reason::NotNormalized => {
            "the path holds a letter, a digit or one of -._~ percent-encoded. An Envoy that \
             normalizes paths never sends that: set normalize_path: true"
        }
        Reason::PathTooLong => "the path has more than 8192 bytes or 256 segments",
        Reason::UnreadableRequest => {
            "the method, the path or the host is missing, duplicate or malformed. A host is a name or \
             [IPv6], then nothing or a port; a method is 1 to 24 of A to Z and -"
        }
        Reason::NoRule => "no rule matches, and unmatched is \"deny\"",
        Reason::ForgedKey => "none of the secrets that count made this key",
        Reason::UnknownKey => "the key service does not know it",
        Reason::RevokedKey => "it was revoked",
        Reason::DisabledKey => "it is switched off",
        Reason::WrongAccount => "the user name of Basic is not the account of the key",
        Reason::AddressNotAllowed => "the client's address is none from which it may be used",
        Reason::InsufficientScope => "it counts, but lacks the scopes that the method needs",
        Reason::ReferrerNotAllowed => {
            "the page that it comes from is not among allowed_referrers or query_referrers"
        }
        Reason::ChallengeRequired => "a browser has to pass a challenge first",
        Reason::ChallengeFailed => "the solution of the challenge does not hold for this client",
        Reason::NoSigningKey => "no secret counts now with which to sign the assertion",
        Reason::KeyServiceUnavailable => "the key service gave no usable answer",
        Reason::TooManyMisses => {
            "too many keys from this address were unknown to the key service: see miss_limit"
        }
        Reason::Overloaded => "too many requests already wait for the key service",
        Reason::HostFailure => "the proxy did not do what it was asked to",
    }
}
