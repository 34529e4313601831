//! Who calls, and how the upstream learns it.

pub mod assertion;
pub mod limits;
pub mod scopes;
pub mod session;
pub(crate) mod token;

use crate::http::edit::Name;
use crate::http::header_name::overrides_method;
use crate::http::header_name::reads_as;
use crate::identity::limits::BLOCK;

/// Every header that speaks of identity starts so, unless it is renamed. A client's
/// own never arrives.
pub const IDENTITY_PREFIX: &str = "x-keygate-";

/// What a credential says of its holder. Every text fits into a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Whose credential it is.
    pub account: String,
    /// The public id of an app key; a session has none.
    pub key_id: Option<String>,
    /// Scopes with a space between, as in RFC 6749 section 3.3.
    pub scopes: String,
    /// A JSON object in base64url without padding, if there is one.
    pub metadata: Option<String>,
}

impl Identity {
    /// An upper bound of the memory that it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let texts = [&self.account, &self.scopes].into_iter();
        let texts = texts.chain(&self.key_id).chain(&self.metadata);
        let texts = texts.map(|it| it.capacity().saturating_add(BLOCK));
        texts
            .chain([size_of::<Self>(), BLOCK, BLOCK])
            .fold(0, usize::saturating_add)
    }

    /// The identity for other filters and the access log. In Envoy these are filter
    /// state under `wasm.` and the name. Scopes have a blank on either side, which none
    /// contains, so that a matcher for ` files:read ` finds that scope and no longer one.
    #[inline]
    pub fn state(&self) -> Vec<(&'static str, String)> {
        let mut state = vec![("keygate_account", self.account.clone())];
        state.extend(self.key_id.clone().map(|id| ("keygate_key_id", id)));
        state.push(("keygate_scopes", format!(" {} ", self.scopes)));
        state
    }
}

/// The headers by which the upstream learns who calls; names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// [`Identity::account`].
    pub account: Name,
    /// [`Identity::key_id`].
    pub key_id: Name,
    /// [`Identity::scopes`].
    pub scopes: Name,
    /// [`Identity::metadata`].
    pub metadata: Name,
    /// What was decided: `allow`, `allow;reason=…`, or `would-deny;reason=…`.
    pub result: Name,
    /// The identity as a signed token, if there is an [`Issuer`](crate::identity::assertion::Issuer).
    pub assertion: Name,
    /// Whether other filters are told the same: see [`Identity::state`].
    pub filter_state: bool,
    /// Whether a rule reads the method. No header that names another one reaches an upstream
    /// then: see [`overrides_method`].
    pub reads_method: bool,
    /// Cookies that are ours alone: whatever is decided, no upstream sees them.
    pub own_cookies: Vec<String>,
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self {
            account: "x-keygate-account".into(),
            key_id: "x-keygate-key-id".into(),
            scopes: "x-keygate-scopes".into(),
            metadata: "x-keygate-metadata".into(),
            result: "x-keygate-result".into(),
            assertion: "x-keygate-assertion".into(),
            filter_state: false,
            reads_method: false,
            own_cookies: Vec::new(),
        }
    }
}

impl IdentityHeaders {
    /// All of them.
    #[inline]
    pub fn names(&self) -> [&str; 6] {
        [
            &self.account,
            &self.key_id,
            &self.scopes,
            &self.metadata,
            &self.result,
            &self.assertion,
        ]
    }

    /// Whether a client's header must not reach the upstream: it claims to be one of these,
    /// in any spelling (separators compare as one), or another method where a rule reads the method.
    #[inline]
    pub fn is_claimed_by(&self, name: &[u8]) -> bool {
        has_identity_prefix(name)
            || self.names().iter().any(|ours| reads_as(name, ours))
            || (self.reads_method && overrides_method(name))
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
        // A lenient reader may separate names by blanks alone.
        let is_claim = |option: &[u8]| {
            let mut words = option.split(u8::is_ascii_whitespace);
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
        let values = [
            (&self.account, Some(&identity.account)),
            (&self.key_id, identity.key_id.as_ref()),
            (&self.scopes, Some(&identity.scopes)),
            (&self.metadata, identity.metadata.as_ref()),
        ];
        let known = |(name, value): (&'a Name, Option<&'a String>)| Some((name, value?.as_str()));
        values.into_iter().filter_map(known)
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
        let headers = IdentityHeaders {
            account: "x-user".into(),
            assertion: "x-signed-user".into(),
            ..IdentityHeaders::default()
        };
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
        let headers = IdentityHeaders {
            account: "x-user".into(),
            ..IdentityHeaders::default()
        };
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
        ] {
            assert_eq!(kept(values).as_deref(), Some(expected), "{values:?}");
        }
    }
}
