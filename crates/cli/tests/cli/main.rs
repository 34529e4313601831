//! The binary as a person and a script use it, with the real key service behind it.

mod audit;
mod check;
mod configuration;
mod configuration_page;
mod convert;
mod docs;
mod edit;
mod events;
mod exit_codes;
mod explain;
mod formats;
mod import;
mod keys;
mod links;
mod messages;
mod newcomer;
mod one_truth;
mod pages;
mod schema;
mod sealed;
mod secrets;
mod serve_file;
mod serving;
mod support;
mod tokens;
mod uses;
