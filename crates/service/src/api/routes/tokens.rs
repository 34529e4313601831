//! The routes of tokens, and of the audit log.

use axum::http::StatusCode;

use super::Routes;
use crate::api::{audit, tokens};
use crate::code::Code::{Clock, NoRandomness, NoSuchToken, TooManyTokens, WrongSpace};
use crate::openapi::{Group, Operation};
use crate::roles::Action;
use crate::shapes::{Cursor, PageOf};
use crate::tokens::TokenObject;

fn operation(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(Group::Tokens, id, summary).stored()
}

pub(super) fn add(it: &mut Routes) {
    it.post(
        "/v1/tokens",
        Action::ChangeTokens,
        tokens::create,
        operation("create_token", "Create a token")
            .body::<tokens::CreateBody>()
            .answer::<tokens::Created<'_>>(StatusCode::CREATED, "The token, in `token`, this once.")
            .leads_to(&["revoke_token"])
            .codes(&[WrongSpace, TooManyTokens, Clock, NoRandomness]),
    );
    it.get(
        "/v1/tokens",
        Action::ReadTokens,
        tokens::list,
        operation("list_tokens", "List tokens, newest first")
            .query::<PageOf<100>>("limit", "Most tokens on the page, 100 by default.")
            .query::<Cursor>("cursor", "The `next_cursor` of the page before.")
            .answer::<tokens::Listed>(StatusCode::OK, "A page."),
    );
    it.post(
        "/v1/tokens/{id}/revoke",
        Action::ChangeTokens,
        tokens::revoke,
        operation("revoke_token", "Revoke a token")
            .answer::<TokenObject>(StatusCode::OK, "The token as it is now.")
            .codes(&[NoSuchToken]),
    );
    it.get(
        "/v1/audit",
        Action::ReadAudit,
        audit::audit,
        operation("read_audit_log", "Read the audit log, oldest entries first")
            .query::<u64>("after", "Only entries with a `seq` beyond this.")
            .query::<PageOf<1000>>("limit", "Most entries on the page, 100 by default.")
            .query::<String>(
                "target",
                "Only entries about the key or token with this id.",
            )
            .query::<String>("actor", "Only entries of this caller.")
            .query::<String>("action", "Only entries about this, such as `key.create`.")
            .answer::<audit::Entries>(StatusCode::OK, "A page."),
    );
}
