//! Formats of the content delivery networks of Google.

pub(super) mod google_cdn;
pub(super) mod google_media_cdn;
