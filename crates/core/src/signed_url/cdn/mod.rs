//! Formats of content delivery networks and of nginx: an HMAC or a hash with a secret.

pub mod akamai;
pub mod bunny;
pub mod fastly;
pub mod keycdn;
pub mod nginx;
