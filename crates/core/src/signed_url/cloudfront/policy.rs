//! The policy of a link: one statement, for one resource, until a time.

use ipnet::IpNet;

use crate::http::address::range;
use crate::http::client::Client;
use crate::reason::Reason;
use crate::text::json::Value;
use crate::time::{Millis, UnixMillis};

/// What a policy says. Nothing in it is unknown, double or of another type.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Document {
    /// The URLs that it opens: `*` is anything, `?` any one character. Without it, all.
    pub resource: Option<String>,
    /// `DateLessThan`, in unix seconds.
    pub expires: Option<u64>,
    /// `DateGreaterThan`, in unix seconds.
    begins: Option<u64>,
    /// `IpAddress`.
    addresses: Option<IpNet>,
}

/// An object of one member, which holds this.
fn only(value: Value, name: &str) -> Option<Value> {
    let [held] = value.closed([name])?;
    held
}

impl Document {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`Reason::MalformedCredential`], whatever is wrong with it.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Reason> {
        let malformed = Reason::MalformedCredential;
        Self::read(text).ok_or(malformed)
    }

    /// What may be missing may not be `null`.
    fn read(text: &[u8]) -> Option<Self> {
        let statements = only(Value::parse(text)?, "Statement")?.list()?;
        let [statement] = <[_; 1]>::try_from(statements).ok()?;
        let [resource, condition] = statement.closed(["Resource", "Condition"])?;
        let names = ["DateLessThan", "DateGreaterThan", "IpAddress"];
        let [less, greater, address] = condition?.closed(names)?;
        let seconds = |time| only(time, "AWS:EpochTime")?.number();
        let range = |address| range(&only(address, "AWS:SourceIp")?.text()?);
        // Missing, or of the right form.
        Some(Self {
            resource: match resource {
                Some(resource) => Some(resource.text()?),
                None => None,
            },
            expires: Some(seconds(less?)?),
            begins: match greater {
                Some(greater) => Some(seconds(greater)?),
                None => None,
            },
            addresses: match address {
                Some(address) => Some(range(address)?),
                None => None,
            },
        })
    }

    /// It holds after `DateGreaterThan`, and not in that second.
    pub(super) fn check_begin(&self, now: UnixMillis, skew: Millis) -> Result<(), Reason> {
        let begins = self.begins.unwrap_or(0);
        match self.begins.is_none() || now.plus(skew).as_secs() > begins {
            true => Ok(()),
            false => Err(Reason::NotYetValid),
        }
    }

    /// It holds from these addresses. `0.0.0.0/0` is CloudFront's way to say any.
    pub(super) fn check_address(&self, client: Client<'_>) -> Result<(), Reason> {
        let Some(range) = &self.addresses else {
            return Ok(());
        };
        let is_any = *range == IpNet::from(ipnet::Ipv4Net::default());
        let is_within = client
            .address()
            .is_some_and(|it| range.contains(&it.to_canonical()));
        match is_any || is_within {
            true => Ok(()),
            false => Err(Reason::AddressNotAllowed),
        }
    }
}

/// The policy of a link with only a time: these bytes, and no blank.
pub(super) fn canned(url: &str, expires: &str) -> Vec<u8> {
    let condition = format!("{{\"DateLessThan\":{{\"AWS:EpochTime\":{expires}}}}}");
    format!("{{\"Statement\":[{{\"Resource\":\"{url}\",\"Condition\":{condition}}}]}}").into_bytes()
}

/// Whether a URL is one of these: `*` is any number of characters, `?` one, and both
/// match everything, also `/` and `?`.
pub(super) fn matches(pattern: &str, url: &str) -> bool {
    let (mut pattern, mut url) = (pattern.as_bytes(), url.as_bytes());
    // Where to go on after the last star, should what follows it not fit.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern, url) {
            ([b'*', rest @ ..], _) => {
                retry = Some((rest, url));
                pattern = rest;
            }
            ([b'?', after @ ..], [_, rest @ ..]) => (pattern, url) = (after, rest),
            ([want, after @ ..], [is, rest @ ..]) if want == is => (pattern, url) = (after, rest),
            ([], []) => return true,
            _ => match retry {
                Some((after, [_, rest @ ..])) => {
                    retry = Some((after, rest));
                    (pattern, url) = (after, rest);
                }
                Some((_, [])) | None => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"Statement":[{"Resource":"https://h/*","Condition":{"DateLessThan":{"AWS:EpochTime":1893456000},"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"},"DateGreaterThan":{"AWS:EpochTime":1577836800}}}]}"#;

    #[test]
    fn a_policy_is_read_and_near_misses_are_rejected() {
        let document = Document::parse(WHOLE.as_bytes()).unwrap();
        assert_eq!(document.resource.as_deref(), Some("https://h/*"));
        assert_eq!(document.expires, Some(1_893_456_000));
        assert_eq!(document.begins, Some(1_577_836_800));
        for (from, to) in [
            ("\"Statement\"", "\"Version\":\"1\",\"Statement\""),
            ("}]}", "},{}]}"),
            ("[{", "{"),
            ("\"Resource\":", "\"Effect\":\"Allow\",\"Resource\":"),
            (
                "\"Resource\":",
                "\"Resource\":\"https://x/*\",\"Resource\":",
            ),
            ("\"https://h/*\"", "[\"https://h/*\"]"),
            ("\"https://h/*\"", "null"),
            ("1893456000", "\"1893456000\""),
            ("1893456000", "1893456000.0"),
            ("1893456000", "-1"),
            ("1893456000", "1e9"),
            ("1893456000", "01893456000"),
            ("1893456000", "99999999999999999999"),
            ("1893456000", "null"),
            ("\"DateLessThan\":{\"AWS:EpochTime\":1893456000},", ""),
            ("DateLessThan", "dateLessThan"),
            ("\"IpAddress\"", "\"NotIpAddress\""),
            ("192.0.2.0/24", "192.0.2.0/33"),
            ("192.0.2.0/24", "any"),
            (
                "\"AWS:SourceIp\":",
                "\"AWS:SourceIp\":\"0.0.0.0/0\",\"AWS:SourceIp\":",
            ),
            ("]}", "]} x"),
        ] {
            let text = WHOLE.replacen(from, to, 1);
            assert_ne!(text, WHOLE);
            let rejected = Document::parse(text.as_bytes());
            assert_eq!(rejected, Err(Reason::MalformedCredential), "{text}");
        }
    }

    #[test]
    fn it_begins_after_its_second_and_ends_with_the_address() {
        let document = Document::parse(WHOLE.as_bytes()).unwrap();
        let at = |secs: u64, skew: u64| {
            let now = UnixMillis::from_secs(secs);
            document.check_begin(now, Millis::from_secs(skew)).is_ok()
        };
        assert!(!at(1_577_836_800, 0));
        assert!(at(1_577_836_801, 0));
        assert!(at(1_577_836_771, 30));
        let from = |text: &str| {
            document
                .check_address(Client::Known(text.parse().ok()))
                .is_ok()
        };
        assert!(from("192.0.2.7") && from("::ffff:192.0.2.7"));
        assert!(!from("192.0.3.7") && !from("2001:db8::1") && !from(""));
        let any = WHOLE.replace("192.0.2.0/24", "0.0.0.0/0");
        let any = Document::parse(any.as_bytes()).unwrap();
        assert_eq!(any.check_address(Client::Known(None)), Ok(()));
    }

    #[test]
    fn wildcards_match_as_the_vendor_says() {
        for (pattern, url, fits) in [
            ("https://h/a", "https://h/a", true),
            ("https://h/a", "https://h/ab", false),
            ("https://h/*", "https://h/", true),
            ("https://h/*", "https://h/a/b?c=d", true),
            ("https://h/*.mp4", "https://h/a/b.mp4", true),
            ("https://h/*.mp4", "https://h/a.mp4?x", false),
            ("https://h/a?", "https://h/ab", true),
            ("https://h/a?", "https://h/a", false),
            ("https://h/a?", "https://h/a/", true),
            ("http*://h/a", "https://h/a", true),
            ("*", "https://h/a", true),
            ("**a*b", "xaxbxab", true),
            ("*a*b", "xaxbxa", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, url), fits, "{pattern} {url}");
        }
    }

    proptest::proptest! {
        #[test]
        fn untrusted_bytes_never_panic(text: Vec<u8>, pattern: String, url: String) {
            let _ = (Document::parse(&text), matches(&pattern, &url));
        }

        #[test]
        fn a_pattern_is_matched_as_by_its_definition(pattern in "[ab*?]{0,8}", url in "[ab]{0,8}") {
            fn plain(pattern: &[u8], url: &[u8]) -> bool {
                match (pattern, url) {
                    ([], []) => true,
                    ([b'*', rest @ ..], _) => (0..=url.len()).any(|at| plain(rest, &url[at..])),
                    ([b'?', after @ ..], [_, rest @ ..]) => plain(after, rest),
                    ([want, after @ ..], [is, rest @ ..]) => want == is && plain(after, rest),
                    _ => false,
                }
            }
            let expected = plain(pattern.as_bytes(), url.as_bytes());
            proptest::prop_assert_eq!(matches(&pattern, &url), expected);
        }
    }
}
