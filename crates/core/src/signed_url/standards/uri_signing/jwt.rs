//! The envelope: a JWS in compact form (RFC 7515 section 7.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::reason::Reason;
use crate::text::json::Value;

/// A token, decoded and not yet verified.
pub(super) struct Jwt<'a> {
    /// Header and payload as they are signed.
    pub signed: &'a str,
    /// JSON.
    pub payload: Vec<u8>,
    /// 32 bytes of `HS256`, 64 of the others.
    pub signature: Vec<u8>,
    /// Which key is said to have made it.
    pub kid: Option<String>,
}

/// Nothing that would say how to find a key, or that must be understood: `jku`, `jwk`, `x5u`,
/// `crit`, `b64` and all others are unknown here.
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
}

impl Header {
    fn read(text: &[u8]) -> Option<Self> {
        let [alg, typ, kid] = Value::parse(text)?.closed(["alg", "typ", "kid"])?;
        Some(Self {
            alg: alg?.text()?,
            typ: optional(typ)?,
            kid: optional(kid)?,
        })
    }
}

/// A text, which may also be missing or `null`.
fn optional(value: Option<Value>) -> Option<Option<String>> {
    match value.filter(|value| *value != Value::Null) {
        Some(value) => value.text().map(Some),
        None => Some(None),
    }
}

impl<'a> Jwt<'a> {
    /// Reads a token of this algorithm.
    ///
    /// # Errors
    /// [`Reason::MalformedCredential`] for anything else.
    pub(super) fn parse(text: &'a str, algorithm: &str) -> Result<Self, Reason> {
        let malformed = Reason::MalformedCredential;
        let (signed, signature) = text.rsplit_once('.').ok_or(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed);
        let header = Header::read(&decode(header)?).ok_or(malformed)?;
        let is_jwt = header.typ.is_none_or(|it| it.eq_ignore_ascii_case("JWT"));
        if header.alg != algorithm || !is_jwt {
            return Err(malformed);
        }
        Ok(Self {
            signed,
            payload: decode(payload)?,
            signature: decode(signature)?,
            kid: header.kid,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str) -> Result<Option<String>, Reason> {
        let text = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(header));
        Jwt::parse(&text, "HS256").map(|it| it.kid)
    }

    #[test]
    fn a_header_says_its_algorithm_and_perhaps_its_key_and_nothing_else() {
        assert_eq!(parse(r#"{"alg":"HS256"}"#), Ok(None));
        let kid = Ok(Some("k".to_owned()));
        assert_eq!(parse(r#"{"typ":"JWT","alg":"HS256","kid":"k"}"#), kid);
        for wrong in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"ES256"}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","alg":"HS256"}"#,
            r#"{"alg":"HS256","typ":"JOSE"}"#,
            r#"{"alg":"HS256","crit":["exp"]}"#,
            r#"{"alg":"HS256","jku":"https://x"}"#,
            r#"{"alg":"HS256","jwk":{}}"#,
            r#"{"alg":"HS256","x5u":"https://x"}"#,
            r#"{"alg":"HS256","b64":false}"#,
            r#"{"alg":"HS256","kid":1}"#,
            r#"{"alg":"HS256"} x"#,
            "[]",
            "",
        ] {
            assert_eq!(parse(wrong), Err(Reason::MalformedCredential), "{wrong}");
        }
    }

    #[test]
    fn three_parts_in_one_alphabet() {
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        for wrong in [
            head.clone(),
            format!("{head}.e30"),
            format!("{head}.e30.AAAA."),
            format!("{head}.e30.AAAA.e30.AAAA"),
            format!("{head}.e30=.AAAA"),
            format!("{head}.e30.AA+A"),
            format!("{head}.e30.AAB"),
            format!("{head}.e31.AAAA"),
            format!(" {head}.e30.AAAA"),
            "..".to_owned(),
            String::new(),
        ] {
            assert!(Jwt::parse(&wrong, "HS256").is_err(), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn untrusted_text_never_panics(text: String, header: String) {
            let _ = (Jwt::parse(&text, "HS256").is_ok(), parse(&header));
        }
    }
}
