//! Numbers that are never seen again, for names of events and of lives of a database.

use super::sql::{Result, SqlError};

/// Returns random bytes of the system.
///
/// # Errors
/// The system has none.
pub(super) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| SqlError::other(format!("the system has no random bytes: {error}")))?;
    Ok(bytes)
}
