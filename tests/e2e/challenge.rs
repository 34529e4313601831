//! Mode `challenge` through Envoy: what a program gets, and what a real browser does.

use keygate_tests::Stack;
use keygate_tests::browser::Browser;
use keygate_tests::client::Request;
use serde_json::{Value, json};

use crate::support::{assert_never_trapped, counted, keep_picture, key_of, upstream_header};

const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn stack(challenge: &Value) -> Stack {
    Stack::builder()
        .edit_policy(|policy| {
            let rule = json!({ "name": "site", "match": { "path": "/site/**" },
                "require": { "any": ["media-link", "app-key"] },
                "mode": "challenge", "challenge": challenge });
            policy["rules"].as_array_mut().unwrap().push(rule);
        })
        .start()
}

fn work() -> Value {
    json!({ "secrets": "media" })
}

fn page_url(stack: &Stack) -> String {
    format!("http://127.0.0.1:{}/site/page?a=1", stack.envoy.port())
}

fn as_browser(stack: &Stack, path: &str) -> Request {
    stack.get(path).header("accept", ACCEPT)
}

#[test]
fn a_browser_solves_the_challenge_and_passes_from_then_on() {
    let stack = stack(&work());
    let browser = Browser::start();
    browser.open(&page_url(&stack));
    // The upstream's answer, after the page has loaded itself again.
    browser.wait_for_text("\"method\"");
    let seen = stack.echo.last();
    assert_eq!(seen.path, "/site/page?a=1");
    assert_eq!(seen.header("x-keygate-result").as_deref(), Some("cleared"));
    assert_eq!(seen.header("x-keygate-solution"), None);
    assert_eq!(seen.header("cookie"), None);
    let cookie = browser.cookie("keygate_clearance").unwrap();
    assert_eq!(cookie["httpOnly"], true);
    assert_eq!(cookie["sameSite"], "Lax");
    assert_eq!(cookie["path"], "/");
    assert_eq!(
        counted(&stack, "keygate_decision.deny.challenge_required"),
        1
    );
    assert_eq!(
        counted(&stack, "keygate_decision.reply.challenge_solved"),
        1
    );

    let passed = counted(&stack, "keygate_decision.allow.cleared");
    browser.open(&page_url(&stack).replace("page", "other"));
    browser.wait_for_text("/site/other");
    assert!(counted(&stack, "keygate_decision.allow.cleared") > passed);
    assert_eq!(
        counted(&stack, "keygate_decision.reply.challenge_solved"),
        1
    );
    stack
        .envoy
        .wait_for_log("keygate_challenge_solved{rule=site}");

    let cookie = format!("keygate_clearance={}", cookie["value"].as_str().unwrap());
    let copied = |agent: &str| {
        let request = as_browser(&stack, "/site/page").header("cookie", &cookie);
        request.header("user-agent", agent).send()
    };
    assert_eq!(copied(&browser.user_agent()).status, 200);
    let rejected = copied("Mozilla/5.0 (another)");
    assert_eq!(rejected.status, 403);
    assert!(rejected.text().contains("data-token"));
    browser.set_user_agent("Mozilla/5.0 (the same browser under another name)");
    let solved = counted(&stack, "keygate_decision.reply.challenge_solved");
    browser.open(&page_url(&stack).replace("page", "third"));
    browser.wait_for_text("/site/third");
    assert_eq!(
        counted(&stack, "keygate_decision.reply.challenge_solved"),
        solved + 1
    );
    assert_never_trapped(&stack);
}

#[test]
fn a_person_sees_what_happens_while_the_browser_calculates() {
    let stack = stack(&work());
    let browser = Browser::start();
    // In a browser whose clock is past every pause, the calculation never comes to its end.
    browser.run_first("performance.now = () => Infinity;");
    browser.open(&page_url(&stack));
    browser.wait_for_text("Calculating");
    assert!(browser.text().contains("Checking your browser"));
    assert!(!browser.text().contains("JavaScript"));
    keep_picture(&browser, "calculating");
    assert_eq!(stack.echo.count(), 0);
}

#[test]
fn a_person_without_javascript_reads_what_to_do() {
    let stack = stack(&work());
    let browser = Browser::start();
    browser.switch_scripts_off();
    browser.open(&page_url(&stack));
    let text = browser.text();
    assert!(text.contains("JavaScript is switched off"), "{text}");
    assert!(text.contains("reload this page"), "{text}");
    assert!(!text.contains("Calculating"), "{text}");
    keep_picture(&browser, "without-javascript");
    assert_eq!(stack.echo.count(), 0);
}

#[test]
fn a_browser_without_cookies_gets_a_message_and_no_reload_loop() {
    // Over plain http a browser rejects a cookie of this name: the calculation is in vain.
    let stack = stack(&json!({ "secrets": "media", "difficulty": 8, "cookie": "__Host-c" }));
    let browser = Browser::start();
    browser.open(&page_url(&stack));
    browser.wait_for_text("allow cookies for this site");
    assert_eq!(
        counted(&stack, "keygate_decision.reply.challenge_solved"),
        1
    );
    keep_picture(&browser, "without-cookie");
    let strict = Browser::without_cookies();
    strict.open(&page_url(&stack));
    strict.wait_for_text("allow cookies for this site");
    assert_eq!(
        counted(&stack, "keygate_decision.reply.challenge_solved"),
        1
    );
    assert_eq!(stack.echo.count(), 0);
}

#[test]
fn a_program_learns_that_a_browser_is_required() {
    let stack = stack(&work());
    let rejected = stack.get("/site/x").send();
    assert_eq!(rejected.status, 403);
    assert_eq!(
        rejected.header("content-type").as_deref(),
        Some("application/problem+json")
    );
    assert_eq!(
        rejected.header("cache-control").as_deref(),
        Some("no-store")
    );
    let problem = rejected.json();
    assert_eq!(problem["reason"], "challenge_required");
    assert!(problem["detail"].as_str().unwrap().contains("browser"));
    let forged = stack
        .get("/site/x")
        .header("x-keygate-solution", "1.x:1")
        .send();
    assert_eq!(
        (forged.status, &forged.json()["reason"]),
        (403, &json!("challenge_required"))
    );
    assert_eq!(counted(&stack, "keygate_decision.deny.challenge_failed"), 1);
    let page = as_browser(&stack, "/site/x").send();
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.status, 403);
    let twice =
        as_browser(&stack, "/site/x").header("cookie", "keygate_clearance=a; keygate_clearance=b");
    assert_eq!(twice.send().status, 400);
    assert_eq!(stack.echo.count(), 0);
    stack.envoy.wait_for_log(
        "keygate_denied{reason=challenge_required,cause=missing_credential,rule=site}",
    );
    assert_never_trapped(&stack);
}

#[test]
fn a_credential_passes_without_a_challenge() {
    let stack = stack(&work());
    let link = crate::support::sign("/site/x", &[]);
    let passed = stack
        .get(&link)
        .header("cookie", "a=1; keygate_clearance=old")
        .send();
    assert_eq!(passed.status, 200);
    assert_eq!(upstream_header(&passed, "x-keygate-result"), ["allow"]);
    assert_eq!(upstream_header(&passed, "cookie"), ["a=1"]);
    let key = key_of(&stack, "alice").key;
    let cookies = format!("app_key={key}; a=1; keygate_clearance=old");
    let passed = stack.get("/site/x").header("cookie", cookies).send();
    assert_eq!(upstream_header(&passed, "x-keygate-account"), ["alice"]);
    assert_eq!(upstream_header(&passed, "cookie"), ["a=1"]);
}

#[test]
fn a_challenge_is_offered_neither_for_a_key_that_is_not_allowed_here_nor_for_a_silent_service() {
    let stack = stack(&work());
    let body = json!({ "account": "alice", "allowed_ips": ["10.0.0.0/8"] });
    let elsewhere = stack.service().create_key(&body).key;
    let unseen = key_of(&stack, "bob").key;
    let call = |key: &str| {
        as_browser(&stack, "/site/x")
            .header("x-api-key", key)
            .send()
    };
    assert_eq!(call(&elsewhere).status, 403);
    assert_eq!(
        counted(&stack, "keygate_decision.deny.address_not_allowed"),
        1
    );
    stack.service().kill9();
    assert_eq!(call(&unseen).status, 503);
    assert_eq!(
        counted(&stack, "keygate_decision.deny.challenge_required"),
        0
    );
    assert_eq!(stack.echo.count(), 0);
}

#[test]
fn a_browser_is_sent_to_a_login_that_can_only_send_it_back_here() {
    let login = "https://login.example/start?return_to={url}";
    let stack = stack(&json!({ "redirect": login }));
    let sent = as_browser(&stack, "/site/x?next=//evil.example&a=%20b").send();
    assert_eq!(sent.status, 302);
    assert_eq!(
        sent.header("location").as_deref(),
        Some(
            "https://login.example/start?return_to=%2Fsite%2Fx%3Fnext%3D%2F%2Fevil.example%26a%3D%2520b"
        )
    );
    assert_eq!(sent.header("cache-control").as_deref(), Some("no-store"));
    let program = stack.get("/site/x").send();
    assert_eq!((program.status, program.header("location")), (403, None));
    assert_eq!(program.json()["reason"], "challenge_required");
    assert_eq!(stack.echo.count(), 0);
}
