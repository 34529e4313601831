//! The upstream of the demo: answers every request with JSON of what it received.
//!
//! `keygate-echo [ADDRESS]`, by default 127.0.0.1:8802.

use std::net::SocketAddr;
use std::process::ExitCode;

fn main() -> ExitCode {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8802");
    let Ok(address) = address.parse::<SocketAddr>() else {
        eprintln!("keygate-echo: not an address like 127.0.0.1:8802: {address}");
        return ExitCode::from(2);
    };
    let ready = |address| println!("keygate-echo: listening on {address}");
    match keygate_tests::echo::serve_forever(address, ready) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("keygate-echo: {address}: {error}");
            ExitCode::FAILURE
        }
    }
}
