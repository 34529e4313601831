//! End to end: what a client sees of a real Envoy with the built module.
#![allow(clippy::arithmetic_side_effects, reason = "a test may panic")]

mod answers;
mod app_keys;
mod attacks;
mod budgets;
mod cache;
mod challenge;
mod commands;
mod configuration;
mod demo;
mod edge;
mod exchange;
mod faults;
mod feed;
mod formats;
mod harness;
mod hls;
mod hostile;
mod identity;
mod key_service;
mod links;
mod login;
mod memory;
mod metrics;
mod neighbours;
mod once;
mod opaque;
mod outages;
mod pages;
mod readme;
mod referrers;
mod rules;
mod sessions;
mod signers;
mod support;
mod updates;
