//! The HTTP API: which path goes where, who may call it, and what every answer carries.

mod audit;
mod background;
mod batch;
mod body;
mod edge;
mod edges;
mod filter;
mod hook;
mod import;
mod jwks;
mod keys;
mod leaks;
mod life;
mod page;
mod probes;
mod ranking;
mod read;
mod revocations;
mod routes;
mod sealed;
mod tokens;
mod uses;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, HeaderName};
use axum::http::{HeaderValue, Method};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use keygate_core::Millis;
use keygate_core::keys::wire::SERVICE_MARKER;
use keygate_core::keys::{KeyRingId, MasterSecret, Prefix};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use self::body::Unread;
use self::read::is_json;
use self::waiting::Waiting;
use crate::ambient::Ambient;
use crate::auth::Gate;
use crate::caller::Assertions;
use crate::config::ServiceConfig;
use crate::connections::{Limits, Peer};
use crate::edges::Edges;
use crate::events::{EventTarget, Outbox};
use crate::hook::Hook;
use crate::idempotency::NewKeys;
use crate::leaks::Leaks;
use crate::limits::SpaceLimits;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::rejections::{Noted, Rejections};
use crate::request_id::{self, REQUEST_ID};
use crate::rights::Caller;
use crate::roles::Action;
use crate::store::Store;
use crate::templates::Templates;
use crate::uses::Unwritten;

/// After this a request is given up, such as one that waits for a locked database.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Most polls that are held at once: each has a connection. More are answered at once.
const HELD_POLLS: usize = 1024;

/// The service without its socket: what the routes share.
pub struct Service {
    pub(crate) store: Store,
    prefix: Prefix,
    kid: KeyRingId,
    master: MasterSecret,
    retired: Vec<(KeyRingId, MasterSecret)>,
    gate: Gate,
    assertions: Option<Assertions>,
    ambient: Ambient,
    limits: Limits,
    key_limits: SpaceLimits,
    templates: Templates,
    retention: Option<Millis>,
    unused_after: Millis,
    metrics: Metrics,
    rejections: Rejections,
    waiting: Waiting,
    edges: Edges,
    health: probes::Health,
    new_keys: NewKeys,
    events: Vec<EventTarget>,
    leaks: Option<Leaks>,
    unwritten: Unwritten,
    hook: Option<Hook>,
}

impl Service {
    /// Puts a service together; it touches no network.
    pub fn new(config: &ServiceConfig, store: Store, ambient: Ambient) -> Arc<Self> {
        let metrics = Metrics::new();
        let key_limits = SpaceLimits {
            others: config.key_limits.clone(),
            named: config.space_limits.clone(),
        };
        let is_shared = store.is_shared();
        let outbox = Outbox::new(&config.events, metrics.events_dropped.clone());
        Arc::new(Self {
            store: store.limited(key_limits.clone()).publishing(outbox),
            prefix: config.prefix.clone(),
            kid: config.kid,
            master: config.master.clone(),
            retired: config.retired.clone(),
            gate: Gate {
                owner: config.admin_tokens.clone(),
                edge: config.edge_tokens.clone(),
            },
            assertions: config.assertions.clone(),
            ambient,
            limits: config.limits,
            key_limits,
            templates: config.templates.clone(),
            retention: config.retention,
            unused_after: config.unused_after,
            metrics,
            rejections: Rejections::default(),
            waiting: Waiting::new(HELD_POLLS),
            edges: Edges::new(is_shared),
            health: probes::Health::default(),
            new_keys: NewKeys::default(),
            events: config.events.clone(),
            leaks: config.leaks.clone().map(Leaks::new),
            unwritten: Unwritten::default(),
            hook: config.hook.clone().map(Hook::new),
        })
    }

    /// Answers the polls that are held, and holds no more: the service is about to stop.
    pub fn release(&self) {
        self.waiting.end();
    }

    /// Writes into the audit log that calls were rejected, as seldom as into the log, and without
    /// keeping their answer waiting.
    fn note_rejections(self: &Arc<Self>, noted: Option<Noted>) {
        let Some(Noted { role, count }) = noted else {
            return;
        };
        let service = Arc::clone(self);
        tokio::spawn(async move {
            let now = service.now();
            let noted = service.store.note_rejections(role, count, now);
            if let Err(error) = noted.await {
                tracing::warn!("no entry in the audit log: {error}");
            }
        });
    }

    /// The routes with what is around them.
    pub fn router(self: Arc<Self>) -> Router {
        let mut router = Router::new();
        for route in routes::all() {
            router = router.route(route.path, self.guarded(route.action, route.to));
        }
        router
            .method_not_allowed_fallback(|| async { Problem::MethodNotAllowed })
            .fallback(|| async { Problem::NoSuchPath })
            .layer(CatchPanicLayer::custom(|_| {
                Problem::Internal.into_response()
            }))
            .layer(from_fn_with_state(Arc::clone(&self), frame))
            .with_state(self)
    }

    /// A route with what decides whether its caller gets there.
    fn guarded(
        self: &Arc<Self>,
        action: Action,
        to: MethodRouter<Arc<Self>>,
    ) -> MethodRouter<Arc<Self>> {
        let service = Arc::clone(self);
        match action {
            Action::Open => to.route_layer(from_fn_with_state(service, unauthenticated)),
            _ => to.route_layer(from_fn_with_state((service, action), admit)),
        }
    }
}

/// All routes, and what each does.
pub fn routes() -> Vec<(Method, &'static str, Action)> {
    let routes = routes::all().into_iter();
    routes.map(|it| (it.method, it.path, it.action)).collect()
}

/// The OpenAPI document of these routes.
pub fn document() -> &'static str {
    &routes::DOCUMENT
}

/// Before the body is read: an unauthenticated client gets its rejection at once.
async fn admit(
    State((service, action)): State<(Arc<Service>, Action)>,
    mut request: Request,
    next: Next,
) -> Response {
    let now = service.now();
    let caller = Caller::identify(
        &service.gate,
        service.store.tokens(),
        service
            .assertions
            .as_ref()
            .filter(|_| action.takes_assertions()),
        request.headers(),
        action,
        &service.rejections,
        now,
    );
    let caller = match caller {
        Ok(caller) => caller,
        Err(problem) => {
            if action == Action::Follow
                || matches!(problem, Problem::InvalidToken | Problem::WrongRole)
            {
                let noted = service.rejections.note(action, &problem, now);
                service.note_rejections(noted);
            }
            return problem.into_response();
        }
    };
    // An assertion may come from a browser's cookie. Another site can make a browser send that
    // cookie, but not with this content type: it needs a preflight, which this service does
    // not answer.
    let is_account = matches!(caller, Caller::Account(_));
    if is_account && is_change(&request) && !is_json(request.headers()) {
        return Problem::MediaType.into_response();
    }
    request.extensions_mut().insert(caller);
    // The connection of a caller that is known is kept.
    if let Some(peer) = request.extensions().get::<Peer>() {
        peer.authenticated();
    }
    with_body(&service, request, next).await
}

/// Lets every caller pass. The connection can still be displaced. A body is read where it may be the
/// credential, and nowhere else.
async fn unauthenticated(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    match is_change(&request) {
        true => with_body(&service, request, next).await,
        false => in_time(next.run(request)).await,
    }
}

fn is_change(request: &Request) -> bool {
    ![Method::GET, Method::HEAD].contains(request.method())
}

/// Reads the body. Then the time for the answer begins.
async fn with_body(service: &Service, mut request: Request, next: Next) -> Response {
    if let Err(problem) = body::read(&mut request, service.limits.body).await {
        return problem.into_response();
    }
    in_time(next.run(request)).await
}

async fn in_time(answer: impl Future<Output = Response>) -> Response {
    let answer = tokio::time::timeout(REQUEST_TIMEOUT, answer);
    let timeout = |_| Problem::Timeout.into_response();
    answer.await.unwrap_or_else(timeout)
}

/// Around every request: its id, the count, the marker of the service, and the end of a
/// connection whose body was not read.
async fn frame(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let peer = request.extensions().get::<Peer>().cloned();
    let id = request_id::of(request.headers(), &service.ambient.randomness);
    let span = tracing::info_span!("request", id);
    let unread = Unread::take(&mut request);
    let answer = next.run(request).instrument(span);
    let mut response = request_id::with(id.clone(), answer).await;
    let template = route.as_ref().map(MatchedPath::as_str);
    service
        .metrics
        .answered(template, &method, response.status());
    let (name, value) = SERVICE_MARKER;
    let headers = response.headers_mut();
    headers.insert(
        HeaderName::from_static(name),
        HeaderValue::from_static(value),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Letters, digits and -_. alone.
    if let Some(id) = id.and_then(|it| HeaderValue::try_from(it).ok()) {
        headers.insert(REQUEST_ID, id);
    }
    if !unread.is_whole() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if let Some(peer) = peer {
            peer.left_body();
        }
    }
    response
}
