//! How many files the process may have open, and so how many connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are no connection: the database and its log for each of nine users, the listener,
/// what the runtime and the signals need, and as many again.
const OTHERS: u64 = 64;

/// Raises the limit of open files as far as the system permits, and returns how many connections
/// fit in it.
pub fn allowed_connections() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::warn!("the limit of open files cannot be raised: {error}");
            current
        }
    };
    fitting(files.unwrap_or(u64::MAX))
}

/// With few files half of them: fewer than the others need is no use either.
fn fitting(files: u64) -> usize {
    let rest = files.saturating_sub(OTHERS).max(files / 2);
    usize::try_from(rest).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_database() {
        assert_eq!(fitting(1024), 960);
        assert_eq!(fitting(256), 192);
        assert_eq!(fitting(100), 50);
    }
}
