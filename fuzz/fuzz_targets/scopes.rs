#![no_main]
keygate_fuzz::parser!("scopes");
