//! The routes for edges, and about them.

use axum::http::StatusCode;
use keygate_core::keys::wire::{
    CHANGES_PATH, ChangesResponse, EDGE_HEADER, Incarnation, LINK_USES_PATH, LOOKUPS_PATH,
    LinkUseRequest, LinkUseResponse, LookupRequest, LookupResponse, USES_PATH, UsesRequest,
};

use super::Routes;
use crate::api::{edge, edges, uses};
use crate::openapi::{Group, Operation};
use crate::roles::Action;
use crate::shapes::Wait;

fn operation(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(Group::Edges, id, summary).stored()
}

pub(super) fn add(it: &mut Routes) {
    it.post(
        LOOKUPS_PATH,
        Action::Follow,
        edge::lookups,
        operation("look_up_keys", "Look up keys by their hashes")
            .body::<LookupRequest>()
            .answer::<LookupResponse>(StatusCode::OK, "A record for each hash that is known."),
    );
    it.get(
        CHANGES_PATH,
        Action::Follow,
        edge::changes,
        operation("follow_changes", "Read the change feed")
            .query::<u64>(
                "after",
                "The epoch to go on from. Without it: only the newest epoch.",
            )
            .query::<Incarnation>("incarnation", "The incarnation of that epoch.")
            .query::<Wait>("wait", "How long to wait for a change, up to 5 s.")
            .header::<String>(EDGE_HEADER, "What the edge reports of itself.")
            .answer::<ChangesResponse>(StatusCode::OK, "What has changed."),
    );
    it.post(
        LINK_USES_PATH,
        Action::Follow,
        edge::use_link,
        operation("use_link", "Use up a link that works once")
            .body::<LinkUseRequest>()
            .answer::<LinkUseResponse>(StatusCode::OK, "Whether it was unused."),
    );
    it.post(
        USES_PATH,
        Action::Follow,
        uses::report,
        operation("report_uses", "Report how often keys were used")
            .body::<UsesRequest>()
            .answer::<uses::Counted>(StatusCode::OK, "How many keys were counted."),
    );
    it.get(
        "/v1/edges",
        Action::ReadEdges,
        edges::list,
        operation(
            "list_edges",
            "List edges, and how far each has followed the change feed",
        )
        .answer::<edges::Listed>(StatusCode::OK, "All edges of the last hour."),
    );
}
