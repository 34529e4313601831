#![no_main]
keygate_fuzz::links!("rfc9246_uri_signing");
