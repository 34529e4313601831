//! Taking parameters out of a query, byte for byte.

use crate::cut::{cut, parts};
use crate::path::{Target, decode};

/// The target without the parameters of these names, however they are spelled. All
/// other bytes stay, but for a `?` that nothing would follow.
#[inline]
pub fn without(target: &Target<'_>, names: &[impl AsRef<str>]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_parameter_goes_wherever_it_stands() {
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
            // Nobody else's bytes.
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
