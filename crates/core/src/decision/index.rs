//! Finds the first rule that matches without trying all of them.
//!
//! A rule is filed under the part of its path that has no wildcard, and under each of
//! its hosts that has none. A request meets only the rules that are filed under its own
//! host, or none, and a beginning of its own path.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use siphasher::sip::SipHasher13;

use crate::decision::rule::Rule;
use crate::http::authority::Authority;
use crate::http::glob::{SplitPath, filed};
use crate::http::request::Request;

/// Rules in their order, and where to find them.
#[derive(Debug)]
pub struct Rules {
    list: Vec<Rule>,
    /// Positions, rising, by host (or nothing) and literal beginning of the path.
    filed: Filed,
    /// A rule is filed under a host.
    has_hosts: bool,
    /// No rule is filed under more segments than these.
    max_segments: usize,
}

/// Hashed without a seed: the operator chooses its entries, and clients can only look them up.
type Filed = HashMap<String, Vec<usize>, BuildHasherDefault<SipHasher13>>;

/// So many rules are tried sooner than looked up.
const FEW: usize = 8;

impl Rules {
    /// Files rules, of which the first that matches is to win.
    pub fn new(list: Vec<Rule>) -> Self {
        let mut filed = Filed::default();
        let mut max_segments = 0;
        let mut has_hosts = false;
        for (position, rule) in list.iter().enumerate() {
            let (prefix, segments) = rule.path.literal_prefix();
            max_segments = segments.max(max_segments);
            for host in rule.filed_hosts() {
                has_hosts |= !host.is_empty();
                filed
                    .entry(format!("{host}{prefix}"))
                    .or_default()
                    .push(position);
            }
        }
        Self {
            list,
            filed,
            has_hosts,
            max_segments,
        }
    }

    /// All rules in their order.
    pub fn all(&self) -> &[Rule] {
        &self.list
    }

    /// The first rule for this request, whose path in readable form is `path`.
    #[inline]
    pub fn find(&self, request: &Request<'_>, path: &str) -> Option<&Rule> {
        let split = SplitPath::new(path);
        if self.list.len() <= FEW {
            let mut rules = self.list.iter();
            return rules.find(|rule| rule.matches_split(request, &split));
        }
        self.candidates(request.authority, path)
            .into_iter()
            .filter_map(|position| self.list.get(position))
            .find(|rule| rule.matches_split(request, &split))
    }

    /// Positions of the rules that are filed where this request looks, rising.
    fn candidates(&self, authority: Authority<'_>, path: &str) -> Vec<usize> {
        // Without rules for hosts there is nothing to look up under one.
        let mut key = String::new();
        let mut host = 0;
        if self.has_hosts {
            key = filed(authority);
            host = key.len();
            key.push_str(path);
        }
        let slashes = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
        let ends = slashes.skip(1).map(|(at, _)| at);
        let ends = std::iter::once(0).chain(ends).chain([path.len()]);
        let mut found = Vec::new();
        for end in ends.take(self.max_segments.saturating_add(1)) {
            let of_host = key.get(..host.saturating_add(end));
            for key in [of_host, path.get(..end)].into_iter().flatten() {
                for position in self.filed.get(key).into_iter().flatten() {
                    if let Err(at) = found.binary_search(position) {
                        found.insert(at, *position);
                    }
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::requirement::Requirement;
    use crate::decision::rule::Mode;
    use crate::http::glob::{HostPattern, PathGlob};

    fn rule(path: &str, hosts: &[&str]) -> Rule {
        Rule {
            name: path.to_owned(),
            place: 0,
            hosts: hosts
                .iter()
                .map(|it| HostPattern::parse(it).unwrap())
                .collect(),
            path: PathGlob::parse(path).unwrap(),
            methods: Vec::new(),
            headers: Vec::new(),
            allow_encoded_slash: false,
            allow_path_parameters: false,
            require: Requirement::Nothing,
            allowed_referrers: Vec::new(),
            allow_preflight: false,
            authenticate: crate::answer::Authenticate::default(),
            carriers: Vec::new(),
            secret_parameters: Default::default(),
            path_tokens: Default::default(),
            scopes: Vec::new(),
            mode: Mode::Block,
            deny: None,
            page: crate::answer::Page::new(&crate::answer::brand::Brand::default()).into(),
            unseal: None,
        }
    }

    fn headers(authority: &str, path: &str) -> Vec<crate::http::request::Header> {
        [
            (":method", "GET"),
            (":path", path),
            (":authority", authority),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec()
    }

    fn candidates(rules: &Rules, authority: &str, path: &str) -> Vec<usize> {
        rules.candidates(Authority::parse(authority).unwrap(), path)
    }

    #[test]
    fn ten_thousand_rules_leave_one_to_try() {
        for many in [100, 10_000] {
            let by_path = (0..many).map(|n| rule(&format!("/tenant-{n}/files/**"), &[]));
            let rules = Rules::new(by_path.collect());
            let found = candidates(&rules, "h", "/tenant-77/files/a/b/c");
            assert_eq!(found, [77]);
            let by_host = (0..many).map(|n| rule("/**", &[&format!("t{n}.example.com")]));
            let rules = Rules::new(by_host.collect());
            assert_eq!(candidates(&rules, "T77.example.com:8443", "/a"), [77]);
        }
    }

    #[test]
    fn a_long_path_is_looked_up_no_deeper_than_the_rules_are() {
        let rules = Rules::new(vec![rule("/a/b/**", &[]), rule("/**", &[])]);
        let path = "/a".repeat(30_000);
        assert_eq!(candidates(&rules, "h", &path), [1]);
        assert_eq!(rules.max_segments, 2);
    }

    proptest::proptest! {
        /// The index finds what trying all rules in order finds.
        #[test]
        fn the_first_match_is_the_first_match(
            globs in proptest::collection::vec(
                ("(/(a|b|ab|\\*|\\*\\*|a\\*)){1,3}/?", "(|a\\.example|\\*\\.example|b\\.example)"),
                1..12,
            ),
            path in "(/(a|b|ab|c)){0,4}/?",
            host in "(a|b|c)\\.example(:80)?",
        ) {
            let path = if path.is_empty() { "/".to_owned() } else { path };
            let rules = globs.iter().filter_map(|(glob, host)| {
                PathGlob::parse(glob).ok()?;
                let hosts = if host.is_empty() { vec![] } else { vec![host.as_str()] };
                Some(rule(glob, &hosts))
            });
            let rules = Rules::new(rules.collect());
            let headers = headers(&host, &path);
            let request = Request::read(&headers).unwrap();
            let tried = rules.list.iter().find(|it| it.matches(&request, &path));
            let found = rules.find(&request, &path);
            proptest::prop_assert_eq!(
                found.map(std::ptr::from_ref),
                tried.map(std::ptr::from_ref)
            );
        }
    }
}
