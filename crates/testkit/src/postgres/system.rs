//! Directories, ports and programs of this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::launch::account;

/// A directory that the ordinary user owns, which others may pass.
pub(super) fn open_directory() -> TempDir {
    let made = tempfile::Builder::new().prefix("keygate-pg-").tempdir();
    let made = made.expect("a temporary directory can be made");
    let mode = fs::Permissions::from_mode(0o711);
    fs::set_permissions(made.path(), mode).expect("our own directory can be changed");
    give_away(made.path());
    made
}

/// Lets the ordinary user own this file, where we are not that user.
pub(super) fn give_away(path: &Path) {
    if let Some((user, group)) = *account() {
        let given = std::os::unix::fs::chown(path, Some(user), Some(group));
        given.expect("root may give files away");
    }
}

pub(super) fn copy_files(from: &Path, to: &Path) {
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(from).arg(to);
    done(copy);
}

/// Runs it to its end.
pub(super) fn done(mut command: Command) -> Output {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A port on which nothing listens, outside of the range from which the kernel picks.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let process = std::process::id().wrapping_mul(31);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(process);
        let port = u16::try_from(11_000 + next % 20_000).expect("it is below 31,000");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
