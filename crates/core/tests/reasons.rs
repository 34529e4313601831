//! `docs/reasons.md` says what the table of reasons says.

use std::fmt::Write as _;
use std::fs;

use keygate_core::Reason;
use keygate_core::answer::{Rejection, Scheme};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reasons.md");

const HEAD: &str = "\
# Reasons

Every rejection has a precise reason. You find it in `%RESPONSE_CODE_DETAILS%` of Envoy's access
log, in the label `reason` of the counter `keygate_decision`, and in the output of `keygate explain`
and `keygate verify`. The client sees only the public reason, in the second column, so that unknown,
forged, revoked and disabled credentials look the same.

This page is generated from `crates/core/src/reason.rs`; `make test` fails if it is out of date.

| reason | the client sees | cause | what to do |
| --- | --- | --- | --- |
";

/// Reasons that only an API key can have.
const OF_KEYS: [Reason; 5] = [
    Reason::ForgedKey,
    Reason::UnknownKey,
    Reason::RevokedKey,
    Reason::DisabledKey,
    Reason::WrongAccount,
];

/// Reasons that only a signed URL can have.
const OF_LINKS: [Reason; 4] = [
    Reason::WrongSignature,
    Reason::NotYetValid,
    Reason::LifetimeTooLong,
    Reason::LinkUsed,
];

/// The status of a rejection; where keys and links differ, both.
fn statuses(reason: Reason) -> String {
    let [key, link] =
        [Scheme::AppKey, Scheme::SignedUrl].map(|scheme| Rejection { reason, scheme }.status());
    if reason == Reason::ChallengeRequired {
        format!("{key}; for a browser, 302 if the challenge is a login")
    } else if key == link || OF_KEYS.contains(&reason) {
        key.to_string()
    } else if OF_LINKS.contains(&reason) {
        link.to_string()
    } else {
        format!("{key} (API key) or {link} (signed URL)")
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for &reason in Reason::ALL {
        let cell = |text: &str| text.replace('|', "\\|");
        let _ = writeln!(
            page,
            "| `{}` | `{}`, {} | {} | {} |",
            reason.code(),
            reason.public().code(),
            statuses(reason),
            cell(reason.cause()),
            cell(reason.remedy())
        );
    }
    page
}

#[test]
fn the_page_of_reasons_is_current() {
    if std::env::var_os("KEYGATE_RENEW").is_some() {
        fs::write(PAGE, page()).unwrap();
    }
    let committed = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        committed == page(),
        "docs/reasons.md is not current. Renew it: \
         KEYGATE_RENEW=1 cargo test -p keygate-core --test core reasons::"
    );
}
