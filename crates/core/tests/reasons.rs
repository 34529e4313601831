//! `docs/reasons.md` says what the table of reasons says.

use std::fmt::Write as _;
use std::fs;

use keygate_core::Reason;
use keygate_core::answer::{Refusal, Scheme};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reasons.md");

const HEAD: &str = "\
# Reasons

Every refusal has a precise reason. You find it in `%RESPONSE_CODE_DETAILS%` of Envoy's access
log, in the counters `keygate_decision.deny.*` and `keygate_decision.would_deny.*`, and in the
output of `keygate explain` and `keygate verify`. The client reads less: the public reason in
the second column, so that unknown, forged, revoked and disabled credentials look the same.

`make test` keeps this page: it is written from the table in `crates/core/src/reason.rs`.

| reason | the client sees | cause | what to do |
| --- | --- | --- | --- |
";

/// The status of a rejection; where keys and links differ, both.
fn statuses(reason: Reason) -> String {
    let [key, link] =
        [Scheme::AppKey, Scheme::SignedUrl].map(|scheme| Refusal { reason, scheme }.status());
    match key == link {
        true => key.to_string(),
        false => format!("{key} (API key) or {link} (signed URL)"),
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
