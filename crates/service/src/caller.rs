//! Who asks for keys: an admin by a token, or an account by an assertion that the edge
//! has signed. An account has its own keys and no others; by an app key it can do no more
//! than that key can. No other header says anything about a caller.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use keygate_core::assertion::{ASSERTION_HEADER, Assertion, Verifier};
use keygate_core::time::UnixMillis;

use crate::auth::{Gate, Role};
use crate::draft::Draft;
use crate::key::{Key, Standing};
use crate::problem::Problem;
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
    /// Whoever holds an admin token.
    Admin,
    /// Whoever the edge vouches for.
    Account(Assertion),
}

/// An account, and the key that it asks by, if it is one.
pub(crate) struct Admitted<'a> {
    account: Option<&'a Assertion>,
    parent: Option<Key>,
}

impl Caller {
    /// Finds out who asks. One credential, once: with two, nobody could say who asked.
    pub(crate) fn identify(
        gate: &Gate,
        assertions: Option<&Assertions>,
        headers: &HeaderMap,
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
            tracing::info!("refused: {error}");
            Problem::InvalidAssertion
        })
    }

    /// Lets a caller pass that may do what needs this scope. The key that an account asks
    /// by is looked at here: one that was revoked a moment ago creates no other.
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
                    key.account == assertion.account && key.standing(now) == Standing::Active
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

    /// Passes a key on to whoever may see it. Another's is as good as none.
    pub(crate) fn own(&self, key: Option<Key>) -> Result<Key, Problem> {
        let is_own = |key: &Key| self.account.is_none_or(|it| it.account == key.account);
        key.filter(is_own).ok_or(Problem::NoSuchKey)
    }

    /// An account makes no key that can do more than it may itself; and a key none that
    /// can do more than that key, lives longer, or works elsewhere.
    pub(crate) fn check_no_more(&self, draft: &Draft) -> Result<(), Problem> {
        let Some(assertion) = self.account else {
            return Ok(());
        };
        let of_parent = self.parent.as_ref().map(|it| &it.scopes);
        for (at, scope) in draft.scopes.iter().enumerate() {
            let is_missing = |scopes: &Vec<String>| !scopes.contains(scope);
            if is_missing(&assertion.scopes) || of_parent.is_some_and(is_missing) {
                let detail = "is not a scope of the session or key that asks";
                return Err(Problem::beyond(format!("scopes[{at}]"), detail));
            }
        }
        let Some(parent) = &self.parent else {
            return Ok(());
        };
        let is_page = |page| parent.allowed_referrers.contains(page);
        if !parent.allowed_referrers.is_empty()
            && (draft.allowed_referrers.is_empty() || !draft.allowed_referrers.iter().all(is_page))
        {
            let detail = "must be among those of the key that asks";
            return Err(Problem::beyond("allowed_referrers", detail));
        }
        if let Some(end) = parent.expires_at
            && draft.expires_at.is_none_or(|at| at > end)
        {
            let detail = format!("must not be later than that of the key that asks: {end}");
            return Err(Problem::beyond("expires_at", detail));
        }
        let inside = |net| parent.allowed_ips.iter().any(|it| it.contains(net));
        if !parent.allowed_ips.is_empty()
            && (draft.allowed_ips.is_empty() || !draft.allowed_ips.iter().all(inside))
        {
            let detail = "must lie within those of the key that asks";
            return Err(Problem::beyond("allowed_ips", detail));
        }
        Ok(())
    }
}
