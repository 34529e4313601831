//! SHA-256 digests of keys that were made elsewhere: how they are written, and how to tell a
//! digest from a key.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::text::hex;

/// The SHA-256 digest of a whole key: all that another system may have kept of it.
///
/// Never stored as it is: see [`MasterSecret::hash_digest`](super::MasterSecret::hash_digest).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest(pub(super) [u8; 32]);

/// The text is not a SHA-256 digest.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a SHA-256 digest: 64 hexadecimal digits, or 32 bytes in base64")]
pub struct MalformedDigest;

/// A digest gives no access, but it has no place in a log.
impl std::fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyDigest(..)")
    }
}

impl KeyDigest {
    /// Reads 64 hexadecimal digits of either case, or base64 in either alphabet, padded or
    /// not. `sha256:` may precede it, as in the exports of some gateways.
    ///
    /// # Errors
    /// [`MalformedDigest`].
    pub fn parse(text: &[u8]) -> Result<Self, MalformedDigest> {
        let text = text.strip_prefix(b"sha256:").unwrap_or(text);
        let bytes = match text.len() {
            64 => hex::decode(text),
            43 | 44 => {
                let text = text.strip_suffix(b"=").unwrap_or(text);
                let standard = STANDARD_NO_PAD.decode(text);
                standard.or_else(|_| URL_SAFE_NO_PAD.decode(text)).ok()
            }
            _ => None,
        };
        let bytes = bytes.and_then(|it| it.try_into().ok());
        bytes.map(Self).ok_or(MalformedDigest)
    }
}

/// How the formats of password and key stores begin. No API key begins so.
const STORED: [&[u8]; 12] = [
    b"sha1:", b"sha256:", b"sha512:", b"{SHA", b"{SSHA", b"$2", b"$5$", b"$6$", b"$argon2",
    b"$pbkdf2", b"$scrypt", b"pbkdf2",
];

/// Whether a text has the form of a digest: an MD5, SHA-1 or SHA-2 digest in hexadecimal or
/// base64, or the form in which a store of passwords keeps one. A random key may have it too.
pub fn looks_like_digest(text: &[u8]) -> bool {
    if STORED.iter().any(|start| text.starts_with(start)) {
        return true;
    }
    let is_hex = text.iter().all(u8::is_ascii_hexdigit);
    if is_hex && matches!(text.len(), 32 | 40 | 56 | 64 | 96 | 128) {
        return true;
    }
    // Unpadded base64 is looked for in the length of SHA-256 alone: it is also the form of
    // random keys of any length.
    let padding = text.iter().rev().take_while(|it| **it == b'=').count();
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let digits = text.iter().filter(|it| is_base64(it)).count();
    matches!((digits, padding), (22, 2) | (27, 1) | (43, 0 | 1) | (86, 2))
        && digits.saturating_add(padding) == text.len()
}

#[cfg(test)]
mod tests {
    use super::super::OpaqueKey;
    use super::*;

    const KEY: &[u8] = b"legacy:alice:0123456789abcdef";
    /// `printf legacy:alice:0123456789abcdef | sha256sum`
    const HEX: &str = "fdfd50d146914da2931c6053c7569b8211ff2883740786de35d9fd3ca9269d48";
    const BASE64: &str = "/f1Q0UaRTaKTHGBTx1abghH/KIN0B4beNdn9PKkmnUg=";

    #[test]
    fn a_digest_is_read_in_hexadecimal_and_in_base64() {
        let digest = KeyDigest::of(&OpaqueKey::parse(KEY).unwrap());
        let url = BASE64.replace('+', "-").replace('/', "_");
        for text in [
            HEX.to_owned(),
            HEX.to_ascii_uppercase(),
            format!("sha256:{HEX}"),
            BASE64.to_owned(),
            BASE64.trim_end_matches('=').to_owned(),
            url.trim_end_matches('=').to_owned(),
            format!("sha256:{url}"),
        ] {
            assert_eq!(KeyDigest::parse(text.as_bytes()), Ok(digest), "{text}");
        }
    }

    #[test]
    fn anything_but_32_bytes_is_not_a_digest() {
        for text in [
            String::new(),
            HEX[1..].to_owned(),
            format!("{HEX}0"),
            HEX.replace(&HEX[..1], "g"),
            format!("sha512:{HEX}"),
            format!(" {}", &HEX[1..]),
            format!("{BASE64}="),
            BASE64[1..].to_owned(),
            BASE64.replace('=', "A"),
            "legacy:alice:0123456789abcdef".to_owned(),
        ] {
            assert_eq!(
                KeyDigest::parse(text.as_bytes()),
                Err(MalformedDigest),
                "{text}"
            );
        }
    }

    #[test]
    fn digests_are_distinguished_from_imported_keys() {
        let hex = |length| "0123456789abcdef".repeat(8)[..length].to_owned();
        for digest in [
            hex(32),
            hex(40),
            hex(56),
            hex(64).to_uppercase(),
            hex(96),
            hex(128),
            BASE64.to_owned(),
            BASE64.trim_end_matches('=').to_owned(),
            "1B2M2Y8AsgTpgAmY7PhCfg==".to_owned(),
            format!("sha256:{HEX}"),
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW".to_owned(),
            "{SSHA}MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=".to_owned(),
        ] {
            assert!(looks_like_digest(digest.as_bytes()), "{digest}");
        }
        for key in [
            "legacy:alice:0123456789abcdef",
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "example_live_0123456789abcdefghijklmn",
            "0123456789abcdef",
            "Zm9vYmFyYmF6cXV4MDEyMw",
            "=Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OUFCQ0RFRkdI",
        ] {
            assert!(!looks_like_digest(key.as_bytes()), "{key}");
        }
    }

    proptest::proptest! {
        #[test]
        fn untrusted_bytes_never_panic(text: Vec<u8>) {
            let _ = (KeyDigest::parse(&text), looks_like_digest(&text));
        }
    }
}
