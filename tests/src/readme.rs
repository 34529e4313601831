//! The commands of a page, pasted into a shell, with what the page says comes back.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::repository;

/// A fenced block, with the line at which it begins.
pub struct Block {
    /// The line of its mark.
    pub line: usize,
    /// What is behind the mark.
    pub language: String,
    /// Its lines.
    pub text: String,
}

/// Where commands are run.
pub struct Shell {
    /// The working directory.
    pub directory: PathBuf,
    /// Variables beside those of the test.
    pub variables: Vec<(String, String)>,
}

impl Shell {
    /// bash there.
    #[must_use]
    pub fn bash(&self) -> Command {
        let mut bash = Command::new("bash");
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        bash.current_dir(&self.directory).envs(variables);
        bash
    }
}

/// bash in the repository, with this URL of the key service.
#[must_use]
pub fn bash(service: &str) -> Command {
    let shell = Shell {
        directory: repository(),
        variables: vec![("KEYGATE_SERVICE".to_owned(), service.to_owned())],
    };
    shell.bash()
}

/// Pastes every command of the README into this bash, after `here` has put the programs, ports and
/// files of a test into it, and compares what each prints.
///
/// # Panics
/// If a command fails, or prints something else than the README says.
pub fn assert_commands_work(here: impl Fn(&str) -> String, bash: Command) {
    let page = fs::read_to_string(repository().join("README.md")).expect("a README");
    let mut blocks = blocks(&page);
    // The demo itself, and what runs this test.
    blocks.retain(|block| !block.text.starts_with("make ") && !is_installation(block));
    assert_eq!(assert_blocks_work("README.md", &blocks, here, bash), 5);
}

/// The commands of the README that unpack a release and start the demo, which runs on.
///
/// # Panics
/// If the README has none.
#[must_use]
pub fn installation() -> String {
    let page = fs::read_to_string(repository().join("README.md")).expect("a README");
    let block = blocks(&page).into_iter().find(is_installation);
    block.expect("the README unpacks a release").text
}

fn is_installation(block: &Block) -> bool {
    block.language == "sh" && block.text.starts_with("tar ")
}

/// Pastes the blocks of commands (`sh`) of a page into one shell, and compares what each prints with
/// the blocks of text that follow it. Returns how many of these there are.
///
/// # Panics
/// If a command fails, or prints something else than the page says.
pub fn assert_blocks_work(
    page: &str,
    blocks: &[Block],
    here: impl Fn(&str) -> String,
    bash: Command,
) -> usize {
    let is_command = |block: &&Block| block.language == "sh";
    let pasted = blocks.iter().filter(is_command);
    let script: String = pasted
        .map(|it| format!("echo @@@@\n{}", here(&it.text)))
        .collect();
    let printed = run(page, &script, bash);
    let mut printed = printed.split("@@@@\n");
    let mut last = "";
    let mut compared = 0;
    for block in blocks {
        match block.language.as_str() {
            "sh" => last = printed.next().expect("one output for each command"),
            "text" => {
                let missing = missing(last, &block.text);
                let line = block.line;
                assert_eq!(missing, None, "{page}:{line}: printed was\n{last}");
                compared += 1;
            }
            other => panic!("{page}:{}: a block of {other:?}", block.line),
        }
    }
    compared
}

/// Pastes all of it into one shell, as a reader does.
fn run(page: &str, script: &str, mut bash: Command) -> String {
    let output = bash.args(["-euc", script]).output();
    let output = output.expect("bash is installed");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the commands of {page}: {told}");
    let printed = String::from_utf8(output.stdout).expect("text");
    let (_, printed) = printed.split_once("@@@@\n").expect("a first command");
    printed.replace('\r', "")
}

/// The first part of a pattern that is not there in its order. `…` stands for any text.
fn missing(printed: &str, pattern: &str) -> Option<String> {
    let mut rest = printed;
    for part in pattern.trim_end().split('…') {
        let part = part.trim_end_matches('\n');
        let Some((_, behind)) = rest.split_once(part) else {
            return Some(part.to_owned());
        };
        rest = behind;
    }
    None
}

/// The fenced blocks of a page.
#[must_use]
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (line, text) in (1..).zip(page.lines()) {
        match (text.strip_prefix("```"), is_open) {
            (Some(language), false) => {
                is_open = true;
                blocks.push(Block {
                    line,
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), true) => is_open = false,
            (None, true) => {
                let block = blocks.last_mut().expect("it is open");
                block.text.push_str(text);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn a_pattern_is_matched_in_its_order() {
        let printed = "HTTP/1.1 200 OK\na: 1\nb: 2\n\n{\"id\":\"x\"}\n";
        let pattern = "HTTP/1.1 200 OK\n…\nb: 2\n…\n{\"id\":\"…\"}\n";
        assert_eq!(missing(printed, pattern), None);
        let missing = missing(printed, "b: 2\n…\na: 1\n");
        assert_eq!(missing.as_deref(), Some("\na: 1"));
    }
}
