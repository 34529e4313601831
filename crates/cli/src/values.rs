//! Values that several commands take: times and addresses.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use keygate_core::UnixMillis;

use crate::error::CliError;

/// Parses the value of every option that is a time: RFC 3339 or Unix seconds.
pub fn parse_time(text: &str) -> Result<UnixMillis, String> {
    let Ok(seconds) = text.parse() else {
        return UnixMillis::parse(text).map_err(|error| format!("{error}, or Unix seconds"));
    };
    let at = UnixMillis::from_secs(seconds);
    // RFC 3339 has no later year, and would print this as another time.
    match at <= UnixMillis::LAST {
        true => Ok(at),
        false => Err("must be before the year 10000".to_owned()),
    }
}

/// The time that was given, or now.
pub fn time_or_now(given: Option<UnixMillis>) -> Result<UnixMillis, CliError> {
    let now = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok().map(UnixMillis)
    };
    given
        .or_else(now)
        .ok_or_else(|| CliError::Usage("the clock of this machine is before 1970".to_owned()))
}

/// An address of a client.
pub fn parse_address(text: &str) -> Result<IpAddr, String> {
    let address = text.parse();
    address.map_err(|_| "must be an IP address, such as 192.0.2.7 or 2001:db8::7".to_owned())
}
