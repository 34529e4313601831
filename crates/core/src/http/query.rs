//! Taking parameters out of a target, byte for byte.

use crate::http::path::{Target, decode};
use crate::text::cut::{cut, parts};

/// The target without the parameters of these names, however they are spelled. All
/// other bytes stay, but for a `?` that nothing would follow.
pub(crate) fn without(target: &Target<'_>, names: &[impl AsRef<str>]) -> String {
    let Some(query) = target.query else {
        return target.whole.to_owned();
    };
    let is_named = |parameter: &str| {
        let name = cut(parameter, b'=').map_or(parameter, |(name, _)| name);
        decode(name).is_ok_and(|name| names.iter().any(|it| it.as_ref().as_bytes() == &*name))
    };
    let mut kept = String::with_capacity(target.whole.len());
    kept.push_str(target.path);
    let (mut joint, mut is_whole) = ('?', true);
    for parameter in parts(query, b'&') {
        if is_named(parameter) {
            is_whole = false;
            continue;
        }
        kept.push(joint);
        kept.push_str(parameter);
        joint = '&';
    }
    let is_bare = kept.len() == target.path.len().saturating_add(1);
    if is_bare && !is_whole {
        kept.truncate(target.path.len());
    }
    kept
}

/// The raw values of every parameter of this name. To some programs a `;` begins a parameter
/// too, so those behind one count.
pub(crate) fn lenient_values<'a>(target: &Target<'a>, name: &str) -> impl Iterator<Item = &'a str> {
    let parameters = target.query.into_iter().flat_map(|it| parts(it, b'&'));
    parameters.flat_map(move |parameter| {
        // In a reading with `&` alone, the rest of it is part of the value.
        let whole = value_of(parameter, name);
        let pieces = parts(parameter, b';').skip(1);
        let pieces = pieces.filter_map(move |it| value_of(it, name));
        whole.into_iter().chain(pieces)
    })
}

/// Whether every parameter has one of these names and no value.
pub(crate) fn has_only_empty(query: &str, names: &[&str]) -> bool {
    parts(query, b'&').all(|it| {
        let mut named = names.iter().filter_map(|name| value_of(it, name));
        named.any(str::is_empty)
    })
}

/// The target without the parameters of these names, as [`without`], and without those that
/// are behind a `;`.
pub(crate) fn without_hidden(target: &Target<'_>, names: &[impl AsRef<str>]) -> String {
    let kept = without(target, names);
    let Some((before, query)) = cut(&kept, b'?').filter(|(_, query)| query.contains(';')) else {
        return kept;
    };
    let parameters = parts(query, b'&').map(|it| pieces_without(it, &[";"], names));
    [before, "?", &parameters.collect::<Vec<_>>().join("&")].concat()
}

/// The target as an answer may repeat it: [`without_hidden`], and without the parameters of
/// these names in segments of the path.
pub(crate) fn without_secrets(target: &Target<'_>, names: &[impl AsRef<str>]) -> String {
    let kept = without_hidden(target, names);
    let (path, query) = cut(&kept, b'?').map_or((&*kept, None), |(path, it)| (path, Some(it)));
    if !may_have_parameters(path.as_bytes()) {
        return kept;
    }
    let segments = parts(path, b'/').map(|it| pieces_without(it, &[";", "%3B", "%3b"], names));
    let mut kept = segments.collect::<Vec<_>>().join("/");
    if let Some(query) = query {
        kept.push('?');
        kept.push_str(query);
    }
    kept
}

/// Whether segments of a path may have parameters: a `;`, plain or encoded.
pub(crate) fn may_have_parameters(path: &[u8]) -> bool {
    path.contains(&b';') || path.windows(3).any(|it| matches!(it, b"%3B" | b"%3b"))
}

/// A parameter or segment without the pieces of these names, but for the first piece.
fn pieces_without(text: &str, separators: &[&str], names: &[impl AsRef<str>]) -> String {
    let first = |text: &str| separators.iter().filter_map(|it| text.find(it)).min();
    let Some((head, mut rest)) = first(text).and_then(|at| text.split_at_checked(at)) else {
        return text.to_owned();
    };
    let mut kept = head.to_owned();
    // Each turn takes a separator and the piece behind it.
    while let Some(own) = separators.iter().find(|it| rest.starts_with(**it)) {
        let behind = rest.get(own.len()..).unwrap_or_default();
        let end = first(behind).unwrap_or(behind.len());
        let (piece, after) = behind.split_at_checked(end).unwrap_or((behind, ""));
        if !names
            .iter()
            .any(|it| value_of(piece, it.as_ref()).is_some())
        {
            kept.push_str(own);
            kept.push_str(piece);
        }
        rest = after;
    }
    kept
}

/// The value of a parameter, if it has this name in some spelling; empty without a `=`.
fn value_of<'a>(parameter: &'a str, name: &str) -> Option<&'a str> {
    let (spelled, value) = cut(parameter, b'=').unwrap_or((parameter, ""));
    decode(spelled)
        .is_ok_and(|it| *it == *name.as_bytes())
        .then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_behind_a_semicolon_is_found_and_taken_out() {
        for (target, values, hidden, secrets) in [
            ("/x?a=1;key=X", &["X"][..], "/x?a=1", "/x?a=1"),
            ("/x?a=1;key=X;b=2&c", &["X"], "/x?a=1;b=2&c", "/x?a=1;b=2&c"),
            ("/x?a;%6bey=X;key", &["X", ""], "/x?a", "/x?a"),
            ("/x?key=X;key=Y", &["X;key=Y", "Y"], "/x", "/x"),
            ("/x?;key=X", &["X"], "/x?", "/x?"),
            ("/x?a=1;keys=X", &[], "/x?a=1;keys=X", "/x?a=1;keys=X"),
            ("/x;key=X?a;b", &[], "/x;key=X?a;b", "/x?a;b"),
            (
                "/x;v=1;key=X/y%3Bkey=Y%3Bw",
                &[],
                "/x;v=1;key=X/y%3Bkey=Y%3Bw",
                "/x;v=1/y%3Bw",
            ),
            ("/key=X/x", &[], "/key=X/x", "/key=X/x"),
        ] {
            let parsed = Target::parse(target.as_bytes()).unwrap();
            let found: Vec<&str> = lenient_values(&parsed, "key").collect();
            assert_eq!(found, values, "{target}");
            assert_eq!(without_hidden(&parsed, &["key"]), hidden, "{target}");
            assert_eq!(without_secrets(&parsed, &["key"]), secrets, "{target}");
        }
    }

    #[test]
    fn only_the_parameter_is_removed_at_every_position() {
        for (target, expected) in [
            ("/x?key=X", "/x"),
            ("/x?key=X&b=", "/x?b="),
            ("/x?a=1&key=X", "/x?a=1"),
            ("/x?a=1&key=X&b=", "/x?a=1&b="),
            ("/x?a=1&key=X&b=&c", "/x?a=1&b=&c"),
            ("/x?a=1&key=X&", "/x?a=1&"),
            ("/x?key=X&", "/x"),
            ("/x?key=", "/x"),
            ("/x?key", "/x"),
            ("/x?key=a=b&c=d", "/x?c=d"),
            ("/x?%6bey=X&c=d", "/x?c=d"),
            ("/x?a=1&key=X&b=2&key=Y", "/x?a=1&b=2"),
            // The bytes of this value only.
            ("/x", "/x"),
            ("/x?", "/x?"),
            (
                "/x?mykey=X&keys=Y&KEY=Z&key[]=W",
                "/x?mykey=X&keys=Y&KEY=Z&key[]=W",
            ),
            ("/x?a=key=X", "/x?a=key=X"),
            ("/x?a=%20+%2B&key=X&&b=?/&%zz", "/x?a=%20+%2B&&b=?/&%zz"),
            ("/key=X?a", "/key=X?a"),
        ] {
            let parsed = Target::parse(target.as_bytes()).unwrap();
            assert_eq!(without(&parsed, &["key"]), expected, "{target}");
        }
    }

    proptest::proptest! {
        #[test]
        fn other_parameters_stay_as_they_are(before in "(a=[a-z%&]{0,8}&)?", after in "(&b=[a-z?=]{0,8})?") {
            let target = format!("/x?{before}key=SECRET{after}");
            let Ok(parsed) = Target::parse(target.as_bytes()) else { return Ok(()) };
            let kept = without(&parsed, &["key"]);
            assert!(!kept.contains("SECRET"));
            assert!(kept.ends_with(after.trim_start_matches('&')), "{kept}");
        }
    }
}
