//! A new user, an empty Debian, an archive, and the words of the README.

use std::time::{Duration, Instant};

use keygate_tests::{readme, wait};

use crate::container::{Container, ENDED};
use crate::{VERSION, processors, release};

/// From the archive to the first answer.
const PATIENCE: Duration = Duration::from_secs(300);

/// Neither root nor a user that Debian knows.
const USER: &str = "1000:1000";

#[test]
fn the_readme_leads_from_the_archive_to_the_first_answers_in_five_minutes() {
    let Some(release) = release() else { return };
    let Some(container) = Container::start(USER) else {
        return;
    };
    let processor = std::env::consts::ARCH;
    let name = format!("keygate-{VERSION}-linux-{processor}");
    container.copy(&release.join(format!("{name}.tar.gz")));
    let start = Instant::now();
    container.start_script(&readme::installation(), "/tmp/log");
    wait::until("the demo to run", PATIENCE, || {
        let log = container.run("cat /tmp/log || true");
        assert!(!log.contains(ENDED), "{log}");
        log.contains("Keygate runs: ").then_some(())
    });
    let folder = format!("/tmp/{name}");
    readme::assert_commands_work(str::to_owned, container.bash(&folder));
    println!("from the archive to the last answer: {:?}", start.elapsed());
    assert!(start.elapsed() < PATIENCE);
}

#[test]
fn an_archive_for_another_processor_says_which_machine_this_is() {
    let Some(release) = release() else { return };
    let Some(container) = Container::start(USER) else {
        return;
    };
    let other = match std::env::consts::ARCH {
        "x86_64" => "aarch64",
        _ => "x86_64",
    };
    if !processors().iter().any(|it| it == other) {
        eprintln!("!!! SKIPPED: the release is not for {other}");
        return;
    }
    let name = format!("keygate-{VERSION}-linux-{other}");
    let file = release.join(format!("{name}.tar.gz"));
    if !file.is_file() {
        return crate::skip(&format!("{} was not built", file.display()));
    }
    container.copy(&file);
    let script = format!("tar -xzf {name}.tar.gz; cd {name}; scripts/demo 2>&1 || true");
    let told = container.run(&script);
    assert!(
        told.contains("does not run on this machine, Linux "),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
    // Nothing is left behind.
    let made = container.run(&format!("ls -A /tmp/{name} | grep '^[.]' || true"));
    assert_eq!(made, "");
}
