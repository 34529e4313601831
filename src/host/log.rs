//! The log of the host, and what a panic says in it. Not the SDK's: its `set_log_level` also
//! sets a hook that prints the message of a panic.

use log::{Level, LevelFilter, Log, Metadata, Record};
use proxy_wasm::hostcalls;
use proxy_wasm::types::LogLevel;

struct HostLog;

impl Log for HostLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        // What cannot be logged stops no request.
        let _ = hostcalls::log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

/// Sends what is logged to the host. A panic says its place alone: its message may contain
/// bytes of a request.
pub fn start() {
    // Set already, where a test starts one worker after another.
    let _ = log::set_logger(&HostLog);
    log::set_max_level(LevelFilter::Info);
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(at) => log::error!("keygate: internal error at {at}"),
        None => log::error!("keygate: internal error"),
    }));
}
