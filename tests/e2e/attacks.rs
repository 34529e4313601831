//! The attacks on signed links that concern paths, headers and duplicates, each against a
//! real Envoy: none reaches the upstream. The ids are explained where they stand.

use keygate_tests::{Stack, client};
use serde_json::json;

use crate::support::{assert_never_trapped, cloudflare_links, counted, sign_cloudflare as sign};

/// What is sent, and why it must fail; `reason` is empty where Envoy itself may reject it
/// first (a token in the path may hold `%2F`).
struct Attack {
    id: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    reason: &'static str,
}

fn attack(id: &'static str, target: impl Into<String>, reason: &'static str) -> Attack {
    Attack {
        id,
        target: target.into(),
        headers: Vec::new(),
        reason,
    }
}

impl Attack {
    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

fn attacks() -> Vec<Attack> {
    let link = sign("/media/cat.jpg", &[]);
    let token = link.split_once("verify=").unwrap().1.to_owned();
    let video = sign("/media/video1", &[]);
    let (stamp, mac) = video
        .split_once("verify=")
        .unwrap()
        .1
        .split_once('-')
        .unwrap();
    let malformed = "malformed_credential";
    vec![
        // A1: a digit of the path becomes a digit of the time.
        attack(
            "A1",
            format!("/media/video?verify=1{stamp}-{mac}"),
            malformed,
        ),
        // A5: another separator of the same length.
        attack("A5", format!("/media/cat.jpg/../b?x={token}"), ""),
        attack("A5", format!("/media/cat.jpg&verify={token}"), ""),
        // A7: the credential twice, in another case, as an array, in two carriers.
        attack(
            "A7",
            format!("{link}&verify={token}"),
            "duplicate_credential",
        ),
        attack(
            "A7",
            format!("/media/cat.jpg?verify=x&verify={token}"),
            "duplicate_credential",
        ),
        attack(
            "A7",
            format!("/media/cat.jpg?verify={token}&%76erify=x"),
            "duplicate_credential",
        ),
        attack(
            "A7",
            format!("/media/cat.jpg?Verify={token}"),
            "missing_credential",
        ),
        attack(
            "A7",
            format!("/media/cat.jpg?verify[]={token}"),
            "missing_credential",
        ),
        attack("A7", link.clone(), "duplicate_credential").with("x-link", &token),
        attack("A7", "/media/cat.jpg", "duplicate_credential")
            .with("x-link", &token)
            .with("x-link", &token),
        // A8: a reserved name smuggled through the path.
        attack("A8", format!("/media/cat.jpg%3Fverify={token}"), ""),
        attack("A8", format!("/media/cat.jpg%26verify={token}"), ""),
        // A9 to A13: paths that two programs read in two ways.
        attack(
            "A9",
            format!("/x/%2e%2e/media/cat.jpg/%2e%2e/dog.jpg?verify={token}"),
            "",
        ),
        attack("A9", format!("/media/..;x=y/api?verify={token}"), ""),
        attack("A10", format!("/media%2Fcat.jpg?verify={token}"), ""),
        attack("A10", format!("/media%5Ccat.jpg?verify={token}"), ""),
        attack("A10", format!("/media\\dog.jpg?verify={token}"), ""),
        attack("A11", format!("//evil/media/cat.jpg?verify={token}"), ""),
        attack("A11", format!("/.//media/dog.jpg?verify={token}"), ""),
        attack("A12", format!("/media/cat.jpg#x?verify={token}"), ""),
        attack(
            "A13",
            format!("/media/%252e%252e/cat.jpg?verify={token}"),
            "ambiguous_path",
        ),
        attack("A13", format!("/media/cat.jpg%zz?verify={token}"), ""),
        attack("A13", format!("/media/cat.jpg%00?verify={token}"), ""),
        attack(
            "A13",
            format!("/media/%c0%ae%c0%ae/cat.jpg?verify={token}"),
            "ambiguous_path",
        ),
        // A15, A16: neighbours of a prefix, and globs that would cross a boundary.
        attack(
            "A15",
            format!("/media-private/cat.jpg?verify={token}"),
            "no_rule",
        ),
        attack("A15", format!("/mediacat.jpg?verify={token}"), "no_rule"),
        attack(
            "A16",
            format!("/other?/media/cat.jpg&verify={token}"),
            "no_rule",
        ),
        // A17, A18: the same MAC in another spelling.
        attack("A17", format!("{link}%3D"), malformed),
        attack("A17", link.trim_end_matches("%3D").to_owned(), malformed),
        attack(
            "A17",
            format!("/media/cat.jpg?verify=%20{token}"),
            malformed,
        ),
        // A19: no MAC, a short one, an algorithm of the client's choice.
        attack(
            "A19",
            format!("/media/cat.jpg?verify={}-", &token[..10]),
            malformed,
        ),
        attack(
            "A19",
            format!("/media/cat.jpg?verify={}", &token[..30]),
            malformed,
        ),
        attack("A19", format!("{link}&alg=none"), malformed),
        // A21, A22: times that are none, and times to come.
        attack("A21", link.replace("verify=", "verify=+"), malformed),
        attack(
            "A21",
            format!("/media/cat.jpg?verify=-1{}", &token[2..]),
            malformed,
        ),
        attack(
            "A22",
            sign("/media/cat.jpg", &["--now", "9999999999"]),
            "not_yet_valid",
        ),
        // A32: another method by header.
        attack("A32", "/media/cat.jpg", "missing_credential")
            .with("x-http-method-override", "OPTIONS"),
    ]
}

#[test]
fn no_attack_on_a_signed_link_reaches_the_upstream() {
    let stack = Stack::builder()
        .edit_policy(|policy| {
            cloudflare_links(policy);
            policy["providers"]["media-link"]["header"] = json!("x-link");
        })
        .start();
    for attack in attacks() {
        let counter = format!("keygate_decision.deny.{}", attack.reason);
        let before = counted(&stack, &counter);
        let mut request = stack.get(&attack.target);
        for (name, value) in &attack.headers {
            request = request.header(name, value);
        }
        let answer = request.send();
        let (id, target) = (attack.id, &attack.target);
        assert!(
            [400, 401, 403].contains(&answer.status),
            "{id} {target}: {}",
            answer.status
        );
        if !attack.reason.is_empty() {
            assert_eq!(
                counted(&stack, &counter),
                before + 1,
                "{id} {target}: {counter}"
            );
        }
    }
    for method in ["POST", "PUT", "DELETE", "TRACE", "OPTIONS", "GETS"] {
        let link = sign("/media/cat.jpg", &[]);
        let status = client::request(method, stack.envoy.port(), link)
            .send()
            .status;
        assert!((400..500).contains(&status), "A32 {method}: {status}");
    }
    assert_eq!(stack.echo.count(), 0, "something passed");
    // What was attacked works.
    assert_eq!(stack.get(sign("/media/cat.jpg", &[])).send().status, 200);
    assert_never_trapped(&stack);
}
