//! The claims of a token, and what each asks for (RFC 9246 section 2.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use regex_lite::RegexBuilder;
use sha2::{Digest as _, Sha256};

use super::Ignores;
use crate::http::address::range;
use crate::http::client::Client;
use crate::reason::Reason;
use crate::text::json::{self, Value};
use crate::time::{Millis, UnixMillis};

/// Longest regular expression, in bytes; and what it may become, compiled.
const MAX_PATTERN: usize = 1024;
const MAX_COMPILED: usize = 128 * 1024;
const MAX_NESTING: u32 = 32;

/// Longest account, as everywhere.
const MAX_ACCOUNT: usize = 256;

/// What a token says, each claim of the right type and nothing unknown.
#[derive(Debug)]
pub(super) struct Claims {
    /// `sub`: visible ASCII.
    pub subject: Option<String>,
    /// `cdniuc`.
    pub container: Option<Container>,
    issuer: Option<String>,
    audience: Option<Vec<String>>,
    expires: u64,
    not_before: Option<u64>,
    issued: Option<u64>,
    addresses: Option<IpNet>,
}

/// Which URIs a token opens.
#[derive(Debug)]
pub(super) enum Container {
    /// Those that the expression matches from end to end.
    Regex(String),
    /// The one with this SHA-256.
    Hash([u8; 32]),
}

/// A JSON object in which no name is given more than once.
struct Members(json::Members);

impl Members {
    fn read(text: &[u8]) -> Option<Self> {
        let all = Value::parse(text)?.members()?;
        let mut names: Vec<&str> = all.iter().map(|claim| claim.0.as_str()).collect();
        names.sort_unstable();
        let is_unique = names.is_sorted_by(|one, next| one < next);
        is_unique.then_some(Self(all))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|it| it.0 == name)?;
        Some(self.0.remove(at).1)
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, Reason> {
        let text = self.take(name).map(|it| it.text());
        text.map(|it| it.ok_or(Reason::MalformedCredential))
            .transpose()
    }

    /// Whole seconds, or another number that is not negative; at most ten digits.
    fn number(&mut self, name: &str) -> Result<Option<u64>, Reason> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let number = value.number().filter(|it| *it <= 9_999_999_999);
        number.map(Some).ok_or(Reason::MalformedCredential)
    }

    /// One text, or several.
    fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Reason> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let texts = match value {
            Value::List(items) => items.into_iter().map(Value::text).collect(),
            value => value.text().map(|text| vec![text]),
        };
        texts.map(Some).ok_or(Reason::MalformedCredential)
    }
}

impl Claims {
    /// Reads the payload of a token.
    ///
    /// # Errors
    /// [`Reason::MalformedCredential`] for a claim that is unknown, double, of another type
    /// or missing, but for what is ignored.
    pub(super) fn parse(payload: &[u8], ignores: &Ignores) -> Result<Self, Reason> {
        let malformed = Reason::MalformedCredential;
        let mut all = Members::read(payload).ok_or(malformed)?;
        if all.number("cdniv")?.is_some_and(|version| version != 1) {
            return Err(malformed);
        }
        let is_asked = all.text("jti")?.is_some();
        // 0 asks for no renewal; the others say how.
        let renewal = [
            all.number("cdnistt")?,
            all.number("cdniets")?,
            all.number("cdnistd")?,
        ];
        let is_renewed = renewal.into_iter().flatten().any(|it| it != 0);
        if (is_asked && !ignores.jti) || (is_renewed && !ignores.renewal) {
            return Err(malformed);
        }
        let container = all.text("cdniuc")?.map(|it| Container::parse(&it));
        let address = all.text("cdniip")?.map(|it| range(&it).ok_or(malformed));
        let subject = all.text("sub")?;
        let is_account = |it: &String| {
            (1..=MAX_ACCOUNT).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_graphic())
        };
        if !subject.as_ref().is_none_or(is_account) {
            return Err(malformed);
        }
        let claims = Self {
            subject,
            container: container.transpose()?,
            issuer: all.text("iss")?,
            audience: all.texts("aud")?,
            expires: all.number("exp")?.ok_or(malformed)?,
            not_before: all.number("nbf")?,
            issued: all.number("iat")?,
            addresses: address.transpose()?,
        };
        // `cdnicrit` among them: it lists claims that must be understood, and is none of ours.
        let is_known = |name: &String| ignores.others.contains(name) && name != "cdnicrit";
        let is_open = claims.container.is_none() && !ignores.missing_uri;
        match is_open || !all.0.iter().all(|it| is_known(&it.0)) {
            true => Err(malformed),
            false => Ok(claims),
        }
    }

    /// Whether it is of one of these issuers, or of none if there are none.
    pub(super) fn is_from(&self, issuers: &[String]) -> bool {
        match &self.issuer {
            Some(issuer) => issuers.contains(issuer),
            None => issuers.is_empty(),
        }
    }

    /// Whether the token is for one of these audiences, or has none if the list is empty.
    pub(super) fn is_for(&self, audience: &[String]) -> bool {
        match &self.audience {
            Some(all) => all.iter().any(|it| audience.contains(it)),
            None => audience.is_empty(),
        }
    }

    /// Whether it opens this URI.
    ///
    /// # Errors
    /// [`Reason::MalformedCredential`] for an expression that is none, or too large.
    pub(super) fn opens(&self, uri: &str) -> Result<bool, Reason> {
        match &self.container {
            None => Ok(true),
            Some(container) => container.holds(uri),
        }
    }

    /// Whether it holds now; and when it ends, at `exp`.
    pub(super) fn check_times(
        &self,
        now: UnixMillis,
        skew: Millis,
        max_lifetime: Millis,
    ) -> Result<UnixMillis, Reason> {
        let starts = [self.not_before, self.issued].into_iter().flatten();
        let is_ahead = |from: u64| UnixMillis::from_secs(from) > now.plus(skew);
        let end = UnixMillis::from_secs(self.expires);
        if starts.into_iter().any(is_ahead) {
            return Err(Reason::NotYetValid);
        }
        if now >= end {
            return Err(Reason::Expired);
        }
        if end > now.plus(max_lifetime).plus(skew) {
            return Err(Reason::LifetimeTooLong);
        }
        Ok(end)
    }

    /// `cdniip`: one address or a range.
    pub(super) fn check_address(&self, client: Client<'_>) -> Result<(), Reason> {
        let is_within = |net: &IpNet| {
            let client = client.address();
            client.is_some_and(|it| net.contains(&it.to_canonical()))
        };
        match self.addresses.as_ref().is_none_or(is_within) {
            true => Ok(()),
            false => Err(Reason::AddressNotAllowed),
        }
    }
}

impl Container {
    /// RFC 9246 section 2.1.15.
    fn parse(text: &str) -> Result<Self, Reason> {
        let malformed = Reason::MalformedCredential;
        if let Some(pattern) = text.strip_prefix("regex:") {
            // An extended regular expression of POSIX has no groups that begin so.
            let is_fine = pattern.len() <= MAX_PATTERN && !pattern.contains("(?");
            return match is_fine {
                true => Ok(Self::Regex(pattern.to_owned())),
                false => Err(malformed),
            };
        }
        let hash = text.strip_prefix("hash:sha-256;").ok_or(malformed)?;
        let hash = URL_SAFE_NO_PAD.decode(hash).map_err(|_| malformed)?;
        let hash = hash.try_into().map_err(|_| malformed)?;
        Ok(Self::Hash(hash))
    }

    fn holds(&self, uri: &str) -> Result<bool, Reason> {
        let pattern = match self {
            Self::Hash(hash) => return Ok(Sha256::digest(uri) == *hash),
            Self::Regex(pattern) => pattern,
        };
        let compile = |pattern: &str| {
            RegexBuilder::new(pattern)
                .size_limit(MAX_COMPILED)
                .nest_limit(MAX_NESTING)
                .build()
                .map_err(|_| Reason::MalformedCredential)
        };
        // Alone first: `a)|(b` must not find its parentheses in ours.
        compile(pattern)?;
        let whole = compile(&format!("\\A(?:{pattern})\\z"))?;
        Ok(whole.is_match(uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens(container: &str, uri: &str) -> Result<bool, Reason> {
        Container::parse(container)?.holds(uri)
    }

    #[test]
    fn an_expression_matches_from_end_to_end() {
        let range = "regex:https?://[^/]*/folder/content/quality_[^/]*/segment.{4}\\.mp4(\\?.*)?";
        for (container, uri, holds) in [
            (
                range,
                "https://h/folder/content/quality_1/segment0001.mp4",
                true,
            ),
            (
                range,
                "https://h/folder/content/quality_1/segment0001.mp4?a=b",
                true,
            ),
            (
                range,
                "https://h/folder/content/quality_1/segment0001.mp4x",
                false,
            ),
            (
                range,
                "xhttps://h/folder/content/quality_1/segment0001.mp4",
                false,
            ),
            ("regex:a|b", "ab", false),
            ("regex:a|b", "b", true),
            ("regex:a|ab", "ab", true),
            ("regex:.*", "https://h/\u{e9}", true),
            ("regex:", "", true),
            ("regex:", "a", false),
            ("regex:[[:alpha:]]+", "ab", true),
        ] {
            assert_eq!(opens(container, uri), Ok(holds), "{container} {uri}");
        }
        let long = format!("regex:{}", "a".repeat(1025));
        let deep = format!("regex:{}a{}", "(".repeat(40), ")".repeat(40));
        for wrong in [
            "regex:a)|(b",
            "regex:(",
            "regex:(?i)a",
            "regex:(?:a)",
            "regex:((a{500}){500}){500}",
            &long,
            &deep,
            "Regex:a",
            "a",
            "",
            "hash:sha-1;AAAA",
            "hash:sha-256;AAAA",
            "hash:sha-256-32;f4OxZQ",
            "hash:",
        ] {
            assert_eq!(
                opens(wrong, "a"),
                Err(Reason::MalformedCredential),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_hash_is_of_the_whole_uri() {
        // RFC 6920 section 8.1: SHA-256 of "Hello World!".
        let hash = "hash:sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk";
        assert_eq!(opens(hash, "Hello World!"), Ok(true));
        assert_eq!(opens(hash, "Hello World"), Ok(false));
    }

    #[test]
    fn unknown_double_and_critical_claims_are_rejected() {
        let parse = |more: &str, ignores: &Ignores| {
            let text = format!(r#"{{"exp":1,"cdniuc":"regex:a"{more}}}"#);
            Claims::parse(text.as_bytes(), ignores).map(|_| ()).is_ok()
        };
        let none = Ignores::default();
        for good in [
            "",
            r#","cdniv":1"#,
            r#","iss":"a","aud":["b","c"],"sub":"d","nbf":0,"iat":1"#,
            r#","cdnistt":0,"cdniip":"192.0.2.1""#,
        ] {
            assert!(parse(good, &none), "{good}");
        }
        for wrong in [
            r#","cdniv":2"#,
            r#","exp":2"#,
            r#","nbf":"0""#,
            r#","nbf":1.5"#,
            r#","nbf":-1"#,
            r#","nbf":10000000000"#,
            r#","iss":["a"]"#,
            r#","aud":[1]"#,
            r#","sub":"a b""#,
            r#","sub":"""#,
            r#","cdniip":"any""#,
            r#","cdnicrit":"other","other":1"#,
            r#","jti":"1""#,
            r#","cdnistt":1"#,
            r#","cdniets":30"#,
            r#","other":1"#,
        ] {
            assert!(!parse(wrong, &none), "{wrong}");
        }
        let all = Ignores {
            missing_uri: false,
            jti: true,
            renewal: true,
            others: vec!["other".to_owned(), "cdnicrit".to_owned()],
        };
        assert!(parse(
            r#","jti":"1","cdnistt":1,"cdniets":30,"cdnistd":2,"other":1"#,
            &all
        ));
        assert!(!parse(r#","cdnicrit":"other","other":1"#, &all));
        let open = |ignores: &Ignores| Claims::parse(br#"{"exp":1}"#, ignores).is_ok();
        assert!(!open(&none));
        assert!(open(&Ignores {
            missing_uri: true,
            ..none
        }));
    }

    proptest::proptest! {
        #[test]
        fn untrusted_bytes_never_panic(payload: Vec<u8>, container: String, uri: String) {
            let _ = Claims::parse(&payload, &Ignores::default()).is_ok();
            let _ = opens(&container, &uri);
            let _ = opens(&format!("regex:{container}"), &uri);
        }
    }
}
