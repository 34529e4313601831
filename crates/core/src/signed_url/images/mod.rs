//! Formats of image services: the signature covers the operations on an image.

pub mod google_maps;
pub mod imgproxy;
pub mod thumbor;
