//! A network namespace with one cable to ours, which can be pulled: what is lost then is
//! lost in silence, as between two machines.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Gone when dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    there: String,
    address: Ipv4Addr,
    handle: File,
}

impl Namespace {
    /// A new one, with a cable to ours.
    ///
    /// # Errors
    /// In the words of `ip`: for one, that we may not.
    pub fn create() -> io::Result<Self> {
        remove_stale();
        let me = std::process::id();
        let name = format!("{NAME}{me}");
        let (here, there) = (format!("kgh{me}"), format!("kgt{me}"));
        // Four addresses of the link-local network for each process.
        let [_, a, b, c] = (me << 2).to_be_bytes();
        let host = Ipv4Addr::new(169, 254, a ^ b, c | 1);
        let address = Ipv4Addr::new(169, 254, a ^ b, (c | 1) + 1);
        ip(&["netns", "add", &name])?;
        let handle = File::open(Path::new("/run/netns").join(&name))?;
        let namespace = Self {
            name,
            there,
            address,
            handle,
        };
        let (name, there) = (&namespace.name, &namespace.there);
        ip(&[
            "link", "add", &here, "type", "veth", "peer", "name", there, "netns", name,
        ])?;
        ip(&["addr", "add", &format!("{host}/30"), "dev", &here])?;
        ip(&["link", "set", &here, "up"])?;
        let net = format!("{address}/30");
        ip(&["-n", name, "addr", "add", &net, "dev", there])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        ip(&["-n", name, "link", "set", there, "up"])?;
        Ok(namespace)
    }

    /// The address at which a listener in it can be reached.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address.into()
    }

    /// Runs a program in it; the process is the program's own.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Does something in it, in a thread of its own.
    ///
    /// # Panics
    /// When that panics.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let entered = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(self.handle.as_fd(), kind)
                .expect("who may make a namespace may enter it");
            work()
        };
        thread::scope(|scope| scope.spawn(entered).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Pulls the cable.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn cut(&self) {
        ip(&["-n", &self.name, "link", "set", &self.there, "down"])
            .expect("an interface can be taken down");
    }

    /// Puts the cable back.
    ///
    /// # Panics
    /// When that cannot be done.
    pub fn heal(&self) {
        ip(&["-n", &self.name, "link", "set", &self.there, "up"])
            .expect("an interface can be taken up");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The cable goes with the end that lies in it.
        let _ = ip(&["netns", "del", &self.name]);
    }
}

const NAME: &str = "keygate-";

/// Those of processes that were killed.
fn remove_stale() {
    let names = std::fs::read_dir("/run/netns");
    for entry in names.into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name
            .strip_prefix(NAME)
            .filter(|id| id.parse::<u32>().is_ok());
        if owner.is_some_and(|id| !PathBuf::from(format!("/proc/{id}")).exists()) {
            let _ = ip(&["netns", "del", &name]);
        }
    }
}

fn ip(arguments: &[&str]) -> io::Result<()> {
    let output = Command::new("ip").args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!(
        "ip {}: {said}",
        arguments.join(" ")
    )))
}
