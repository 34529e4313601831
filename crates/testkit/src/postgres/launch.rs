//! Who runs a server, and that it never outlives us.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::thread;

/// Ends the server, and removes what is left of it, when the process that started it is gone. A
/// server that ends by itself, or by a signal of its own, leaves everything as it is.
const KEEPER: &str = r#"
trap 'kill -QUIT "$server"; wait "$server"; rm -rf "$KEYGATE_DIRECTORY"; exit' TERM
"$@" &
server=$!
wait "$server"
"#;

/// The user and the group that run a server, where we are root: PostgreSQL refuses to run as root.
pub(super) fn account() -> &'static Option<(u32, u32)> {
    static ACCOUNT: LazyLock<Option<(u32, u32)>> = LazyLock::new(|| {
        if id(&["-u"]) != Some(0) {
            return None;
        }
        let of = |name| Some((id(&["-u", name])?, id(&["-g", name])?));
        // Debian's package brings this user; elsewhere the one that owns nothing.
        Some(of("postgres").unwrap_or((65534, 65534)))
    });
    &ACCOUNT
}

/// What `id` answers; `None` if it knows no such user.
fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// A program, run by an ordinary user.
pub(super) fn as_ordinary_user(program: &Path) -> Command {
    let Some((user, group)) = *account() else {
        return Command::new(program);
    };
    let mut command = Command::new("setpriv");
    command
        .arg(format!("--reuid={user}"))
        .arg(format!("--regid={group}"))
        .args(["--clear-groups", "--"])
        .arg(program);
    command
}

/// Starts a server, whose output goes to `log` in `directory`.
pub(super) fn spawn(
    programs: &Path,
    data: &Path,
    directory: &Path,
    port: u16,
    preload: Option<&Path>,
) -> Child {
    let mut log = File::options();
    let log = log.create(true).append(true).open(directory.join("log"));
    let log = log.expect("a log file can be made");
    let server = as_ordinary_user(&programs.join("postgres"));
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "TERM", "--", "sh", "-c", KEEPER, "keeper"])
        .arg(server.get_program())
        .args(server.get_args())
        .arg("-D")
        .arg(data)
        .arg("-k")
        .arg(directory)
        .args(["-h", "127.0.0.1", "-p", &port.to_string()])
        // What tests look at; fsync and synchronous_commit are on by default.
        .args(["-c", "max_connections=200", "-c", "fsync=on"])
        .env("KEYGATE_DIRECTORY", directory)
        .envs(preload.map(|library| ("LD_PRELOAD", library)))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be shared"))
        .stderr(log);
    in_the_nursery(command)
}

/// Spawns from a thread that lives as long as we do: the kernel's signal is bound to the thread,
/// and a test's own thread may end before a server that several share.
fn in_the_nursery(command: Command) -> Child {
    type Order = (Command, Sender<std::io::Result<Child>>);
    static NURSERY: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
        let (orders, inbox) = channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, result) = channel();
    let nursery = NURSERY.lock().expect("no thread panics while ordering");
    nursery
        .send((command, answer))
        .expect("the nursery lives forever");
    drop(nursery);
    let result = result.recv().expect("the nursery answers every order");
    result.expect("setpriv can be run: it is part of util-linux")
}
