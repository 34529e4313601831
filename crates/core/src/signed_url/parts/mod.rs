//! What several formats share: keys, lifetimes, and how texts of tokens are read.

#[cfg(feature = "tools")]
pub(crate) mod deliver;
pub(crate) mod first_segment;
pub(crate) mod hmac_key;
pub(crate) mod lifetime;
pub(crate) mod mac_key;
pub(crate) mod md5_sum;
#[cfg(feature = "tools")]
pub(crate) mod near;
pub(crate) mod readings;
pub(crate) mod rings;
#[cfg(feature = "tools")]
pub(crate) mod signing;
pub(crate) mod spelling;
pub(crate) mod ten_digits;
#[cfg(feature = "tools")]
pub(crate) mod told;
pub(crate) mod wildcard;
