//! What the reasons mean, for a person who may know all of it.

use keygate_core::reason::Reason;

/// What a person can do about it. Never a secret, and never the MAC that would be right.
pub fn explain(reason: Reason) -> &'static str {
    match reason {
        Reason::MissingCredential => "the request has no credential where one is expected",
        Reason::DuplicateCredential => {
            "the request has a credential more than once, or two of them"
        }
        Reason::MalformedCredential => {
            "the credential is malformed. A link needs each part of its format once and in its \
             place. A key needs its prefix, length and checksum"
        }
        Reason::WrongSignature => {
            "no given secret signed this link for this request: compare the secret, the path and \
             query as the filter sees them, and what else the format signs"
        }
        Reason::NoCurrentSecret => {
            "no secret of its ring is valid at this time: see not_before and not_after in the policy"
        }
        Reason::NotYetValid => "the link was made in the future: compare the clocks",
        Reason::LifetimeTooLong => "the link ends later than max_lifetime allows",
        Reason::Expired => "it has expired",
        Reason::LinkUsed => "it works once, and was already used",
        Reason::Prefetch => "it works once, and a prefetch does not use it up",
        Reason::AmbiguousPath => {
            "the path can be read in more than one way: dot segments, \"//\", \"\\\", double \
             encoding, not UTF-8 when decoded, or readings that meet different rules"
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
        Reason::ForgedKey => "no valid secret of the ring made this key",
        Reason::UnknownKey => "the key service does not know it",
        Reason::RevokedKey => "it was revoked",
        Reason::DisabledKey => "it is switched off",
        Reason::WrongAccount => "the user name of Basic is not the account of the key",
        Reason::AddressNotAllowed => "the credential does not allow the address of the client",
        Reason::InsufficientScope => {
            "the credential is valid, but lacks the scopes that the method needs"
        }
        Reason::ReferrerNotAllowed => {
            "the page that the request comes from is not among allowed_referrers or query_referrers"
        }
        Reason::ChallengeRequired => "a browser has to pass a challenge first",
        Reason::ChallengeFailed => "the solution of the challenge is invalid for this client",
        Reason::NoSigningKey => "no secret for the assertion is valid at this time",
        Reason::KeyServiceUnavailable => "the key service gave no usable answer",
        Reason::TooManyMisses => {
            "too many keys from this address were unknown to the key service: see miss_limit; \
             if all clients seem to have one address, set xff_num_trusted_hops in Envoy"
        }
        Reason::TooManyFailures => {
            "too many signatures from this address were wrong, so this one was not checked: see \
             signature_limit; if all clients seem to have one address, set xff_num_trusted_hops \
             in Envoy"
        }
        Reason::Overloaded => "too many requests already wait for the key service",
        Reason::HostFailure => "the proxy did not do what it was asked to",
    }
}
