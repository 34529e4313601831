//! Every way in which a server may read a path: the rules must agree on all of them.

use std::borrow::Cow;

use super::readable;

/// What begins a parameter of a segment to a server that cuts before it decodes, and to one
/// that decodes before it cuts.
const CUTS: [&[&str]; 2] = [&[";"], &[";", "%3B", "%3b"]];

/// All readings of an unambiguous path, in [`readable`] form: with its parameters and without
/// them, with `%2F` as it is and as a slash, and both, in either order. The path as it is comes
/// first; no reading comes twice.
///
/// Tomcat cuts `;x` off each segment, and then decodes; nginx, Node and Flask cut nothing.
pub fn readings(path: &str) -> Vec<Cow<'_, str>> {
    let opened = with_slashes(path);
    let mut readings = vec![readable(path)];
    let mut add = |text: &str| {
        let reading = readable(text);
        if !readings.contains(&reading) {
            readings.push(Cow::Owned(reading.into_owned()));
        }
    };
    add(&opened);
    for separators in CUTS {
        let cut = without_parameters(path, separators);
        add(&cut);
        add(&with_slashes(&cut));
        add(&without_parameters(&opened, separators));
    }
    readings
}

/// A path without the parameters of its segments: `/a;v=1/b` is `/a/b` to some servers.
fn without_parameters(path: &str, separators: &[&str]) -> String {
    let names = path.split('/').map(|segment| {
        let ends = separators.iter().filter_map(|it| segment.find(it));
        ends.min()
            .and_then(|end| segment.get(..end))
            .unwrap_or(segment)
    });
    names.collect::<Vec<_>>().join("/")
}

fn with_slashes(path: &str) -> String {
    path.replace("%2F", "/").replace("%2f", "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_every_reading_once() {
        for (path, expected) in [
            ("/a/b", vec!["/a/b"]),
            ("/%40a", vec!["/@a"]),
            ("/a;v=1/b;c;d/e", vec!["/a;v=1/b;c;d/e", "/a/b/e"]),
            ("/a%3bx/b", vec!["/a;x/b", "/a/b"]),
            ("/a%3Bx;y", vec!["/a;x;y", "/a;x", "/a"]),
            ("/a%2fb", vec!["/a%2Fb", "/a/b"]),
            ("/a;x%2Fb", vec!["/a;x%2Fb", "/a;x/b", "/a", "/a/b"]),
            (
                "/a%2Fb;x/c",
                vec!["/a%2Fb;x/c", "/a/b;x/c", "/a%2Fb/c", "/a/b/c"],
            ),
        ] {
            assert_eq!(readings(path), expected, "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn readings_begin_with_the_path_itself(path in "(/([ab;]|%2F|%3b|%40){1,4}){1,3}") {
            let readings = readings(&path);
            proptest::prop_assert_eq!(&readings[0], &readable(&path));
            let plain = !path.contains(';') && !path.contains('%');
            proptest::prop_assert!(!plain || readings.len() == 1);
        }
    }
}
