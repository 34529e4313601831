//! The hook before save: another service of the operator that sees what becomes of a key, and
//! narrows or refuses it. It never sees a key or its hash. Any other answer than those below is a
//! failure, and then nothing is saved.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use axum::http::StatusCode;
use keygate_core::UnixMillis;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use crate::attributes::Attributes;
use crate::json::{Names, object};
use crate::key::KeyObject;
use crate::outbound::{Bounds, Client, Endpoint};
use crate::patch::{Patch, PatchBody};
use crate::shown::is_shown;
use crate::webhook::WebhookSecrets;
use crate::words::words;

/// Most calls at a time. The others wait, and the wait counts as the time of a call.
const AT_ONCE: usize = 32;

/// How long a call may take, and how many bytes its answer may have.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(2),
    body: 16 * 1024,
};

/// Most characters of what it says to the client.
const MAX_DETAIL: usize = 256;

/// What a hook may set.
const FIELDS: [&str; 5] = ["name", "scopes", "metadata", "labels", "expires_at"];

/// Where the hook is.
#[derive(Clone, Debug)]
pub struct HookTarget {
    /// Its URL.
    pub endpoint: Endpoint,
    /// What it verifies calls with.
    pub secrets: WebhookSecrets,
}

words! {
    /// What is about to happen.
    HookEvent {
        /// A key is created.
        Creating = "key.creating",
        /// A key is changed or replaced.
        Changing = "key.changing",
    }
}

/// What the hook is asked.
#[derive(Serialize)]
pub(crate) struct Question<'a> {
    pub(crate) event: HookEvent,
    /// Who asks, as in the audit log.
    pub(crate) actor: String,
    pub(crate) request_id: Option<String>,
    /// The key as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<KeyObject>,
    /// What is said of the key that would be saved.
    pub(crate) draft: &'a Attributes,
}

/// What the hook answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    allow: bool,
    draft: Option<Box<RawValue>>,
    detail: Option<String>,
}

/// Why nothing is saved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotAllowed {
    /// The hook says so, with these words for the client.
    Refused(String),
    /// The hook did not say what it must, for this reason.
    Failed(String),
}

/// Asks the hook.
pub(crate) struct Hook {
    target: HookTarget,
    /// Made for the first call.
    client: OnceLock<Client>,
    room: Semaphore,
}

impl Hook {
    pub(crate) fn new(target: HookTarget) -> Self {
        Self {
            target,
            client: OnceLock::new(),
            room: Semaphore::new(AT_ONCE),
        }
    }

    /// What the hook changes of a draft.
    pub(crate) async fn ask(
        &self,
        question: &Question<'_>,
        id: &str,
        now: UnixMillis,
    ) -> Result<Patch, NotAllowed> {
        // No struct of numbers and texts fails.
        let body = serde_json::to_vec(question).unwrap_or_default();
        let HookTarget { endpoint, secrets } = &self.target;
        let request = secrets.request(endpoint, id, body.into(), now);
        let client = self.client.get_or_init(Client::new);
        let call = async {
            let _room = self.room.acquire().await;
            client.answer(request, BOUNDS).await
        };
        let call = tokio::time::timeout(BOUNDS.time, call).await;
        let failed = |why: String| NotAllowed::Failed(format!("{endpoint}: {why}"));
        let answer = call.map_err(|_| failed("it did not answer within 2 s".to_owned()))?;
        let (status, body) = answer.map_err(|error| failed(error.to_string()))?;
        if status != StatusCode::OK {
            return Err(failed(format!("it answered {status}, not 200")));
        }
        match read(&body, question.draft, now) {
            Err(NotAllowed::Failed(why)) => Err(failed(why)),
            read => read,
        }
    }
}

/// Reads an answer about a draft.
fn read(body: &[u8], draft: &Attributes, now: UnixMillis) -> Result<Patch, NotAllowed> {
    let failed = |why: &str| NotAllowed::Failed(why.to_owned());
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| failed("its answer must be JSON with allow, draft and detail"))?;
    if !answer.allow {
        let detail = answer.detail.unwrap_or_default();
        let detail = detail.chars().filter(|it| is_shown(*it)).take(MAX_DETAIL);
        return Err(NotAllowed::Refused(detail.collect()));
    }
    let Some(json) = answer.draft else {
        return Ok(Patch::default());
    };
    let fields: BTreeMap<String, IgnoredAny> =
        serde_json::from_str(json.get()).map_err(|_| failed("its draft must be an object"))?;
    if let Some(other) = fields.keys().find(|it| !FIELDS.contains(&it.as_str())) {
        let fields = FIELDS.join(", ");
        let other = other.escape_debug();
        return Err(failed(&format!(
            "its draft has {other}, but may have {fields}"
        )));
    }
    let patch = object::<PatchBody>(json.get(), Names::Shown);
    let patch = patch.map_err(|_| failed("its draft must be an object"))?;
    let patch = PatchBody::check(patch, now).map_err(|wrong| failed(&wrong.to_string()))?;
    let widens = |scopes: &Vec<String>| scopes.iter().any(|it| !draft.scopes.contains(it));
    if patch.scopes.as_ref().is_some_and(widens) {
        return Err(failed("its draft has a scope that was not asked for"));
    }
    let lengthens = |end: &Option<UnixMillis>| match draft.expires_at {
        Some(asked) => end.is_none_or(|end| end > asked),
        None => false,
    };
    if patch.expires_at.as_ref().is_some_and(lengthens) {
        return Err(failed("its draft lives longer than was asked for"));
    }
    Ok(patch)
}
