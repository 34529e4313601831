//! What the host reports about a request in addition to its headers, kept while the request
//! waits.
//!
//! The host is asked once, when the request begins to wait for a key: each question takes about
//! 2 µs, and a host may be able to answer only in the turn of the request itself. A later
//! decision may need what the first did not, such as the address for a key that is bound to one.

use std::cell::RefCell;
use std::net::IpAddr;

use keygate_core::identity::{Claims, Sessions};
use keygate_core::{Client, Policy, Provider};

/// The client's address, and every claim that a decision under this policy may read.
#[derive(Default)]
pub(crate) struct Caller {
    pub(crate) address: Option<IpAddr>,
    pub(crate) claims: KeptClaims,
}

/// Claims by their paths. What was absent is absent here.
#[derive(Default)]
pub(crate) struct KeptClaims(Vec<Claim>);

type Claim = (Vec<String>, Vec<u8>);

/// Passes on the claims of the host, and keeps a copy of each.
struct Recorder<'a> {
    claims: &'a dyn Claims,
    kept: RefCell<Vec<Claim>>,
}

impl Caller {
    /// Asks the host.
    pub(crate) fn by(client: Client<'_>, claims: &dyn Claims, sessions: &[Sessions]) -> Self {
        let recorder = Recorder {
            claims,
            kept: RefCell::default(),
        };
        for sessions in sessions {
            // Only for the claims that it reads: a decision will read the same.
            let _ = sessions.check(&recorder);
        }
        Self {
            address: client.address(),
            claims: KeptClaims(recorder.kept.into_inner()),
        }
    }

    /// The memory of the claims.
    pub(crate) fn bytes(&self) -> usize {
        let KeptClaims(claims) = &self.claims;
        let of_one = |(path, value): &Claim| {
            let names = path.iter().map(String::len).fold(0, usize::saturating_add);
            let texts = names.saturating_add(value.len());
            texts.saturating_add(size_of::<Claim>())
        };
        claims.iter().map(of_one).fold(0, usize::saturating_add)
    }
}

/// Every way to read sessions that this policy has.
pub(crate) fn sessions_of(policy: &Policy) -> Vec<Sessions> {
    let rules = policy.rules.all().iter();
    let of_rules = rules.flat_map(|rule| rule.require.providers());
    let of_rules = of_rules.filter_map(|provider| match provider {
        Provider::Session(sessions) => Some(sessions),
        Provider::SignedUrl(_) | Provider::AppKey(_) => None,
    });
    let mut all = Vec::new();
    // Those that no rule names are looked for in what is stripped.
    for sessions in of_rules.chain(policy.carriers.sessions()) {
        if !all.contains(sessions) {
            all.push(sessions.clone());
        }
    }
    all
}

impl Claims for KeptClaims {
    fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
        let claim = self.0.iter().find(|(kept, _)| kept == path)?;
        Some(claim.1.clone())
    }
}

impl Claims for Recorder<'_> {
    fn text(&self, path: &[&str]) -> Option<Vec<u8>> {
        let value = self.claims.text(path)?;
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        self.kept.borrow_mut().push((path, value.clone()));
        Some(value)
    }
}
