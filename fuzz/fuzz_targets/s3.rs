#![no_main]
keygate_fuzz::links!("s3_sigv4_presign");
