//! The log of the host.

use log::{Level, LevelFilter, Log, Metadata, Record};

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
}

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
            Level::Trace => 0,
            Level::Debug => 1,
            Level::Info => 2,
            Level::Warn => 3,
            Level::Error => 4,
        };
        let text = record.args().to_string();
        // SAFETY: pointer and size are those of a live text.
        // What cannot be logged stops no request.
        let _ = unsafe { proxy_log(level, text.as_ptr(), text.len()) };
    }

    fn flush(&self) {}
}

/// Sends what is logged to the host. A panic says its place alone: its message may hold
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
