//! The text of a token: fields in their order, each at most once.

use std::net::IpAddr;

use crate::reason::Reason;
use crate::signed_url::parts::hmac_key::HmacHash;
use crate::signed_url::parts::lifetime::parse_seconds;
use crate::time::UnixMillis;

/// What is transmitted, in the order in which the libraries write it. `hmac` is the last.
const FIELDS: [&str; 7] = ["ip", "st", "exp", "acl", "id", "data", "hmac"];

/// What is signed and not transmitted, behind [`FIELDS`].
const HIDDEN: [&str; 2] = ["url", "salt"];

/// A token as read.
#[derive(Debug)]
pub(super) struct Token<'t> {
    /// All before `~hmac=`: it is signed as sent.
    pub signed: &'t str,
    /// The whole MAC.
    pub hmac: Vec<u8>,
    /// The one address that may use it.
    pub ip: Option<IpAddr>,
    /// When it begins.
    pub not_before: Option<UnixMillis>,
    /// When it ends.
    pub expires: UnixMillis,
    /// What it opens; without it the one URL that it was signed for.
    pub acl: Option<&'t str>,
}

impl<'t> Token<'t> {
    /// Reads a token.
    ///
    /// # Errors
    /// [`Reason::MalformedCredential`] for a field that is unknown, out of its order, a
    /// second time there, empty or not of its form, and for a token without `exp` or
    /// without a whole `hmac` at its end.
    pub(super) fn parse(text: &'t str, hash: HmacHash) -> Result<Self, Reason> {
        let malformed = Reason::MalformedCredential;
        let (signed, hmac) = text.rsplit_once("~hmac=").ok_or(malformed)?;
        let mut values = [None; FIELDS.len()];
        let mut rest = FIELDS.iter().zip(&mut values);
        for field in signed.split('~') {
            let (name, value) = field.split_once('=').ok_or(malformed)?;
            // The iterator never goes back: what is out of order or double finds nothing.
            let (_, place) = rest.find(|(it, _)| **it == name).ok_or(malformed)?;
            if value.is_empty() {
                return Err(malformed);
            }
            *place = Some(value);
        }
        let [ip, st, exp, acl, _, _, None] = values else {
            return Err(malformed);
        };
        // A pattern that is not a path matches no path, or more than was intended.
        if acl.is_some_and(|it| !it.split('!').all(|it| it.starts_with('/'))) {
            return Err(malformed);
        }
        Ok(Self {
            signed,
            hmac: hash.decode_hex(hmac).ok_or(malformed)?,
            ip: ip
                .map(|it| super::address(it).ok_or(malformed))
                .transpose()?,
            not_before: st.map(parse_seconds).transpose()?,
            expires: parse_seconds(exp.ok_or(malformed)?)?,
            acl,
        })
    }
}

/// Whether a text that is signed behind the fields holds something that reads as one.
pub(super) fn reads_as_fields(text: &str) -> bool {
    let mut pieces = text.split('~').skip(1);
    pieces.any(|piece| {
        let name = piece.split('=').next().unwrap_or(piece);
        piece.len() > name.len() && (FIELDS.contains(&name) || HIDDEN.contains(&name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: &str = "ea75ca10354de06adfee02b02d0268489af6df2077411221e5f122a8e46215be";

    #[test]
    fn every_field_is_read_once_and_in_its_order() {
        let parse = |text: &str| {
            let text = text.replace("MAC", MAC);
            Token::parse(&text, HmacHash::Sha256).map(|it| it.expires.as_secs())
        };
        for good in [
            "exp=9~hmac=MAC",
            "ip=192.0.2.1~st=1~exp=9~acl=/*~id=a~data=b=c~hmac=MAC",
            "ip=%3a%3a1~exp=9~data=x~hmac=MAC",
        ] {
            assert_eq!(parse(good), Ok(9), "{good}");
        }
        for wrong in [
            "",
            "exp=9",
            "hmac=MAC",
            "st=1~hmac=MAC",
            "exp=9~hmac=",
            "exp=9~hmac=MACa",
            "exp=9~hmac=MAC~",
            "exp=9~hmac=MAC~id=x",
            "exp=9~hmac=MAC~hmac=MAC",
            "exp=9~st=1~hmac=MAC",
            "exp=9~exp=9~hmac=MAC",
            "exp=9~acl=/a~acl=/b~hmac=MAC",
            "exp=9~id=x~acl=/*~hmac=MAC",
            "exp=9~url=/a~hmac=MAC",
            "exp=9~salt=a~hmac=MAC",
            "exp=9~x=1~hmac=MAC",
            "EXP=9~hmac=MAC",
            "exp=9~id=~hmac=MAC",
            "exp=9~~hmac=MAC",
            "exp=9~acl=*~hmac=MAC",
            "exp=9~acl=/a!b~hmac=MAC",
            "ip=192.0.2~exp=9~hmac=MAC",
            "ip=192.0.2.0/24~exp=9~hmac=MAC",
            "exp=09~hmac=MAC",
            "exp=99999999999~hmac=MAC",
        ] {
            assert_eq!(parse(wrong), Err(Reason::MalformedCredential), "{wrong}");
        }
        let upper = format!("exp=9~hmac={}", MAC.to_uppercase());
        assert!(Token::parse(&upper, HmacHash::Sha256).is_err());
    }

    proptest::proptest! {
        #[test]
        fn untrusted_text_never_panics(text: String, fields in "[a-z=~%0-9!/]{0,60}") {
            for text in [text, fields] {
                for reading in crate::signed_url::parts::readings::readings(&text) {
                    let _ = Token::parse(&reading, HmacHash::Sha1);
                }
                let _ = reads_as_fields(&text);
            }
        }
    }
}
