#![no_main]
keygate_fuzz::links!("rfc9421");
