#![no_main]
keygate_fuzz::links!("bunny_v2");
