//! The routes of keys.

use axum::http::StatusCode;

use super::Routes;
use crate::api::filter::FilterBody;
use crate::api::keys::{Created, Listed, Replayed};
use crate::api::life::{RevokeBody, RevokedKey, RotateBody};
use crate::api::revocations::{Heard, ManyBody, RevokedKeys, SelfBody};
use crate::api::sealed::SealedBody;
use crate::api::{batch, import, keys, leaks, life, ranking, revocations, sealed, uses};
use crate::attributes::CreateBody;
use crate::code::Code::{self, *};
use crate::key::KeyObject;
use crate::leaks::{Report, Verdict};
use crate::openapi::{Group, Operation};
use crate::patch::PatchBody;
use crate::roles::Action;
use crate::shapes::{Cursor, IdempotencyKey, IfMatch, PageOf};

/// Of a request that makes a key.
const MAKES_KEYS: [Code; 8] = [
    HookRefused,
    HookFailed,
    BeyondOwnRights,
    BeyondLimits,
    TooManyKeys,
    TooManyCreations,
    Clock,
    NoRandomness,
];

/// Of a request that changes a key.
const CHANGES_A_KEY: [Code; 6] = [
    NoSuchKey,
    Stale,
    KeyRevoked,
    KeyReplaced,
    HookRefused,
    HookFailed,
];

const SEALED: &str = "/v1/keys/{id}/sealed";

const IF_MATCH: &str = "Changes the key only if it still has this `etag`.";

/// What a client does with a key next.
const NEXT: &[&str] = &["show_key", "change_key", "rotate_key", "revoke_key"];

fn operation(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(Group::Keys, id, summary).stored()
}

pub(super) fn add(it: &mut Routes) {
    it.post(
        "/v1/keys",
        Action::CreateKeys,
        keys::create,
        operation("create_key", "Create a key")
            .header::<IdempotencyKey>(
                "idempotency-key",
                "The same value within 24 hours creates nothing again, and repeats the answer.",
            )
            .body::<CreateBody>()
            .answer::<Created<'_>>(StatusCode::CREATED, "The key, in `key`, this once.")
            .answer::<Replayed<'_>>(StatusCode::OK, "An earlier request has created it.")
            .etag()
            .leads_to(NEXT)
            .codes(&MAKES_KEYS)
            .codes(&[WrongAccount, WrongSpace, IdempotencyMismatch]),
    );
    it.get(
        "/v1/keys",
        Action::ReadKeys,
        keys::list,
        operation("list_keys", "List keys, newest first")
            .query_of::<FilterBody>()
            .query::<PageOf<100>>("limit", "Most keys on the page, 50 by default.")
            .query::<Cursor>("cursor", "The `next_cursor` of the page before.")
            .answer::<Listed>(StatusCode::OK, "A page.")
            .codes(&[WrongAccount, WrongSpace]),
    );
    it.post(
        "/v1/keys/batch",
        Action::CreateKeys,
        batch::create,
        operation("create_keys", "Create several keys, all or none")
            .body::<batch::BatchBody>()
            .answer::<batch::Batch<'_>>(StatusCode::CREATED, "The keys, in the same order.")
            .codes(&MAKES_KEYS)
            .codes(&[WrongAccount, WrongSpace]),
    );
    it.post(
        "/v1/keys/import",
        Action::ImportKeys,
        import::import,
        operation("import_keys", "Import keys that were made elsewhere")
            .body::<import::Request>()
            .answer::<import::Results>(StatusCode::OK, "One result for each key, in order.")
            .codes(&[Clock, NoRandomness]),
    );
    it.post(
        "/v1/keys/revoke",
        Action::FindAndRevokeKeys,
        revocations::many,
        operation("revoke_keys", "Revoke all keys that match a filter")
            .body::<ManyBody>()
            .answer::<RevokedKeys>(StatusCode::OK, "How many were revoked.")
            .codes(&[WrongAccount, WrongSpace, UnexpectedCount, Stale, NoSuchKey]),
    );
    it.get(
        "/v1/keys/{id}",
        Action::ReadKeys,
        keys::show,
        operation("show_key", "Show a key")
            .answer::<KeyObject>(StatusCode::OK, "The key.")
            .etag()
            .leads_to(NEXT)
            .codes(&[NoSuchKey]),
    );
    it.get(
        "/v1/keys/{id}/usage",
        Action::ReadKeys,
        uses::usage,
        operation("show_usage", "Show how often a key was used")
            .answer::<uses::Usage>(StatusCode::OK, "The last 90 days.")
            .codes(&[NoSuchKey]),
    );
    it.get(
        "/v1/usage",
        Action::RankKeys,
        ranking::show,
        operation(
            "list_most_used",
            "List the keys and accounts with the most requests",
        )
        .query::<PageOf<90>>(
            "days",
            "How many days to add up, today included; 1 by default.",
        )
        .query::<PageOf<100>>("limit", "Most keys, and most accounts; 10 by default.")
        .answer::<ranking::MostUsed>(StatusCode::OK, "Most requests first."),
    );
    it.patch(
        "/v1/keys/{id}",
        Action::ChangeKeys,
        life::patch,
        operation("change_key", "Change a key")
            .header::<IfMatch>("if-match", IF_MATCH)
            .body::<PatchBody>()
            .answer::<KeyObject>(StatusCode::OK, "The key as it is now.")
            .etag()
            .codes(&CHANGES_A_KEY)
            .codes(&[BeyondOwnRights, BeyondLimits, TooManyKeys, DisabledByAdmin]),
    );
    it.get(
        SEALED,
        Action::ChangeKeys,
        sealed::read,
        operation(
            "show_sealed",
            "Read what is sealed with a key, as it is stored",
        )
        .answer::<SealedBody>(StatusCode::OK, "The data, which only the key opens.")
        .codes(&[NoSuchKey, NotSealed]),
    );
    it.put(
        SEALED,
        Action::ChangeKeys,
        sealed::set,
        operation("seal_key", "Set what is sealed with a key")
            .header::<IfMatch>("if-match", IF_MATCH)
            .body::<SealedBody>()
            .answer::<KeyObject>(StatusCode::OK, "The key as it is now.")
            .etag()
            .codes(&CHANGES_A_KEY)
            .codes(&[KeyImported]),
    );
    it.delete(
        SEALED,
        Action::ChangeKeys,
        sealed::remove,
        operation("unseal_key", "Remove what is sealed with a key")
            .header::<IfMatch>("if-match", IF_MATCH)
            .answer::<KeyObject>(StatusCode::OK, "The key as it is now.")
            .etag()
            .codes(&[NoSuchKey, Stale, KeyRevoked]),
    );
    it.post(
        "/v1/keys/{id}/rotate",
        Action::ChangeKeys,
        life::rotate,
        operation("rotate_key", "Replace a key")
            .header::<IfMatch>("if-match", IF_MATCH)
            .body::<RotateBody>()
            .answer::<Created<'_>>(StatusCode::CREATED, "The new key, in `key`, this once.")
            .etag()
            .leads_to(NEXT)
            .codes(&CHANGES_A_KEY)
            .codes(&MAKES_KEYS)
            .codes(&[KeyInactive, Code::Sealed]),
    );
    it.post(
        "/v1/keys/{id}/revoke",
        Action::ChangeKeys,
        life::revoke,
        operation("revoke_key", "Revoke a key")
            .body::<RevokeBody>()
            .answer::<RevokedKey>(StatusCode::OK, "The key as it is now.")
            .codes(&[NoSuchKey]),
    );
    it.post(
        "/v1/keys/revoke-self",
        Action::Open,
        revocations::own,
        operation("revoke_self", "Revoke the key in the body")
            .body::<SelfBody>()
            .answer::<Heard>(StatusCode::OK, "The same, whether the key exists or not."),
    );
    it.post(
        "/v1/leaks",
        Action::Open,
        leaks::report,
        operation(
            "report_leaks",
            "Report leaked keys, with the signature of a scanner",
        )
        .header::<String>(
            "github-public-key-identifier",
            "Names the public key of the scanner. Required.",
        )
        .header::<String>(
            "github-public-key-signature",
            "The signature of the body: ECDSA with P-256 and SHA-256, DER in base64. Required.",
        )
        .body::<Vec<Report>>()
        .answer::<Vec<Verdict>>(StatusCode::OK, "A verdict for each reported text.")
        .codes(&[InvalidSignature, ReportKeysUnavailable, NoSuchPath]),
    );
}
