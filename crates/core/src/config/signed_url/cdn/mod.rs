//! Formats of content delivery networks and of nginx.

pub(super) mod akamai;
pub(super) mod bunny;
pub(super) mod fastly;
pub(super) mod keycdn;
pub(super) mod nginx;
