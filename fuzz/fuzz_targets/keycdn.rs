#![no_main]
keygate_fuzz::links!("keycdn");
