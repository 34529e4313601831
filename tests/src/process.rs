//! A child process whose output goes to files, and which does not outlive its owner.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// Time between the polite signal and the other one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes of a log that a failed test prints.
const PRINTED: u64 = 64 * 1024;

/// A running child; it ends when dropped, and its log is printed if the test failed.
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it; its errors are appended to `log`, its output to the same name with `.out`.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(name: &'static str, command: Command, log: PathBuf) -> Self {
        let open = |file: &Path| {
            let file = File::options().create(true).append(true).open(file);
            file.expect("a log file can be made in a temporary directory")
        };
        let (errors, output) = (open(&log), open(&log.with_extension("out")));
        let program = command.get_program().to_owned();
        let mut command = dying_with_us(command);
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = spawn(command)
            .unwrap_or_else(|e| panic!("{name}: cannot start {}: {e}", program.display()));
        Self { name, child, log }
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `None` while it runs.
    ///
    /// # Panics
    /// Never, for a child of ours.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .expect("our own child can be waited for")
    }

    /// Checks that waiting for it is not in vain.
    ///
    /// # Panics
    /// With its log if it has ended.
    pub fn assert_running(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} has ended: {status}", self.name);
        }
    }

    /// SIGKILL.
    pub fn kill9(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal such as SIGSTOP.
    ///
    /// # Panics
    /// When it has ended already.
    pub fn signal(&mut self, signal: Signal) {
        self.assert_running();
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.expect("a running process has a number");
        kill_process(pid, signal).expect("our own child takes signals");
    }

    /// Stops it by SIGSTOP, and waits until none of its threads runs: until then it may still answer.
    ///
    /// # Panics
    /// When it has ended already.
    pub fn freeze(&mut self) {
        self.signal(Signal::STOP);
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.expect("a running process has a number");
        // Its end is left for others to see.
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), options).expect("our own child can be waited for");
        self.assert_running();
    }

    /// SIGTERM; SIGKILL if that is not enough. Says how it ended.
    ///
    /// # Panics
    /// When it survives both.
    pub fn stop(&mut self) -> ExitStatus {
        if let Some(status) = self.ended() {
            return status;
        }
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let asked = Instant::now();
        if pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok()) {
            while asked.elapsed() < PATIENCE {
                if let Some(status) = self.ended() {
                    return status;
                }
                thread::sleep(Duration::from_millis(5));
            }
            eprintln!("{} ignored SIGTERM for {PATIENCE:?}", self.name);
        }
        self.kill9();
        self.ended().expect("it was killed and waited for")
    }

    /// What it has written: its errors, then its output.
    #[must_use]
    pub fn log(&self) -> String {
        let [errors, output] = self.files().map(|file| {
            let bytes = std::fs::read(file).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        errors + &output
    }

    /// Where its errors and its output go.
    pub fn files(&self) -> [PathBuf; 2] {
        [self.log.clone(), self.log.with_extension("out")]
    }

    fn print_log(&self) -> io::Result<()> {
        self.files().iter().try_for_each(|file| self.print(file))
    }

    fn print(&self, file: &Path) -> io::Result<()> {
        let mut file = File::open(file)?;
        let skipped = file.metadata()?.len().saturating_sub(PRINTED);
        file.seek(SeekFrom::Start(skipped))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        eprintln!(
            "---- {}: its log, {skipped} bytes before this left out",
            self.name
        );
        eprintln!("{text}---- {}: end of its log", self.name);
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
        if thread::panicking() && self.print_log().is_err() {
            eprintln!("---- {}: its log cannot be read", self.name);
        }
    }
}

/// The same command, ended by the kernel when the thread that spawned it ends.
/// `setpriv` becomes the command, so the process id stays ours; where it is
/// missing, only an aborted test leaves something behind.
fn dying_with_us(command: Command) -> Command {
    static SETPRIV: LazyLock<bool> = LazyLock::new(|| {
        let trial = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "true"])
            .stderr(Stdio::null())
            .status();
        trial.is_ok_and(|status| status.success())
    });
    if !*SETPRIV {
        return command;
    }
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--pdeathsig", "TERM", "--"]);
    wrapped.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        wrapped.current_dir(directory);
    }
    wrapped
}

/// Spawns from a thread that lives as long as we do: the kernel's signal is bound
/// to the thread, and a test's own thread may end before what it has started.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
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
    NURSERY
        .lock()
        .expect("no thread panics while ordering")
        .send((command, answer))
        .expect("the nursery lives forever");
    result.recv().expect("the nursery answers every order")
}
