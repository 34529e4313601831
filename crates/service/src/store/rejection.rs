//! Every reason not to make a change that could be written.

use crate::code::Code;
use crate::limits::Whose;
use crate::wrong::Errors;

/// Why a change was not made, though it could have been written. Its `Display` is what the client
/// reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The token by which it was asked for is no longer active.
    #[error("the token is invalid")]
    InactiveToken,
    /// The key by which it was asked for is no longer active.
    #[error("the assertion is invalid")]
    InactiveCaller,
    /// The clock went back, or was never set: the age and the end of a key would be wrong, too.
    #[error(
        "the clock of the key service is wrong (before 2024, or more than an hour before the newest change), so nothing was created: set the clock"
    )]
    Clock,
    /// No key that the caller may see has this id.
    #[error("there is no key with this id")]
    NoSuchKey,
    /// What is to be stored, or is asked for, is of a space that the caller does not see.
    #[error("the caller is bound to another space: leave out space, or give its own")]
    WrongSpace,
    /// A field asks for more than the caller has.
    #[error(transparent)]
    Beyond(#[from] Errors),
    /// A field asks for more than the service allows.
    #[error("{0}")]
    BeyondLimits(Errors),
    /// The account has as many keys as it may.
    #[error("the account has as many active keys as it may, which is {0}: revoke one first")]
    TooManyKeys(u32),
    /// Too many keys were made of late.
    #[error("at most {most} keys a minute can be created {whose}: wait {seconds} s")]
    TooManyCreations {
        /// For what they are counted.
        whose: Whose,
        /// How many may be made in a minute.
        most: u32,
        /// After how many seconds the request may be sent again.
        seconds: u64,
    },
    /// The key is not in the state that the caller takes it for.
    #[error("the key was changed in the meantime: its etag is \"{0}\" now")]
    Stale(u64),
    /// One of several keys is not in the state in which it fitted.
    #[error("the key {0} was changed in the meantime, and nothing was revoked: try again")]
    OneStale(String),
    /// The key is revoked.
    #[error("the key is revoked, which is final")]
    Revoked,
    /// The key is not active, so that no other can take its place.
    #[error("only an active key can be rotated")]
    Inactive,
    /// What is sealed with the key cannot be carried over to another.
    #[error(
        "the key has sealed data, which only the key itself opens: give sealed for the new key, or \
         set drop_sealed to true"
    )]
    Sealed,
    /// Nothing is sealed with the key.
    #[error("the key has no sealed data")]
    NotSealed,
    /// The key was imported, and may be easier to guess than one of ours.
    #[error("an imported key cannot have sealed data: rotate it, and seal for the new key")]
    Imported,
    /// Another key replaces it already: this one.
    #[error("the key {0} replaces this one already: change that one instead")]
    Replaced(String),
    /// An admin disabled the key, so that its account cannot enable it.
    #[error("an admin disabled this key, and only an admin can enable it")]
    DisabledByAdmin,
    /// No token has this id.
    #[error("there is no token with this id")]
    NoSuchToken,
    /// As many tokens count as can.
    #[error("there are 1000 active tokens: revoke the ones that are not in use")]
    TooManyTokens,
    /// An earlier request with the same idempotency key had another body.
    #[error("this Idempotency-Key was already used with a different body: use a new one")]
    OtherBody,
}

impl Rejection {
    /// Its kind.
    pub fn code(&self) -> Code {
        match self {
            Self::InactiveToken => Code::InvalidToken,
            Self::InactiveCaller => Code::InvalidAssertion,
            Self::Clock => Code::Clock,
            Self::NoSuchKey => Code::NoSuchKey,
            Self::WrongSpace => Code::WrongSpace,
            Self::Beyond(_) => Code::BeyondOwnRights,
            Self::BeyondLimits(_) => Code::BeyondLimits,
            Self::TooManyKeys(_) => Code::TooManyKeys,
            Self::TooManyCreations { .. } => Code::TooManyCreations,
            Self::Stale(_) | Self::OneStale(_) => Code::Stale,
            Self::Revoked => Code::KeyRevoked,
            Self::Inactive => Code::KeyInactive,
            Self::Sealed => Code::Sealed,
            Self::NotSealed => Code::NotSealed,
            Self::Imported => Code::KeyImported,
            Self::Replaced(_) => Code::KeyReplaced,
            Self::DisabledByAdmin => Code::DisabledByAdmin,
            Self::NoSuchToken => Code::NoSuchToken,
            Self::TooManyTokens => Code::TooManyTokens,
            Self::OtherBody => Code::IdempotencyMismatch,
        }
    }
}
