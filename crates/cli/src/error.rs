//! Why a command ends without success, and with which exit code.

use std::process::ExitCode;

/// The message is for a person, the exit code for a script.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The answer is no.
    #[error("{0}")]
    No(String),
    /// An argument, a variable or a token is wrong, or the output cannot be written.
    #[error("{0}")]
    Usage(String),
    /// The key service cannot be reached, failed, or is something else.
    #[error("{0}")]
    Service(String),
}

impl CliError {
    /// As `keygate --help` documents it.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::No(_) => 1,
            Self::Usage(_) => 2,
            Self::Service(_) => 3,
        })
    }
}
