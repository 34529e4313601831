//! Formats of content delivery networks and of nginx: an HMAC or a hash with a secret.

pub(crate) mod akamai;
pub(crate) mod bunny;
pub(crate) mod fastly;
pub(crate) mod keycdn;
pub(crate) mod nginx;
