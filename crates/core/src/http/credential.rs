//! Where a credential is in a request, and how it is removed.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use zeroize::Zeroizing;

use crate::http::cookie::cookie_values;
use crate::http::parameter::find_token;
use crate::http::request::Request;
use crate::reason::Reason;

/// Longest credential that is looked at; a longer one is malformed.
pub const MAX_CREDENTIAL: usize = 8 * 1024;

/// A place in which a client may present an app key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// `Authorization: Bearer KEY` (RFC 6750 section 2.1).
    Bearer,
    /// `Authorization: Basic base64(ACCOUNT:KEY)` (RFC 7617).
    Basic,
    /// A header that holds nothing but the key; its name in lower case.
    Header(String),
    /// A cookie of this name.
    Cookie(String),
    /// A query parameter, at any position.
    Query(String),
}

/// A credential as found, with the edit that removes it.
#[derive(Debug)]
pub struct Found<'a> {
    /// The text of the credential.
    pub text: SecretText<'a>,
    /// The user name that Basic came with.
    pub user: Option<Vec<u8>>,
    /// Where it stood.
    pub carrier: &'a Carrier,
}

/// Bytes of a credential: without a printable form, and zeroed where we own them.
pub enum SecretText<'a> {
    /// Still in the request.
    Borrowed(&'a [u8]),
    /// Decoded.
    Owned(Zeroizing<Vec<u8>>),
}

impl SecretText<'_> {
    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl std::fmt::Debug for SecretText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText(..)")
    }
}

/// Finds the one credential in the carriers.
///
/// # Errors
/// [`Reason::DuplicateCredential`] for a second one anywhere, also an equal one;
/// [`Reason::MalformedCredential`] for Basic that is no base64 of `user:password`
/// and for anything beyond [`MAX_CREDENTIAL`].
pub fn find<'a>(
    carriers: &'a [Carrier],
    request: &Request<'a>,
) -> Result<Option<Found<'a>>, Reason> {
    let mut found: Option<(&'a Carrier, &'a [u8])> = None;
    for carrier in carriers {
        let texts = carrier.occurrences(request)?;
        for text in texts.into_iter().filter(|it| !carrier.is_empty(it)) {
            if found.replace((carrier, text)).is_some() {
                return Err(Reason::DuplicateCredential);
            }
        }
    }
    // `Authorization: Bearer A` beside `Authorization: Digest B`: one of the two is not ours.
    let uses_authorization = carriers.iter().any(Carrier::is_authorization);
    if uses_authorization && authorizations(request).nth(1).is_some() {
        return Err(Reason::DuplicateCredential);
    }
    let Some((carrier, text)) = found else {
        return Ok(None);
    };
    // Envoy joins two `authorization` headers by a comma, which no credential of ours holds.
    if carrier.is_authorization() && text.contains(&b',') {
        return Err(Reason::DuplicateCredential);
    }
    if text.len() > MAX_CREDENTIAL {
        return Err(Reason::MalformedCredential);
    }
    let (text, user) = match carrier {
        Carrier::Basic => {
            let (user, password) = decode_basic(text).ok_or(Reason::MalformedCredential)?;
            (SecretText::Owned(password), Some(user))
        }
        Carrier::Bearer | Carrier::Header(_) | Carrier::Cookie(_) | Carrier::Query(_) => {
            (SecretText::Borrowed(text), None)
        }
    };
    Ok(Some(Found {
        text,
        user,
        carrier,
    }))
}

impl Carrier {
    /// Whether it is the header `authorization`.
    #[inline]
    pub(crate) fn is_authorization(&self) -> bool {
        matches!(self, Self::Bearer | Self::Basic)
    }

    /// Whether a text holds no credential: it is empty, or Basic without a password.
    fn is_empty(&self, text: &[u8]) -> bool {
        text.is_empty()
            || matches!(self, Self::Basic)
                && decode_basic(text).is_some_and(|(_, password)| password.is_empty())
    }

    /// The raw credential texts in this carrier, in order.
    fn occurrences<'a>(&'a self, request: &Request<'a>) -> Result<Vec<&'a [u8]>, Reason> {
        let with_scheme = |scheme| {
            let values = authorizations(request);
            values
                .filter_map(|value| strip_scheme(value, scheme))
                .collect()
        };
        Ok(match self {
            Self::Bearer => with_scheme("bearer"),
            Self::Basic => with_scheme("basic"),
            Self::Header(name) => request.values(name).collect(),
            Self::Cookie(name) => cookie_values(request, name).collect(),
            Self::Query(name) => {
                let found = find_token(&request.target, name)?;
                found.map(|it| it.value.as_bytes()).into_iter().collect()
            }
        })
    }
}

/// The passwords that a reader more lenient than [`find`] may see in a value of
/// `authorization`: behind any separator, with or without padding.
pub(crate) fn lenient_passwords(value: &[u8]) -> impl Iterator<Item = Zeroizing<Vec<u8>>> {
    let is_separator = |byte: &u8| matches!(byte, b' ' | b'\t' | b',' | b'"');
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let words = value.split(is_separator);
    // A shorter word holds no key of ours. Seen before any memory is asked for.
    let words = words.filter(move |it| it.len() >= 80 && it.iter().all(is_base64));
    words.filter_map(|it| LENIENT.decode(it).ok().map(Zeroizing::new))
}

/// RFC 4648 section 4, whatever is at the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The values of `authorization` that are not empty. Envoy joins several by a comma: empty
/// ones are ignored next to it.
#[inline]
fn authorizations<'a>(request: &Request<'a>) -> impl Iterator<Item = &'a [u8]> {
    let values = request.values("authorization").map(<[u8]>::trim_ascii);
    let values = values.map(|value| {
        let mut parts = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        let mut whole = parts.clone().filter(|part| !is_bare(part));
        match (value.contains(&b','), whole.next(), whole.next()) {
            (true, Some(only), None) => only,
            (true, None, _) => parts.next().unwrap_or_default(),
            _ => value,
        }
    });
    values.filter(|value| !is_bare(value))
}

/// Nothing, or a scheme of ours with nothing behind it.
fn is_bare(value: &[u8]) -> bool {
    let is = |scheme: &str| value.eq_ignore_ascii_case(scheme.as_bytes());
    value.is_empty() || is("bearer") || is("basic")
}

/// The scheme of `Authorization` is matched without case (RFC 9110 section 11.1).
#[inline]
fn strip_scheme<'a>(value: &'a [u8], scheme: &str) -> Option<&'a [u8]> {
    let (head, rest) = value.split_at_checked(scheme.len())?;
    if !head.eq_ignore_ascii_case(scheme.as_bytes()) {
        return None;
    }
    match rest.strip_prefix(b" ") {
        Some(text) => Some(text.trim_ascii()),
        // `Bearer` and nothing else: a credential, though an empty one.
        None if rest.is_empty() => Some(rest),
        None => None,
    }
}

fn decode_basic(text: &[u8]) -> Option<(Vec<u8>, Zeroizing<Vec<u8>>)> {
    let decoded = Zeroizing::new(STANDARD.decode(text).ok()?);
    let colon = decoded.iter().position(|&byte| byte == b':')?;
    let (user, rest) = decoded.split_at_checked(colon)?;
    let password = rest.strip_prefix(b":")?;
    Some((user.to_vec(), Zeroizing::new(password.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::tests::get_with as headers;

    fn all_carriers() -> Vec<Carrier> {
        vec![
            Carrier::Bearer,
            Carrier::Basic,
            Carrier::Header("x-api-key".into()),
            Carrier::Cookie("app_key".into()),
        ]
    }

    fn found(list: &[(&str, &[u8])]) -> Result<Option<Vec<u8>>, Reason> {
        let headers = headers(list);
        let request = Request::read(&headers).unwrap();
        let carriers = all_carriers();
        find(&carriers, &request).map(|found| found.map(|it| it.text.expose().to_vec()))
    }

    #[test]
    fn a_credential_is_found_in_each_carrier() {
        let rows: [(&str, &[u8]); 7] = [
            ("authorization", b"Bearer KEY"),
            ("authorization", b"bEARER   KEY "),
            // alice:KEY
            ("authorization", b"Basic YWxpY2U6S0VZ"),
            ("x-api-key", b"KEY"),
            ("cookie", b"a=b; app_key=KEY; c=d"),
            ("cookie", b"app_key=KEY"),
            ("cookie", b"x=\xe9;app_key=KEY"),
        ];
        for row in rows {
            assert_eq!(found(&[row]), Ok(Some(b"KEY".to_vec())), "{row:?}");
        }
    }

    #[test]
    fn a_foreign_header_is_not_a_credential() {
        let rows: [&[(&str, &[u8])]; 5] = [
            &[],
            &[("authorization", b"Digest x")],
            &[("authorization", b"Bearerx")],
            &[(
                "cookie",
                b"xapp_key=KEY; app_key2=KEY; App_Key=KEY; app_key",
            )],
            &[("x-api-keys", b"KEY")],
        ];
        for row in rows {
            assert_eq!(found(row), Ok(None), "{row:?}");
        }
    }

    #[test]
    fn two_credentials_are_rejected_in_every_carrier() {
        let rows: [&[(&str, &[u8])]; 8] = [
            &[("authorization", b"Bearer KEY,Bearer KEY")],
            &[("authorization", b"Basic YWxpY2U6S0VZ, Digest x")],
            &[("authorization", b"Bearer KEY"), ("x-api-key", b"KEY")],
            &[
                ("authorization", b"Bearer KEY"),
                ("authorization", b"Bearer KEY"),
            ],
            &[
                ("authorization", b"Bearer KEY"),
                ("authorization", b"Digest KEY"),
            ],
            &[("cookie", b"app_key=KEY; app_key=KEY")],
            &[("cookie", b"app_key=KEY"), ("cookie", b"app_key=KEY2")],
            &[("cookie", b"app_key=KEY"), ("x-api-key", b"KEY")],
        ];
        for row in rows {
            assert_eq!(found(row), Err(Reason::DuplicateCredential), "{row:?}");
        }
    }

    #[test]
    fn an_empty_value_is_no_credential_and_hides_none() {
        let key = ("x-api-key", &b"KEY"[..]);
        let empty: [(&str, &[u8]); 12] = [
            ("authorization", b""),
            ("authorization", b"Bearer"),
            ("authorization", b"Bearer "),
            ("authorization", b"basic"),
            ("authorization", b","),
            ("authorization", b"Bearer, "),
            // "alice:"
            ("authorization", b"Basic YWxpY2U6"),
            ("x-api-key", b""),
            ("cookie", b"app_key="),
            ("cookie", b"app_key=\"\""),
            ("cookie", b"app_key= ; app_key="),
            ("cookie", b""),
        ];
        for row in empty {
            assert_eq!(found(&[row]), Ok(None), "{row:?}");
            for both in [[row, key], [key, row]] {
                assert_eq!(found(&both), Ok(Some(b"KEY".to_vec())), "{row:?}");
            }
        }
        // As Envoy joins two headers, one of them empty.
        for joined in [&b"Bearer KEY,"[..], b",Bearer KEY", b"Bearer, Bearer KEY"] {
            let found = found(&[("authorization", joined)]);
            assert_eq!(found, Ok(Some(b"KEY".to_vec())), "{joined:?}");
        }
    }

    #[test]
    fn double_quotes_around_a_cookie_are_not_part_of_it() {
        for (cookie, expected) in [
            (&b"app_key=\"KEY\""[..], &b"KEY"[..]),
            (b"app_key= \"KEY\" ", b"KEY"),
            (b"app_key=\"\"KEY\"\"", b"\"KEY\""),
            (b"app_key=\"KEY", b"\"KEY"),
            (b"app_key=KEY\"", b"KEY\""),
            (b"app_key=\"", b"\""),
        ] {
            assert_eq!(found(&[("cookie", cookie)]), Ok(Some(expected.to_vec())));
        }
    }

    #[test]
    fn a_provider_with_a_header_carrier_ignores_authorization() {
        let headers = headers(&[
            ("authorization", b"Digest x"),
            ("authorization", b"Digest y"),
            ("x-api-key", b"a,b"),
        ]);
        let request = Request::read(&headers).unwrap();
        let carriers = [Carrier::Header("x-api-key".into())];
        let found = find(&carriers, &request).unwrap().unwrap();
        assert_eq!(found.text.expose(), b"a,b");
    }

    #[test]
    fn broken_basic_and_oversized_credentials_are_malformed() {
        let long = vec![b'a'; 8193];
        let rows: [(&str, &[u8]); 5] = [
            ("authorization", b"Basic YWxpY2U6S0VZ="),
            ("authorization", b"Basic YWxpY2U"),
            // "alice", without a colon.
            ("authorization", b"Basic YWxpY2U="),
            ("authorization", b"Basic \xff\xfe"),
            ("x-api-key", &long),
        ];
        for row in rows {
            assert_eq!(found(&[row]), Err(Reason::MalformedCredential), "{row:?}");
        }
        assert!(matches!(found(&[("x-api-key", &long[1..])]), Ok(Some(_))));
    }

    proptest::proptest! {
        #[test]
        fn untrusted_bytes_never_panic(authorization: Vec<u8>, cookie: Vec<u8>) {
            let _ = found(&[("authorization", &authorization), ("cookie", &cookie)]);
        }
    }
}
