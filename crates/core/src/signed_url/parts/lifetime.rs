//! The times that a token says itself, and what a provider permits.

use crate::reason::Reason;
use crate::time::{Millis, UnixMillis};

/// What a provider permits a signer to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// How far ahead a token may end.
    pub max_lifetime: Millis,
    /// How far the signer's clock may be ahead of ours.
    pub skew: Millis,
}

impl Lifetime {
    /// Whether a token counts at `now`: `not_before <= now` but for the skew, and
    /// `now < expires`.
    ///
    /// # Errors
    /// [`Reason::NotYetValid`], [`Reason::Expired`], or [`Reason::LifetimeTooLong`] for an
    /// end that is further away than the provider permits.
    pub(crate) fn check(
        self,
        not_before: Option<UnixMillis>,
        expires: UnixMillis,
        now: UnixMillis,
    ) -> Result<(), Reason> {
        if not_before.is_some_and(|it| it > now.plus(self.skew)) {
            return Err(Reason::NotYetValid);
        }
        if now >= expires {
            return Err(Reason::Expired);
        }
        if expires > now.plus(self.max_lifetime).plus(self.skew) {
            return Err(Reason::LifetimeTooLong);
        }
        Ok(())
    }
}

/// Unix seconds: one to ten digits, the first not `0`.
///
/// # Errors
/// [`Reason::MalformedCredential`] for any other text.
pub(crate) fn parse_seconds(text: &str) -> Result<UnixMillis, Reason> {
    let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits || text.starts_with('0') || text.len() > 10 {
        return Err(Reason::MalformedCredential);
    }
    let seconds = text.parse().map_err(|_| Reason::MalformedCredential)?;
    Ok(UnixMillis::from_secs(seconds))
}

/// Unix seconds for a token of a time in whole seconds.
#[cfg(feature = "tools")]
pub(crate) fn seconds(
    field: &str,
    time: UnixMillis,
) -> Result<String, crate::signed_url::sign::SignError> {
    let seconds = time.as_secs();
    if !(1..=9_999_999_999).contains(&seconds) {
        let message = format!("{field}: the time does not fit in the ten digits of Unix seconds");
        return Err(crate::signed_url::sign::SignError::new(message));
    }
    Ok(seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_is_exact_to_the_millisecond() {
        let lifetime = Lifetime {
            max_lifetime: Millis(1000),
            skew: Millis(10),
        };
        let check = |from, until| lifetime.check(from, UnixMillis(until), UnixMillis(5000));
        assert_eq!(check(None, 5001), Ok(()));
        assert_eq!(check(None, 5000), Err(Reason::Expired));
        assert_eq!(check(Some(UnixMillis(5010)), 5500), Ok(()));
        let early = check(Some(UnixMillis(5011)), 5500);
        assert_eq!(early, Err(Reason::NotYetValid));
        assert_eq!(check(None, 6010), Ok(()));
        assert_eq!(check(None, 6011), Err(Reason::LifetimeTooLong));
    }

    #[test]
    fn only_plain_seconds_are_a_time() {
        assert_eq!(parse_seconds("1"), Ok(UnixMillis(1000)));
        let most = UnixMillis::from_secs(9_999_999_999);
        assert_eq!(parse_seconds("9999999999"), Ok(most));
        for wrong in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1.0",
            "1e9",
            "0x1",
            "10000000000",
            "18446744073709551617",
        ] {
            let rejected = parse_seconds(wrong);
            assert_eq!(rejected, Err(Reason::MalformedCredential), "{wrong:?}");
        }
    }
}
