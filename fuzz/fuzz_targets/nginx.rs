#![no_main]
keygate_fuzz::links!("nginx_secure_link");
