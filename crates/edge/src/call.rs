//! Calls to the key service: what the host is to send.
//!
//! Knows the cluster, the headers and the body of a call, and nothing of how it travels.

use std::rc::Rc;

use keygate_core::Millis;
use keygate_core::keys::wire::{
    EDGE_HEADER, KeyUse, LINK_USES_PATH, LOOKUPS_PATH, LinkUseRequest, LookupRequest, USES_PATH,
    UsesRequest,
};
use keygate_core::keys::{KeyHash, KeyService};

use crate::follower::PollDue;
use crate::uses::Question;

/// How often Envoy sends a call again, within the call's timeout. It takes the endpoints in turn, but
/// other calls take turns too, so the second attempt may reach the one that has failed the first.
const RETRIES: &str = "3";

/// A call that the host is to send, and then to hand to [`Edge::sent`](crate::Edge::sent).
///
/// Not `Debug`: its headers hold the edge token.
pub struct Call {
    /// Name of the Envoy cluster.
    pub cluster: String,
    /// All headers, pseudo-headers first.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How long the answer may take.
    pub timeout: Millis,
    pub(crate) about: About,
}

/// What a call asks.
pub(crate) enum About {
    /// What has changed in the feed.
    Poll(PollDue),
    /// Which keys these are: the hashes of each question.
    Keys(Vec<Rc<[KeyHash]>>),
    /// Whether a link was used before.
    Link(Question),
    /// Nothing: it reports how often keys were used.
    Uses,
}

impl Call {
    /// Asks what has changed in the feed.
    pub(crate) fn poll(service: &KeyService, due: PollDue) -> Self {
        let (path, timeout) = due.target(service);
        let cluster = &service.poll_cluster;
        let report = (EDGE_HEADER, due.report.to_string());
        let mut call = Self::to(service, cluster, ("GET", path), timeout, About::Poll(due));
        call.headers.push(report);
        call
    }

    /// Asks which keys these are.
    pub(crate) fn keys(service: &KeyService, questions: Vec<Rc<[KeyHash]>>) -> Self {
        let hashes = questions
            .iter()
            .flat_map(|question| question.iter().copied());
        let request = LookupRequest {
            hashes: hashes.collect(),
            want: service.want.clone(),
        };
        let about = About::Keys(questions);
        Self::post(service, LOOKUPS_PATH, request.write(), about)
    }

    /// Asks whether a link was used before, and uses it up if the question says so.
    pub(crate) fn link(service: &KeyService, question: Question) -> Self {
        let request = LinkUseRequest {
            id: question.link.id.clone(),
            expires_at: question.link.expires,
            peek: !question.uses,
        };
        let about = About::Link(question);
        Self::post(service, LINK_USES_PATH, request.write(), about)
    }

    /// Reports how often keys were used.
    pub(crate) fn uses(service: &KeyService, uses: Vec<KeyUse>) -> Self {
        let request = UsesRequest { uses };
        Self::post(service, USES_PATH, request.write(), About::Uses)
    }

    fn post(service: &KeyService, path: &str, body: String, about: About) -> Self {
        let target = ("POST", path.to_owned());
        let call = Self::to(service, &service.cluster, target, service.timeout, about);
        Self {
            body: body.into_bytes(),
            ..call
        }
    }

    /// Retried: a question whenever the connection ends before an answer, for example since one of
    /// several services was stopped, and anything else where it cannot have arrived.
    fn to(
        service: &KeyService,
        cluster: &str,
        (method, path): (&str, String),
        timeout: Millis,
        about: About,
    ) -> Self {
        let token = String::from_utf8_lossy(service.token.expose());
        let retry_on = match about {
            About::Poll(_) | About::Keys(_) => "connect-failure,refused-stream,reset",
            About::Link(_) | About::Uses => "connect-failure,refused-stream",
        };
        Self {
            cluster: cluster.to_owned(),
            headers: vec![
                (":method", method.to_owned()),
                (":path", path),
                (":authority", service.authority.clone()),
                ("authorization", format!("Bearer {token}")),
                ("content-type", "application/json".to_owned()),
                ("x-envoy-retry-on", retry_on.to_owned()),
                ("x-envoy-max-retries", RETRIES.to_owned()),
            ],
            body: Vec::new(),
            timeout,
            about,
        }
    }
}
