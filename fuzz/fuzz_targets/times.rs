#![no_main]
keygate_fuzz::parser!("times");
