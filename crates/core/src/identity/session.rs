//! Sessions that another filter has verified, such as Envoy's `jwt_authn`: who they are
//! of, and what they may do. No token is looked at here; absent means unauthenticated.

use crate::http::credential::Carrier;
use crate::identity::Identity;
use crate::identity::limits::MAX_SCOPES;
use crate::identity::token::is_token;
use crate::reason::Reason;

/// Access to the claims of a verified token. Absent claims mean an unauthenticated request.
pub trait Claims {
    /// The bytes of a value that another filter left, below the metadata of filters:
    /// filter, key, claim, such as `["envoy.filters.http.jwt_authn", "payload", "sub"]`;
    /// an item of a list by its number. What is no text comes in bytes that no name is
    /// made of, such as a number as its eight bytes.
    fn text(&self, path: &[&str]) -> Option<Vec<u8>>;
}

/// No session at all.
pub struct NoClaims;

impl Claims for NoClaims {
    fn text(&self, _path: &[&str]) -> Option<Vec<u8>> {
        None
    }
}

/// Where the claims of a session are, and which of them are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// The filter that has verified the token.
    pub filter: String,
    /// The metadata key of the payload.
    pub metadata_key: String,
    /// The claim that names the account.
    pub account_claim: String,
    /// The claim that holds the scopes; without it a session has none.
    pub scopes_claim: Option<String>,
    /// The carriers of the session's token, if the upstream must not receive it.
    pub carriers: Vec<Carrier>,
}

impl Sessions {
    /// The identity behind a verified session.
    ///
    /// # Errors [`Reason::MissingCredential`] when there is no session, or it names no account
    /// that fits into a header, or its scopes are not usable. There is no partial identity.
    pub fn check(&self, claims: &dyn Claims) -> Result<Identity, Reason> {
        let account = self.claim(claims, &self.account_claim, None);
        let account = account.and_then(token).ok_or(Reason::MissingCredential)?;
        let scopes = match &self.scopes_claim {
            Some(name) => self
                .scopes(claims, name)
                .ok_or(Reason::MissingCredential)?
                .join(" "),
            None => String::new(),
        };
        Ok(Identity {
            account,
            scopes,
            ..Identity::default()
        })
    }

    /// A text with spaces (RFC 8693 section 4.2) or a list of texts. A list as a whole comes
    /// as bytes that are no text, so its items are asked for one by one.
    fn scopes(&self, claims: &dyn Claims, name: &str) -> Option<Vec<String>> {
        let Some(whole) = self.claim(claims, name, None) else {
            return Some(Vec::new());
        };
        let is_text = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        let mut scopes = Vec::new();
        if whole.iter().all(is_text) {
            for part in whole.split(|&byte| byte == b' ') {
                if !part.is_empty() {
                    scopes.push(token(part.to_vec())?);
                }
            }
            return Some(scopes).filter(|it| it.len() <= MAX_SCOPES);
        }
        for index in 0..=MAX_SCOPES {
            let Some(item) = self.claim(claims, name, Some(&index.to_string())) else {
                return Some(scopes);
            };
            scopes.push(token(item)?);
        }
        None
    }

    fn claim(&self, claims: &dyn Claims, name: &str, item: Option<&str>) -> Option<Vec<u8>> {
        let mut path = vec![self.filter.as_str(), self.metadata_key.as_str(), name];
        path.extend(item);
        claims.text(&path)
    }
}

fn token(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| is_token(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value under `filter` and `payload`: claims, and items of lists.
    struct Payload(Vec<(&'static str, Vec<u8>)>);

    impl Claims for Payload {
        fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
            let rest = path.strip_prefix(&["filter", "payload"])?.join("/");
            let found = self.0.iter().find(|(name, _)| *name == rest);
            found.map(|(_, value)| value.clone())
        }
    }

    fn sessions() -> Sessions {
        Sessions {
            filter: "filter".to_owned(),
            metadata_key: "payload".to_owned(),
            account_claim: "sub".to_owned(),
            scopes_claim: Some("scope".to_owned()),
            carriers: Vec::new(),
        }
    }

    fn check(claims: &[(&'static str, &[u8])]) -> Option<(String, String)> {
        let owned = claims.iter().map(|(name, value)| (*name, value.to_vec()));
        let identity = sessions().check(&Payload(owned.collect())).ok()?;
        assert_eq!((identity.key_id, identity.metadata), (None, None));
        Some((identity.account, identity.scopes))
    }

    /// How Envoy gives a list as a whole: numbers in front, so never visible.
    const LIST: &[u8] = b"\x02\0\0\0\x01\0\0\0";

    #[test]
    fn account_and_scopes_come_from_the_claims() {
        for (claims, scopes) in [
            (vec![("sub", &b"alice"[..])], ""),
            (vec![("sub", b"alice"), ("scope", b"")], ""),
            (vec![("sub", b"alice"), ("scope", b" a  b:c ")], "a b:c"),
            (
                vec![
                    ("sub", b"alice"),
                    ("scope", LIST),
                    ("scope/0", b"a"),
                    ("scope/1", b"b:c"),
                ],
                "a b:c",
            ),
            // An empty list, and a number: no scopes.
            (vec![("sub", b"alice"), ("scope", b"\0\0\0\0")], ""),
        ] {
            let expected = Some(("alice".to_owned(), scopes.to_owned()));
            assert_eq!(check(&claims), expected, "{claims:?}");
        }
    }

    #[test]
    fn a_session_without_a_usable_account_is_unauthenticated() {
        let long = [b'a'; 129];
        for account in [
            &b""[..],
            b"two words",
            b"caf\xc3\xa9",
            b"caf\xe9",
            b"a\r\nb",
            &12.0_f64.to_le_bytes(),
            b"\x01",
            LIST,
            &long,
        ] {
            assert_eq!(check(&[("sub", account)]), None, "{account:?}");
        }
        assert_eq!(check(&[]), None);
        assert_eq!(check(&[("email", b"alice")]), None);
    }

    #[test]
    fn scopes_that_cannot_be_carried_reject_the_session() {
        let long = [b'a'; 129];
        let lists: [(&[u8], &[u8]); 4] = [
            (LIST, b"two words"),
            (LIST, &1.0_f64.to_le_bytes()),
            (LIST, b""),
            (&long, b"a"),
        ];
        for (whole, first) in lists {
            let claims = [("sub", &b"alice"[..]), ("scope", whole), ("scope/0", first)];
            assert_eq!(check(&claims), None, "{whole:?} {first:?}");
        }
        let many = ["s"; 65].join(" ");
        assert_eq!(check(&[("sub", b"a"), ("scope", many.as_bytes())]), None);
        assert!(check(&[("sub", b"a"), ("scope", &many.as_bytes()[2..])]).is_some());
    }

    #[test]
    fn a_list_is_read_to_its_bound_and_not_further() {
        struct Endless;
        impl Claims for Endless {
            fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
                Some(match path.len() {
                    4 => b"scope".to_vec(),
                    _ if path.ends_with(&["scope"]) => LIST.to_vec(),
                    _ => b"alice".to_vec(),
                })
            }
        }
        assert_eq!(sessions().check(&Endless), Err(Reason::MissingCredential));
    }
}
