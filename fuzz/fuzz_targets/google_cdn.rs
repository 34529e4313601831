#![no_main]
keygate_fuzz::links!("gcp_cloud_cdn");
