//! Every way to refuse, in one enum: the precise reason for metrics and logs, and
//! beside it the coarse one that a client may read.

/// Why a request is refused. The name is stable: dashboards and scripts know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The method, the path or the host of the request is missing, duplicate or malformed.
    UnreadableRequest,
    /// The path can be read in more than one way.
    AmbiguousPath,
    /// `%2F` in the path of a rule that does not allow it.
    EncodedSlash,
    /// A parameter behind `;` in the path of a rule that does not allow it.
    PathParameter,
    /// An unreserved character of the path is percent-encoded: the proxy does not normalize.
    NotNormalized,
    /// The path has too many bytes or segments.
    PathTooLong,
    /// No rule matches.
    NoRule,
    /// No credential at all.
    MissingCredential,
    /// Two credentials, or one of them twice.
    DuplicateCredential,
    /// A credential that is not of the form it should have.
    MalformedCredential,
    /// A signature that no current secret of the ring makes.
    WrongSignature,
    /// A credential that no secret can have made: none of its ring counts now.
    NoCurrentSecret,
    /// A signature from a future beyond the allowed skew.
    NotYetValid,
    /// A link that claims to live longer than allowed.
    LifetimeTooLong,
    /// The time of a link or key is over.
    Expired,
    /// A link that works once, and was used.
    LinkUsed,
    /// A link that works once, asked for by a program that only looks ahead.
    Prefetch,
    /// An app key of the right form that none of our master secrets made.
    ForgedKey,
    /// An app key that may be genuine, and that the key service does not know.
    UnknownKey,
    /// An app key that was revoked.
    RevokedKey,
    /// An app key that is switched off.
    DisabledKey,
    /// With Basic: the user name is not the account of the key.
    WrongAccount,
    /// The scopes of the credential do not suffice for this method.
    InsufficientScope,
    /// The client's address is not among those of the key.
    AddressNotAllowed,
    /// A browser has to pass a challenge, and none was passed.
    ChallengeRequired,
    /// The solution of a challenge is forged, late, insufficient, or somebody else's.
    ChallengeFailed,
    /// The page that the request comes from is not among those of the rule or the key.
    ReferrerNotAllowed,
    /// The key service gave no usable answer in time.
    KeyServiceUnavailable,
    /// Too many requests already wait for the key service.
    Overloaded,
    /// Too many keys from this address, its network or all clients were unknown to the key
    /// service: this one was not looked up.
    TooManyMisses,
    /// Too many public-key signatures from this address, its network or all clients were
    /// wrong: this one was not checked. Behind another proxy, all clients share one address
    /// unless `xff_num_trusted_hops` is set.
    TooManyFailures,
    /// The identity cannot be vouched for: no secret of the ring counts now.
    NoSigningKey,
    /// The proxy did not do what the filter asked of it.
    HostFailure,
}

/// What a client may know: the `{reason}` of every answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublicReason {
    /// The request cannot be read in one way only.
    AmbiguousRequest,
    /// Nothing was presented.
    MissingCredential,
    /// What was presented does not count: unknown, forged, revoked and disabled alike.
    InvalidCredential,
    /// It counted once.
    Expired,
    /// It counts, but not for this.
    InsufficientScope,
    /// A browser could pass, after a challenge.
    ChallengeRequired,
    /// Whoever asks, not here.
    NotAllowedHere,
    /// Too much of what this client presented was wrong: try again later.
    RateLimited,
    /// Try again.
    Unavailable,
}

impl Reason {
    /// All reasons, for whoever defines a counter for each.
    pub const ALL: [Self; 33] = [
        Self::UnreadableRequest,
        Self::AmbiguousPath,
        Self::EncodedSlash,
        Self::PathParameter,
        Self::NotNormalized,
        Self::PathTooLong,
        Self::NoRule,
        Self::MissingCredential,
        Self::DuplicateCredential,
        Self::MalformedCredential,
        Self::WrongSignature,
        Self::NoCurrentSecret,
        Self::NotYetValid,
        Self::LifetimeTooLong,
        Self::Expired,
        Self::LinkUsed,
        Self::Prefetch,
        Self::ForgedKey,
        Self::UnknownKey,
        Self::RevokedKey,
        Self::DisabledKey,
        Self::WrongAccount,
        Self::InsufficientScope,
        Self::AddressNotAllowed,
        Self::ChallengeRequired,
        Self::ChallengeFailed,
        Self::ReferrerNotAllowed,
        Self::KeyServiceUnavailable,
        Self::Overloaded,
        Self::TooManyMisses,
        Self::TooManyFailures,
        Self::NoSigningKey,
        Self::HostFailure,
    ];

    /// The stable name, for `%RESPONSE_CODE_DETAILS%`, metrics and the upstream.
    pub fn code(self) -> &'static str {
        match self {
            Self::UnreadableRequest => "unreadable_request",
            Self::AmbiguousPath => "ambiguous_path",
            Self::EncodedSlash => "encoded_slash",
            Self::PathParameter => "path_parameter",
            Self::NotNormalized => "not_normalized",
            Self::PathTooLong => "path_too_long",
            Self::NoRule => "no_rule",
            Self::MissingCredential => "missing_credential",
            Self::DuplicateCredential => "duplicate_credential",
            Self::MalformedCredential => "malformed_credential",
            Self::WrongSignature => "wrong_signature",
            Self::NoCurrentSecret => "no_current_secret",
            Self::NotYetValid => "not_yet_valid",
            Self::LifetimeTooLong => "lifetime_too_long",
            Self::Expired => "expired",
            Self::LinkUsed => "link_used",
            Self::Prefetch => "prefetch",
            Self::ForgedKey => "forged_key",
            Self::UnknownKey => "unknown_key",
            Self::RevokedKey => "revoked_key",
            Self::DisabledKey => "disabled_key",
            Self::WrongAccount => "wrong_account",
            Self::InsufficientScope => "insufficient_scope",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::ChallengeRequired => "challenge_required",
            Self::ChallengeFailed => "challenge_failed",
            Self::ReferrerNotAllowed => "referrer_not_allowed",
            Self::KeyServiceUnavailable => "key_service_unavailable",
            Self::Overloaded => "overloaded",
            Self::TooManyMisses => "too_many_misses",
            Self::TooManyFailures => "too_many_failures",
            Self::NoSigningKey => "no_signing_key",
            Self::HostFailure => "host_failure",
        }
    }

    /// What a client may know of it.
    pub fn public(self) -> PublicReason {
        match self {
            Self::UnreadableRequest
            | Self::AmbiguousPath
            | Self::EncodedSlash
            | Self::PathParameter
            | Self::NotNormalized
            | Self::PathTooLong
            | Self::DuplicateCredential => PublicReason::AmbiguousRequest,
            Self::NoRule | Self::AddressNotAllowed | Self::ReferrerNotAllowed | Self::Prefetch => {
                PublicReason::NotAllowedHere
            }
            Self::InsufficientScope => PublicReason::InsufficientScope,
            Self::MissingCredential => PublicReason::MissingCredential,
            Self::MalformedCredential
            | Self::WrongSignature
            | Self::NoCurrentSecret
            | Self::NotYetValid
            | Self::LifetimeTooLong
            | Self::ForgedKey
            | Self::UnknownKey
            | Self::RevokedKey
            | Self::DisabledKey
            | Self::WrongAccount => PublicReason::InvalidCredential,
            Self::Expired | Self::LinkUsed => PublicReason::Expired,
            Self::ChallengeRequired | Self::ChallengeFailed => PublicReason::ChallengeRequired,
            Self::TooManyMisses | Self::TooManyFailures => PublicReason::RateLimited,
            Self::KeyServiceUnavailable
            | Self::Overloaded
            | Self::NoSigningKey
            | Self::HostFailure => PublicReason::Unavailable,
        }
    }
}

impl PublicReason {
    /// All of them, for whoever reads a name.
    pub const ALL: [Self; 9] = [
        Self::AmbiguousRequest,
        Self::MissingCredential,
        Self::InvalidCredential,
        Self::Expired,
        Self::InsufficientScope,
        Self::ChallengeRequired,
        Self::NotAllowedHere,
        Self::RateLimited,
        Self::Unavailable,
    ];

    /// The status of gRPC, where the client reads it in place of HTTP's:
    /// INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED or
    /// UNAVAILABLE.
    pub fn grpc_status(self) -> u8 {
        match self {
            Self::AmbiguousRequest => 3,
            Self::MissingCredential | Self::InvalidCredential | Self::Expired => 16,
            Self::InsufficientScope | Self::ChallengeRequired | Self::NotAllowedHere => 7,
            Self::RateLimited => 8,
            Self::Unavailable => 14,
        }
    }

    /// The stable name in a body.
    pub fn code(self) -> &'static str {
        match self {
            Self::AmbiguousRequest => "ambiguous_request",
            Self::MissingCredential => "missing_credential",
            Self::InvalidCredential => "invalid_credential",
            Self::Expired => "expired",
            Self::InsufficientScope => "insufficient_scope",
            Self::ChallengeRequired => "challenge_required",
            Self::NotAllowedHere => "not_allowed_here",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let mut codes = Reason::ALL.map(Reason::code).to_vec();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Reason::ALL.len());
    }

    #[test]
    fn unknown_forged_revoked_and_disabled_look_the_same_from_outside() {
        let same = [
            Reason::UnknownKey,
            Reason::ForgedKey,
            Reason::RevokedKey,
            Reason::DisabledKey,
        ];
        assert!(
            same.iter()
                .all(|it| it.public() == PublicReason::InvalidCredential)
        );
    }
}
