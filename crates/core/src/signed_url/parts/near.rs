//! Targets that a signer may have signed in place of the one that arrived: what the
//! formats try when they explain a link that does not hold.

use crate::http::path::{canonical, decode};

/// Near targets, each with what differs.
pub(crate) fn targets(whole: &str) -> Vec<(&'static str, String)> {
    let (path, query) = match whole.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (whole, String::new()),
    };
    let decoded = decode(path).ok().map(std::borrow::Cow::into_owned);
    let decoded = decoded.and_then(|it| String::from_utf8(it).ok());
    let mut near = vec![
        ("the path without the query", path.to_owned()),
        (
            "the path without its first slash",
            whole.trim_start_matches('/').to_owned(),
        ),
        ("the path in lower case", whole.to_ascii_lowercase()),
        (
            "the path in its canonical percent encoding",
            canonical(whole).into_owned(),
        ),
    ];
    near.extend(decoded.map(|it| ("the path without percent encoding", format!("{it}{query}"))));
    near.push(match path.strip_suffix('/') {
        Some(shorter) => (
            "the path without its last slash",
            format!("{shorter}{query}"),
        ),
        None => (
            "the path with a slash at its end",
            format!("{path}/{query}"),
        ),
    });
    let parents = path
        .match_indices('/')
        .filter_map(|(at, _)| path.get(..=at));
    near.extend(parents.map(|it| ("only a directory of the path", it.to_owned())));
    near.retain(|(_, it)| it != whole);
    near
}
