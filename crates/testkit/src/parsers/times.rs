//! An input is a text: instants and spans are read as two libraries read them, and an
//! instant is printed as it can be read again.

use keygate_core::{Millis, UnixMillis};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let at = OffsetDateTime::parse(text, &Rfc3339).ok();
    let at = at.map(|it| it.unix_timestamp_nanos().div_euclid(1_000_000));
    let at = at.and_then(|it| u64::try_from(it).ok()).map(UnixMillis);
    let read = UnixMillis::parse(text).ok();
    assert_eq!(read, at, "{text}");
    // RFC 3339 has no later year; an offset leads there nevertheless.
    if let Some(at) = read.filter(|it| it.0 <= 253_402_300_799_999) {
        assert_eq!(UnixMillis::parse(&at.to_string()), Ok(at), "{text}");
    }
    let span = humantime::parse_duration(text).ok();
    let span = span.and_then(|it| u64::try_from(it.as_millis()).ok());
    let span = span.filter(|it| *it > 0).map(Millis);
    // The library takes every white space of Unicode, a vertical tab for one.
    let is_odd = |it: char| it.is_whitespace() && !it.is_ascii_whitespace();
    let span = span.filter(|_| !text.contains(is_odd));
    assert_eq!(Millis::parse(text).ok(), span, "{text}");
}

pub fn seeds() -> Vec<Vec<u8>> {
    super::texts(&[
        "2026-11-22T00:00:00Z",
        "2016-12-31T23:59:60.999999999+00:00",
        "2000-02-29t12:00:00.1-23:59",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59.999-23:59",
        "1h 30m",
        "1.5h2.25s",
        "300ms",
        "1\u{b5}s",
        "18446744073709551615ms",
        "1y1M1w1d1h1m1s1ms1us1ns",
    ])
}
