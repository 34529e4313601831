//! The commands in docs/signed-urls.md do what the page says.

use keygate_core::config::FORMATS;

use crate::support::keygate;

const POLICY: &str = r#"{
  "version": 1,
  "secrets": { "media": [{ "id": "1", "env": "KEYGATE_MEDIA" }] },
  "providers": { "links": { "type": "signed_url", "format": "cloudflare", "secrets": "media",
    "stamp": "expires", "max_lifetime": "1d" } },
  "rules": [{ "name": "all", "match": { "path": "/**" }, "require": "links" }],
  "unmatched": "deny"
}"#;

#[test]
fn every_command_of_the_page_about_links_runs() {
    let page = include_str!("../../../../docs/signed-urls.md");
    let (_, section) = page.split_once("## Sign from the command line").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("policy.json"), POLICY).unwrap();
    std::fs::write(dir.path().join("secret.txt"), "secret of the store\n").unwrap();
    let mut count = 0;
    for line in section
        .lines()
        .filter_map(|it| it.strip_prefix("    keygate "))
    {
        let args: Vec<&str> = line.split(' ').map(|it| it.trim_matches('\'')).collect();
        let format = args.iter().position(|it| *it == "--format");
        if format.is_some_and(|at| !FORMATS.contains(&args[at + 1])) {
            continue;
        }
        let code = i32::from(args[0] == "verify");
        let done = keygate(&args)
            .current_dir(dir.path())
            .env("KEYGATE_MEDIA", "secret of the media, long enough")
            .assert()
            .code(code);
        let output = done.get_output();
        let starts = ["https://", "/", "refused: malformed_credential"];
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(starts.iter().any(|it| printed.starts_with(it)), "{printed}");
        assert!(output.stderr.is_empty(), "{line}");
        count += 1;
    }
    assert!(count >= 4, "only {count} commands were run");
}

#[test]
fn the_example_of_an_exchange_signs_and_verifies() {
    let page = include_str!("../../../../docs/signed-urls.md");
    let (_, section) = page.split_once("**Exchange.**").unwrap();
    let example = section.lines().skip_while(|line| !line.starts_with("    "));
    let example: Vec<&str> = example
        .map_while(|line| line.strip_prefix("    "))
        .collect();
    let links = r#"[ { "id": "l1", "env": "KEYGATE_MEDIA" } ]"#;
    let example = example.join("\n").replace("[…]", links);
    let policy = format!(
        r#"{{ "version": 1, {example}, "unmatched": "deny",
            "rules": [{{ "name": "all", "match": {{ "path": "/**" }}, "require": "link" }}] }}"#
    );
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("policy.json"), policy).unwrap();
    let run = |args: &[&str]| {
        let done = keygate(&[args, &["--policy", "policy.json"]].concat())
            .current_dir(dir.path())
            .env("KEYGATE_MEDIA", "secret of the media, long enough")
            .env("KEYGATE_COOKIES", "secret of the cookies, long enough")
            .assert()
            .success();
        String::from_utf8(done.get_output().stdout.clone()).unwrap()
    };
    let link = run(&[
        "sign",
        "https://a.example/film/index.m3u8",
        "--expires-in",
        "1h",
    ]);
    assert!(run(&["verify", link.trim()]).starts_with("valid"));
}
