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
        let starts = ["https://", "/", "rejected: malformed_credential"];
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

/// Each text that names a variable: the pages, the examples, and the help of each command.
fn texts() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut texts = Vec::new();
    for place in ["README.md", "docs", "docs/formats", "envoy", "signers"] {
        let place = root.join(place);
        let files = match place.is_dir() {
            true => std::fs::read_dir(&place)
                .unwrap()
                .map(|it| it.unwrap().path())
                .collect(),
            false => vec![place],
        };
        for file in files.iter().filter(|file| file.is_file()) {
            texts.push((
                file.display().to_string(),
                std::fs::read_to_string(file).unwrap(),
            ));
        }
    }
    for command in ["serve", "sign", "verify", "check", "explain"] {
        let done = keygate(&[command, "--help"]).assert().success();
        let help = String::from_utf8(done.get_output().stdout.clone()).unwrap();
        texts.push((format!("keygate {command} --help"), help));
    }
    texts
}

/// The variables that a text reads as secrets, each with the encoding that it names.
fn encodings(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("KEYGATE_") {
        let is_name =
            |byte: char| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == '_';
        let (before, rest) = text.split_at(at);
        let (name, after) = rest.split_at(rest.find(|it| !is_name(it)).unwrap_or(rest.len()));
        let named = |after: &str| {
            let end = after.find(|it: char| !it.is_ascii_alphanumeric());
            after.split_at(end.unwrap_or(after.len())).0.len()
        };
        // `--secret 01=VARIABLE:hex`, or a member of a ring.
        let is_option = before.ends_with('=') && before.contains("--");
        let encoding = match after.strip_prefix("\", \"encoding\": \"") {
            Some(after) => after.split_at(named(after)).0,
            None if before.ends_with("\"env\": \"") => "utf8",
            None if is_option => match after.strip_prefix(':') {
                Some(after) => after.split_at(named(after)).0,
                None => "utf8",
            },
            None => continue,
        };
        found.push((name, encoding));
    }
    found
}

#[test]
fn each_variable_is_written_with_one_encoding_everywhere() {
    let texts = texts();
    let mut known: std::collections::BTreeMap<&str, (&str, &str)> = Default::default();
    for (place, text) in &texts {
        for (name, encoding) in encodings(text) {
            let (first, before) = *known.entry(name).or_insert((encoding, place));
            assert_eq!(
                first, encoding,
                "{name}: {first} in {before}, {encoding} in {place}"
            );
        }
    }
    assert!(known.len() > 5, "{known:?}");
    assert_eq!(known["KEYGATE_APP_KEYS"].0, "utf8");
}
