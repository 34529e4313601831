//! Who calls, and how the upstream learns it.

pub mod assertion;
pub mod limits;
pub(crate) mod rate_limit;
pub(crate) mod scopes;
pub(crate) mod session;
pub(crate) mod token;

pub use rate_limit::{MalformedRateLimit, RateLimit};
pub use scopes::{Place, Scopes, ScopesError};
pub use session::{Claims, NoClaims, Sessions};

use crate::http::edit::Name;
use crate::http::header_name::{overrides_method, overrides_target, reads_as};
use crate::identity::assertion::ASSERTION_HEADER;
use crate::identity::limits::BLOCK;

/// Every header that speaks of identity starts so, unless it is renamed. A client's
/// own never arrives.
pub const IDENTITY_PREFIX: &str = "x-keygate-";

const RESULT_HEADER: &str = "x-keygate-result";

/// Calls a macro with the fields of an identity, one row each: its variant of [`Field`], its name
/// in the configuration, its type, and the name of its header by default. The configuration
/// repeats the comment.
macro_rules! identity_fields {
    ($with:ident) => {
        $with! {
            /// The account of the credential.
            Account account: String, "x-keygate-account";
            /// The public id of an app key.
            KeyId key_id: Option<String>, "x-keygate-key-id";
            /// The scopes, separated by spaces.
            Scopes scopes: String, "x-keygate-scopes";
            /// The metadata of an app key: JSON in base64url.
            Metadata metadata: Option<String>, "x-keygate-metadata";
        }
    };
}

pub(crate) use identity_fields;

macro_rules! declare {
    ($($(#[$doc:meta])* $Field:ident $field:ident: $Type:ty, $header:literal;)*) => {
        /// What a credential says of its holder. Every text fits into a header. A session and a
        /// link have none of the optional texts.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Identity {
            $($(#[$doc])* pub $field: $Type,)*
            /// How many requests the holder may send. Only an app key has a limit.
            pub rate_limit: Option<RateLimit>,
        }

        impl Identity {
            /// Every text that it has.
            pub fn texts(&self) -> impl Iterator<Item = &String> {
                [$(self.$field.said(),)*].into_iter().flatten()
            }

            /// The value of the header of a field, if the identity has one.
            #[inline]
            fn value(&self, field: Field) -> Option<&str> {
                match field {
                    $(Field::$Field => self.$field.said().map(String::as_str),)*
                    // Of the decision, and signed last.
                    Field::Result | Field::Assertion => None,
                }
            }
        }

        /// Something that the upstream learns of a request, in a header of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field {
            $($(#[$doc])* $Field,)*
            /// What was decided: `allow`, `allow;reason=…`, or `would-deny;reason=…`.
            Result,
            /// The identity as a signed token, if there is an
            /// [`Issuer`](crate::identity::assertion::Issuer).
            Assertion,
        }

        impl Field {
            /// All of them.
            pub const ALL: [Self; [$($header,)* RESULT_HEADER, ASSERTION_HEADER].len()] =
                [$(Self::$Field,)* Self::Result, Self::Assertion];
        }

        #[derive(Clone, Debug, PartialEq, Eq)]
        struct Names {
            $($field: Name,)*
            result: Name,
            assertion: Name,
        }

        impl Default for Names {
            fn default() -> Self {
                Self {
                    $($field: $header.into(),)*
                    result: RESULT_HEADER.into(),
                    assertion: ASSERTION_HEADER.into(),
                }
            }
        }

        impl Names {
            #[inline]
            fn of(&self, field: Field) -> &Name {
                match field {
                    $(Field::$Field => &self.$field,)*
                    Field::Result => &self.result,
                    Field::Assertion => &self.assertion,
                }
            }

            fn of_mut(&mut self, field: Field) -> &mut Name {
                match field {
                    $(Field::$Field => &mut self.$field,)*
                    Field::Result => &mut self.result,
                    Field::Assertion => &mut self.assertion,
                }
            }
        }
    };
}

identity_fields!(declare);

/// A text that an identity has, or may have.
trait Said {
    fn said(&self) -> Option<&String>;
}

impl Said for String {
    #[inline]
    fn said(&self) -> Option<&String> {
        Some(self)
    }
}

impl Said for Option<String> {
    #[inline]
    fn said(&self) -> Option<&String> {
        self.as_ref()
    }
}

impl Identity {
    /// An upper bound of the memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let texts = self.texts().map(|it| it.capacity().saturating_add(BLOCK));
        texts
            .chain([size_of::<Self>(), BLOCK, BLOCK])
            .fold(0, usize::saturating_add)
    }

    /// The identity for other filters and the access log. In Envoy these are filter
    /// state under `wasm.` and the name. Scopes have a blank on either side, which none
    /// contains, so that a matcher for ` files:read ` finds that scope and no longer one.
    ///
    /// Each field is named: one that is added does not compile until it is decided here.
    #[inline]
    pub fn state(&self) -> Vec<(&'static str, String)> {
        let Self {
            account,
            key_id,
            scopes,
            metadata: _,   // in base64url, which no matcher can read
            rate_limit: _, // not for other filters, which would count once more
        } = self;
        let mut state = vec![("keygate_account", account.clone())];
        state.extend(key_id.clone().map(|id| ("keygate_key_id", id)));
        state.push(("keygate_scopes", format!(" {scopes} ")));
        state
    }
}

/// The headers by which the upstream learns who calls; names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityHeaders {
    names: Names,
    /// Whether other filters also get the identity: see [`Identity::state`].
    pub filter_state: bool,
    /// Whether a rule reads the method. No header that names another one reaches an upstream
    /// then: see `overrides_method`.
    pub reads_method: bool,
    /// Cookies that are ours alone: whatever is decided, no upstream sees them.
    pub own_cookies: Vec<String>,
}

impl IdentityHeaders {
    /// The header of a field.
    #[inline]
    pub fn name(&self, field: Field) -> &Name {
        self.names.of(field)
    }

    /// Gives the header of a field another name, in lower case.
    pub fn rename(&mut self, field: Field, name: impl Into<Name>) {
        *self.names.of_mut(field) = name.into();
    }

    /// The names of all headers.
    #[inline]
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        Field::ALL.iter().map(|field| self.name(*field))
    }

    /// Whether a client's header must not reach the upstream: it claims to be one of these,
    /// in any spelling (separators compare as one), another path, or another method where a
    /// rule reads the method.
    #[inline]
    pub fn is_claimed_by(&self, name: &[u8]) -> bool {
        has_identity_prefix(name)
            || self.names().any(|ours| reads_as(name, ours))
            || (self.reads_method && overrides_method(name))
            || overrides_target(name)
    }

    /// The value of a header such as `connection` without the names of these headers; `None`
    /// if it has none of them. A proxy behind this one removes every header that it names
    /// (RFC 9110 section 7.6.1), and so would hide the identity from the application.
    pub fn connection_without_claims<'a>(
        &self,
        values: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Option<Vec<u8>> {
        let options = values.flat_map(|it| it.split(|&byte| byte == b','));
        let options = options.map(<[u8]>::trim_ascii);
        // A lenient reader may end a name at blanks, quotes or parameters.
        let is_end = |byte: &u8| !byte.is_ascii_graphic() || b"\"';=()".contains(byte);
        let is_claim = |option: &[u8]| {
            let mut words = option.split(is_end);
            words.any(|it| self.is_claimed_by(it))
        };
        options.clone().any(is_claim).then(|| {
            let kept: Vec<&[u8]> = options.filter(|it| !is_claim(it)).collect();
            kept.join(&b", "[..])
        })
    }

    /// The headers to set for an identity, in order.
    #[inline]
    pub fn values<'a>(
        &'a self,
        identity: &'a Identity,
    ) -> impl Iterator<Item = (&'a Name, &'a str)> {
        let value = |field: &Field| Some((self.name(*field), identity.value(*field)?));
        Field::ALL.iter().filter_map(value)
    }
}

/// Whether a header's name begins with [`IDENTITY_PREFIX`], in any spelling.
#[inline]
pub(crate) fn has_identity_prefix(name: &[u8]) -> bool {
    let head = name.get(..IDENTITY_PREFIX.len());
    head.is_some_and(|head| reads_as(head, IDENTITY_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Characters of a header's name that are neither letter nor digit: RFC 9110 section
    /// 5.6.2.
    const OTHERS: &[u8] = b"!#$%&'*+-.^_`|~";

    #[test]
    fn a_name_is_claimed_in_every_spelling() {
        let mut headers = IdentityHeaders::default();
        headers.rename(Field::Account, "x-user");
        headers.rename(Field::Assertion, "x-signed-user");
        let ours = [
            "x-user",
            "X-Signed-User",
            "x-keygate-account",
            "x-keygate-new",
            "X-KEYGATE-",
        ];
        for (name, &first) in ours
            .iter()
            .flat_map(|it| OTHERS.iter().map(move |o| (it, o)))
        {
            for &second in OTHERS {
                let mut others = [first, second].into_iter().cycle();
                let bytes = name.bytes();
                let spelled: Vec<u8> = bytes
                    .map(|it| {
                        if it == b'-' {
                            others.next().unwrap()
                        } else {
                            it
                        }
                    })
                    .collect();
                assert!(headers.is_claimed_by(&spelled), "{spelled:?}");
            }
        }
        for free in [
            "x-users",
            "x-use",
            "x-keygate",
            "keygate-account",
            "xauser",
            "xkeygate-account",
            "x-keygate9account",
            "",
        ] {
            assert!(!headers.is_claimed_by(free.as_bytes()), "{free}");
        }
    }

    #[test]
    fn connection_names_no_identity_header() {
        let mut headers = IdentityHeaders::default();
        headers.rename(Field::Account, "x-user");
        let kept = |values: &[&str]| {
            let values = values.iter().map(|it| it.as_bytes());
            let kept = headers.connection_without_claims(values);
            kept.map(|it| String::from_utf8(it).unwrap())
        };
        for clean in [&["Upgrade"][..], &["upgrade, keep-alive", "x-users"], &[]] {
            assert_eq!(kept(clean), None, "{clean:?}");
        }
        for (values, expected) in [
            (&["Upgrade, x-user"][..], "Upgrade"),
            (&["X.User ,upgrade"], "upgrade"),
            (&["upgrade,\tx_keygate_result\t, te"], "upgrade, te"),
            (&["x-keygate-new", "upgrade"], "upgrade"),
            (&["upgrade x-keygate-account"], ""),
            (&["x-user"], ""),
            (&["\"x-user\", upgrade"], "upgrade"),
            (&["upgrade, x-user;a=1"], "upgrade"),
            (&["upgrade, x-original-url"], "upgrade"),
        ] {
            assert_eq!(kept(values).as_deref(), Some(expected), "{values:?}");
        }
    }
}
