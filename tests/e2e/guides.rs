//! Every guide: its policy in a real Envoy, its commands pasted into a shell, and what it says
//! comes back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use keygate_tests::readme::{self, Block, Shell};
use keygate_tests::service::{ADMIN_TOKEN, keygate};
use keygate_tests::{Stack, repository};
use serde_json::Value;

/// The pair of keys that guides use, whose public one takes the place of `MIIB…`.
const PUBLIC: &str = include_str!("../../crates/core/tests/keys/rsa2048.pub");
const PRIVATE: &str = include_str!("../../crates/core/tests/keys/rsa2048.pem");

#[test]
fn every_command_of_a_guide_prints_what_the_guide_says() {
    let mut guides: Vec<_> = fs::read_dir(repository().join("docs/guides"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    guides.sort();
    // Two at a time: starting an Envoy is most of the work.
    let (first, second) = guides.split_at(guides.len() / 2);
    let compared: usize = std::thread::scope(|scope| {
        let halves = [first, second]
            .map(|half| scope.spawn(move || half.iter().map(|path| follow(path)).sum::<usize>()));
        halves.into_iter().map(|half| half.join().unwrap()).sum()
    });
    assert!(compared > 10, "only {compared} outputs were compared");
}

/// Follows a guide, and returns how many outputs were compared.
fn follow(path: &Path) -> usize {
    let name = path.file_name().unwrap().display().to_string();
    let guide = fs::read_to_string(path).unwrap();
    let body = PUBLIC.lines().filter(|line| !line.starts_with('-'));
    let guide = guide.replace("MIIB…", &body.collect::<String>());
    let mut parts: Vec<(Option<Value>, Vec<Block>)> = vec![(None, Vec::new())];
    for block in readme::blocks(&guide) {
        match block.language.as_str() {
            "json" => parts.push((Some(serde_json::from_str(&block.text).unwrap()), Vec::new())),
            "requests" => {}
            _ => parts.last_mut().unwrap().1.push(block),
        }
    }
    let mut compared = 0;
    for (policy, blocks) in parts {
        // What a page prints of another program has no command before it.
        if blocks.iter().any(|block| block.language == "sh") {
            let policy = policy.unwrap_or_else(|| panic!("{name}: no policy before a command"));
            compared += run(&name, &policy, &blocks);
        }
    }
    compared
}

/// Starts an Envoy with the policy, and runs the commands.
fn run(name: &str, policy: &Value, blocks: &[Block]) -> usize {
    let variables = secrets(policy);
    let names: Vec<&String> = variables.keys().collect();
    let change = |bootstrap: &mut Value| {
        let vm = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config\
                  /http_filters/0/typed_config/config/vm_config/environment_variables";
        *bootstrap.pointer_mut(vm).unwrap() = serde_json::json!({ "host_env_keys": names });
    };
    let stack = Stack::builder()
        .policy(policy)
        .concurrency(1)
        .envoy(|envoy| {
            let with = |envoy: keygate_tests::envoy::EnvoyConfig, it: (&String, &String)| {
                envoy.env(it.0, it.1)
            };
            variables.iter().fold(envoy.change(change), with)
        })
        .start();
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write("policy.json", &policy.to_string());
    write("private.pem", PRIVATE);
    let programs = keygate().parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let service = format!("http://127.0.0.1:{}", stack.service().port());
    let own = [
        ("PATH", format!("{programs}:{path}")),
        ("KEYGATE_SERVICE", service),
        ("KEYGATE_ADMIN_TOKEN", ADMIN_TOKEN.to_owned()),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let shell = Shell {
        directory: directory.path().to_owned(),
        variables: variables.into_iter().chain(own).collect(),
    };
    let here = |text: &str| {
        let public = format!("127.0.0.1:{}", stack.envoy.port());
        let admin = format!("127.0.0.1:{}", stack.envoy.admin_port());
        text.replace("127.0.0.1:10000", &public)
            .replace("127.0.0.1:9901", &admin)
    };
    readme::assert_blocks_work(&format!("docs/guides/{name}"), blocks, here, shell.bash())
}

/// A value for each variable that the policy names: those of the key service are the harness's.
fn secrets(policy: &Value) -> BTreeMap<String, String> {
    use keygate_tests::service::{APP_KEYS, EDGE_TOKEN};
    let mut found = BTreeMap::new();
    let mut next = vec![policy];
    while let Some(value) = next.pop() {
        match value {
            Value::Object(members) => {
                for (member, value) in members {
                    match value.as_str().filter(|_| member.ends_with("env")) {
                        Some("KEYGATE_APP_KEYS") => {
                            found.insert("KEYGATE_APP_KEYS".to_owned(), APP_KEYS.to_owned());
                        }
                        Some("KEYGATE_EDGE_TOKEN") => {
                            found.insert("KEYGATE_EDGE_TOKEN".to_owned(), EDGE_TOKEN.to_owned());
                        }
                        // 32 bytes in hexadecimal digits, different ones for each variable.
                        Some(name) => {
                            let digits = format!("a{:x}", name.len() % 16).repeat(32);
                            found.insert(name.to_owned(), digits);
                        }
                        None => next.push(value),
                    }
                }
            }
            Value::Array(items) => next.extend(items),
            _ => {}
        }
    }
    found
}
