//! `keygate why`, on lines as Envoy writes them.

use serde_json::Value;

use crate::support::keygate;

const ID: &str = "5a2f09a8-1a5e-4c0e-9d57-0d8f7d1c2b3a";

#[track_caller]
fn why(args: &[&str], log: &str, code: i32) -> (String, String) {
    let args = [&["why"], args].concat();
    let done = keygate(&args).write_stdin(log).assert().code(code);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let output = done.get_output();
    (text(&output.stdout), text(&output.stderr))
}

fn object(id: &str, details: &str, more: &str) -> String {
    format!(
        r#"{{"time":"2026-11-30T03:00:00.000Z","method":"GET","path":"/media/cat.jpg","status":403,"details":"{details}","request_id":"{id}"{more}}}"#
    ) + "\n"
}

#[test]
fn a_rejection_is_explained_by_its_line() {
    let details = "keygate_denied{reason=expired,rule=media}";
    let other = object("another", "keygate_denied{reason=no_rule,rule=}", "");
    let text = format!("2026-11-30T03:00:00Z GET /media/cat.jpg 403 {details} 0ms {ID}\n");
    for line in [object(ID, details, ""), text] {
        let (out, _) = why(&[ID], &format!("{other}{line}{other}"), 0);
        for expected in ["/media/cat.jpg", "rule        media", "reason      expired"] {
            assert!(out.contains(expected), "{expected} is not in {out}");
        }
        let remedy = keygate_core::Reason::Expired.remedy();
        assert!(out.contains(remedy) && !out.contains("no_rule"), "{out}");
    }
    let (out, _) = why(
        &["--json", &format!("urn:uuid:{ID}")],
        &object(ID, details, ""),
        0,
    );
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&json["rule"], &json["reason"]),
        (&"media".into(), &"expired".into())
    );
}

#[test]
fn who_asked_is_shown_and_what_simulate_would_do() {
    let more = r#","account":"alice","key_id":"AbCdEfGhIj","result":"would-deny;reason=insufficient_scope""#;
    let (out, _) = why(&[ID], &object(ID, "via_upstream", more), 0);
    for expected in [
        "alice",
        "AbCdEfGhIj",
        "would be rejected",
        "insufficient_scope",
    ] {
        assert!(out.contains(expected), "{expected} is not in {out}");
    }
    let (out, _) = why(&[ID], &object(ID, "via_upstream", ""), 0);
    assert!(out.contains("let it pass"), "{out}");
    let (out, _) = why(
        &[ID],
        &object(ID, "rbac_access_denied_matched_policy[none]", ""),
        0,
    );
    assert!(
        out.contains("did not reject it") && out.contains("rbac_access"),
        "{out}"
    );
}

/// Of a log that an operator has changed.
#[test]
fn no_query_is_printed() {
    let link = "/media/cat.jpg?kg=SECRET";
    let details = "keygate_denied{reason=expired,rule=media}";
    let text = format!("GET {link} 403 {details} {ID} https://a.example{link}\n");
    let json = object(ID, details, "").replace("/media/cat.jpg", link);
    for line in [text, json] {
        for json in [&["--json"][..], &[]] {
            let (out, err) = why(&[&[ID], json].concat(), &line, 0);
            assert!(
                out.contains("cat.jpg?…") && !out.contains("SECRET"),
                "{out}"
            );
            assert!(!err.contains("SECRET"), "{err}");
        }
    }
}

#[test]
fn what_is_no_log_or_has_no_such_line_is_said() {
    let (out, err) = why(&[ID], &object("another", "via_upstream", ""), 1);
    assert!(
        out.is_empty() && err.contains("none of the 1 lines"),
        "{out}{err}"
    );
    let long = format!("{} {ID}\n", "x".repeat(200_000));
    let (_, err) = why(&[ID], &long, 1);
    assert!(err.contains("none of the 1 lines"), "{err}");
    let (_, err) = why(&["two words"], "", 2);
    assert!(err.contains("visible characters"), "{err}");
    // Bytes that are not UTF-8, and what a terminal would act on.
    let line = format!("\u{1b}[31m {ID} keygate_denied{{reason=new_one,rule=\u{202e}a}}\n");
    let (out, _) = why(&[ID], &line, 0);
    assert!(
        out.contains("new_one") && out.contains("does not know it"),
        "{out}"
    );
    assert!(!out.contains(['\u{1b}', '\u{202e}']), "{out}");
}
