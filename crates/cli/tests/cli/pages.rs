//! Every command of `keygate` that a page shows runs as it stands there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::render::folder;
use crate::support::{ADMIN, EDGE, MASTER, Server, database, demo_policy, id, serve};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What the variables of the pages hold.
const VARIABLES: [(&str, &str); 11] = [
    (
        "IMAGE",
        "r.example/keygate@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    ("KEYGATE_MEDIA", "secret of the media, long enough"),
    ("KEYGATE_MEDIA_2", "another secret of the media, longer"),
    ("KEYGATE_APP_KEYS", MASTER),
    ("KEYGATE_APP_KEYS_02", "fedcba9876543210fedcba9876543210"),
    ("KEYGATE_ASSERTION", "secret of the assertions, long enough"),
    // A public key of Ed25519 (RFC 8032 section 7.1, test 1).
    (
        "KEYGATE_PUBLIC",
        "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    ),
    ("KEYGATE_ADMIN_TOKEN", ADMIN),
    ("KEYGATE_EDGE_TOKEN", EDGE),
    ("NEW", "new-edge-token-0123456789"),
    ("OLD", EDGE),
];

#[test]
fn every_keygate_command_of_every_page_runs() {
    let (dir, path) = database();
    let server = Server::start(&path);
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("policy.json", &demo_policy());
    write("envoy.yaml", include_str!("../../../../envoy/envoy.yaml"));
    write("secret.txt", "secret of the store\n");
    let public = include_str!("../../../core/tests/keys/rsa2048.pub");
    write("pub.pem", public);
    let key =
        r#"{"key":"legacy:alice:0123456789abcdef","account":"alice","scopes":["files:read"]}"#;
    write("keys.jsonl", key);
    let consumer = "{username: bob, keyauth_credentials: [{key: kong:bob:0123456789}]}";
    write("kong.yaml", &format!("consumers: [{consumer}]"));
    let api_key = server.output(&["keys", "create", "--account", "alice"]);
    let mut count = 0;
    for (place, line) in commands() {
        // What follows is another program's.
        let line = line.split(" && ").next().unwrap().replace('…', "");
        count += 1;
        // With a real Envoy: tests/e2e/doctor.rs, readme.rs.
        if line.contains("keygate doctor") || line.contains("< .run/envoy.log") {
            continue;
        }
        if line.contains("keygate serve") {
            assert_serves(&place, &line, dir.path(), count);
            continue;
        }
        // With a real PostgreSQL: store.rs.
        if line.contains("keygate store") && line.contains("--store")
            || line.contains("postgres://")
        {
            continue;
        }
        let line = line
            .replace("/var/lib/keygate/keygate.db", &path.display().to_string())
            .replace("/var/backups/", "backup-");
        // Several pages make files of the same name, which are never replaced.
        let own = folder();
        fs::write(own.path().join("policy.json"), demo_policy()).unwrap();
        let folder = match line.contains("keygate render") {
            true => own.path(),
            false => dir.path(),
        };
        let output = shell(&line, folder)
            .env("KEYGATE_SERVICE", &server.url)
            .env("ID", id(&api_key))
            .env("API_KEY", api_key.trim())
            .env("UPSTREAM_TOKEN", "Bearer token-of-the-upstream")
            .output()
            .unwrap();
        // A link or a request of a page may be rejected; nothing else may fail.
        let may_reject = line.contains("keygate verify") || line.contains("keygate explain");
        let code = output.status.code();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            code == Some(0) || (may_reject && code == Some(1)),
            "{place}: {line}: {code:?}: {told}"
        );
    }
    assert!(count > 15, "only {count} commands were found");
}

/// The key service listens with these arguments, at a port and with a database of the test.
fn assert_serves(place: &str, line: &str, dir: &Path, count: usize) {
    let log = dir.join(format!("serve-{count}.log"));
    let command = line.split(" #").next().unwrap();
    let command = command.replace("keygate serve", "exec keygate serve");
    let mut command = format!("{command} --listen 127.0.0.1:0");
    if !command.contains("--database") {
        command += &format!(" --database serve-{count}.db");
    }
    let mut child = shell(&command, dir)
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let told = || fs::read_to_string(&log).unwrap();
    while !told().contains("listening on ") {
        let has_ended = child.try_wait().unwrap().is_some();
        if has_ended || Instant::now() > deadline {
            let _ = child.kill();
            panic!("{place}: {line}: does not listen: {}", told());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

fn shell(line: &str, dir: &Path) -> Command {
    let program = serve(Path::new(""), "").get_program().to_owned();
    let beside = PathBuf::from(program).parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("bash");
    command
        .args(["-c", line])
        .env_clear()
        .env("PATH", format!("{}:{path}", beside.display()))
        .envs(VARIABLES)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The lines of code that run `keygate`, each with its file and line.
fn commands() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for place in [
        "",
        "docs",
        "docs/formats",
        "docs/guides",
        "signers",
        "signers/go",
        "signers/node",
        "signers/php",
        "signers/python",
    ] {
        let entries = fs::read_dir(Path::new(ROOT).join(place)).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|it| it.unwrap().path()).collect();
        files.sort();
        for file in files
            .iter()
            .filter(|it| it.extension().is_some_and(|it| it == "md"))
            // The examples of the help: their links and files are placeholders.
            .filter(|it| !it.ends_with("cli.md"))
        {
            let name = Path::new(place).join(file.file_name().unwrap());
            // With a real Envoy, and in one shell: tests/e2e/readme.rs.
            if name == Path::new("README.md") {
                continue;
            }
            let mut is_fenced = false;
            for (index, line) in fs::read_to_string(file).unwrap().lines().enumerate() {
                is_fenced ^= line.trim_start().starts_with("```");
                // The blocks of guides need their policy: tests/e2e/guides.rs.
                let is_fenced = is_fenced && place != "docs/guides";
                let is_code = is_fenced || line.starts_with("    ");
                let mut words = line.split_whitespace();
                let first = words.find(|it| !is_assignment(it));
                if is_code && first == Some("keygate") {
                    let place = format!("{}:{}", name.display(), index + 1);
                    found.push((place, line.trim().to_owned()));
                }
            }
        }
    }
    found
}

fn is_assignment(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    let is_name = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    name.len() < word.len() && name.bytes().all(is_name)
}
