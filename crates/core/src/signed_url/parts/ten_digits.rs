//! Times of exactly ten digits, where a format writes them next to other text without a
//! delimiter.

use crate::reason::Reason;
use crate::time::UnixMillis;

/// Unix seconds in exactly ten digits, the first of which is not zero: 2001 to 2286. One
/// digit more or less would let digits of the path pass as digits of the time.
///
/// # Errors
/// [`Reason::MalformedCredential`] for any other text.
pub(crate) fn parse(text: &str) -> Result<UnixMillis, Reason> {
    let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() != 10 || !all_digits || text.starts_with('0') {
        return Err(Reason::MalformedCredential);
    }
    let seconds = text.parse().map_err(|_| Reason::MalformedCredential)?;
    Ok(UnixMillis::from_secs(seconds))
}

/// The ten digits of a time.
///
/// # Errors
/// When it has more or fewer.
#[cfg(feature = "tools")]
pub(crate) fn write(time: UnixMillis) -> Result<String, crate::signed_url::sign::SignError> {
    let text = super::lifetime::seconds("expires", time)?;
    parse(&text).map(|_| text).map_err(|_| {
        crate::signed_url::sign::SignError::new(
            "the expiry does not fit in the ten digits of Unix seconds",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_digits_are_a_time_and_nothing_else_is() {
        let most = UnixMillis::from_secs(9_999_999_999);
        assert_eq!(parse("9999999999"), Ok(most));
        assert_eq!(parse("1000000000"), Ok(UnixMillis(1_000_000_000_000)));
        for wrong in [
            "",
            "0",
            "999999999",
            "0999999999",
            "01000000000",
            "11000000000",
            "+100000000",
            "-100000000",
            " 100000000",
            "100000000 ",
            "1e99999999",
            "0x99999999",
            "100000000.",
            "99999999999999999999999",
            "१२३४५६७८९०",
        ] {
            assert_eq!(parse(wrong), Err(Reason::MalformedCredential), "{wrong:?}");
        }
    }
}
