//! A key service with little: a small disk, few files.

use std::process::Command;

use tempfile::TempDir;

use super::{Options, keygate};

/// The program, with the disk and the files that the options leave it.
pub(super) fn limited(directory: &TempDir, options: &Options) -> Command {
    let program = on_disk(directory, options.disk);
    let Some(files) = options.files else {
        return program;
    };
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {files} && exec \"$@\""), "sh"]);
    command.arg(program.get_program()).args(program.get_args());
    command
}

/// The program, with a disk of so many MiB where its directory is; where no disk can be mounted,
/// with a limit on the size of each file.
fn on_disk(directory: &TempDir, size: Option<u32>) -> Command {
    let Some(size) = size else {
        return Command::new(keygate());
    };
    let unshare = || {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--mount", "sh", "-c"]);
        command
    };
    let mount = format!("mount -t tmpfs -o size={size}m tmpfs \"$0\"");
    let tried = unshare().arg(&mount).arg(directory.path()).output();
    let can_mount = tried.is_ok_and(|it| it.status.success());
    let mut command = if can_mount {
        let mut command = unshare();
        command.arg(format!("{mount} && exec \"$@\""));
        command
    } else {
        eprintln!("tests: !!! no disk can be mounted: the size of each file is limited instead");
        let mut command = Command::new("sh");
        // In blocks of 512 bytes.
        let limit = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", size * 2048);
        command.args(["-c", &limit]);
        command
    };
    command.arg(directory.path()).arg(keygate());
    command
}
