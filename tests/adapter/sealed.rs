//! What the filter leaves in its memory of data that it has opened.

use keygate_core::keys::{NewAppKey, SealKey, Sealed, SealedHeaders};
use serde_json::{Value, json};

use crate::heap::{Found, found, watch};
use crate::{answer_lookup, header, key, lookup_answer, policy, polled, send, status};

/// A part of the value of the header: the escape in front of it takes the longer way through JSON.
const SECRET: &[u8] = b"sk-live-4eC39HqLyjWDarjtT1zdp7dc";

fn sealing() -> Value {
    let mut policy = policy();
    policy["rules"][1]["sealed"] = json!({ "headers": ["authorization"] });
    policy
}

/// The answer to a lookup of a key with sealed data.
fn record(key: &NewAppKey, value: &[u8]) -> Value {
    let mut headers = SealedHeaders::none();
    let value = value.to_vec().into();
    headers.add("authorization".to_owned(), value).unwrap();
    let sealed = Sealed::seal(&headers, &SealKey::of_new(key), &mut |bytes| bytes.fill(7));
    let mut answer = lookup_answer(10, &[key]);
    answer["records"][0]["sealed"] = json!(sealed.unwrap().to_string());
    answer
}

#[test]
fn the_filter_keeps_and_frees_no_block_with_an_opened_secret() {
    let worker = polled(&sealing());
    let key = key(1);
    let value = [b"Bearer \"", SECRET].concat();
    let value = std::str::from_utf8(&value).unwrap();
    let answer = record(&key, value.as_bytes());
    // Once after a lookup, then from the cache.
    let contexts = watch(SECRET, || {
        let (waiting, passes) = send(&worker, "/api/x", Some(&key));
        assert!(!passes);
        worker.turn();
        answer_lookup(&worker, &answer);
        let (cached, passes) = send(&worker, "/api/x", Some(&key));
        assert!(passes);
        for context in [waiting, cached] {
            assert!(worker.body(context) && worker.trailers(context));
            assert!(worker.response(context));
        }
        [waiting, cached]
    });
    for context in contexts {
        assert_eq!(status(&worker, context), None);
        let sent = header(&worker.exchange(context), "authorization");
        assert_eq!(sent.as_deref(), Some(value), "the upstream gets it");
    }
    assert_eq!(found(), Found { freed: 0, kept: 0 });
    watch(SECRET, || {
        for context in contexts {
            worker.disconnect(context);
        }
        worker.tick(1000);
        worker.retire();
    });
    assert_eq!(found(), Found { freed: 0, kept: 0 });
}

#[test]
fn data_that_is_not_added_to_a_request_leaves_no_secret_either() {
    let mut policy = sealing();
    policy["rules"][1]["sealed"] = json!({ "headers": ["x-other"] });
    let worker = polled(&policy);
    let key = key(2);
    let answer = record(&key, SECRET);
    let context = watch(SECRET, || {
        let (context, _) = send(&worker, "/api/x", Some(&key));
        worker.turn();
        answer_lookup(&worker, &answer);
        context
    });
    assert_eq!(status(&worker, context), Some(503));
    assert_eq!(found(), Found { freed: 0, kept: 0 });
}
