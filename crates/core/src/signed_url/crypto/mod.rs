//! Keys and signatures of public-key formats.

#[cfg(feature = "tools")]
pub mod private_key;
pub mod public_key;
