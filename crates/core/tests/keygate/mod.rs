//! Links in Keygate's own format: what they open, what they reject, and who may make them.

mod attacks;
mod config;
mod fields;
mod kit;
mod properties;
mod tools;
