//! How fast `keygate store copy` is, from a file to PostgreSQL and back.

use std::error::Error;
use std::ffi::OsStr;
use std::process::Command;
use std::time::Instant;

use keygate_testkit::postgres::{Server, USER};
use keygate_tests::service::{self, Service};

use super::{Bound, Row};
use crate::scale;

/// Keys that are copied.
const KEYS: u32 = 200_000;

/// Measures both directions, each with its comparison of the two databases at the end.
pub(super) fn measure() -> Result<[Row; 2], Box<dyn Error>> {
    let service = Service::start();
    service.stop();
    scale::fill(&service, KEYS)?;
    let server = Server::start();
    // By its socket, which asks for no password.
    let socket = server.socket().display().to_string().replace('/', "%2F");
    let (port, database) = (server.port(), server.create_database());
    let url = format!("postgres://{USER}@{socket}:{port}/{database}");
    let back = service.database().with_extension("back.db");
    eprintln!("bench: a copy of {KEYS} keys to PostgreSQL, and back");
    let there = copy(service.database().as_os_str(), url.as_ref())?;
    let back = copy(url.as_ref(), back.as_os_str())?;
    let row = |name, what, rate| Row {
        name,
        what,
        values: vec![rate],
        bound: Bound::AtLeast(20_000.0),
    };
    Ok([
        row(
            "copy to PostgreSQL",
            "keys a second that a copy to PostgreSQL writes",
            there,
        ),
        row(
            "copy to SQLite",
            "keys a second that a copy back to SQLite writes",
            back,
        ),
    ])
}

/// Keys a second.
fn copy(from: &OsStr, to: &OsStr) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let mut command = Command::new(service::keygate());
    let output = command.args(["store", "copy"]).args([from, to]).output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    Ok(f64::from(KEYS) / start.elapsed().as_secs_f64())
}
