//! What several formats share: keys, lifetimes, and how texts of tokens are read.

#[cfg(feature = "tools")]
pub mod deliver;
#[cfg(any(feature = "formats-cdn", feature = "formats-images"))]
pub mod first_segment;
#[cfg(any(
    feature = "formats-cdn",
    feature = "formats-google",
    feature = "formats-images"
))]
pub mod hmac_key;
#[cfg(any(
    feature = "formats-cdn",
    feature = "formats-google",
    feature = "formats-images"
))]
pub mod lifetime;
pub mod mac_key;
#[cfg(feature = "formats-cdn")]
pub mod md5_sum;
#[cfg(feature = "tools")]
#[cfg_attr(
    not(feature = "all-formats"),
    allow(
        dead_code,
        reason = "a build with fewer formats explains with less of it"
    )
)]
pub mod near;
#[cfg(any(feature = "formats-cdn", feature = "formats-google"))]
pub mod readings;
#[cfg(any(feature = "tools", feature = "formats-standards"))]
pub mod rings;
pub mod spelling;
#[cfg(any(feature = "formats-cdn", feature = "formats-images"))]
pub mod ten_digits;
#[cfg(feature = "tools")]
#[cfg_attr(
    not(feature = "all-formats"),
    allow(
        dead_code,
        reason = "a build with fewer formats explains with less of it"
    )
)]
pub mod told;
#[cfg(any(feature = "formats-cdn", feature = "formats-google"))]
pub mod wildcard;
