//! A command done in a transaction: the [`writer`](super::writer) applies several in one, and
//! each again alone if one of them fails.

use keygate_core::keys::KeyHash;

use super::change::{Act, Stop};
use super::command::{Command, Outcome};
use super::memo::Memo;
use super::rejection::Rejection;
use super::sql::{self, Sql};
use super::writer::Job;
use super::{feed, keys, links, tokens, uses};

impl Job {
    /// Does it in this transaction. What entitles the caller is read here as well: a command
    /// waits for those before it, and one of them may revoke the token that asks, or revoke or
    /// narrow the key.
    ///
    /// # Errors
    /// A statement failed, and may have done a part.
    pub(super) fn apply(&self, transaction: &Sql<'_>, memo: &Memo) -> sql::Result<Outcome> {
        let Self {
            command,
            caller,
            limiter,
            outbox,
            request_id,
            ..
        } = self;
        let now = self.now;
        let kind = command.kind();
        if kind.makes_keys && !feed::is_credible(now, memo.newest_change(transaction)?) {
            return Ok(Outcome::Rejected(Rejection::Clock));
        }
        if let Some(id) = caller.token_id() {
            let role = tokens::role_of(transaction, id, now)?;
            if !role.is_some_and(|role| role.may(kind.action)) {
                return Ok(Outcome::Rejected(Rejection::InactiveToken));
            }
        }
        let asks = match caller.key_id() {
            Some(id) => keys::by_id(transaction, id)?,
            None => None,
        };
        let Some(rights) = caller.rights(asks, kind.action, now) else {
            return Ok(Outcome::Rejected(Rejection::InactiveCaller));
        };
        let act = Act {
            transaction,
            memo,
            rights,
            limiter,
            outbox,
            now,
            actor: caller.name(),
            request_id: request_id.as_deref(),
        };
        let outcome = match command {
            Command::Create { new, is_batch } => act.create(new, *is_batch),
            Command::CreateOnce { new, once } => act.create_once(new, *once),
            Command::Import { keys } => act.import(keys),
            Command::Patch {
                id,
                if_match,
                patch,
            } => act.patch(id, if_match, patch),
            Command::Seal {
                id,
                if_match,
                sealed,
            } => act.seal(id, if_match, sealed.as_ref()),
            Command::Rotate {
                id,
                if_match,
                new,
                grace,
            } => act.rotate(id, if_match, new, *grace),
            Command::Revoke { id, revoke } => act.revoke(id, revoke),
            Command::RevokeHash { candidates, revoke } => act.revoke_hash(candidates, revoke),
            Command::RevokeLeaked { id, revoke, leak } => act.revoke_leaked(id, revoke, leak),
            Command::RevokeMany { keys, revoke } => act.revoke_many(keys, revoke),
            Command::CreateToken { new } => tokens::create(&act, new),
            Command::RevokeToken { id } => tokens::revoke(&act, id),
            Command::UseLink { id, expires_at } => {
                let is_first = links::use_up(transaction, id, *expires_at, now)?;
                Ok(Outcome::Used(is_first))
            }
            Command::NoteRejections { of, count } => {
                let detail = format!("{count} since the last entry");
                act.note(&format!("{of}.rejected"), &detail)
            }
            Command::Attempted(attempt) => act.attempted(attempt),
            Command::KeepDeliveries(targets) => act.keep_deliveries(targets),
            Command::Announce => act.announce(),
            Command::AnnounceUnused { after } => act.announce_unused(*after),
            Command::DeleteEnded { kept } => act.delete_ended(*kept),
            Command::AddUses { sums } => {
                uses::add(transaction, sums, now)?;
                Ok(Outcome::Done)
            }
            Command::Beat => {
                feed::beat(transaction, now)?;
                Ok(Outcome::Done)
            }
        };
        match outcome {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Rejected(rejection)) => Ok(Outcome::Rejected(rejection)),
            Err(Stop::Sql(error)) => Err(error),
        }
    }
}

impl Act<'_> {
    /// Says in the feed that a key of this space changed.
    pub(super) fn tell(&self, hash: KeyHash, space: &str) -> sql::Result<()> {
        feed::append(self.transaction, self.memo, hash, space, self.now)
    }
}
