#![no_main]
keygate_testkit::fuzz_parser!("wire");
