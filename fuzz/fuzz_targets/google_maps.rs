#![no_main]
keygate_fuzz::links!("google_maps_url");
