//! Looks for every secret of a run of the end-to-end tests in all that the run has left
//! behind: `KEYGATE_LEAK_DIR=DIR cargo test …`, then `keygate-leaks DIR`.

use std::path::Path;
use std::process::ExitCode;

use keygate_tests::leaks::{Ledger, scan};

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1) else {
        eprintln!("keygate-leaks: which directory?");
        return ExitCode::from(2);
    };
    match look(Path::new(&directory)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("keygate-leaks: {}: {error}", directory.display());
            ExitCode::from(2)
        }
    }
}

fn look(directory: &Path) -> std::io::Result<bool> {
    let ledger = Ledger::read(directory)?;
    let (findings, sizes) = scan(directory, &ledger)?;
    println!("secrets of the run: {:?}", ledger.kinds());
    println!("bytes searched: {sizes:?}");
    for it in findings.iter().filter(|it| it.is_expected) {
        println!("belongs there: {} x {} in {}", it.count, it.kind, it.place);
    }
    let leaks: Vec<_> = findings.iter().filter(|it| !it.is_expected).collect();
    for it in &leaks {
        println!(
            "LEAK: {} x {} in {}\n      {}",
            it.count, it.kind, it.place, it.excerpt
        );
    }
    // A search that finds nothing at all, or has nothing to search, has not worked.
    let empty: Vec<_> = sizes.iter().filter(|(_, size)| **size == 0).collect();
    let is_seen = |place: &str| {
        findings
            .iter()
            .any(|it| it.is_expected && it.place == place)
    };
    let is_blind = !is_seen("envoy-log debug http") || !is_seen("to-service");
    if is_blind || !empty.is_empty() {
        println!("the search is blind: nothing of {empty:?}, or not even what Envoy writes itself");
    }
    Ok(leaks.is_empty() && !is_blind && empty.is_empty())
}
