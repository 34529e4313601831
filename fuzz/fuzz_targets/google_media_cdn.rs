#![no_main]
keygate_fuzz::links!("gcp_media_cdn");
