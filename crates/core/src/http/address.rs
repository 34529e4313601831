//! Addresses and ranges of addresses: the service, the filter and the command line read them
//! with this one parser.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// Parses an address, or a range in CIDR notation (RFC 4632). An IPv4-mapped IPv6 address
/// means the IPv4 address. `None` for anything else, and for a range of IPv4-mapped
/// addresses whose prefix is shorter than 96 bits: it would cover other addresses too.
pub fn range(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address.to_canonical())),
        Err(_) => unmapped(text.parse().ok()?),
    }
}

/// The range as [`range`] reads it, or the range itself where `range` would reject it: for
/// ranges that were stored before.
pub fn canonical(range: IpNet) -> IpNet {
    unmapped(range).unwrap_or(range)
}

fn unmapped(range: IpNet) -> Option<IpNet> {
    let IpNet::V6(six) = range else {
        return Some(range);
    };
    let Some(four) = six.addr().to_ipv4_mapped() else {
        return Some(range);
    };
    let length = six.prefix_len().checked_sub(96)?;
    Ipv4Net::new(four, length).ok().map(IpNet::V4)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_mapped_range_means_the_ipv4_range() {
        for (text, expected) in [
            ("10.0.0.7", Some("10.0.0.7/32")),
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("::ffff:10.0.0.7", Some("10.0.0.7/32")),
            ("::ffff:a00:7", Some("10.0.0.7/32")),
            ("::ffff:10.0.0.0/104", Some("10.0.0.0/8")),
            ("::ffff:0.0.0.0/96", Some("0.0.0.0/0")),
            ("::ffff:10.0.0.7/128", Some("10.0.0.7/32")),
            ("::ffff:0.0.0.0/95", None),
            ("::ffff:10.0.0.0/8", None),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("::/0", Some("::/0")),
            ("::1", Some("::1/128")),
            ("10.0.0", None),
            ("10.0.0.0/33", None),
            ("fe80::1%eth0", None),
            ("", None),
        ] {
            let expected = expected.map(|it| it.parse().unwrap());
            assert_eq!(range(text), expected, "{text}");
        }
    }

    #[test]
    fn a_stored_range_that_would_be_rejected_stays_as_it_is() {
        let wide: IpNet = "::ffff:0.0.0.0/90".parse().unwrap();
        assert_eq!(canonical(wide), wide);
        let mapped = canonical("::ffff:10.0.0.0/104".parse().unwrap());
        assert_eq!(mapped, "10.0.0.0/8".parse().unwrap());
    }
}
