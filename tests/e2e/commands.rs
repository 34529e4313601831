//! The commands of pages that are neither `keygate` nor `make`, each run as it stands there.

use std::fs;
use std::process::{Command, Output};

use keygate_tests::{Stack, repository};
use serde_json::{Value, json};

use crate::login::{Rig, token};

/// The commands of a page that begin so, each with its line.
pub fn commands(page: &str, program: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(repository().join(page)).unwrap();
    let lines = text.lines().enumerate();
    let code = lines.filter(|(_, line)| line.starts_with("    "));
    let found = code.filter(|(_, line)| line.trim_start().starts_with(program));
    found
        .map(|(index, line)| (format!("{page}:{}", index + 1), line.trim().to_owned()))
        .collect()
}

fn shell(command: &str, token: &str) -> Output {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", command]);
    bash.env("TOKEN", token)
        .output()
        .expect("bash is installed")
}

#[test]
fn the_calls_of_a_user_with_a_session_do_what_the_page_says() {
    let rig = Rig::start();
    let gateway = format!("http://127.0.0.1:{}", rig.envoy.port());
    let token = token("alice", &json!({ "scope": "files:read" }));
    let mut id = String::new();
    let calls = commands("docs/sessions.md", "curl ");
    assert_eq!(calls.len(), 3);
    for (place, call) in calls {
        let here = call.replace("https://gateway", &gateway);
        let here = here
            .replace("AbCdEfGhIj", &id)
            .replace("curl ", "curl -sSf ");
        let output = shell(&here, &token);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{place}: {call}: {told}");
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        if let Some(created) = json["id"].as_str() {
            id = created.to_owned();
        }
    }
    assert!(!id.is_empty());
}

#[test]
fn the_question_for_rejections_lists_them() {
    let stack = Stack::start();
    assert_eq!(stack.get("/api/x").send().status, 401);
    let calls = commands("docs/troubleshooting.md", "curl ");
    assert_eq!(calls.len(), 1);
    for (place, call) in calls {
        let admin = format!("127.0.0.1:{}", stack.envoy.admin_port());
        let output = shell(&call.replace("127.0.0.1:9901", &admin), "");
        let printed = String::from_utf8_lossy(&output.stdout);
        let expected = r#"keygate_decision{decision="deny",reason="missing_credential"} 1"#;
        assert!(printed.contains(expected), "{place}: {printed}");
    }
}

#[test]
fn the_counters_of_the_guide_show_what_simulate_would_reject() {
    let stack = Stack::start();
    assert_eq!(stack.get("/beta/x").send().status, 200);
    let calls = commands("docs/guides/apply.md", "curl ");
    assert_eq!(calls.len(), 1);
    let admin = format!("127.0.0.1:{}", stack.envoy.admin_port());
    let output = shell(&calls[0].1.replace("127.0.0.1:9901", &admin), "");
    let printed = String::from_utf8_lossy(&output.stdout);
    let expected = r#"keygate_decision{decision="would_deny",reason="missing_credential"} 1"#;
    assert!(printed.contains(expected), "{printed}");
}
