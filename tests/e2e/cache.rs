//! Signed links in front of a cache: envoy/cache.yaml, as it is.

use keygate_tests::Stack;
use keygate_tests::client::Response;

use crate::support::sign;

/// An object that any cache may keep, and a link to it that was signed so long ago.
fn link(seconds_ago: &str) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let then = now - seconds_ago.parse::<u64>().unwrap();
    sign("/media/cat.jpg?size=2", &["--now", &then.to_string()])
}

fn start() -> Stack {
    let stack = Stack::of_file("envoy/cache.yaml").start();
    stack
        .echo
        .answer_with(&[("cache-control", "public, max-age=600")]);
    stack
}

fn is_from_the_cache(answer: &Response) -> bool {
    answer.header("age").is_some()
}

#[test]
fn two_people_with_links_of_their_own_share_one_cached_object() {
    let stack = start();
    let (alice, bob) = (link("60"), link("120"));
    assert_ne!(alice, bob);
    let first = stack.get(&alice).send();
    assert_eq!(first.status, 200, "{}", first.text());
    let second = stack.get(&bob).send();
    assert_eq!(second.status, 200, "{}", second.text());
    assert!(!is_from_the_cache(&first) && is_from_the_cache(&second));
    assert_eq!(first.body, second.body);
    assert_eq!(stack.echo.count(), 1, "the upstream was asked once");
    // The token is no part of what is kept, nor of what the upstream saw.
    assert_eq!(stack.echo.last().path, "/media/cat.jpg?size=2");
}

#[test]
fn a_cached_object_requires_a_valid_link() {
    let stack = start();
    let alice = link("60");
    let object = stack.get(&alice).send().body;
    assert!(is_from_the_cache(&stack.get(&alice).send()), "it is kept");
    let (fields, signature) = alice.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    let forged = format!("{fields}.{first}{}", &signature[1..]);
    for (what, target) in [
        ("none", "/media/cat.jpg?size=2".to_owned()),
        ("forged", forged),
        ("expired", link("10801")),
        ("of another", alice.replace("size=2", "size=3")),
        ("empty", "/media/cat.jpg?size=2&kg=".to_owned()),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = keygate_tests::client::request(method, stack.envoy.port(), &target).send();
            assert!([400, 403].contains(&answer.status), "{what}: {answer:?}");
            assert!(!is_from_the_cache(&answer), "{what}");
            assert_ne!(answer.body, object, "{what}");
        }
        // Nor a part of it, nor that it is unchanged.
        for (name, value) in [("range", "bytes=0-9"), ("if-modified-since", HTTP_DATE)] {
            let answer = stack.get(&target).header(name, value).send();
            assert!([400, 403].contains(&answer.status), "{what}: {answer:?}");
        }
    }
    assert_eq!(stack.echo.count(), 1);
}

#[test]
fn a_rejection_is_not_kept_in_the_place_of_the_object() {
    let stack = start();
    assert_eq!(stack.get("/media/cat.jpg?size=2").send().status, 403);
    let answer = stack.get(link("60")).send();
    assert_eq!(answer.status, 200);
    assert_eq!(stack.get("/media/cat.jpg?size=2").send().status, 403);
}

#[test]
fn an_answer_that_varies_by_account_is_not_shared() {
    let stack = start();
    stack.echo.answer_with(&[
        ("cache-control", "public, max-age=600"),
        ("vary", "x-keygate-account"),
    ]);
    for seconds_ago in ["60", "120"] {
        assert_eq!(stack.get(link(seconds_ago)).send().status, 200);
    }
    assert_eq!(stack.echo.count(), 2);
}

const HTTP_DATE: &str = "Fri, 01 Jan 2100 00:00:00 GMT";
