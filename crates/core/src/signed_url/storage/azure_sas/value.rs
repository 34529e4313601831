//! The values of a SAS, each read in one way only.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::http::parameter::decode_token;
use crate::reason::Reason;
use crate::time::UnixMillis;

/// Longest value that is looked at.
const MAX_VALUE: usize = 2048;

/// Plain text. A control character could end a line of what is signed, and a plus be read
/// as a blank.
pub(super) fn text(value: &str) -> Result<String, Reason> {
    let malformed = Reason::MalformedCredential;
    if value.len() > MAX_VALUE || value.contains('+') {
        return Err(malformed);
    }
    let decoded = decode_token(value)?.into_owned();
    let text = String::from_utf8(decoded).map_err(|_| malformed)?;
    match text.chars().any(char::is_control) {
        true => Err(malformed),
        false => Ok(text),
    }
}

/// Base64 with padding, of 32 bytes. A plus is a plus.
pub(super) fn parse_mac(value: &str) -> Result<[u8; 32], Reason> {
    if value.len() > 3 * 44 {
        return Err(Reason::MalformedCredential);
    }
    let decoded = STANDARD.decode(decode_token(value)?).ok();
    decoded
        .and_then(|it| it.try_into().ok())
        .ok_or(Reason::MalformedCredential)
}

/// `2026-11-22`, `2026-11-22T12:00Z`, `2026-11-22T12:00:00Z`, also with a fraction of up
/// to seven digits: the forms of ISO 8601 that Azure takes, in UTC.
pub(super) fn parse_time(text: &str) -> Result<UnixMillis, Reason> {
    let spelled = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        17 => text.replace('Z', ":00Z"),
        20 | 22..=28 => text.to_owned(),
        _ => return Err(Reason::MalformedCredential),
    };
    let is_utc = spelled.ends_with('Z') && spelled.get(10..11) == Some("T");
    UnixMillis::parse(&spelled)
        .ok()
        .filter(|_| is_utc)
        .ok_or(Reason::MalformedCredential)
}

/// An address, or the first and the last of a range: `168.1.5.60-168.1.5.70`.
pub(super) fn parse_range(text: &str) -> Result<(IpAddr, IpAddr), Reason> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(IpAddr::V4(first)), Ok(IpAddr::V4(last))) if first <= last => {
            Ok((first.into(), last.into()))
        }
        (Ok(IpAddr::V6(first)), Ok(IpAddr::V6(last))) if first <= last => {
            Ok((first.into(), last.into()))
        }
        _ => Err(Reason::MalformedCredential),
    }
}

/// Whether an address is in a range of its own family.
pub(super) fn in_range(address: IpAddr, (first, last): (IpAddr, IpAddr)) -> bool {
    let address = address.to_canonical();
    address.is_ipv4() == first.is_ipv4() && (first..=last).contains(&address)
}
