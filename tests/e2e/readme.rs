//! Every command of the README, pasted into a shell, with what the README says comes back.

use std::fs;

use keygate_tests::service::{ADMIN_TOKEN, APP_KEYS, EDGE_TOKEN, MEDIA, keygate};
use keygate_tests::{Stack, readme, repository};

use crate::support::sign;

#[test]
fn every_command_of_the_readme_prints_what_the_readme_says() {
    let stack = Stack::start();
    let directory = tempfile::tempdir().unwrap();
    let environment = directory.path().join("demo.env");
    let secrets = [
        ("KEYGATE_MEDIA", MEDIA),
        ("KEYGATE_APP_KEYS", APP_KEYS),
        ("KEYGATE_ADMIN_TOKEN", ADMIN_TOKEN),
        ("KEYGATE_EDGE_TOKEN", EDGE_TOKEN),
    ];
    let lines = secrets.map(|(name, value)| format!("{name}={value}\n"));
    fs::write(&environment, lines.concat()).unwrap();
    // The demo has other ports, other secrets and a build of its own.
    let programs = keygate().parent().unwrap().to_owned();
    let [programs, environment] = [programs, environment].map(|it| it.display().to_string());
    let port = stack.envoy.port();
    let here = |text: &str| {
        text.replace("$PWD/target/demo", &programs)
            .replace("127.0.0.1:10000", &format!("127.0.0.1:{port}"))
            .replace(".run/demo.env", &environment)
    };
    let service = format!("http://127.0.0.1:{}", stack.service().port());
    readme::assert_commands_work(here, readme::bash(&service));
}

#[test]
fn the_commands_of_five_minutes_print_what_the_page_says() {
    let stack = Stack::start();
    let changed = sign("/media/cat.jpg", &[]).replace("cat", "dog");
    assert_eq!(stack.get(changed).send().status, 403);
    stack.envoy.wait_for_log("keygate_denied");
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("envoy.log");
    fs::write(&log, stack.envoy.log()).unwrap();
    let page = fs::read_to_string(repository().join("docs/five-minutes.md")).unwrap();
    let here = |text: &str| {
        let admin = format!("127.0.0.1:{}", stack.envoy.admin_port());
        text.replace("keygate ", &format!("{} ", keygate().display()))
            .replace("127.0.0.1:9901", &admin)
            .replace(".run/envoy.log", &log.display().to_string())
    };
    let shell = readme::Shell {
        directory: directory.path().to_owned(),
        variables: Vec::new(),
    };
    let name = "docs/five-minutes.md";
    let compared = readme::assert_blocks_work(name, &readme::blocks(&page), here, shell.bash());
    assert_eq!(compared, 4);
}
