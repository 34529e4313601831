//! Links that work once, over workers, proxies and outages of the key service.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _};
use keygate_core::secret::RingEntry;
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
use keygate_tests::service::MEDIA;
use keygate_tests::{Stack, StackBuilder, client, wait};
use serde_json::json;

use crate::support::{assert_never_trapped, counted};

fn builder() -> StackBuilder {
    Stack::builder().edit_policy(|policy| {
        policy["providers"]["media-link"] = json!({ "type": "signed_url", "format": "keygate",
            "secrets": "media", "max_lifetime": "1h" });
    })
}

/// A link for a path, good for ten minutes and once.
fn link(path: &str, id: u32) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let id = format!("once-{id:020}");
    let terms = Terms {
        expires_secs: now.as_secs() + 600,
        any_host: true,
        once: Some(&id),
        ..Terms::default()
    };
    let place = Place {
        host: "",
        path,
        query: None,
    };
    let entry = RingEntry {
        id: "demo".to_owned(),
        key: Hmac::new_from_slice(MEDIA.as_bytes()).unwrap(),
        not_before: None,
        not_after: None,
    };
    let token = hs256(&terms, &place, &entry).unwrap();
    format!("{path}?kg={token}")
}

#[test]
fn of_all_who_use_a_link_at_once_one_gets_it() {
    let stack = builder().concurrency(2).start();
    let target = link("/media/a.mp4", 1);
    let mut statuses: Vec<u16> = thread::scope(|scope| {
        let tries: Vec<_> = (0..24)
            .map(|_| scope.spawn(|| stack.get(&target).send().status))
            .collect();
        tries.into_iter().map(|it| it.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    let mut expected = vec![403; 24];
    expected[0] = 200;
    assert_eq!(statuses, expected);
    assert_eq!(stack.echo.count(), 1);
    assert_eq!(stack.echo.last().path, "/media/a.mp4");
    assert_eq!(counted(&stack, "keygate_decision.deny.link_used"), 23);
    // A second proxy that asks the same service knows it, too.
    let second = builder().key_service_at(stack.service().port()).start();
    assert_eq!(second.get(&target).send().status, 403);
    assert_eq!(second.get(link("/media/a.mp4", 2)).send().status, 200);
    assert_eq!(stack.get(link("/media/a.mp4", 2)).send().status, 403);
    assert_never_trapped(&stack);
}

#[test]
fn head_and_prefetch_leave_the_link_to_whoever_asks_for_it() {
    let stack = builder().start();
    let target = link("/media/a.mp4", 3);
    let head = || client::request("HEAD", stack.envoy.port(), &target).send();
    assert_eq!(head().status, 200);
    let prefetch = stack.get(&target).header("sec-purpose", "prefetch").send();
    assert_eq!(prefetch.status, 403);
    assert_eq!(stack.get(&target).send().status, 200);
    assert_eq!(head().status, 403);
}

#[test]
fn without_an_answer_nothing_passes_and_the_link_stays_good() {
    let stack = builder().start();
    let target = link("/media/a.mp4", 4);
    stack.service().kill9();
    let refused = stack.get(&target).send();
    assert_eq!(refused.status, 503);
    assert_eq!(stack.echo.count(), 0);
    stack.service().restart();
    wait::until("the link to be good again", wait::STARTUP, || {
        (stack.get(&target).send().status == 200).then_some(())
    });
    // Not even a restart makes it good again.
    stack.service().kill9();
    stack.service().restart();
    wait::until("the service to refuse it", wait::STARTUP, || {
        (stack.get(&target).send().status == 403).then_some(())
    });
    assert_eq!(stack.echo.count(), 1);
}
