//! What the filter tells of itself: to a log when it fails, and to other plugins.

use std::panic::panic_any;

use serde_json::json;

use crate::{
    ENV, answer_lookup, answer_poll, key, lookup_answer, only_call, send, start, start_polled,
};

#[test]
fn a_panic_is_logged_with_its_place_and_never_with_its_payload() {
    let worker = start();
    let secret = key(1).text.to_string();
    let text = secret.clone();
    worker.panic(move || panic!("header {text}"));
    worker.panic(|| panic!("kg_01 as it stands in the source"));
    let bytes = secret.clone().into_bytes();
    worker.panic(move || panic_any(bytes));
    let log = worker.log();
    assert_eq!(
        log.matches("keygate: internal error at ").count(),
        3,
        "{log}"
    );
    assert_eq!(log.matches("leaks.rs:").count(), 3, "{log}");
    assert!(!log.contains("kg_01"), "{log}");
    assert!(!log.contains(&format!("{:?}", secret.as_bytes())), "{log}");
}

#[test]
fn shared_data_contains_no_secret_and_only_changed_key_hashes() {
    let worker = start_polled();
    let (known, changed) = (key(1), key(2));
    send(&worker, "/api/x", Some(&known));
    worker.turn();
    answer_lookup(&worker, &lookup_answer(10, &[&known]));
    worker.tick(1000);
    only_call(&worker, "/v1/changes");
    let news = json!({ "epoch": 11, "reset": false, "more": false, "changed": [changed.hash] });
    answer_poll(&worker, &news);
    let shared = worker.shared();
    assert!(!shared.is_empty());
    let bytes: Vec<u8> = shared
        .iter()
        .flat_map(|(name, value)| [&name[..], value].concat())
        .collect();
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|it| it == part);
    assert!(holds(&changed.hash.0), "the feed is what is shared");
    assert!(!holds(&known.hash.0));
    let master = std::env::var(ENV).unwrap();
    for key in [&known, &changed] {
        assert!(!holds(&key.text.as_bytes()[16..]));
    }
    assert!(!holds(master.as_bytes()));
    for (name, _) in shared {
        assert!(name.starts_with(b"keygate.3."), "{}", name.escape_ascii());
    }
}
