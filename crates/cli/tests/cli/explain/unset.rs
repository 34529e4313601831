//! Secrets that are not set in the shell.

use super::*;

/// A policy with a ring of each provider, in any and in all of them.
fn two_rings(group: &str) -> Case {
    let policy = demo_policy().replace(
        "\"path\": \"/api/**\" }, \"require\": \"app-key\"",
        &format!(
            "\"path\": \"/api/**\" }}, \"require\": {{ \"{group}\": [\"media-link\", \"app-key\"] }}"
        ),
    );
    assert!(policy.contains(group), "{policy}");
    Case::new(&policy)
}

#[test]
fn a_verdict_that_depends_on_an_unset_variable_is_open() {
    let url = "https://media.example.com/api/a";
    let sign = ["sign", url, "--now", "1700000000", "--expires-in", "1h"];
    let done = keygate(&[&sign[..], &["--key-id", "demo"]].concat())
        .env("KEYGATE_MEDIA", MEDIA)
        .assert()
        .code(0);
    let link = String::from_utf8_lossy(&done.get_output().stdout).into_owned();
    let link = link.trim();
    let explain = |case: &Case, url: &str, more: &[&str], code| {
        let policy = case.policy.path().to_str().unwrap();
        let args = ["explain", "--policy", policy, "--request", url];
        let done = keygate(&[&args[..], &AT, more].concat())
            .env("KEYGATE_APP_KEYS", MASTER)
            .assert()
            .code(code);
        let output = done.get_output();
        assert!(output.stderr.is_empty(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let case = Case::new(&demo_policy());
    let media = link.replace("/api/", "/media/");
    let told = explain(&case, &media, &[], 2);
    says(
        &told,
        &[
            "not checked: KEYGATE_MEDIA is not set in this shell",
            "verdict   undecided: KEYGATE_MEDIA is not set in this shell: set it to the value \
             that Envoy has",
        ],
    );
    assert!(!told.contains("wrong_signature"), "{told}");
    // What no secret changes is decided.
    let told = explain(&case, "https://media.example.com/media/a", &[], 1);
    says(&told, &["deny: 403 missing_credential"]);
    let key = format!("X-Api-Key: {}", key());
    let record = tempfile::NamedTempFile::new().unwrap();
    let json = r#"{"id": "i", "account": "alice", "status": "active", "metadata": {}}"#;
    std::fs::write(record.path(), json).unwrap();
    let record = ["--key-record", record.path().to_str().unwrap()];
    let with_key = [&["--header", key.as_str()], &record[..]].concat();
    let any = two_rings("any");
    says(
        &explain(&any, link, &[], 2),
        &["any: depends on KEYGATE_MEDIA"],
    );
    says(&explain(&any, link, &with_key, 0), &["allow: verified"]);
    let all = two_rings("all");
    says(&explain(&all, link, &with_key, 2), &["undecided"]);
    says(&explain(&all, link, &[], 1), &["verdict   deny: 403"]);
}
