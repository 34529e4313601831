#![no_main]
keygate_fuzz::parser!("app_keys");
