//! Who asks for keys: an admin by a token, or an account by an assertion that the edge
//! has signed. An account has its own keys and no others; by an app key it can do no more
//! than that key can. No other header says anything about a caller.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use ipnet::IpNet;
use keygate_core::UnixMillis;
use keygate_core::identity::assertion::{ASSERTION_HEADER, Assertion, Verifier};

use crate::attributes::Attributes;
use crate::auth::{Gate, Role};
use crate::key::{Key, Standing};
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::store::SqliteStore;

/// The scope with which an app key may list and show the keys of its account.
pub const READ_KEYS: &str = "keys:read";

/// The scope with which an app key may create and revoke keys of its account.
pub const WRITE_KEYS: &str = "keys:write";

/// How accounts prove themselves.
#[derive(Clone, Debug)]
pub struct Assertions {
    /// Checks the assertions of the edge.
    pub verifier: Verifier,
    /// Whether a session needs the scopes that an app key needs.
    pub sessions_need_scopes: bool,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A caller with an admin token.
    Admin,
    /// A caller with an assertion of the edge.
    Account(Assertion),
}

/// An account, and the key that it asks by, if it is one.
pub(crate) struct Admitted<'a> {
    account: Option<&'a Assertion>,
    parent: Option<Key>,
}

impl Caller {
    /// Finds the caller. Exactly one credential is accepted: with two, the caller would be
    /// ambiguous.
    pub(crate) fn identify(
        gate: &Gate,
        assertions: Option<&Assertions>,
        headers: &HeaderMap,
        refusals: &Refusals,
        now: UnixMillis,
    ) -> Result<Self, Problem> {
        let mut sent = headers.get_all(ASSERTION_HEADER).iter();
        let (Some(assertions), Some(token)) = (assertions, sent.next()) else {
            gate.admit(headers, Role::Admin)?;
            return Ok(Self::Admin);
        };
        if headers.contains_key(AUTHORIZATION) {
            return Err(Problem::TwoCredentials);
        }
        if sent.next().is_some() {
            return Err(Problem::InvalidAssertion);
        }
        let verified = assertions.verifier.verify(token.as_bytes(), now);
        verified.map(Self::Account).map_err(|error| {
            refusals.note_assertion(&error, now);
            Problem::InvalidAssertion
        })
    }

    /// Lets a caller pass that may do what needs this scope. The key that an account asks by must
    /// be active; a change looks at it again, in the transaction that writes.
    pub(crate) async fn admit(
        &self,
        needed: &'static str,
        assertions: Option<&Assertions>,
        store: &SqliteStore,
        now: UnixMillis,
    ) -> Result<Admitted<'_>, Problem> {
        let Self::Account(assertion) = self else {
            return Ok(Admitted {
                account: None,
                parent: None,
            });
        };
        let is_session = assertion.key_id.is_none();
        let is_free = is_session && assertions.is_some_and(|it| !it.sessions_need_scopes);
        if !is_free && !assertion.scopes.iter().any(|scope| scope == needed) {
            return Err(Problem::MissingScope(needed));
        }
        let parent = match &assertion.key_id {
            None => None,
            Some(id) => {
                let key = store.key(id.clone()).await?;
                let holds = |key: &Key| {
                    key.attributes.account == assertion.account
                        && key.standing(now) == Standing::Active
                };
                Some(key.filter(holds).ok_or(Problem::InvalidAssertion)?)
            }
        };
        Ok(Admitted {
            account: Some(assertion),
            parent,
        })
    }
}

impl Admitted<'_> {
    /// The account whose keys this is about: for an admin what was asked for, for an
    /// account its own, asked for or not.
    pub(crate) fn account(&self, asked: Option<String>) -> Result<Option<String>, Problem> {
        let Some(own) = self.account.map(|it| &it.account) else {
            return Ok(asked);
        };
        if asked.is_some_and(|asked| asked != *own) {
            return Err(Problem::WrongAccount);
        }
        Ok(Some(own.clone()))
    }

    /// The id of the key that the account asks by, if it is one.
    pub(crate) fn key_id(&self) -> Option<String> {
        self.parent.as_ref().map(|it| it.id.clone())
    }

    /// Returns a key to a caller that may see it. A key of another account is treated as
    /// missing.
    pub(crate) fn own(&self, key: Option<Key>) -> Result<Key, Problem> {
        let is_own = |key: &Key| {
            self.account
                .is_none_or(|it| it.account == key.attributes.account)
        };
        key.filter(is_own).ok_or(Problem::NoSuchKey)
    }

    /// Limits a key that an account asks for. It can do no more than the session or the key
    /// that asks; and where a key asks, it lives no longer, works nowhere else, and says the
    /// same of its holder.
    ///
    /// Each field is named: one that is added does not compile until it is decided here.
    pub(crate) fn limit(&self, asked: Attributes) -> Result<Attributes, Problem> {
        let Some(assertion) = self.account else {
            return Ok(asked);
        };
        let parent = self.parent.as_ref().map(|key| &key.attributes);
        Ok(Attributes {
            account: asked.account, // decided by `Self::account`
            name: asked.name,       // for people alone, and never sent to an upstream
            scopes: scopes(asked.scopes, assertion, parent)?,
            metadata: inherited("metadata", parent.map(|it| &it.metadata), |own| {
                asked.metadata.is_absent() || asked.metadata.says(own)
            })?,
            allowed_referrers: referrers(asked.allowed_referrers, parent)?,
            allowed_ips: ips(asked.allowed_ips, parent)?,
            expires_at: end(asked.expires_at, parent)?,
        })
    }
}

fn scopes(
    asked: Vec<String>,
    assertion: &Assertion,
    parent: Option<&Attributes>,
) -> Result<Vec<String>, Problem> {
    let of_parent = parent.map(|it| &it.scopes);
    for (at, scope) in asked.iter().enumerate() {
        let is_missing = |scopes: &Vec<String>| !scopes.contains(scope);
        if is_missing(&assertion.scopes) || of_parent.is_some_and(is_missing) {
            let detail = "is not a scope of the calling session or key";
            return Err(Problem::beyond(format!("scopes[{at}]"), detail));
        }
    }
    Ok(asked)
}

/// What the upstream reads as the operator's word about the holder, such as a plan: an account
/// writes none, and a key passes on its `own` where that is permitted.
fn inherited<T: Clone + Default>(
    field: &str,
    own: Option<&T>,
    permits: impl FnOnce(&T) -> bool,
) -> Result<T, Problem> {
    let own = own.cloned().unwrap_or_default();
    if permits(&own) {
        return Ok(own);
    }
    let detail = "can be set only by an admin: omit it to inherit it from the calling key";
    Err(Problem::beyond(field, detail))
}

fn referrers(asked: Vec<String>, parent: Option<&Attributes>) -> Result<Vec<String>, Problem> {
    let pages = parent.map_or(&[][..], |it| &it.allowed_referrers);
    let is_inside = |page| pages.contains(page);
    if !pages.is_empty() && (asked.is_empty() || !asked.iter().all(is_inside)) {
        let detail = "must be among those of the calling key";
        return Err(Problem::beyond("allowed_referrers", detail));
    }
    Ok(asked)
}

fn ips(asked: Vec<IpNet>, parent: Option<&Attributes>) -> Result<Vec<IpNet>, Problem> {
    let ranges = parent.map_or(&[][..], |it| &it.allowed_ips);
    let is_inside = |net| ranges.iter().any(|range| range.contains(net));
    if !ranges.is_empty() && (asked.is_empty() || !asked.iter().all(is_inside)) {
        let detail = "must be within those of the calling key";
        return Err(Problem::beyond("allowed_ips", detail));
    }
    Ok(asked)
}

fn end(
    asked: Option<UnixMillis>,
    parent: Option<&Attributes>,
) -> Result<Option<UnixMillis>, Problem> {
    match parent.and_then(|it| it.expires_at) {
        Some(end) if asked.is_none_or(|at| at > end) => {
            let detail = format!("must not be later than that of the calling key: {end}");
            Err(Problem::beyond("expires_at", detail))
        }
        _ => Ok(asked),
    }
}
