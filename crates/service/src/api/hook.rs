//! What is asked of the hook before a key is created, changed or replaced. It is asked before the
//! writer's queue, so that a slow hook delays no other change; the writer checks everything again.

use keygate_core::UnixMillis;
use keygate_core::text::hex;

use super::Service;
use crate::attributes::{Asked, Attributes};
use crate::hook::{HookEvent, NotAllowed, Question};
use crate::key::{IfMatch, Key, KeyObject, Standing};
use crate::metrics::HookResult;
use crate::patch::Patch;
use crate::problem::Problem;
use crate::request_id;
use crate::rights::Caller;
use crate::roles::Action;
use crate::store::Rejection;

impl Service {
    /// A new key as the hook allows it.
    pub(super) async fn approved(
        &self,
        caller: &Caller,
        asked: Asked,
        now: UnixMillis,
    ) -> Result<Asked, Problem> {
        if self.hook.is_none() {
            return Ok(asked);
        }
        let draft = asked.attributes;
        // The hook sees nothing that is rejected anyway.
        let rights = self.rights(caller, Action::CreateKeys, now).await?;
        rights.limit(draft.clone()).map_err(Rejection::Beyond)?;
        let patch = self.ask(HookEvent::Creating, caller, None, &draft, now);
        Ok(Asked {
            attributes: patch.await?.of(&draft),
            ..asked
        })
    }

    /// A change as the hook allows it, of the state of the key that the hook has seen. One that only
    /// disables a key is not asked about.
    pub(super) async fn approved_change(
        &self,
        id: &str,
        if_match: IfMatch,
        patch: Patch,
        caller: &Caller,
        now: UnixMillis,
    ) -> Result<(IfMatch, Patch), Problem> {
        if self.hook.is_none() {
            return Ok((if_match, patch));
        }
        let key = self.changeable(id, &if_match, caller, now).await?;
        let draft = patch.of(&key.attributes);
        if patch.disabled == Some(true) && draft.differences(&key.attributes).is_empty() {
            return Ok((if_match, patch));
        }
        let seen = IfMatch::Versions(vec![key.version]);
        let asked = self.ask(HookEvent::Changing, caller, Some(key), &draft, now);
        let allowed = asked.await?;
        Ok((seen, patch.then(allowed)))
    }

    /// The end of a key that takes the place of another, as the hook allows it: the outer `None` for
    /// as long a life as the other was given.
    pub(super) async fn approved_successor(
        &self,
        id: &str,
        if_match: IfMatch,
        expires_at: Option<Option<UnixMillis>>,
        caller: &Caller,
        now: UnixMillis,
    ) -> Result<(IfMatch, Option<Option<UnixMillis>>), Problem> {
        if self.hook.is_none() {
            return Ok((if_match, expires_at));
        }
        let key = self.changeable(id, &if_match, caller, now).await?;
        if key.standing(now) != Standing::Active {
            return Err(Rejection::Inactive.into());
        }
        let draft = Attributes {
            expires_at: expires_at.unwrap_or_else(|| key.end_of_successor(now)),
            ..key.attributes.clone()
        };
        let seen = IfMatch::Versions(vec![key.version]);
        let asked = self.ask(HookEvent::Changing, caller, Some(key), &draft, now);
        let allowed = asked.await?;
        let becomes = allowed.of(&draft);
        let only_end = |name: &&str| *name != "expires_at";
        let others = becomes.differences(&draft).into_iter().find(only_end);
        if others.is_some() {
            let why = "of a key that replaces another, it may set expires_at alone";
            return Err(self.hook_failed(why, now));
        }
        Ok((seen, allowed.expires_at.or(expires_at)))
    }

    /// A key that can be changed, and is what the caller takes it for.
    async fn changeable(
        &self,
        id: &str,
        if_match: &IfMatch,
        caller: &Caller,
        now: UnixMillis,
    ) -> Result<Key, Problem> {
        let id = id.to_owned();
        let key = self.own_key(caller, Action::ChangeKeys, id, now).await?;
        if !if_match.fits(key.version) {
            return Err(Rejection::Stale(key.version).into());
        }
        match key.revoked {
            Some(_) => Err(Rejection::Revoked.into()),
            None => Ok(key),
        }
    }

    async fn ask(
        &self,
        event: HookEvent,
        caller: &Caller,
        key: Option<Key>,
        draft: &Attributes,
        now: UnixMillis,
    ) -> Result<Patch, Problem> {
        let Some(hook) = &self.hook else {
            return Ok(Patch::default());
        };
        let id = self.draw(|fill| {
            let mut bytes = [0; 16];
            fill(&mut bytes);
            format!("hook_{}", hex::encode(&bytes))
        })?;
        let question = Question {
            event,
            actor: caller.name(),
            request_id: request_id::current(),
            key: key.map(|key| KeyObject::new(key, now)),
            draft,
        };
        match hook.ask(&question, &id, now).await {
            Ok(patch) => {
                self.metrics.hook(HookResult::Allowed);
                Ok(patch)
            }
            Err(NotAllowed::Refused(detail)) => {
                self.metrics.hook(HookResult::Refused);
                Err(Problem::HookRefused(match detail.is_empty() {
                    true => "the operator's hook refused this".to_owned(),
                    false => detail,
                }))
            }
            Err(NotAllowed::Failed(why)) => Err(self.hook_failed(&why, now)),
        }
    }

    fn hook_failed(&self, why: &str, now: UnixMillis) -> Problem {
        self.metrics.hook(HookResult::Failed);
        self.rejections.note_hook(&why, now);
        Problem::HookFailed
    }
}
