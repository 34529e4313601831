//! What an examination has found, and what it has seen.

use std::collections::BTreeSet;

use keygate_core::Policy;

use super::at::At;
use super::dump::Dump;
use super::findings::{Findings, Id};

/// An examination under way.
pub struct Exam<'d> {
    /// What is examined.
    pub dump: &'d Dump,
    /// What is wrong.
    pub findings: Findings,
    /// How many proxies are in front of this Envoy.
    pub trusted_hops: u64,
    /// What was looked at.
    pub seen: Seen,
    /// The key services that policies name.
    pub services: Vec<KeyService>,
    /// The clusters that routes name.
    pub upstreams: BTreeSet<&'d str>,
}

/// What was looked at.
#[derive(Default)]
pub struct Seen {
    /// Listeners, by name.
    pub listeners: Vec<String>,
    /// Listeners that were not to be examined.
    pub excepted: Vec<String>,
    /// Filter chains.
    pub chains: usize,
    /// Routes.
    pub routes: usize,
}

/// The key service of a policy.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyService {
    /// The clusters that lead to it.
    pub clusters: Vec<String>,
    /// The variable with the edge token.
    pub token_env: String,
}

/// The Keygate filters of a chain.
#[derive(Default)]
pub struct Gate {
    /// Their names in the chain, by which a route can change them.
    pub names: Vec<String>,
    /// Their policies.
    pub policies: Vec<Policy>,
    /// The headers that the policies name, in lower case.
    pub headers: BTreeSet<String>,
}

impl<'d> Exam<'d> {
    /// Begins one.
    pub fn new(dump: &'d Dump, trusted_hops: u64) -> Self {
        Self {
            dump,
            findings: Findings::default(),
            trusted_hops,
            seen: Seen::default(),
            services: Vec::new(),
            upstreams: BTreeSet::new(),
        }
    }

    /// Something is wrong at a place.
    pub fn add(&mut self, id: Id, at: &At<'_>) {
        self.findings.add(id, &at.place, "");
    }

    /// Something is wrong at a place, and this is what exactly.
    pub fn say(&mut self, id: Id, at: &At<'_>, detail: impl Into<String>) {
        self.findings.add(id, &at.place, detail);
    }
}
