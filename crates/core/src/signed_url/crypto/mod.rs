//! Keys and signatures of public-key formats.

#[cfg(feature = "tools")]
pub(crate) mod private_key;
pub(crate) mod public_key;
