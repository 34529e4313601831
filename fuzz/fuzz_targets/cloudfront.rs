#![no_main]
keygate_fuzz::links!("cloudfront");
