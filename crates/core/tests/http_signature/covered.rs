//! What a signature must cover, and what it cannot.

use super::*;

#[test]
fn content_digest_is_required_only_where_a_body_may_follow() {
    let policy = ours(&json!({}));
    for (method, length, expected) in [
        ("DELETE", None, Ok(())),
        ("POST", None, Ok(())),
        ("POST", Some(("content-length", "0")), Ok(())),
        ("PROPFIND", None, Ok(())),
        (
            "DELETE",
            Some(("content-length", "2")),
            Err(Reason::MalformedCredential),
        ),
        (
            "GET",
            Some(("content-length", "2")),
            Err(Reason::MalformedCredential),
        ),
        (
            "POST",
            Some(("transfer-encoding", "chunked")),
            Err(Reason::MalformedCredential),
        ),
    ] {
        let lines = format!("\"@method\": {method}\n\"@target-uri\": https://example.com/a?b=1\n");
        let covered = format!(r#"("@method" "@target-uri");created={NOW}"#);
        let (input, signature) = signed(&lines, &covered);
        let mut more = vec![
            ("signature-input", input.as_str()),
            ("signature", &signature),
        ];
        more.extend(length);
        let headers = request(method, "/a?b=1", &more);
        assert_eq!(
            judge(&policy, &headers, NOW),
            expected,
            "{method} {length:?}"
        );
    }
}

#[test]
fn a_client_cannot_leave_out_what_must_be_covered() {
    let policy = ours(&json!({}));
    for covered in [
        "()",
        r#"("@method")"#,
        r#"("@target-uri" "content-digest")"#,
        r#"("@method" "@target-uri")"#,
        r#"("@method" "@authority" "@path" "content-digest")"#,
        r#"("@method" "@path" "@query" "content-digest")"#,
    ] {
        let lines: String = covered
            .trim_matches(['(', ')'])
            .split(' ')
            .filter_map(|name| {
                let value = match name.trim_matches('"') {
                    "@method" => "POST",
                    "@target-uri" => "https://example.com/a?b=1",
                    "@authority" => "example.com",
                    "@path" => "/a",
                    "@query" => "?b=1",
                    "content-digest" => "sha-256=:AA==:",
                    _ => return None,
                };
                Some(format!("{name}: {value}\n"))
            })
            .collect();
        let headers = post(&lines, &format!("{covered};created={NOW}"));
        assert_eq!(
            judge(&policy, &headers, NOW),
            Err(Reason::MalformedCredential),
            "{covered}"
        );
        // The same is a right signature where less is asked for.
        if covered.contains("@method") {
            let less = ours(&json!({ "components": ["@method"], "content_digest": false }));
            assert_eq!(judge(&less, &headers, NOW), Ok(()), "{covered}");
        }
    }
    // Without created there is no age.
    let timeless = post(BASE, COVERED);
    assert_eq!(
        judge(&policy, &timeless, NOW),
        Err(Reason::MalformedCredential)
    );
}

#[test]
fn components_that_cannot_be_covered_are_rejected() {
    let policy = ours(&json!({ "components": ["@method"], "content_digest": false }));
    for name in [
        "\"@status\"",
        "\"@other\"",
        "\"signature\"",
        "\"signature-input\"",
        "\"content-digest\";sf",
        "\"content-digest\";bs",
        "\"content-digest\";key=\"sha-256\"",
        "\"content-digest\";tr",
        "\"@method\";req",
        "\":path\"",
        "\"Content-Digest\"",
        "\"@method\"",
    ] {
        let lines = format!("\"@method\": POST\n{name}: sha-256=:AA==:\n");
        let headers = post(&lines, &format!("(\"@method\" {name});created={NOW}"));
        assert_eq!(
            judge(&policy, &headers, NOW),
            Err(Reason::MalformedCredential),
            "{name}"
        );
    }
}
