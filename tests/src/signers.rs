//! The signers of `signers/`, each run by its real interpreter.
//!
//! A link is a JSON object as their command lines take it: see signers/README.md.

use std::fmt;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;

use crate::repository;

/// A file of `signers/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// `php/keygate_sign.php`
    Php,
    /// `python/keygate_sign/keygate_sign.py`
    Python,
    /// `node/keygate-sign.mjs`
    JavaScript,
    /// The command of the module in `go`
    Go,
    /// `keygate-sign.sh`
    Shell,
}

/// The command for Go, built once for each process: `go run` takes seconds.
static GO: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().expect("a process knows its executable");
    let program = test.with_file_name("keygate_sign-go");
    // Another process of tests may be running the one that is there.
    let fresh = test.with_file_name(format!("keygate_sign-go-{}", std::process::id()));
    let mut build = Command::new("go");
    build.args(["build", "-o"]).arg(&fresh);
    build.arg("./cmd/keygate-sign");
    build.current_dir(repository().join("signers/go"));
    run(build, "", "golang-go").unwrap_or_else(|error| panic!("go build: {error}"));
    std::fs::rename(&fresh, &program).expect("a file can be renamed beside itself");
    program
});

impl Signer {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Php,
        Self::Python,
        Self::JavaScript,
        Self::Go,
        Self::Shell,
    ];

    /// Whether it signs with Ed25519 by itself.
    #[must_use]
    pub fn has_ed25519(self) -> bool {
        self != Self::Python
    }

    /// Signs a link in a format: a URL, or a bare token.
    ///
    /// # Errors
    /// The message of a signer that rejects its arguments.
    ///
    /// # Panics
    /// When its interpreter is missing; says how to install it.
    pub fn sign(self, format: &str, link: &Value) -> Result<String, String> {
        let file = |name: &str| repository().join("signers").join(name);
        let (mut command, package) = match self {
            Self::Php => (interpreter("php", file("php/keygate_sign.php")), "php-cli"),
            Self::Python => (
                interpreter("python3", file("python/keygate_sign/keygate_sign.py")),
                "python3",
            ),
            Self::JavaScript => (interpreter("node", file("node/keygate-sign.mjs")), "nodejs"),
            Self::Go => (Command::new(&*GO), "golang-go"),
            Self::Shell => (interpreter("bash", file("keygate-sign.sh")), "bash openssl"),
        };
        command.arg(format);
        if self == Self::Shell {
            options(&mut command, link);
            return run(command, "", package);
        }
        run(command, &link.to_string(), package)
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

fn interpreter(program: &str, file: PathBuf) -> Command {
    let mut command = Command::new(program);
    command.arg(file);
    command
}

/// A link as options, and as variables where others must not see it.
fn options(command: &mut Command, link: &Value) {
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let link = link.as_object().expect("a link is an object");
    for (name, value) in link {
        let option = format!("--{}", name.replace('_', "-"));
        let list = value.as_array().map_or(&[][..], Vec::as_slice);
        match name.as_str() {
            "url" => {}
            _ if value.is_null() => {}
            "secret" => {
                command.env("KEYGATE_SECRET", text(value));
            }
            "private_key" => {
                command.env("KEYGATE_PRIVATE_KEY", text(value));
            }
            "any_host" | "any_query" if *value == false => {}
            "any_host" | "any_query" => {
                command.arg(option);
            }
            "globs" | "ignore" | "addresses" => {
                let option = match name.as_str() {
                    "globs" => "--glob",
                    "ignore" => "--ignore",
                    _ => "--address",
                };
                for it in list {
                    command.args([option, &text(it)]);
                }
            }
            "headers" | "cookies" => {
                for (index, pair) in list.iter().enumerate() {
                    let variable = format!("VALUE_{name}_{index}");
                    command.args([option.trim_end_matches('s'), &text(&pair[0]), &variable]);
                    command.env(variable, text(&pair[1]));
                }
            }
            _ => {
                command.args([option, text(value)]);
            }
        }
    }
    command.arg(link.get("url").map(text).expect("a link has a url"));
}

fn run(mut command: Command, input: &str, package: &str) -> Result<String, String> {
    let program = command.get_program().display().to_string();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound => panic!(
            "`{program}` is missing, and the tests of the signers need it: run \
             scripts/interpreters, or `sudo apt-get install {package}`"
        ),
        _ => panic!("{program}: {error}"),
    });
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    // A signer that rejects its arguments does not read.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("our own child ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}
