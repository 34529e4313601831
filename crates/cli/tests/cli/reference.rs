//! `docs/cli.md` is the help of every command.

use std::fmt::Write as _;

use crate::support::keygate;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");

const HEAD: &str = "\
# Command line

Every command of `keygate`, as `--help` prints it. An option with `[env: NAME]` can also be set by that
environment variable. Names in angle brackets stand for values.

This page is generated from the command itself; `make test` fails if it is out of date. To renew it:

    KEYGATE_RENEW=1 cargo test -p keygate-cli --test cli reference::

";

#[test]
fn the_page_of_the_command_line_is_current() {
    let page = page();
    if std::env::var_os("KEYGATE_RENEW").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let committed = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        committed == page,
        "docs/cli.md is not current. Renew it: \
         KEYGATE_RENEW=1 cargo test -p keygate-cli --test cli reference::"
    );
}

fn page() -> String {
    let mut commands = Vec::new();
    collect(&[], &mut commands);
    assert!(commands.len() > 30, "only {} commands", commands.len());
    let mut page = format!("{HEAD}| command | what it does |\n| --- | --- |\n");
    for (name, help) in &commands {
        let about = help.split("\n\n").next().unwrap().replace('\n', " ");
        let anchor = name.replace(' ', "-");
        let _ = writeln!(page, "| [`{name}`](#{anchor}) | {about} |");
    }
    for (name, help) in &commands {
        let _ = write!(page, "\n## {name}\n\n```text\n{}\n```\n", help.trim_end());
    }
    page
}

/// The help of a command, and of each command below it.
fn collect(words: &[&str], commands: &mut Vec<(String, String)>) {
    let done = keygate(&[words, &["--help"]].concat()).assert().success();
    let help = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    commands.push(([&["keygate"], words].concat().join(" "), help.clone()));
    let list = help.split_once("\nCommands:\n").map_or("", |it| it.1);
    let list = list.split("\n\n").next().unwrap().lines();
    // A description that takes two lines goes on further to the right.
    let names = list.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    for name in names.filter(|name| !name.is_empty() && *name != "help") {
        collect(&[words, &[name]].concat(), commands);
    }
}
