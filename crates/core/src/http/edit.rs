//! Changes to the headers of a request or an answer.

use std::borrow::Cow;
use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The name of a header. Most are known when it is compiled.
pub(crate) type Name = Cow<'static, str>;

/// One change to the headers of a request or of its answer.
#[derive(Clone, PartialEq, Eq)]
pub enum Edit {
    /// Remove every header of this name.
    Remove(Name),
    /// Replace every header of this name (`:path` too) by one.
    Set(Name, Cow<'static, [u8]>),
    /// Add another header of this name.
    Add(Name, Cow<'static, [u8]>),
    /// Replace every header of this name by one with a value that no log may show.
    SetSecret(Name, SecretValue),
}

/// The value of a header that is a credential of the upstream: zeroed when it is dropped.
#[derive(Clone)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

impl SecretValue {
    /// Takes these bytes as a value.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes, for the header and nothing else.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Two edits can be compared, and so their values: in constant time.
impl PartialEq for SecretValue {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretValue {}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

impl Edit {
    /// [`Self::Set`] with a text.
    #[inline]
    pub fn set(name: impl Into<Name>, value: impl Into<Cow<'static, str>>) -> Self {
        let value = match value.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Self::Set(name.into(), value)
    }
}

/// The name alone: the value may be a token or a cookie.
impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remove(name) => write!(f, "Remove({name:?})"),
            Self::Set(name, _) => write!(f, "Set({name:?}, ..)"),
            Self::Add(name, _) => write!(f, "Add({name:?}, ..)"),
            Self::SetSecret(name, _) => write!(f, "SetSecret({name:?}, ..)"),
        }
    }
}

/// A credential that must not reach the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strip<'a> {
    /// It is in the target: this is the target without it.
    Target(&'a str),
    /// It is in the middle of the target: what is before it, what takes its place, and what
    /// follows.
    Segment(&'a str, &'static str, &'a str),
    /// It is the parameter of this name in the query.
    Parameter(&'a str),
    /// The same, of a key that is good for more than this URL: see [`Grant::new`](crate::decision::grant::Grant::new).
    KeyParameter(&'a str),
    /// It is the header of this name.
    Header(&'a str),
    /// It is the cookie of this name.
    Cookie(&'a str),
}
