//! The end of a key or a token as a request writes it.

use keygate_core::{Millis, UnixMillis};

use crate::wrong::{Errors, Fault, Wrong};

/// Reads the end of a key, which is written as an instant or as a span from now: in the future,
/// and such that it can be written. Nothing more is said if either of them is wrong already.
pub(crate) fn end(
    errors: &mut Errors,
    instant: &mut Option<Option<UnixMillis>>,
    span: Option<String>,
    now: UnixMillis,
) {
    if !errors.name("expires_at") && !errors.name("expires_in") {
        errors.keep(read_end(instant, span, now));
    }
}

fn read_end(
    instant: &mut Option<Option<UnixMillis>>,
    span: Option<String>,
    now: UnixMillis,
) -> Result<(), Wrong> {
    let field = match span {
        None => "expires_at",
        Some(span) => {
            let field = "expires_in";
            if instant.flatten().is_some() {
                let detail = "cannot be combined with expires_at";
                return Err(Wrong::new(field, Fault::Conflict, detail));
            }
            let span = Millis::parse(&span);
            let span = span.map_err(|error| Wrong::invalid(field, error.to_string()))?;
            *instant = Some(Some(now.plus(span)));
            field
        }
    };
    ends_after(now, field, instant.flatten())
}

/// Rejects an end, which this field says, that is over or cannot be written.
pub(crate) fn ends_after(
    now: UnixMillis,
    field: &str,
    end: Option<UnixMillis>,
) -> Result<(), Wrong> {
    if end.is_some_and(|end| end <= now || end > UnixMillis::LAST) {
        let detail = "must be in the future, before the year 10000";
        return Err(Wrong::invalid(field, detail));
    }
    Ok(())
}

pub(crate) fn instant(field: &str, text: Option<String>) -> Result<Option<UnixMillis>, Wrong> {
    let instant = text.map(|text| UnixMillis::parse(&text)).transpose();
    instant.map_err(|error| Wrong::invalid(field, error.to_string()))
}
