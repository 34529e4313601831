//! What a token entitles to, and what a route does.

use crate::words::words;

/// The scope with which an app key may list and show the keys of its account.
pub const READ_KEYS: &str = "keys:read";

/// The scope with which an app key may create and revoke keys of its account.
pub const WRITE_KEYS: &str = "keys:write";

words! {
    /// What a token entitles to.
    Role {
        /// Manages keys and tokens, and reads the audit log and the list of edges.
        Owner = "owner",
        /// Manages keys, and reads the list of edges.
        Operator = "operator",
        /// Creates and reads keys.
        Creator = "creator",
        /// Reads keys, tokens, the audit log and the list of edges.
        Auditor = "auditor",
        /// Envoy's calls: looks up keys and links, follows the change feed, and reports uses.
        Edge = "edge",
    }
}

/// What a route does. Each has one, so that none is open by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Shows keys.
    ReadKeys,
    /// Ranks all keys. Not for accounts: it reads the uses of every key.
    RankKeys,
    /// Creates keys.
    CreateKeys,
    /// Changes, replaces and revokes keys.
    ChangeKeys,
    /// Revokes all keys that fit.
    FindAndRevokeKeys,
    /// Imports keys.
    ImportKeys,
    /// Shows tokens.
    ReadTokens,
    /// Creates and revokes tokens.
    ChangeTokens,
    /// Shows the audit log.
    ReadAudit,
    /// Shows the edges.
    ReadEdges,
    /// Answers an edge.
    Follow,
    /// Needs no token: the body has the credential, or there is nothing to protect.
    Open,
}

impl Role {
    /// Whether a token of this role entitles to it.
    pub fn may(self, action: Action) -> bool {
        use Action::*;
        match self {
            Self::Owner => action != Follow,
            Self::Operator => {
                matches!(
                    action,
                    ReadKeys
                        | RankKeys
                        | CreateKeys
                        | ChangeKeys
                        | FindAndRevokeKeys
                        | ImportKeys
                        | ReadEdges
                )
            }
            Self::Creator => matches!(action, ReadKeys | CreateKeys),
            Self::Auditor => {
                matches!(
                    action,
                    ReadKeys | RankKeys | ReadTokens | ReadAudit | ReadEdges
                )
            }
            Self::Edge => action == Follow,
        }
    }
}

impl Action {
    /// Whether a key with these scopes may do it.
    pub(crate) fn is_in(self, scopes: &[String]) -> bool {
        let mut needed = self.scopes().into_iter().flatten();
        self.scopes().is_some() && needed.all(|scope| scopes.iter().any(|it| it == scope))
    }

    /// Whether the service looks for an assertion. None makes an edge.
    pub(crate) fn takes_assertions(self) -> bool {
        !matches!(self, Self::Follow | Self::Open)
    }

    /// The scopes that an app key needs for it; `None` if no account may do it.
    pub(crate) fn scopes(self) -> Option<&'static [&'static str]> {
        match self {
            Self::ReadKeys => Some(&[READ_KEYS]),
            Self::CreateKeys | Self::ChangeKeys => Some(&[WRITE_KEYS]),
            Self::FindAndRevokeKeys => Some(&[READ_KEYS, WRITE_KEYS]),
            Self::RankKeys
            | Self::ImportKeys
            | Self::ReadTokens
            | Self::ChangeTokens
            | Self::ReadAudit
            | Self::ReadEdges
            | Self::Follow
            | Self::Open => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meaning_of_a_role_names_what_it_may_see() {
        for (word, meaning) in Role::MEANINGS {
            let role = Role::parse(word).unwrap();
            for (named, action) in [
                (" tokens", Action::ReadTokens),
                (" audit log", Action::ReadAudit),
                (" edges", Action::ReadEdges),
                (" change feed", Action::Follow),
            ] {
                let is_named = meaning.contains(named);
                assert_eq!(is_named, role.may(action), "{word}: {meaning} ({action:?})");
            }
        }
    }
}
