//! Signed links through Envoy: what passes, what the upstream sees, what fails.

use keygate_tests::Stack;
use keygate_tests::service::MEDIA;
use serde_json::json;

use crate::support::{cloudflare_links, counted, sign_cloudflare as sign};

fn reason_of(stack: &Stack, target: &str, reason: &str) {
    let counter = format!("keygate_decision.deny.{reason}");
    let before = counted(stack, &counter);
    let status = stack.get(target).send().status;
    assert!([400, 403, 410].contains(&status), "{target}: {status}");
    assert_eq!(
        counted(stack, &counter),
        before + 1,
        "{target}: expected {reason}"
    );
}

#[test]
fn a_link_fails_for_anything_but_what_was_signed() {
    let stack = Stack::builder().edit_policy(cloudflare_links).start();
    let link = sign("/media/cat.jpg", &[]);
    let token = link.split_once('?').unwrap().1;
    for (target, reason) in [
        (format!("/media/dog.jpg?{token}"), "wrong_signature"),
        (format!("/media/cat.jpg/x?{token}"), "wrong_signature"),
        (format!("/media/cat.jpg?a=1&{token}"), "wrong_signature"),
        (format!("{link}&a=1"), "malformed_credential"),
        (format!("{link}&{token}"), "duplicate_credential"),
        (link.replace("verify=1", "verify=2"), "wrong_signature"),
        (
            link.replace("verify=1", "verify=11"),
            "malformed_credential",
        ),
        (
            link.replace("verify=1", "verify=%31"),
            "malformed_credential",
        ),
        (format!("{link}A"), "malformed_credential"),
        (
            format!("/media/cat.jpg?verify={}", "9".repeat(3000)),
            "malformed_credential",
        ),
        (
            format!("/media/cat.jpg?verify={}-x", u64::MAX),
            "malformed_credential",
        ),
        // Not "", which is no credential.
        ("/media/cat.jpg?verify=-".to_owned(), "malformed_credential"),
        (sign("/media/cat.jpg", &["--now", "1700000000"]), "expired"),
        (
            sign("/media/cat.jpg", &["--now", "9999999999"]),
            "not_yet_valid",
        ),
        (
            sign("/media/cat.jpg", &["--base64", "url"]),
            "malformed_credential",
        ),
    ] {
        reason_of(&stack, &target, reason);
    }
    assert_eq!(stack.echo.count(), 0);
    assert_eq!(stack.get(&link).send().status, 200);
}

#[test]
fn every_ambiguous_path_is_rejected_before_it_reaches_a_rule() {
    // As a user's Envoy may be: without normalisation the filter stands alone.
    let stack = Stack::builder()
        .edit_policy(|policy| policy["unmatched"] = json!("allow"))
        .envoy(|envoy| {
            envoy.change(|bootstrap| {
                let hcm = bootstrap
                    .pointer_mut(
                        "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config",
                    )
                    .unwrap();
                hcm["normalize_path"] = json!(false);
                hcm["merge_slashes"] = json!(false);
                hcm["path_with_escaped_slashes_action"] = json!("KEEP_UNCHANGED");
            })
        })
        .start();
    let link = sign("/media/cat.jpg", &[]);
    let token = link.split_once('?').unwrap().1;
    for path in [
        "/x/../media/cat.jpg",
        "/media/../api/x",
        "/media/%2e%2e/api",
        "/media/.%2E/api",
        "/media/..;x=y/api",
        "//media/cat.jpg",
        "/media//cat.jpg",
        "/media\\cat.jpg",
        "/media%5ccat.jpg",
        "/media%00",
        "/media/%0d%0a",
        "/media/%zz",
        "/media/%",
        "/media/%252e%252e/api",
        "/media/%c0%ae%c0%ae/api",
        "/media/%ff",
        "/media/%7f",
    ] {
        reason_of(&stack, &format!("{path}?{token}"), "ambiguous_path");
    }
    reason_of(
        &stack,
        &format!("/media%2Fcat.jpg/%2F?{token}"),
        "ambiguous_path",
    );
    reason_of(
        &stack,
        &format!("/media/a%2Fcat.jpg?{token}"),
        "encoded_slash",
    );
    assert_eq!(stack.echo.count(), 0);
    assert_eq!(
        stack.get("/elsewhere").send().status,
        200,
        "nothing else was in the way"
    );
}

#[test]
fn the_rest_of_the_query_is_forwarded_byte_for_byte() {
    let stack = Stack::builder().edit_policy(cloudflare_links).start();
    for target in [
        "/media/a?x=%41%2f&y=a+b&&z=",
        "/media/a?&",
        "/media/a?verifyx=1",
        "/media/%63af%C3%A9",
    ] {
        let answer = stack.get(sign(target, &[])).send();
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        let forwarded = answer.json()["path"].as_str().unwrap().to_owned();
        // Envoy itself decodes unreserved characters of the path, and nothing of the query.
        assert_eq!(forwarded, target.replace("%63", "c"));
    }
}

#[test]
fn a_token_in_a_header_is_taken_and_stripped() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            cloudflare_links(policy);
            let link = &mut policy["providers"]["media-link"];
            link["header"] = json!("x-link");
            link["base64"] = json!("url");
        })
        .start();
    let link = sign("/media/cat.jpg", &["--base64", "url"]);
    let token = link.split_once("verify=").unwrap().1;
    let answer = stack.get("/media/cat.jpg").header("x-link", token).send();
    assert_eq!(answer.status, 200);
    assert_eq!(stack.echo.last().header("x-link"), None);
    let both = stack.get(&link).header("x-link", token).send();
    assert_eq!(both.status, 400, "two tokens are ambiguous");
    let twice = stack
        .get("/media/cat.jpg")
        .header("x-link", token)
        .header("x-link", token)
        .send();
    assert_eq!(twice.status, 400);
}

#[test]
fn an_absolute_expiry_is_kept() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            policy["providers"]["media-link"] = json!({ "type": "signed_url",
                "format": "cloudflare", "secrets": "media", "stamp": "expires", "max_lifetime": "1h" });
        })
        .start();
    let status =
        |option: &str, value: &str| stack.get(sign("/media/a", &[option, value])).send().status;
    assert_eq!(status("--expires-in", "10m"), 200);
    assert_eq!(status("--expires-in", "3h"), 403);
    assert_eq!(status("--expires-at", "2020-01-01T00:00:00Z"), 410);
}

#[test]
fn a_ring_takes_links_of_the_old_secret_and_of_the_new() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            cloudflare_links(policy);
            policy["secrets"]["media"] = json!([
                { "id": "new", "env": "KEYGATE_EDGE_TOKEN" },
                { "id": "old", "env": "KEYGATE_MEDIA" }
            ]);
        })
        .start();
    let new = {
        let signed = std::process::Command::new(keygate_tests::service::keygate())
            .args(["sign", "/media/a", "--secret-env", "NEW"])
            .args(["--format", "cloudflare"])
            .env("NEW", keygate_tests::service::EDGE_TOKEN)
            .output()
            .unwrap();
        String::from_utf8(signed.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(stack.get(sign("/media/a", &[])).send().status, 200);
    assert_eq!(stack.get(new).send().status, 200);
}

#[test]
fn neither_token_nor_secret_is_logged() {
    let stack = Stack::builder()
        .edit_policy(cloudflare_links)
        .envoy(|envoy| envoy.log_level("wasm:trace"))
        .start();
    let link = sign("/media/cat.jpg", &[]);
    let token = link.split_once("verify=").unwrap().1;
    stack.get(&link).send();
    stack.get(format!("/media/dog.jpg?verify={token}")).send();
    stack.envoy.wait_for_log("reason=wrong_signature");
    let log = stack.envoy.log();
    for secret in [token, &token[11..], MEDIA] {
        assert!(!log.contains(secret), "{log}");
    }
}
