#![no_main]
keygate_testkit::fuzz_format!("nginx");
