//! Formats of services that answer with images.

pub(super) mod google_maps;
pub(super) mod imgproxy;
pub(super) mod thumbor;
