//! The id of a request: in its answer, in a problem and in the log, so that one leads to the others.

use axum::http::HeaderMap;
use axum::http::header::HeaderName;

use crate::ambient::Randomness;

/// The header of the id, which Envoy sets as well.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Most characters of an id.
const MAX_ID: usize = 64;

tokio::task_local! {
    static CURRENT: Option<String>;
}

/// The id that a request brings, if it is 1 to 64 letters, digits, `-`, `_` or `.`; else a new one.
/// `None` when there is no randomness to make one.
pub(crate) fn of(headers: &HeaderMap, randomness: &Randomness) -> Option<String> {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let fits = |id: &&[u8]| (1..=MAX_ID).contains(&id.len()) && id.iter().all(is_allowed);
    let mut sent = headers.get_all(REQUEST_ID).iter();
    let brought = match (sent.next(), sent.next()) {
        (Some(id), None) => Some(id.as_bytes()).filter(fits),
        _ => None,
    };
    if let Some(id) = brought.and_then(|id| str::from_utf8(id).ok()) {
        return Some(id.to_owned());
    }
    let mut bytes = [0; 16];
    randomness(&mut bytes).ok()?;
    Some(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Does the work of a request, which then knows its id.
pub(crate) async fn with<T>(id: Option<String>, work: impl Future<Output = T>) -> T {
    CURRENT.scope(id, work).await
}

/// The id of the request that this work is for.
pub(crate) fn current() -> Option<String> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}
