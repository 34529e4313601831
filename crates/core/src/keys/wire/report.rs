//! What a poll says of the edge that sends it.
//!
//! It is a header and not a part of the query: a key service that does not know it serves the
//! poll as before, and so does one that cannot read it.

use std::fmt;

use crate::time::Millis;

/// The header of a poll that carries an [`EdgeReport`].
pub const EDGE_HEADER: &str = "x-keygate-edge";

/// The longest lease that a policy allows.
pub const MAX_LEASE: Millis = Millis::from_secs(24 * 3600);

/// Most characters of a name, and of a version.
const MAX_NAME: usize = 128;
const MAX_VERSION: usize = 32;

/// Which edge polls, and how far all its workers have followed the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeReport {
    /// A random number of this start of the proxy.
    pub start: u64,
    /// The name of the proxy, if it has one.
    pub name: Option<EdgeName>,
    /// How long its cached keys count after a poll.
    pub lease: Millis,
    /// The oldest epoch that each of its workers has applied. Absent while no worker has cached
    /// keys that count.
    pub applied: Option<u64>,
    /// The version of the filter.
    pub version: String,
    /// Whether a rule lets keys pass that cannot be looked up.
    pub allows_outage: bool,
}

/// The name of a proxy: 1 to 128 letters, digits and `-._~:/@`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeName(String);

impl EdgeName {
    /// Makes a name of any text, such as a node id of Envoy: other characters become `_`, and
    /// what is too long is cut off. `None` for an empty text.
    pub fn of(text: &[u8]) -> Option<Self> {
        let fit = |byte: &u8| match is_of_a_name(*byte) {
            true => char::from(*byte),
            false => '_',
        };
        let name: String = text.iter().take(MAX_NAME).map(fit).collect();
        (!name.is_empty()).then_some(Self(name))
    }

    /// Reads a name.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(is_of_a_name);
        fits.then(|| Self(text.to_owned()))
    }

    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/@".contains(&byte)
}

fn is_version(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-.+".contains(&byte);
    (1..=MAX_VERSION).contains(&text.len()) && text.bytes().all(fits)
}

impl EdgeReport {
    /// Reads the value of the header. Members that are unknown are passed over.
    pub fn parse(text: &str) -> Option<Self> {
        let (mut start, mut name, mut lease) = (None, None, None);
        let (mut applied, mut version, mut outage) = (None, None, None);
        for member in text.split(' ') {
            let (key, value) = member.split_once('=')?;
            let place = match key {
                "start" => &mut start,
                "name" => &mut name,
                "lease" => &mut lease,
                "applied" => &mut applied,
                "version" => &mut version,
                "outage" => &mut outage,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return None;
            }
        }
        Some(Self {
            start: hexadecimal(start?)?,
            name: match name {
                Some(name) => Some(EdgeName::parse(name)?),
                None => None,
            },
            lease: Millis(decimal(lease?)?),
            applied: match applied {
                Some(applied) => Some(decimal(applied)?),
                None => None,
            },
            version: version.filter(|it| is_version(it))?.to_owned(),
            allows_outage: match outage {
                None => false,
                Some("allow") => true,
                Some(_) => return None,
            },
        })
        .filter(|report| report.lease <= MAX_LEASE)
    }
}

fn hexadecimal(text: &str) -> Option<u64> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let fits = text.len() == 16 && text.bytes().all(is_digit);
    u64::from_str_radix(text, 16).ok().filter(|_| fits)
}

fn decimal(text: &str) -> Option<u64> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits)
}

/// The value of the header.
impl fmt::Display for EdgeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, lease, version) = (self.start, self.lease.0, &self.version);
        write!(f, "start={start:016x} lease={lease} version={version}")?;
        if let Some(applied) = self.applied {
            write!(f, " applied={applied}")?;
        }
        if self.allows_outage {
            f.write_str(" outage=allow")?;
        }
        match &self.name {
            Some(name) => write!(f, " name={}", name.as_str()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const WHOLE: &str =
        "start=00000000000000ff lease=60000 version=0.1.0 applied=7 outage=allow name=node-1";

    #[test]
    fn a_report_is_read_as_it_was_written() {
        let report = EdgeReport::parse(WHOLE).unwrap();
        assert_eq!(report.to_string(), WHOLE);
        assert_eq!((report.start, report.applied), (255, Some(7)));
        let least = "start=00000000000000ff lease=60000 version=0.1.0";
        let report = EdgeReport::parse(least).unwrap();
        assert_eq!(report.to_string(), least);
        assert_eq!((report.applied, report.name), (None, None));
    }

    #[test]
    fn a_report_is_read_whole_or_not_at_all() {
        for (from, to, fits) in [
            (" applied=7", "", true),
            (" applied=7", " applied=7 applied=7", false),
            ("applied=7", "applied=+7", false),
            ("applied=7", "applied=", false),
            ("applied=7", "newer=member", true),
            ("outage=allow", "outage=maybe", false),
            ("lease=60000", "lease=86400001", false),
            ("lease=60000 ", "", false),
            ("version=0.1.0", "version=a\tb", false),
            ("version=0.1.0", "version=", false),
            ("start=00", "start=", false),
            ("start=00", "start=0A", false),
            ("start=00", "start=+0", false),
            ("name=node-1", "name=", false),
            ("name=node-1", "name=<b>", false),
            ("name=node-1", "name", false),
            (" applied", "  applied", false),
        ] {
            let text = WHOLE.replacen(from, to, 1);
            assert_ne!(text, WHOLE);
            assert_eq!(EdgeReport::parse(&text).is_some(), fits, "{text}");
        }
        assert!(EdgeReport::parse("").is_none());
    }

    #[test]
    fn a_node_id_becomes_a_name_that_no_terminal_obeys() {
        let istio = "sidecar~10.0.0.1~web-0.shop~shop.svc.cluster.local";
        assert_eq!(EdgeName::of(istio.as_bytes()).unwrap().as_str(), istio);
        let odd = EdgeName::of(b"a b\x1b[2J\xff=").unwrap();
        assert_eq!(odd.as_str(), "a_b__2J__");
        assert_eq!(EdgeName::of(b""), None);
        let long = EdgeName::of(&[b'x'; 500]).unwrap();
        assert_eq!(EdgeName::parse(long.as_str()), Some(long));
    }
}
