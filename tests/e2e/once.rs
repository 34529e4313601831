//! Links that work once, over workers, proxies and outages of the key service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _};
use keygate_core::secret::RingEntry;
use keygate_core::signed_url::keygate::sign::{Place, Terms, hs256};
use keygate_tests::fake_service::{FakeService, json as answer};
use keygate_tests::service::MEDIA;
use keygate_tests::{Stack, StackBuilder, client, wait};
use serde_json::{Value, json};

use crate::support::{assert_never_trapped, call, counted, genuine_key};

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
    let mut expected = vec![410; 24];
    expected[0] = 200;
    assert_eq!(statuses, expected);
    assert_eq!(stack.echo.count(), 1);
    assert_eq!(stack.echo.last().path, "/media/a.mp4");
    assert_eq!(counted(&stack, "keygate_decision.deny.link_used"), 23);
    // A second proxy that asks the same service knows it, too.
    let second = builder().key_service_at(stack.service().port()).start();
    assert_eq!(second.get(&target).send().status, 410);
    assert_eq!(second.get(link("/media/a.mp4", 2)).send().status, 200);
    assert_eq!(stack.get(link("/media/a.mp4", 2)).send().status, 410);
    assert_never_trapped(&stack);
}

#[test]
fn head_and_prefetch_do_not_use_up_the_link() {
    // One worker: another may remember for a second that the link was unused.
    let stack = builder().concurrency(1).start();
    let target = link("/media/a.mp4", 3);
    let head = || client::request("HEAD", stack.envoy.port(), &target).send();
    assert_eq!(head().status, 200);
    let prefetch = stack.get(&target).header("sec-purpose", "prefetch").send();
    assert_eq!(prefetch.status, 403);
    assert_eq!(stack.get(&target).send().status, 200);
    assert_eq!(head().status, 410);
}

#[test]
fn without_an_answer_nothing_passes_and_the_link_stays_good() {
    let stack = builder().start();
    let target = link("/media/a.mp4", 4);
    stack.service().kill9();
    let rejected = stack.get(&target).send();
    assert_eq!(rejected.status, 503);
    assert_eq!(stack.echo.count(), 0);
    stack.service().restart();
    wait::until("the link to be good again", wait::STARTUP, || {
        (stack.get(&target).send().status == 200).then_some(())
    });
    // Not even a restart makes it good again.
    stack.service().kill9();
    stack.service().restart();
    wait::until("the service to reject it", wait::STARTUP, || {
        (stack.get(&target).send().status == 410).then_some(())
    });
    assert_eq!(stack.echo.count(), 1);
}

/// It knows every key, as one of alice, and holds every answer about a link until the flag.
fn holding_links(released: &Arc<AtomicBool>) -> FakeService {
    let fake = FakeService::start();
    fake.on("/v1/lookups", |asked| {
        let request: Value = serde_json::from_slice(&asked.body).unwrap();
        let record = |hash: &Value| {
            json!({ "hash": hash, "id": "id", "account": "alice", "status": "active",
                "scopes": [], "metadata": {} })
        };
        let records: Vec<Value> = request["hashes"]
            .as_array()
            .unwrap()
            .iter()
            .map(record)
            .collect();
        answer(200, &json!({ "epoch": 1, "records": records })).into()
    });
    let released = Arc::clone(released);
    fake.on("/v1/links/uses", move |_| {
        wait::until("the links to be released", wait::STARTUP, || {
            released.load(Ordering::Relaxed).then_some(())
        });
        answer(200, &json!({ "first": true })).into()
    });
    fake
}

#[test]
fn heads_on_one_link_take_no_cold_key_its_lookup() {
    const HEADS: usize = 200;
    let released = Arc::new(AtomicBool::new(false));
    let fake = holding_links(&released);
    let stack = builder()
        .fake_service(&fake)
        .concurrency(1)
        .edit_policy(|policy| policy["key_service"]["timeout"] = json!("10s"))
        .start();
    let (target, done) = (link("/media/a.mp4", 5), AtomicUsize::new(0));
    let head = || {
        let answer = client::request("HEAD", stack.envoy.port(), &target);
        let status = answer.patience(wait::STARTUP).send().status;
        done.fetch_add(1, Ordering::Relaxed);
        status
    };
    let (cold, heads) = thread::scope(|scope| {
        let heads: Vec<_> = (0..HEADS).map(|_| scope.spawn(head)).collect();
        wait::until("all of them to wait", Duration::from_secs(20), || {
            let active = stack.envoy.stat("http.public.downstream_rq_active");
            let active = usize::try_from(active.unwrap_or(0)).unwrap();
            (active + done.load(Ordering::Relaxed) >= HEADS).then_some(())
        });
        let stack = &stack;
        let look_up = |key| scope.spawn(move || call(stack, "/api/x", &genuine_key(key)).status);
        let cold: Vec<_> = (1..=21).map(look_up).collect();
        let cold: Vec<u16> = cold.into_iter().map(|it| it.join().unwrap()).collect();
        released.store(true, Ordering::Relaxed);
        let heads = heads.into_iter().map(|it| it.join().unwrap());
        (cold, heads.collect::<Vec<u16>>())
    });
    assert_eq!(cold, [200; 21], "cold keys");
    assert_eq!(heads, [200; HEADS]);
    assert_eq!(fake.asked("/v1/links/uses").len(), 1);
    assert_never_trapped(&stack);
}

#[test]
fn links_that_fill_their_calls_leave_the_feed_and_cold_keys_alone() {
    let released = Arc::new(AtomicBool::new(false));
    let fake = holding_links(&released);
    let stack = builder()
        .fake_service(&fake)
        .concurrency(1)
        .edit_policy(|policy| policy["key_service"]["timeout"] = json!("10s"))
        .start();
    let (stack, fake) = (&stack, &fake);
    let links: Vec<String> = (100..200).map(|id| link("/media/a.mp4", id)).collect();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let get =
            |target| scope.spawn(move || stack.get(target).patience(wait::STARTUP).send().status);
        let gets: Vec<_> = links.iter().map(get).collect();
        wait::until("all of them to wait", Duration::from_secs(20), || {
            let active = stack.envoy.stat("http.public.downstream_rq_active");
            (active >= Some(100)).then_some(())
        });
        let calls = || fake.asked("/v1/links/uses").len();
        wait::until("calls under way", Duration::from_secs(20), || {
            (calls() >= 8).then_some(())
        });
        let polls = counted(stack, "keygate_poll.answered");
        for number in 1..=21 {
            assert_eq!(call(stack, "/api/x", &genuine_key(number)).status, 200);
        }
        wait::until("the feed to go on", Duration::from_secs(20), || {
            (counted(stack, "keygate_poll.answered") > polls).then_some(())
        });
        assert_eq!(calls(), 8, "calls under way at once");
        released.store(true, Ordering::Relaxed);
        gets.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 100]);
    assert_never_trapped(stack);
}
