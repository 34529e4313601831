//! `keygate completions` and `keygate man`: made from the definition of the commands, so that they
//! know each of them.

use std::fs;
use std::process::{Command, Stdio};

use crate::support::keygate;

fn printed(args: &[&str]) -> String {
    let done = keygate(args).assert().success();
    String::from_utf8(done.get_output().stdout.clone()).unwrap()
}

/// The names of the commands, as the help lists them.
fn commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    // A longer indentation continues a description.
    let lines = lines.filter(|line| !line.starts_with("   "));
    let names = lines.filter_map(|line| line.split_whitespace().next());
    let names: Vec<String> = names.map(str::to_owned).collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

/// What bash offers behind these words, of which the last is incomplete.
fn completed(words: &[&str]) -> Vec<String> {
    let script = tempfile::NamedTempFile::new().unwrap();
    fs::write(script.path(), printed(&["completions", "bash"])).unwrap();
    let last = words.len() - 1;
    let ask = format!(
        "source {}; COMP_WORDS=({}); COMP_CWORD={last}; _keygate keygate {} {}; echo ${{COMPREPLY[@]}}",
        script.path().display(),
        words.join(" "),
        words[last],
        words[last - 1],
    );
    let output = Command::new("bash").args(["-c", &ask]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{told}");
    let offered = String::from_utf8(output.stdout).unwrap();
    offered.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_options() {
    assert_eq!(completed(&["keygate", "sc"]), ["schema"]);
    assert_eq!(completed(&["keygate", "keys", "rev"]), ["revoke"]);
    let options = completed(&["keygate", "serve", "--data"]);
    assert_eq!(options, ["--database"]);
}

#[test]
fn the_completions_of_each_shell_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        for name in commands() {
            assert!(script.contains(&name), "{shell} does not know {name}");
        }
        // The shell itself reads it, where it is installed.
        let mut command = Command::new(shell);
        let child = command.arg("-n").stdin(Stdio::piped()).spawn();
        let Ok(mut child) = child else {
            eprintln!("!!! SKIPPED: {shell} is not installed: its completions are not parsed");
            continue;
        };
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, script.as_bytes()).unwrap();
        drop(input);
        assert!(child.wait().unwrap().success(), "{shell} rejects them");
    }
}

#[test]
fn an_unknown_shell_is_rejected_with_the_known_ones() {
    let done = keygate(&["completions", "cmd"]).assert().code(2);
    let told = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(told.contains("bash") && told.contains("fish"), "{told}");
}

#[test]
fn each_command_has_a_manual_page() {
    let dir = tempfile::tempdir().unwrap();
    let pages = dir.path().join("share/man1");
    let _ = printed(&["man", pages.to_str().unwrap()]);
    for name in commands().iter().filter(|name| *name != "help") {
        let page = fs::read_to_string(pages.join(format!("keygate-{name}.1")));
        let page = page.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
    let create = fs::read_to_string(pages.join("keygate-keys-create.1")).unwrap();
    assert!(create.contains("account"), "{create}");
    let files = fs::read_dir(&pages).unwrap();
    let names = files.map(|it| it.unwrap().file_name().into_string().unwrap());
    let of_help: Vec<String> = names.filter(|name| name.contains("help")).collect();
    assert!(of_help.is_empty(), "{of_help:?}");
    // A reader of pages finds no fault.
    match Command::new("man")
        .args(["--warnings", "-l", "-Tutf8"])
        .arg(pages.join("keygate-keys-create.1"))
        .output()
    {
        Ok(output) => {
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && told.is_empty(), "{told}");
        }
        Err(error) => eprintln!("!!! SKIPPED: man: {error}: the pages are not formatted"),
    }
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let place = file.path().join("man1");
    let done = keygate(&["man", place.to_str().unwrap()]).assert().code(2);
    let told = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(told.contains(place.to_str().unwrap()), "{told}");
}
