//! The routes that need no credential and tell nothing about keys.

use axum::http::StatusCode;

use super::Routes;
use crate::api::{jwks, page, probes};
use crate::metrics::METRICS_TYPE;
use crate::openapi::{self, Group, Operation};
use crate::problem::PAGE_PATH;
use crate::roles::Action;
use crate::shapes::Metadata;

fn operation(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(Group::Service, id, summary)
}

pub(super) fn add(it: &mut Routes) {
    it.get(
        "/healthz",
        Action::Open,
        probes::healthz,
        operation("check_health", "Check that the process lives")
            .answer::<probes::Fine>(StatusCode::OK, "The process answers."),
    );
    it.get(
        "/readyz",
        Action::Open,
        probes::readyz,
        operation("check_readiness", "Check that the database can be written")
            .answer::<probes::Fine>(StatusCode::OK, "The database can be read and written.")
            .stored(),
    );
    it.get(
        "/metrics",
        Action::Open,
        probes::metrics,
        operation("read_metrics", "Read metrics")
            .answer_as::<String>(
                StatusCode::OK,
                METRICS_TYPE,
                "Metrics in the format of OpenMetrics.",
            )
            .stored(),
    );
    it.get(
        PAGE_PATH,
        Action::Open,
        page::errors,
        operation("read_errors", "Read the page about errors").answer_as::<String>(
            StatusCode::OK,
            page::TYPE,
            "The page.",
        ),
    );
    it.get(
        openapi::PATH,
        Action::Open,
        page::openapi,
        operation("read_openapi", "Read this document")
            .answer::<Metadata>(StatusCode::OK, "This document."),
    );
    let jwks = |id| {
        operation(id, "Read the public keys of assertions").answer_as::<jwks::KeySet>(
            StatusCode::OK,
            jwks::JWKS_TYPE,
            "A JWK Set (RFC 7517).",
        )
    };
    it.get("/v1/jwks.json", Action::Open, jwks::jwks, jwks("read_jwks"));
    it.get(
        "/.well-known/jwks.json",
        Action::Open,
        jwks::jwks,
        jwks("read_well_known_jwks"),
    );
}
