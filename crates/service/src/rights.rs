//! What a caller may do. An account has its own keys and no others; by an app key it can do no
//! more than that key can.
//!
//! For a change this is asked in the transaction that writes, of the key that asks as it is then:
//! a command waits for those before it, and one of them may revoke or narrow that key.

use ipnet::IpNet;
use keygate_core::UnixMillis;
use keygate_core::identity::RateLimit;
use keygate_core::identity::assertion::Assertion;

use crate::attributes::Attributes;
use crate::key::{Disabler, Key, Standing};
use crate::roles::Action;
use crate::space::Spaces;
use crate::tokens::Bearer;
use crate::wrong::{Errors, Fault, Pointer, Wrong};

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A caller with an admin token.
    Admin(Bearer),
    /// A caller with an assertion of the edge.
    Account(Assertion),
    /// An edge.
    Edge(Bearer),
    /// The holder of a key, who has nothing else.
    Holder,
    /// A service that reports leaked keys.
    Reporter,
    /// Callers that were rejected.
    Unknown,
    /// The service itself.
    Service,
}

/// A caller, and the key that it asks by, if it is one.
pub(crate) struct Rights<'a> {
    reach: Reach<'a>,
    spaces: Spaces,
    parent: Option<Key>,
}

/// Whose keys a caller may see and change.
#[derive(Clone, Copy)]
enum Reach<'a> {
    All,
    Own(&'a Assertion),
    None,
}

/// A field asks for more than the caller has.
fn beyond(field: impl Into<Pointer>, detail: impl Into<String>) -> Wrong {
    Wrong::new(field, Fault::Beyond, detail)
}

impl Caller {
    /// What the audit log calls the caller.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Admin(bearer) | Self::Edge(bearer) => match &bearer.id {
                Some(id) => format!("token:{id}"),
                None => "environment".to_owned(),
            },
            Self::Account(Assertion {
                key_id: Some(id), ..
            }) => format!("key:{id}"),
            Self::Account(assertion) => format!("account:{}", assertion.account),
            Self::Holder => "holder".to_owned(),
            Self::Reporter => "reporter".to_owned(),
            Self::Unknown => "unknown".to_owned(),
            Self::Service => "service".to_owned(),
        }
    }

    /// The id of the token that it asks by, if the API created it.
    pub(crate) fn token_id(&self) -> Option<&str> {
        match self {
            Self::Admin(bearer) | Self::Edge(bearer) => bearer.id.as_deref(),
            Self::Account(_) | Self::Holder | Self::Reporter | Self::Unknown | Self::Service => {
                None
            }
        }
    }

    /// The id of the key that the account asks by, if it is one.
    pub(crate) fn key_id(&self) -> Option<&str> {
        match self {
            Self::Account(assertion) => assertion.key_id.as_deref(),
            _ => None,
        }
    }

    /// The account whose keys this is about: for an admin what was asked for, for an
    /// account its own, asked for or not. `None` if that is another's.
    pub(crate) fn account(&self, asked: Option<String>) -> Option<Option<String>> {
        match (self, asked) {
            (Self::Admin(_), asked) => Some(asked),
            (Self::Account(own), Some(asked)) if asked != own.account => None,
            (Self::Account(own), _) => Some(Some(own.account.clone())),
            (Self::Edge(_) | Self::Holder | Self::Reporter | Self::Unknown | Self::Service, _) => {
                None
            }
        }
    }

    /// What the caller may do `now`, for this action; `asks` is the key that it asks by, if it is
    /// one. `None` if that key is not active, has not got the scopes, or is not the account's.
    pub(crate) fn rights(
        &self,
        asks: Option<Key>,
        action: Action,
        now: UnixMillis,
    ) -> Option<Rights<'_>> {
        let assertion = match self {
            Self::Account(assertion) => assertion,
            Self::Admin(bearer) => return Some(Rights::of(Reach::All, bearer.spaces.clone())),
            Self::Edge(bearer) => return Some(Rights::of(Reach::None, bearer.spaces.clone())),
            Self::Holder | Self::Reporter | Self::Unknown | Self::Service => {
                return Some(Rights::of(Reach::None, Spaces::All));
            }
        };
        let holds = |key: &Key| {
            Some(&key.id) == assertion.key_id.as_ref()
                && key.attributes.account == assertion.account
                && key.standing(now) == Standing::Active
                && action.is_in(&key.attributes.scopes)
        };
        let parent = asks.filter(holds);
        // No assertion says by which edge a session came, so that it is of the default space.
        let space = parent.as_ref().map(|key| key.attributes.space.clone());
        (parent.is_some() == assertion.key_id.is_some()).then_some(Rights {
            reach: Reach::Own(assertion),
            spaces: Spaces::Only(space.unwrap_or_default()),
            parent,
        })
    }
}

impl<'a> Rights<'a> {
    fn of(reach: Reach<'a>, spaces: Spaces) -> Self {
        Self {
            reach,
            spaces,
            parent: None,
        }
    }

    /// The spaces whose keys the caller sees.
    pub(crate) fn spaces(&self) -> &Spaces {
        &self.spaces
    }

    /// The id of the key that the account asks by, if it is one.
    pub(crate) fn key_id(&self) -> Option<String> {
        self.parent.as_ref().map(|it| it.id.clone())
    }

    /// Returns a key to a caller that may see it. A key of another account or space is treated as
    /// missing.
    pub(crate) fn own(&self, key: Option<Key>) -> Option<Key> {
        let key = key.filter(|key| self.spaces.has(&key.attributes.space));
        let is_own = |key: &Key| match self.reach {
            Reach::All => true,
            Reach::Own(assertion) => assertion.account == key.attributes.account,
            Reach::None => false,
        };
        key.filter(is_own)
    }

    /// Limits a key that an account asks for. It can do no more than the session or the key
    /// that asks; and where a key asks, it lives no longer, works nowhere else, and says the
    /// same of its holder.
    ///
    /// Each field is named: one that is added does not compile until it is decided here.
    pub(crate) fn limit(&self, asked: Attributes) -> Result<Attributes, Errors> {
        let assertion = match self.reach {
            Reach::All => return Ok(asked),
            Reach::Own(assertion) => assertion,
            Reach::None => {
                let detail = "can be set only by an admin or an account";
                return Err(beyond("account", detail).into());
            }
        };
        let parent = self.parent.as_ref().map(|key| &key.attributes);
        let metadata = inherited("metadata", parent.map(|it| &it.metadata), |own| {
            asked.metadata.is_absent() || asked.metadata.says(own)
        });
        let mut errors = Errors::default();
        let limited = Attributes {
            account: asked.account, // decided by `Caller::account`
            space: asked.space,     // decided by `Spaces::narrow`, and again before a key is stored
            name: asked.name,       // for people alone, and never sent to an upstream
            labels: asked.labels,   // the same
            scopes: errors.of(scopes(asked.scopes, &assertion.scopes, parent)),
            metadata: errors.of(metadata),
            allowed_referrers: errors.of(referrers(asked.allowed_referrers, parent)),
            allowed_ips: errors.of(ips(asked.allowed_ips, parent)),
            rate_limit: errors.of(rate_limit(asked.rate_limit, parent)),
            expires_at: errors.of(end(asked.expires_at, parent)),
        };
        errors.none().map(|()| limited)
    }

    /// Limits what becomes of a key that is there. What only narrows it is free. All else must be
    /// within what the caller could ask for itself; a session, which is the account, may keep
    /// the metadata that an admin wrote.
    pub(crate) fn change(
        &self,
        is: &Attributes,
        becomes: Attributes,
        enables: bool,
    ) -> Result<Attributes, Errors> {
        match !enables && narrows(is, &becomes) {
            true => Ok(becomes),
            false => self.pass_on(is, becomes),
        }
    }

    /// Limits a key that takes the place of one that is there, or what becomes of that.
    pub(crate) fn pass_on(
        &self,
        is: &Attributes,
        mut becomes: Attributes,
    ) -> Result<Attributes, Errors> {
        let keeps = self.parent.is_none() && becomes.metadata.says(&is.metadata);
        let kept = keeps.then(|| std::mem::take(&mut becomes.metadata));
        let limited = self.limit(becomes)?;
        Ok(Attributes {
            metadata: kept.unwrap_or(limited.metadata),
            ..limited
        })
    }

    /// When a key ends that replaces another and would end then: no later than the key that asks.
    pub(crate) fn end_of_successor(&self, then: Option<UnixMillis>) -> Option<UnixMillis> {
        let own = self.parent.as_ref().and_then(|it| it.attributes.expires_at);
        [own, then].into_iter().flatten().min()
    }

    /// Whether an admin asks.
    pub(crate) fn is_admin(&self) -> bool {
        matches!(self.reach, Reach::All)
    }

    /// In what role it disables a key.
    pub(crate) fn disabler(&self) -> Disabler {
        match self.is_admin() {
            true => Disabler::Admin,
            false => Disabler::Account,
        }
    }
}

/// Whether a change leaves a key with nothing that it had not before.
pub(crate) fn narrows(is: &Attributes, becomes: &Attributes) -> bool {
    let Attributes {
        account,
        space,
        name: _,
        labels: _,
        scopes: wanted,
        metadata,
        allowed_ips,
        allowed_referrers,
        rate_limit: wanted_rate,
        expires_at,
    } = becomes.clone();
    account == is.account
        && space == is.space
        && metadata.says(&is.metadata)
        && scopes(wanted, &is.scopes, Some(is)).is_ok()
        && referrers(allowed_referrers, Some(is)).is_ok()
        && ips(allowed_ips, Some(is)).is_ok()
        && wanted_rate.is_some() >= is.rate_limit.is_some()
        && rate_limit(wanted_rate, Some(is)).is_ok()
        && end(expires_at, Some(is)).is_ok()
}

fn scopes(
    asked: Vec<String>,
    of_caller: &[String],
    parent: Option<&Attributes>,
) -> Result<Vec<String>, Errors> {
    let of_parent = parent.map(|it| &it.scopes[..]);
    let mut errors = Errors::default();
    for (at, scope) in asked.iter().enumerate() {
        let is_missing = |scopes: &[String]| !scopes.contains(scope);
        if is_missing(of_caller) || of_parent.is_some_and(is_missing) {
            let detail = "is not a scope of the calling session or key";
            errors.push(beyond(Pointer::from("scopes").item(at), detail));
        }
    }
    errors.none().map(|()| asked)
}

/// What the upstream reads as the operator's word about the holder, such as a plan: an account
/// writes none, and a key passes on its `own` where that is permitted.
fn inherited<T: Clone + Default>(
    field: &str,
    own: Option<&T>,
    permits: impl FnOnce(&T) -> bool,
) -> Result<T, Wrong> {
    let own = own.cloned().unwrap_or_default();
    if permits(&own) {
        return Ok(own);
    }
    let detail = "can be set only by an admin: omit it to inherit it from the calling key";
    Err(beyond(field, detail))
}

fn referrers(asked: Vec<String>, parent: Option<&Attributes>) -> Result<Vec<String>, Wrong> {
    let pages = parent.map_or(&[][..], |it| &it.allowed_referrers);
    let is_inside = |page| pages.contains(page);
    if !pages.is_empty() && (asked.is_empty() || !asked.iter().all(is_inside)) {
        let detail = "must be among those of the calling key";
        return Err(beyond("allowed_referrers", detail));
    }
    Ok(asked)
}

fn ips(asked: Vec<IpNet>, parent: Option<&Attributes>) -> Result<Vec<IpNet>, Wrong> {
    let ranges = parent.map_or(&[][..], |it| &it.allowed_ips);
    let is_inside = |net| ranges.iter().any(|range| range.contains(net));
    if !ranges.is_empty() && (asked.is_empty() || !asked.iter().all(is_inside)) {
        let detail = "must be within those of the calling key";
        return Err(beyond("allowed_ips", detail));
    }
    Ok(asked)
}

/// A key passes on its own limit.
fn rate_limit(
    asked: Option<RateLimit>,
    parent: Option<&Attributes>,
) -> Result<Option<RateLimit>, Wrong> {
    let own = parent.and_then(|it| it.rate_limit);
    match (asked.or(own), own) {
        (Some(limit), Some(own)) if !limit.is_within(own) => {
            let detail = format!("must be within that of the calling key: {own}");
            Err(beyond("rate_limit", detail))
        }
        (limit, _) => Ok(limit),
    }
}

fn end(
    asked: Option<UnixMillis>,
    parent: Option<&Attributes>,
) -> Result<Option<UnixMillis>, Wrong> {
    match parent.and_then(|it| it.expires_at) {
        Some(end) if asked.is_none_or(|at| at > end) => {
            let detail = format!("must not be later than that of the calling key: {end}");
            Err(beyond("expires_at", detail))
        }
        _ => Ok(asked),
    }
}
