//! The pages of this repository: what they link to, name and show exists.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod book;
mod changelog;
mod commands;
mod figures;
mod http;
mod links;
mod markdown;
mod phrases;
mod reference;
mod runbooks;
mod snippets;
