//! What the kernel says of a process: its time on a core, and its memory. Linux only.

use std::fs;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Which core does what, so that what is measured shares its own with as little as it can.
#[derive(Clone, Copy, Debug)]
pub struct Cores {
    /// All proxies under test; one of them is under load at a time.
    pub proxies: usize,
    /// The load.
    pub load: usize,
    /// What a proxy asks: a third core, or with two that of the proxies, since the load
    /// never sleeps.
    pub services: usize,
}

impl Cores {
    /// Out of those that this process may use.
    ///
    /// # Panics
    /// When there is one only.
    pub fn choose() -> Self {
        let all = Self::allowed();
        // The first core of a machine often has its interrupts.
        match all[..] {
            [.., services, load, proxies] => Self {
                proxies,
                load,
                services,
            },
            [load, proxies] => Self {
                proxies,
                load,
                services: proxies,
            },
            _ => panic!("two cores are needed: one for the proxies, one for the load"),
        }
    }

    /// For what counts time on a core and binds nothing: one core will do for all.
    pub fn shared() -> Self {
        match Self::allowed()[..] {
            [only] => Self {
                proxies: only,
                load: only,
                services: only,
            },
            _ => Self::choose(),
        }
    }

    fn allowed() -> Vec<usize> {
        let set = sched_getaffinity(None).expect("the kernel tells the cores");
        (0..CpuSet::MAX_CPU).filter(|it| set.is_set(*it)).collect()
    }
}

/// Binds all threads of a process to a core; those that it starts later, too.
pub fn pin(process: u32, core: usize) {
    for thread in threads(process) {
        pin_thread(Pid::from_raw(thread), core);
    }
}

/// Binds a thread, or the current one, to a core.
pub fn pin_thread(thread: Option<Pid>, core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(thread, &set).expect("a thread of ours can be bound to a core of ours");
}

/// Nanoseconds that the threads of a process have spent on a core.
pub fn time(process: u32) -> u64 {
    let of_thread = |thread: i32| {
        let path = format!("/proc/{process}/task/{thread}/schedstat");
        // A thread may end while we look.
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split(' ')
            .next()
            .and_then(|first| first.parse::<u64>().ok())
    };
    threads(process).into_iter().filter_map(of_thread).sum()
}

/// As [`time`], and 0 of a process that has ended.
pub fn time_if_there(process: u32) -> u64 {
    let path = format!("/proc/{process}/schedstat");
    let text = fs::read_to_string(path).unwrap_or_default();
    let first = text.split(' ').next();
    first.and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// Bytes of memory that are the process's own: not those of files.
pub fn memory(process: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = text.lines().find_map(|it| it.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|it| it.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.expect("the kernel says so") * 1024
}

/// The processes that a process has started.
pub fn children(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|it| it.parse().ok())
        .collect()
}

fn threads(process: u32) -> Vec<i32> {
    let directory = fs::read_dir(format!("/proc/{process}/task"))
        .unwrap_or_else(|error| panic!("process {process} has ended: {error}"));
    let names = directory.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).collect()
}
