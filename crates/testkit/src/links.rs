//! Requests that untrusted clients may send, as a fuzzer makes them, against the policies of
//! a format's known answers.
//!
//! An input is a byte that chooses the known answer whose policy is asked, then the path,
//! and then a header in each line, `name: value`.

use keygate_core::{Edit, Header, Policy, Target, Verdict};

use crate::vectors;

/// The policies of the known answers of one format.
pub struct Requests(Vec<(Policy, vectors::Case)>);

impl Requests {
    pub fn of(format: &str) -> Self {
        let mut all = Vec::new();
        for text in vectors::KNOWN {
            let known: serde_json::Value = serde_json::from_str(text).unwrap();
            let vectors = known["vectors"].as_array().unwrap();
            for vector in vectors
                .iter()
                .filter(|it| vectors::format_of(it) == Some(format))
            {
                let mut case = vectors::case_of(vector).unwrap().unwrap();
                let also = std::mem::take(&mut case.also);
                let cases = also.into_iter().chain([case]);
                all.extend(cases.map(|it| (it.policy().unwrap(), it)));
            }
        }
        assert!(!all.is_empty(), "no known answer is of {format}");
        Self(all)
    }

    /// One input. What passes must go on with a path that means one thing.
    pub fn run(&self, data: &[u8]) {
        let Some((choice, text)) = data.split_first() else {
            return;
        };
        let (policy, case) = &self.0[usize::from(*choice) % self.0.len()];
        let headers = headers(text);
        let verdict = policy.decide(&headers, &case.facts(case.now));
        if let Verdict::Allow(grant) = verdict {
            for edit in &grant.edits {
                if let Edit::Set(name, value) = edit
                    && name == ":path"
                {
                    assert!(Target::parse(value).is_ok(), "{value:?}");
                }
            }
        }
    }

    /// The known answers as inputs, for the corpus.
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        let seed = |(index, (_, case)): (usize, &(Policy, vectors::Case))| {
            let mut seed = vec![u8::try_from(index % 256).unwrap()];
            let value = |name: &str| {
                let mut all = case.headers.iter();
                all.find(|(it, _)| it == name.as_bytes()).unwrap().1.clone()
            };
            seed.extend_from_slice(&value(":path"));
            for (name, value) in &case.headers {
                if name != b":path" {
                    seed.push(b'\n');
                    seed.extend_from_slice(name);
                    seed.extend(b": ");
                    seed.extend_from_slice(value);
                }
            }
            seed
        };
        self.0.iter().enumerate().map(seed).collect()
    }
}

fn headers(text: &[u8]) -> Vec<Header> {
    let mut lines = text.split(|it| *it == b'\n');
    let path = lines.next().unwrap_or_default();
    let mut headers: Vec<Header> = vec![(b":path".into(), path.into())];
    for line in lines {
        let at = line.iter().skip(1).position(|it| *it == b':');
        if let Some(at) = at.map(|it| it + 1) {
            let value = line[at + 1..].trim_ascii_start();
            headers.push((line[..at].to_ascii_lowercase().into(), value.into()));
        }
    }
    for (name, value) in [(":method", "GET"), (":authority", "example.com")] {
        if !headers.iter().any(|(it, _)| it == name.as_bytes()) {
            headers.push((name.into(), value.into()));
        }
    }
    headers
}
