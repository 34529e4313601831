//! The key service, asked as Envoy asks it: whether it answers, and what it says of the edge token and
//! of the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keygate_core::keys::wire::SERVICE_MARKER;
use serde_json::json;
use ureq::http::{HeaderMap, StatusCode};

use super::exam::Exam;
use super::findings::Id;
use crate::environment::required_text;
use crate::error::CliError;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far its clock may be from that of this machine, in seconds.
const APART: u64 = 30;

/// A hash that no key has.
const NO_HASH: [u8; 32] = [0; 32];

/// Asks the key service at a URL, with the token in the variable that the policy names.
///
/// # Errors
/// No policy names a variable, or it is not set.
pub fn ask(exam: &mut Exam<'_>, base: &str) -> Result<(), CliError> {
    let variables = exam.services.iter().map(|it| it.token_env.clone());
    let variables: Vec<String> = variables.collect();
    if variables.is_empty() {
        let told = "--service: no policy in the dump has a key_service";
        return Err(CliError::Usage(told.to_owned()));
    }
    let base = base.trim_end_matches('/');
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .build()
        .into();
    for variable in variables {
        let token = required_text(&variable)?;
        let body = json!({ "hashes": [keygate_core::keys::KeyHash(NO_HASH)] });
        let asked = agent
            .post(format!("{base}/v1/lookups"))
            .header("authorization", format!("Bearer {token}"))
            .content_type("application/json")
            .send(body.to_string());
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) => {
                exam.findings
                    .add(Id::ServiceUnreachable, base, error.to_string());
                continue;
            }
        };
        let (name, value) = SERVICE_MARKER;
        let is_marked = answer.headers().get(name).is_some_and(|it| it == value);
        match answer.status() {
            StatusCode::OK if is_marked => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if is_marked => {
                exam.findings.add(Id::TokenRefused, base, variable);
            }
            status => {
                let detail = format!("it answered {status}");
                exam.findings.add(Id::ServiceUnknown, base, detail);
                continue;
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |it| it.as_secs());
        match date(answer.headers()) {
            Some(date) if date.abs_diff(now) <= APART => {}
            Some(date) => {
                let detail = format!("by {} s", date.abs_diff(now));
                exam.findings.add(Id::ClockDiffers, base, detail);
            }
            None => exam
                .findings
                .add(Id::ClockDiffers, base, "it tells no date"),
        }
    }
    Ok(())
}

/// The header `date`, in seconds (RFC 9110 section 5.6.7).
fn date(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get("date")?.to_str().ok()?;
    let date = httpdate::parse_http_date(text).ok()?;
    let since = date.duration_since(UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}
