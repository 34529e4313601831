//! What several formats share: keys, lifetimes, and how texts of tokens are read.

#[cfg(feature = "tools")]
pub(crate) mod deliver;
#[cfg(any(feature = "formats-cdn", feature = "formats-images"))]
pub(crate) mod first_segment;
#[cfg(any(
    feature = "formats-cdn",
    feature = "formats-google",
    feature = "formats-images"
))]
pub(crate) mod hmac_key;
#[cfg(any(
    feature = "formats-cdn",
    feature = "formats-google",
    feature = "formats-images"
))]
pub(crate) mod lifetime;
pub(crate) mod mac_key;
#[cfg(feature = "formats-cdn")]
pub(crate) mod md5_sum;
#[cfg(feature = "tools")]
#[cfg_attr(
    not(feature = "all-formats"),
    allow(
        dead_code,
        reason = "a build with fewer formats explains with less of it"
    )
)]
pub(crate) mod near;
#[cfg(any(feature = "formats-cdn", feature = "formats-google"))]
pub(crate) mod readings;
#[cfg(any(feature = "tools", feature = "formats-standards"))]
pub(crate) mod rings;
pub(crate) mod spelling;
#[cfg(any(feature = "formats-cdn", feature = "formats-images"))]
pub(crate) mod ten_digits;
#[cfg(feature = "tools")]
#[cfg_attr(
    not(feature = "all-formats"),
    allow(
        dead_code,
        reason = "a build with fewer formats explains with less of it"
    )
)]
pub(crate) mod told;
#[cfg(any(feature = "formats-cdn", feature = "formats-google"))]
pub(crate) mod wildcard;
