#![no_main]
keygate_fuzz::links!("akamai_edgeauth2");
