//! Formats of image services: the signature covers the operations on an image.

pub(crate) mod google_maps;
pub(crate) mod imgproxy;
pub(crate) mod thumbor;
