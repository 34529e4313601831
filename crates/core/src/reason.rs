//! Every way to reject, one row each: the precise reason for metrics and logs, what a client
//! may know of it, and what an operator does about it.
//!
//! A new reason is a row of [`Reason`]'s table and the place that rejects; a public one is a row
//! of its table and its words. `docs/reasons.md` and the command line read the tables.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal => $public:ident {
        cause: $cause:literal,
        remedy: $remedy:literal,
    })*) => {
        /// Why a request is rejected. The code is stable: dashboards and scripts know it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $($(#[$doc])* $name,)*
        }

        impl Reason {
            /// All reasons, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The stable name, for `%RESPONSE_CODE_DETAILS%`, metrics and the upstream.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// What a client may know of it.
            pub fn public(self) -> PublicReason {
                match self {
                    $(Self::$name => PublicReason::$public,)*
                }
            }

            /// What happened, for an operator: no secret, and no MAC that would be right.
            #[cfg(feature = "tools")]
            pub fn cause(self) -> &'static str {
                match self {
                    $(Self::$name => $cause,)*
                }
            }

            /// What an operator or a signer does about it.
            #[cfg(feature = "tools")]
            pub fn remedy(self) -> &'static str {
                match self {
                    $(Self::$name => $remedy,)*
                }
            }

            /// Cause and remedy in one sentence.
            #[cfg(feature = "tools")]
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($cause, ": ", $remedy),)*
                }
            }
        }
    };
}

reasons! {
    /// The method, the path or the host of the request is missing, duplicate or malformed.
    UnreadableRequest = "unreadable_request" => AmbiguousRequest {
        cause: "the method, the path or the host is missing, duplicate or malformed",
        remedy: "send one host, a name or an IPv6 address in brackets, optionally with a port; a \
            method has 1 to 24 characters of A to Z and -",
    }
    /// The path can be read in more than one way.
    AmbiguousPath = "ambiguous_path" => AmbiguousRequest {
        cause: "the path can be read in more than one way: dot segments, \"//\", \"\\\", double \
            encoding, not UTF-8 when decoded, or readings that meet different rules; or it contains \
            characters that must be percent-encoded",
        remedy: "percent-encode each segment of the path once, and send it without dot segments and \
            \"//\"; or make one rule match both readings",
    }
    /// `%2F` in the path of a rule that does not allow it.
    EncodedSlash = "encoded_slash" => AmbiguousRequest {
        cause: "the path contains %2F, which the rule does not allow",
        remedy: "set allow_encoded_slash in the rule if the upstream needs %2F",
    }
    /// A parameter behind `;` in the path of a rule that does not allow it.
    PathParameter = "path_parameter" => AmbiguousRequest {
        cause: "the path contains a parameter after \";\" or %3B, which the rule does not allow",
        remedy: "set allow_path_parameters in the rule if the upstream needs parameters",
    }
    /// An unreserved character of the path is percent-encoded: the proxy does not normalize.
    NotNormalized = "not_normalized" => AmbiguousRequest {
        cause: "the path contains a percent-encoded letter, digit or one of -._~. An Envoy that \
                normalizes paths never sends that",
        remedy: "set normalize_path: true",
    }
    /// The path has too many bytes or segments.
    PathTooLong = "path_too_long" => AmbiguousRequest {
        cause: "the path has more than 8192 bytes or 256 segments",
        remedy: "shorten the path; the limits are fixed",
    }
    /// No rule matches.
    NoRule = "no_rule" => NotAllowedHere {
        cause: "no rule matches, and unmatched is \"deny\"",
        remedy: "add a rule for this host, path and method",
    }
    /// No credential at all.
    MissingCredential = "missing_credential" => MissingCredential {
        cause: "the request has no credential in a carrier of the provider",
        remedy: "compare the provider's carriers: a link may have lost its query, or a key may \
                 be in another header",
    }
    /// Two credentials, or one of them twice.
    DuplicateCredential = "duplicate_credential" => AmbiguousRequest {
        cause: "the request has more than one credential, or the same one twice",
        remedy: "send one credential in one place",
    }
    /// A credential that is not of the form it should have.
    MalformedCredential = "malformed_credential" => InvalidCredential {
        cause: "the credential is malformed",
        remedy: "check that nothing was cut off: a link needs every part of its format once, a \
                 key its prefix, length and checksum",
    }
    /// A signature that no current secret of the ring makes.
    WrongSignature = "wrong_signature" => InvalidCredential {
        cause: "no secret of the ring signed this link for this request",
        remedy: "compare the secret, the path and query that reach the filter, and everything \
                 else that the format signs",
    }
    /// A credential that no secret can have made: none of its ring is valid now.
    NoCurrentSecret = "no_current_secret" => InvalidCredential {
        cause: "no secret of its ring is valid at this time",
        remedy: "see not_before and not_after in the policy",
    }
    /// A signature from a future beyond the allowed skew.
    NotYetValid = "not_yet_valid" => InvalidCredential {
        cause: "the link is not valid yet",
        remedy: "wait until its start (--not-before), or compare the clocks of the signer and the \
            proxy",
    }
    /// A link that claims to live longer than allowed.
    LifetimeTooLong = "lifetime_too_long" => InvalidCredential {
        cause: "the link expires later than max_lifetime allows",
        remedy: "sign shorter links, or raise max_lifetime",
    }
    /// The time of a link or key is over.
    Expired = "expired" => Expired {
        cause: "the link or key has expired",
        remedy: "sign a new link, or create a new key",
    }
    /// A link that works once, and was used.
    LinkUsed = "link_used" => Expired {
        cause: "the link works once and was already used",
        remedy: "sign a new link",
    }
    /// A link that works once, asked for by a program that only looks ahead.
    Prefetch = "prefetch" => NotAllowedHere {
        cause: "the link works once, and prefetch requests cannot use it",
        remedy: "nothing to fix: the prefetch did not use the link up; opening it still works",
    }
    /// An app key of the right form that none of our master secrets made.
    ForgedKey = "forged_key" => InvalidCredential {
        cause: "no valid secret of the ring made this key",
        remedy: "compare the master secret and its encoding in Envoy and in the key service",
    }
    /// An app key that may be genuine, and that the key service does not know.
    UnknownKey = "unknown_key" => InvalidCredential {
        cause: "the key service does not know the key",
        remedy: "check that the key was created in, or imported into, this key service",
    }
    /// An app key that was revoked.
    RevokedKey = "revoked_key" => InvalidCredential {
        cause: "the key was revoked",
        remedy: "create a new key; a revocation is final",
    }
    /// An app key that is switched off.
    DisabledKey = "disabled_key" => InvalidCredential {
        cause: "the key is disabled",
        remedy: "enable the key",
    }
    /// With Basic: the user name is not the account of the key.
    WrongAccount = "wrong_account" => InvalidCredential {
        cause: "the user name in Basic is not the account of the key",
        remedy: "send the account of the key as the user name",
    }
    /// The scopes of the credential do not suffice for this method.
    InsufficientScope = "insufficient_scope" => InsufficientScope {
        cause: "the credential is valid, but lacks the scopes that the method needs",
        remedy: "give the key the scopes that the rule names for this method",
    }
    /// The client's address is not among those of the key.
    AddressNotAllowed = "address_not_allowed" => NotAllowedHere {
        cause: "the credential does not allow the address of the client",
        remedy: "compare allowed_ips with the address in the access log; behind another proxy, \
                 set xff_num_trusted_hops in Envoy",
    }
    /// The rule adds what is sealed with the key, and nothing is.
    NothingSealed = "nothing_sealed" => NotAllowedHere {
        cause: "the rule adds sealed headers, and the credential has none",
        remedy: "seal them for the key with `keygate keys seal`, or set \"optional\" in the rule's \
            sealed",
    }
    /// A browser has to pass a challenge, and none was passed.
    ChallengeRequired = "challenge_required" => ChallengeRequired {
        cause: "the browser must pass a challenge first",
        remedy: "open the address in a browser",
    }
    /// The solution of a challenge is forged, late, insufficient, or for another client.
    ChallengeFailed = "challenge_failed" => ChallengeRequired {
        cause: "the solution of the challenge is invalid for this client",
        remedy: "reload the page: a solution is bound to one address, one user agent and a short time",
    }
    /// The page that the request comes from is not among those of the rule or the key.
    ReferrerNotAllowed = "referrer_not_allowed" => NotAllowedHere {
        cause: "the page that the request comes from is not among allowed_referrers or \
            query_referrers",
        remedy: "add the page, or check what the browser sends as referer",
    }
    /// The key service gave no usable answer in time.
    KeyServiceUnavailable = "key_service_unavailable" => Unavailable {
        cause: "the key service gave no usable answer",
        remedy: "see the filter's warnings in Envoy's log and the counters keygate_key_service_*",
    }
    /// Too many requests already wait for the key service.
    Overloaded = "overloaded" => Unavailable {
        cause: "too many requests already wait for the key service",
        remedy: "check whether the key service is slow, or many clients use one new key at once; a \
            worker lets 1,024 requests wait, 512 of them for one key",
    }
    /// Too many keys from this address, its network or all clients were unknown to the key
    /// service: this one was not looked up.
    TooManyMisses = "too_many_misses" => RateLimited {
        cause: "too many keys from this address were unknown to the key service",
        remedy: "see miss_limit; if all clients seem to have one address, set xff_num_trusted_hops in \
            Envoy",
    }
    /// Too many public-key signatures from this address, its network or all clients were
    /// wrong: this one was not checked. Behind another proxy, all clients share one address
    /// unless `xff_num_trusted_hops` is set.
    TooManyFailures = "too_many_failures" => RateLimited {
        cause: "too many signatures from this address were invalid, so this one was not checked",
        remedy: "see signature_limit; if all clients seem to have one address, set \
            xff_num_trusted_hops in Envoy",
    }
    /// The key has sent as many requests as it may.
    KeyRateLimited = "key_rate_limited" => RateLimited {
        cause: "the API key has sent as many requests as its rate_limit allows",
        remedy: "wait for as long as retry-after says, or raise the limit: keygate keys edit \
            --rate-limit",
    }
    /// The account has sent as many requests as it may.
    AccountRateLimited = "account_rate_limited" => RateLimited {
        cause: "the account has sent as many requests as account_rate_limit allows",
        remedy: "wait for as long as retry-after says, or raise the limit in the policy",
    }
    /// What is sealed with the key does not open, or has a header that the rule does not list.
    SealedBroken = "sealed_broken" => Unavailable {
        cause: "the sealed data of the key does not open, or has a header that the rule does not list",
        remedy: "seal it again with `keygate keys seal`; compare its headers with the rule's sealed",
    }
    /// The assertion cannot be signed: no secret of the ring is valid now.
    NoSigningKey = "no_signing_key" => Unavailable {
        cause: "no secret for the assertion is valid at this time",
        remedy: "see not_before and not_after of the assertion's ring",
    }
    /// The proxy did not do what the filter asked of it.
    HostFailure = "host_failure" => Unavailable {
        cause: "a call from the filter to Envoy failed",
        remedy: "see Envoy's log, and report this as a bug with the version of Envoy",
    }
}

impl Reason {
    /// Whether too many requests were sent with a credential that is valid.
    pub fn is_of_rate(self) -> bool {
        matches!(self, Self::KeyRateLimited | Self::AccountRateLimited)
    }
}

macro_rules! public_reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, grpc: $grpc:literal;)*) => {
        /// What a client may know: the `{reason}` of every answer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum PublicReason {
            $($(#[$doc])* $name,)*
        }

        impl PublicReason {
            /// All public reasons, in the order of the table.
            pub const ALL: [Self; [$($code),*].len()] = [$(Self::$name),*];

            /// The stable name in a body.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }

            /// The status of gRPC, where the client reads it in place of HTTP's:
            /// INVALID_ARGUMENT (3), PERMISSION_DENIED (7), RESOURCE_EXHAUSTED (8),
            /// UNAVAILABLE (14) or UNAUTHENTICATED (16).
            pub fn grpc_status(self) -> u8 {
                match self {
                    $(Self::$name => $grpc,)*
                }
            }
        }
    };
}

public_reasons! {
    /// The request cannot be read in one way only.
    AmbiguousRequest = "ambiguous_request", grpc: 3;
    /// The request has no credential.
    MissingCredential = "missing_credential", grpc: 16;
    /// The credential is invalid: unknown, forged, revoked and disabled alike.
    InvalidCredential = "invalid_credential", grpc: 16;
    /// The credential was valid before.
    Expired = "expired", grpc: 16;
    /// The credential is valid, but not for this request.
    InsufficientScope = "insufficient_scope", grpc: 7;
    /// A browser could pass after a challenge.
    ChallengeRequired = "challenge_required", grpc: 7;
    /// No credential would help here.
    NotAllowedHere = "not_allowed_here", grpc: 7;
    /// Too many requests, or too many invalid credentials: try again later.
    RateLimited = "rate_limited", grpc: 8;
    /// Try again.
    Unavailable = "unavailable", grpc: 14;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let mut codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
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
