//! `make dashboard`: draws docs/dashboard.svg from a real Prometheus.

use keygate_tests::{dashboard, repository};

fn main() {
    let file = repository().join("docs/dashboard.svg");
    std::fs::write(&file, dashboard::picture()).expect("docs/ can be written");
    println!("{}", file.display());
}
