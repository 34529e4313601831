//! The service as its clients see it: real routes on a real socket over a real file.

mod accounts;
mod attributes;
mod audit;
mod bodies;
mod connections;
mod database;
mod edge;
mod edges;
mod errors;
mod events;
mod feed;
mod idempotency;
mod import;
mod keys;
mod labels;
mod life;
mod limits;
mod links;
mod load;
mod many;
mod model;
mod receiver;
mod roles;
mod secrecy;
mod support;
mod tokens;
