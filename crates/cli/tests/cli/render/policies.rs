//! Policies in files of their own: YAML, the line with the schema, `@FILE`.

use std::fs;

use super::{YAML, folder, printed, rendered};
use crate::support::keygate;

#[test]
fn every_command_that_takes_a_policy_takes_yaml() {
    let dir = folder();
    let [out, _] = printed(dir.path(), &["check", "policy.yaml"], 0);
    let expected = "policy.yaml:34:70: note: rules[3].mode: mode simulate is still set";
    assert!(out.starts_with(expected), "{out}");
    let explain = [
        "explain",
        "--policy",
        "policy.yaml",
        "--request",
        "GET /healthz",
    ];
    let [out, _] = printed(dir.path(), &explain, 0);
    assert!(out.contains("0 \"health\" matches"), "{out}");
    let sign = [
        "sign",
        "https://a.example/media/a",
        "--expires-in",
        "1h",
        "--policy",
        "policy.yaml",
    ];
    let secret = "a secret of thirty-two bytes, ok";
    keygate(&sign)
        .current_dir(dir.path())
        .env("KEYGATE_MEDIA", secret)
        .assert()
        .success();
    // Standard input has no name: what does not begin with a brace is YAML.
    let stdin = keygate(&["check", "-"])
        .current_dir(dir.path())
        .write_stdin(YAML)
        .assert();
    stdin.success();
}

#[test]
fn problems_of_a_yaml_policy_have_their_places() {
    let dir = folder();
    let wrong = YAML
        .replace("lease: 60s", "lease: 60s\n  lese: 1")
        .replace("require: nothing", "require: nothin")
        .replace("unmatched: deny", "unmatched: off");
    fs::write(dir.path().join("policy.yaml"), wrong).unwrap();
    let [out, _] = printed(dir.path(), &["check", "policy.yaml"], 1);
    for expected in [
        "policy.yaml:20:3: key_service.lese: unknown field `lese`: did you mean `lease`?",
        "policy.yaml:32:57: rules[0].require: there is no provider \"nothin\"",
        "policy.yaml:36:12: unmatched: expected `deny` or `allow`",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
    assert_eq!(out.lines().count(), 3, "{out}");
    for (text, expected) in [
        ("a: [1\nb: 2\n", "policy.yaml:2:"),
        (
            "a: &x 1\nb: *x\n",
            "policy.yaml:2:4: has a YAML alias: write the value again",
        ),
        ("", "policy.yaml:1:1: the file is empty"),
        (
            include_str!("../../../../../envoy/envoy.yaml"),
            "policy.yaml:1:1: this is Envoy's configuration",
        ),
        (
            include_str!("../../../../../envoy/istio/plugin.yaml"),
            "policy.yaml:1:1: this is a WasmPlugin",
        ),
    ] {
        fs::write(dir.path().join("policy.yaml"), text).unwrap();
        let [out, _] = printed(dir.path(), &["check", "policy.yaml"], 1);
        assert!(
            out.starts_with(expected) && out.lines().count() == 1,
            "{out}"
        );
        let [out, told] = printed(dir.path(), &["render", "--for", "envoy", "policy.yaml"], 1);
        assert!(out.is_empty() && told.contains(expected), "{told}");
        let explain = ["explain", "--policy", "policy.yaml", "--request", "GET /"];
        printed(dir.path(), &explain, 2);
    }
}

/// The policy with a page.
fn with_page(page: &str) -> String {
    let response = format!("page: {{ html: {page:?}, reasons: {{ expired: {{ status: 410 }} }} }}");
    YAML.replace("page: { reasons: { expired: { status: 410 } } }", &response)
}

#[test]
fn a_page_in_a_file_is_put_in_place() {
    let dir = folder();
    fs::create_dir(dir.path().join("pages")).unwrap();
    let page = "<h1>caf\u{e9} \u{2028}{message}</h1>\n  <p>off: \"yes\"</p>\n";
    fs::write(dir.path().join("pages/a.html"), page).unwrap();
    fs::write(dir.path().join("policy.yaml"), with_page("@pages/a.html")).unwrap();
    printed(dir.path(), &["check", "policy.yaml"], 0);
    for (platform, place) in [
        ("envoy", ""),
        ("istio", "/spec/pluginConfig"),
        ("istio-traffic-extension", "/spec/wasm/pluginConfig"),
        ("envoy-gateway", "/spec/wasm/0/config"),
    ] {
        let text = rendered(dir.path(), platform, &[]);
        let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text).unwrap();
        let policy = match platform {
            "envoy" => {
                let filters = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config\
                               /http_filters/0/typed_config/config/configuration/value";
                let text = documents[0].pointer(filters).unwrap().as_str().unwrap();
                serde_json::from_str(text).unwrap()
            }
            // The last one, which needs all others.
            _ => documents.last().unwrap().pointer(place).unwrap().clone(),
        };
        assert_eq!(policy["responses"]["page"]["html"], page, "{platform}");
    }
    // A text that begins with "@" itself.
    fs::write(
        dir.path().join("policy.yaml"),
        with_page("@@media").replace("html:", "text:"),
    )
    .unwrap();
    assert!(rendered(dir.path(), "envoy", &[]).contains("\"text\": \"@media\""));
}

#[test]
fn every_field_that_takes_a_file_takes_one() {
    let dir = folder();
    let key = include_str!("../../../../core/tests/keys/rsa2048.pub");
    fs::write(dir.path().join("key.pem"), key).unwrap();
    fs::write(dir.path().join("a.txt"), "a text").unwrap();
    let response = "page: { html: \"@a.txt\", text: \"@a.txt\", reasons: \
                    { expired: { html: \"@a.txt\", text: \"@a.txt\" } } }";
    let policy = YAML
        .replace("page: { reasons: { expired: { status: 410 } } }", response)
        .replace(
            "\nsecrets:\n",
            "\nsecrets:\n  public: [{ id: \"1\", public_key: \"@key.pem\" }]\n",
        )
        .replace(
            "\nproviders:\n",
            "\nproviders:\n  old: { type: signed_url, format: cloudfront, secrets: public, hash: sha256, max_lifetime: 1d }\n",
        );
    fs::write(dir.path().join("policy.yaml"), policy).unwrap();
    let text = rendered(dir.path(), "envoy", &[]);
    assert_eq!(text.matches("\": \"a text\"").count(), 4, "{text}");
    assert!(text.contains("-----BEGIN PUBLIC KEY-----"), "{text}");
    assert!(text.contains("data:image/svg+xml;base64,"), "{text}");
}

#[test]
fn the_yaml_of_the_page_about_rendering_is_valid() {
    let page = include_str!("../../../../../docs/render.md");
    let (_, rest) = page.split_once("```yaml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let response = example
        .lines()
        .find(|line| line.starts_with("  page:"))
        .unwrap();
    let dir = folder();
    fs::create_dir(dir.path().join("pages")).unwrap();
    fs::write(dir.path().join("pages/expired.html"), "<h1>{message}</h1>").unwrap();
    let policy = YAML.replace(
        "  page: { reasons: { expired: { status: 410 } } }",
        response,
    );
    fs::write(dir.path().join("policy.yaml"), policy).unwrap();
    assert!(rendered(dir.path(), "envoy", &[]).contains("\"html\": \"<h1>{message}</h1>\""));
}

#[test]
fn a_file_that_cannot_be_used_is_reported_at_its_field() {
    let dir = folder();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("latin.html", b"caf\xe9");
    write("long.html", &[b'x'; 256 * 1024 + 1]);
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("link.html")).unwrap();
    let elsewhere = "it must be in the folder of the policy, and named relative to it";
    for (name, why) in [
        ("missing.html", "No such file or directory (os error 2)"),
        ("latin.html", "it is not UTF-8"),
        ("long.html", "it has more than 262144 bytes"),
        (".", "it is not a regular file"),
        ("", elsewhere),
        ("../policy.yaml", elsewhere),
        ("/etc/hostname", elsewhere),
        ("link.html", elsewhere),
    ] {
        write("policy.yaml", with_page(&format!("@{name}")).as_bytes());
        let expected = format!(
            "policy.yaml:45:17: responses.page.html: cannot use the file {name:?}: {why}\n"
        );
        let [out, _] = printed(dir.path(), &["check", "policy.yaml"], 1);
        assert_eq!(out, expected);
        let [out, told] = printed(dir.path(), &["render", "--for", "istio", "policy.yaml"], 1);
        assert_eq!(out, "");
        assert_eq!(
            told,
            format!("keygate: Envoy would reject this policy:\n{expected}")
        );
    }
    write(
        "policy.yaml",
        YAML.replace("@logo.svg", "@latin.html").as_bytes(),
    );
    let [out, _] = printed(dir.path(), &["check", "policy.yaml"], 1);
    assert!(
        out.contains("brand.logo: cannot use the file \"latin.html\": a logo is a .png"),
        "{out}"
    );
}
