//! Every format there is, signed and verified from the command line. A format without a
//! row here makes the test fail.

use std::path::PathBuf;

use keygate_core::config::FORMATS;
use tempfile::TempDir;

use crate::support::keygate;

const NOW: &str = "1700000000";
const LATER: &str = "1700000060";

/// 32 bytes, in the encoding that a row asks for.
const TEXT: &str = "a secret of thirty-two bytes, ok";
const HEX: &str = "61207365637265742066206f207468697274792d74776f2062797465732c206b";
const BASE64: &str = "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcywgb2s=";
const BASE64URL: &str = "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcywgb2s";
const OTHER: &str = "another secret, as long as the 1";

const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAZuV7wAXJ9V7Y25bKQ8P/XOIPTD/7FbfiW6a3RQ+g0S
-----END PRIVATE KEY-----
";
const P256: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeQGV9lXzSMO7O/0c
nwG1Uv6rJ8EolcCgmldcOd9HS/2hRANCAATXiIq7278F3COe5bGKx3UiO5obn1gV
lBoSDPhtootcg8xlUcco55XQhdFel9nLQFIYfdRGGzUvKfBwhACgqXMP
-----END PRIVATE KEY-----
";

/// How links of a format are made.
struct Row {
    format: &'static str,
    /// Options of both commands.
    both: &'static [&'static str],
    /// Options of `sign`.
    sign: &'static [&'static str],
    /// `utf8`, `hex`, `base64`, `base64url`, or a private key.
    secret: &'static str,
    url: &'static str,
}

const URL: &str = "https://media.example.com/video/1/cat.mp4";
const HOUR: &[&str] = &["--expires-in", "1h"];

const fn row(format: &'static str, both: &'static [&'static str]) -> Row {
    Row {
        format,
        both,
        sign: HOUR,
        secret: "utf8",
        url: URL,
    }
}

/// Rows of formats that this build lacks wait for it.
const ROWS: &[Row] = &[
    row("keygate", &[]),
    Row {
        sign: &["--expires-in", "1h", "--prefix", "/video/"],
        ..row("keygate", &[])
    },
    Row {
        sign: &[
            "--expires-in",
            "1h",
            "--account",
            "alice",
            "--header",
            "x-a: b",
        ],
        ..row("keygate", &[])
    },
    Row {
        secret: ED25519,
        ..row("keygate", &["--set", "algorithm=EdDSA"])
    },
    Row {
        sign: &[],
        ..row("cloudflare", &[])
    },
    row("cloudflare", &["--set", "stamp=expires"]),
    Row {
        secret: "hex",
        ..row("akamai", &[])
    },
    Row {
        secret: P256,
        ..row("cloudfront", &[])
    },
    Row {
        secret: "base64url",
        ..row("google-cdn", &[])
    },
    Row {
        secret: ED25519,
        ..row("google-media-cdn", &[])
    },
    row(
        "nginx",
        &[
            "--set",
            "allow_weak=true",
            "--set",
            "template=$secure_link_expires$uri ${secret}",
        ],
    ),
    Row {
        secret: "base64",
        ..row("fastly", &[])
    },
    row("bunny", &[]),
    row("keycdn", &["--set", "allow_weak=true"]),
    Row {
        url: "https://store.example.com/a%20b/cat.jpg?versionId=1",
        ..row(
            "s3",
            &["--set", "region=eu-west-1", "--key-id", "AKIAEXAMPLE"],
        )
    },
    Row {
        secret: "base64",
        ..row("azure-sas", &["--set", "account=pictures"])
    },
    row("uri-signing", &["--set", "algorithm=HS256"]),
    Row {
        url: "https://img.example.com/rs:fit:300:200/aHR0cA.png",
        secret: "hex",
        sign: &[],
        ..row("imgproxy", &["--set", "salts=salt", "--ring", "salt=SALT"])
    },
    Row {
        url: "https://img.example.com/300x200/smart/example.com/cat.jpg",
        sign: &[],
        ..row("thumbor", &[])
    },
    Row {
        url: "https://maps.example.com/maps/api/staticmap?center=1&client=c",
        secret: "base64url",
        sign: &[],
        ..row("google-maps", &[])
    },
    Row {
        sign: &[],
        ..row(
            "http-signature",
            &["--set", "algorithm=hmac-sha256", "--set", "max_age=5m"],
        )
    },
];

/// A row at work: its key in a file, and the environment.
struct Tried<'a> {
    row: &'a Row,
    dir: TempDir,
}

impl Tried<'_> {
    fn key_file(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    /// What is printed to both, and the exit code.
    fn run(&self, command: &str, url: &str, more: &[&str], secret: &str) -> (String, String, i32) {
        let file = self.key_file().to_string_lossy().into_owned();
        let is_private = self.row.secret.starts_with("-----");
        let key = match is_private {
            true => ["--private-key-file", file.as_str()],
            false => ["--encoding", self.row.secret],
        };
        let head = [command, url, "--format", self.row.format];
        let is_given = self.row.both.contains(&"--key-id") || more.contains(&"--without-id");
        let id: &[&str] = if is_given { &[] } else { &["--key-id", "one"] };
        let mut args = [&head, &key[..], id, self.row.both, more].concat();
        args.retain(|it| *it != "--without-id");
        let salt = if self.row.secret == "hex" { HEX } else { TEXT };
        let done = keygate(&args)
            .env("KEYGATE_MEDIA", secret)
            .env("SALT", salt)
            .env("COOKIES", self.secret())
            .assert();
        let output = done.get_output();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        for secret in [TEXT, HEX, BASE64, BASE64URL, OTHER, "MC4CAQ", "eQGV9lXz"] {
            assert!(
                !format!("{out}{err}").contains(secret),
                "{args:?}: {out}{err}"
            );
        }
        (out, err, output.status.code().unwrap_or(-1))
    }

    /// The signed URL, and the options that give the headers which belong to it.
    fn sign(&self, url: &str) -> (String, Vec<String>) {
        let row = self.row;
        let more = [row.sign, &["--now", NOW, "--headers"]].concat();
        let (out, err, code) = self.run("sign", url, &more, self.secret());
        assert_eq!((code, err.as_str()), (0, ""), "{} {url}", row.format);
        let mut lines = out.lines();
        let signed = lines.next().unwrap().to_owned();
        let asked = row.sign.windows(2).filter(|it| it[0] == "--header");
        let headers = lines.chain(asked.map(|it| it[1]));
        let options = headers.flat_map(|it| ["--header".to_owned(), it.to_owned()]);
        (signed, options.collect())
    }

    /// What `verify` prints of a link, which ends with this exit code.
    fn verify(&self, url: &str, headers: &[String], secret: &str, code: i32) -> String {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let more = [&headers[..], &["--now", LATER, "--client", "192.0.2.1"]].concat();
        let (out, err, told) = self.run("verify", url, &more, secret);
        assert_eq!(told, code, "{} {url}: {out}{err}", self.row.format);
        out
    }

    fn secret(&self) -> &'static str {
        match self.row.secret {
            "hex" => HEX,
            "base64" => BASE64,
            "base64url" => BASE64URL,
            _ => TEXT,
        }
    }

    fn other(&self) -> String {
        match self.row.secret {
            "hex" => HEX.replace('6', "7"),
            "base64" => BASE64.replace('Y', "Z"),
            "base64url" => BASE64URL.replace('Y', "Z"),
            _ => OTHER.to_owned(),
        }
    }
}

#[test]
fn every_format_of_this_build_has_a_row() {
    for format in FORMATS {
        assert!(
            ROWS.iter().any(|row| row.format == *format),
            "the format {format} has no row in crates/cli/tests/cli/formats.rs: give it one, \
             so that keygate sign and keygate verify are tried with it"
        );
    }
}

#[test]
fn verify_accepts_exactly_what_sign_makes_in_each_format() {
    for row in ROWS.iter().filter(|row| FORMATS.contains(&row.format)) {
        let dir = tempfile::tempdir().unwrap();
        let tried = Tried { row, dir };
        std::fs::write(tried.key_file(), row.secret).unwrap();
        let (url, headers) = tried.sign(row.url);
        let verify = |url: &str, secret: &str, code: i32| tried.verify(url, &headers, secret, code);
        let url = url.as_str();
        let held = verify(url, tried.secret(), 0);
        assert!(held.starts_with("valid"), "{held}");
        if row.sign.contains(&"alice") {
            assert!(held.contains("account \"alice\""), "{held}");
        }
        let (host, _) = row.url.split_at(row.url.find('/').unwrap());
        let at = row.url.rfind('/').unwrap().max(host.len());
        let forged = url.replace(&row.url[at..at + 4], "/zzz");
        let prefix = row.sign.contains(&"--prefix");
        assert!(verify(&forged, tried.secret(), i32::from(!prefix)).len() > 5);
        if !row.secret.starts_with("-----") {
            let rejected = verify(url, &tried.other(), 1);
            assert!(
                rejected.starts_with("rejected: wrong_signature"),
                "{rejected}"
            );
        }
    }
}

#[test]
fn sign_requires_the_key_id_of_formats_that_write_it_into_the_link() {
    let help = keygate(&["sign", "--help"]).assert().success();
    let help = String::from_utf8_lossy(&help.get_output().stdout).into_owned();
    let (_, help) = help.split_once("--key-id <ID>").unwrap();
    let (help, _) = help.split_once("--ring").unwrap();
    for row in ROWS.iter().filter(|row| FORMATS.contains(&row.format)) {
        let dir = tempfile::tempdir().unwrap();
        let both: Vec<&str> = match row.both.iter().position(|it| *it == "--key-id") {
            Some(at) => row.both[..at].to_vec(),
            None => row.both.to_vec(),
        };
        let row = &Row {
            both: Vec::leak(both),
            ..*row
        };
        let tried = Tried { row, dir };
        std::fs::write(tried.key_file(), row.secret).unwrap();
        let sign = |id: &[&str]| {
            let more = [row.sign, &["--now", NOW, "--headers", "--without-id"], id].concat();
            tried.run("sign", row.url, &more, tried.secret())
        };
        let (one, ..) = sign(&["--key-id", "one"]);
        let (two, ..) = sign(&["--key-id", "two"]);
        let (_, err, code) = sign(&[]);
        let is_asked_for = code == 2 && err.contains("give it with --key-id");
        assert!(one.len() > 5 && two.len() > 5, "{}", row.format);
        assert_eq!(is_asked_for, one != two, "{}: {one}{two}{err}", row.format);
        assert_eq!(is_asked_for, help.contains(row.format), "{help}");
    }
}

#[test]
fn every_format_signs_and_verifies_with_an_exchange() {
    let exchange = r#"exchange={"secrets":"cookies","max_session":"6h"}"#;
    let more = ["--set", exchange, "--ring", "cookies=COOKIES"];
    for row in ROWS.iter().filter(|row| FORMATS.contains(&row.format)) {
        let both: Vec<&str> = row.both.iter().chain(&more).copied().collect();
        let dir = tempfile::tempdir().unwrap();
        let row = &Row {
            both: Vec::leak(both),
            ..*row
        };
        let tried = Tried { row, dir };
        std::fs::write(tried.key_file(), row.secret).unwrap();
        let at = [row.sign, &["--now", NOW, "--headers"]].concat();
        let (out, err, code) = tried.run("sign", row.url, &at, tried.secret());
        assert_eq!((code, err.as_str()), (0, ""), "{}: {out}", row.format);
    }
}

/// Replaces characters by their percent encoding.
fn encode(text: &str, characters: &str) -> String {
    let encode = |it: char| match characters.contains(it) {
        true => format!("%{:02X}", u32::from(it)),
        false => it.to_string(),
    };
    text.chars().map(encode).collect()
}

#[test]
fn characters_that_envoy_encodes_verify_in_every_format() {
    /// All that Envoy encodes in a path (see `keygate_core::http::path`).
    const ENCODED: &str = "|{}^`\"<>";
    /// Formats that sign no query of the caller's own.
    const NO_QUERY: [&str; 5] = ["azure-sas", "keycdn", "nginx", "imgproxy", "thumbor"];
    for row in ROWS.iter().filter(|row| FORMATS.contains(&row.format)) {
        let dir = tempfile::tempdir().unwrap();
        let tried = Tried { row, dir };
        std::fs::write(tried.key_file(), row.secret).unwrap();
        let end = row.url.find('?').unwrap_or(row.url.len());
        let name = row.url[..end].rfind('/').unwrap() + 2;
        let mut url = row.url.to_owned();
        url.insert_str(name, ENCODED);
        if !NO_QUERY.contains(&row.format) {
            let separator = if url.contains('?') { '&' } else { '?' };
            url += &format!("{separator}x={ENCODED}~'");
        }
        let (signed, headers) = tried.sign(&url);
        // As the signer gave it; as Envoy passes it on; as a strict client sends it.
        let (path, query) = signed.split_once('?').unwrap_or((&signed, ""));
        let by_envoy = format!("{}?{query}", encode(path, ENCODED));
        let by_envoy = by_envoy.trim_end_matches('?');
        for sent in [&signed, by_envoy, &encode(&signed, ENCODED)] {
            tried.verify(sent, &headers, tried.secret(), 0);
        }
    }
}
