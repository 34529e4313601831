#![no_main]
keygate_fuzz::links!("azure_blob_sas");
