//! Whether one pattern matches all that another does.
//!
//! Sound and not complete: what is said to be covered is; of what is not said to be,
//! nothing is known. `/*a*` covers `/*aa*`, for one, and is not said to.

use super::{HostPattern, PathGlob, Segment, pieces_match};

impl PathGlob {
    /// Whether every path that `other` matches is matched by this glob, for certain.
    pub fn covers(&self, other: &Self) -> bool {
        // Most pairs of a long policy differ in their first plain segments.
        for pair in self.segments.iter().zip(&other.segments) {
            match pair {
                (Segment::Literal(ours), Segment::Literal(theirs)) if ours == theirs => {}
                (Segment::Literal(_), Segment::Literal(_)) => return false,
                _ => break,
            }
        }
        // A table from the ends of both to their beginnings, of which one row is kept:
        // `row[j]` says that our segments from here on cover theirs from `j` on.
        let mut row = vec![false; other.segments.len()];
        row.push(true);
        for ours in self.segments.iter().rev() {
            let is_any_number = *ours == Segment::AnyNumber;
            // Behind their last segment: only `**` may remain of ours.
            let mut reversed = vec![is_any_number && row.last() == Some(&true)];
            let behind = row.iter().zip(row.iter().skip(1));
            for (theirs, (&without_ours, &without_both)) in other.segments.iter().zip(behind).rev()
            {
                let swallowed = reversed.last() == Some(&true);
                reversed.push(match (ours, theirs) {
                    (Segment::AnyNumber, _) => without_ours || swallowed,
                    (ours, theirs) => without_both && ours.covers(theirs),
                });
            }
            reversed.reverse();
            row = reversed;
        }
        row.first() == Some(&true)
    }
}

impl Segment {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::AnyNumber, _) => true,
            (_, Self::AnyNumber) => false,
            (Self::AnyOne, Self::AnyOne) => true,
            (Self::AnyOne, Self::Literal(text)) => !text.is_empty(),
            (Self::AnyOne, Self::Pieces(pieces)) => pieces.iter().any(|it| !it.is_empty()),
            (Self::Literal(ours), Self::Literal(theirs)) => ours == theirs,
            (Self::Pieces(ours), Self::Literal(theirs)) => pieces_match(ours, theirs),
            (Self::Pieces(ours), Self::Pieces(theirs)) => {
                match (ours.as_slice(), theirs.as_slice()) {
                    ([head, tail], [first, .., last]) => {
                        first.starts_with(head.as_str()) && last.ends_with(tail.as_str())
                    }
                    (ours, theirs) => ours == theirs,
                }
            }
            (Self::Literal(_), Self::AnyOne | Self::Pieces(_))
            | (Self::Pieces(_), Self::AnyOne) => false,
        }
    }
}

impl HostPattern {
    /// Whether every host that `other` matches is matched by this pattern.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(ours), Self::Exact(theirs)) => ours == theirs,
            (Self::Address(ours), Self::Address(theirs)) => ours == theirs,
            (Self::Address(_), _) | (_, Self::Address(_)) | (Self::Exact(_), Self::Under(_)) => {
                false
            }
            (Self::Under(ours), Self::Exact(theirs)) => {
                theirs.len() > ours.len() && theirs.ends_with(ours.as_str())
            }
            (Self::Under(ours), Self::Under(theirs)) => theirs.ends_with(ours.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_glob_covers_a_narrower_one() {
        for (wide, narrow, expected) in [
            ("/**", "/", true),
            ("/**", "/a/**/b", true),
            ("/a/**", "/a", true),
            ("/a/**", "/a/*/c", true),
            ("/a/**", "/ab", false),
            ("/a/*", "/a/b", true),
            ("/a/*", "/a/", false),
            ("/a/*", "/a/**", false),
            ("/a/*/**", "/a/b/c", true),
            ("/**/z", "/a/**/z", true),
            ("/a/**/z", "/**/z", false),
            ("/img/*.jpg", "/img/cat.jpg", true),
            ("/img/*.jpg", "/img/cat*.jpg", true),
            ("/img/cat*.jpg", "/img/*.jpg", false),
            ("/img/*", "/img/*.jpg", true),
            ("/a*a", "/a", false),
            ("/caf%c3%a9", "/caf%C3%A9", true),
        ] {
            let [wide_glob, narrow_glob] = [wide, narrow].map(|it| PathGlob::parse(it).unwrap());
            assert_eq!(wide_glob.covers(&narrow_glob), expected, "{wide} {narrow}");
        }
    }

    #[test]
    fn a_wider_host_covers_a_narrower_one() {
        for (wide, narrow, expected) in [
            ("a.example", "A.example", true),
            ("*.example", "a.example", true),
            ("*.example", "*.a.example", true),
            ("*.example", "example", false),
            ("*.a.example", "*.example", false),
            ("a.example", "*.example", false),
            ("*.example", "bexample", false),
        ] {
            let [wide_host, narrow_host] = [wide, narrow].map(|it| HostPattern::parse(it).unwrap());
            assert_eq!(wide_host.covers(&narrow_host), expected, "{wide} {narrow}");
        }
    }

    #[test]
    fn many_stars_are_still_quick() {
        let [left, right] = ["/**/a", "/**/b"].map(|it| PathGlob::parse(&it.repeat(200)).unwrap());
        assert!(!left.covers(&right));
        assert!(left.covers(&left));
    }

    proptest::proptest! {
        /// What is covered matches no path that the cover does not.
        #[test]
        fn a_cover_is_never_claimed_wrongly(
            wide in "(/(a|b|\\*|\\*\\*|a\\*|\\*b)){1,4}/?",
            narrow in "(/(a|b|ab|\\*|\\*\\*|a\\*b|\\*b)){1,4}/?",
            paths in proptest::collection::vec("(/(a|b|ab|aab)){1,5}/?", 50),
        ) {
            let [wide, narrow] = [wide, narrow].map(|it| PathGlob::parse(&it).unwrap());
            if wide.covers(&narrow) {
                for path in paths {
                    proptest::prop_assert!(!narrow.matches(&path) || wide.matches(&path), "{path}");
                }
            }
        }

        /// Without `**` in the narrow one and wildcards within segments, it is complete.
        #[test]
        fn a_plain_path_is_covered_as_it_is_matched(
            wide in "(/(a|b|\\*|\\*\\*|a\\*)){1,5}",
            path in "(/(a|b|ab)){1,6}",
        ) {
            let [wide, plain] = [&wide, &path].map(|it| PathGlob::parse(it).unwrap());
            proptest::prop_assert_eq!(wide.covers(&plain), wide.matches(&path));
        }
    }
}
