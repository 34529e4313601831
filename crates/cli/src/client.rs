//! The key service as its HTTP client sees it: answers, rejections, and what is no key service.
//!
//! The token goes to the address that was given and nowhere else: no redirect
//! is followed, and a proxy in the environment is not used.

use std::fmt;
use std::time::Duration;

use clap::{ArgAction, Args, Command};
use keygate_core::keys::wire::SERVICE_MARKER;
use keygate_service::shown::escaped;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ureq::http::{HeaderMap, HeaderValue, Response, Uri};

use crate::environment::{or_another, required_text};
use crate::error::CliError;

const TIMEOUT: Duration = Duration::from_secs(5);

/// The key service.
#[derive(clap::Args)]
pub struct AddressArgs {
    /// URL of the key service
    #[arg(
        long,
        value_name = "URL",
        env = "KEYGATE_SERVICE",
        default_value = "http://127.0.0.1:8801"
    )]
    service: String,
}

/// The key service and the admin token.
#[derive(clap::Args)]
pub struct ServiceArgs {
    #[command(flatten)]
    address: AddressArgs,
    /// Environment variable with the admin token; if it has several tokens, the first one is
    /// sent
    #[arg(long, value_name = "VARIABLE", default_value = "KEYGATE_ADMIN_TOKEN")]
    token_env: String,
}

/// A key service and the right to ask it.
pub struct KeyService {
    base: String,
    token_env: String,
    authorization: HeaderValue,
    agent: ureq::Agent,
    options: Options,
}

/// The options of a command. The id of each is the field of the API that it sets.
pub struct Options(Command);

/// The problem details of a rejection, as far as they matter here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Rejection {
    detail: String,
    code: String,
    /// Every value of the request that is wrong.
    errors: Vec<WrongValue>,
}

/// A value of a request that the key service rejects.
#[derive(Deserialize, Serialize)]
pub struct WrongValue {
    /// Where it is in the body (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// Its name in the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    detail: String,
    code: String,
}

impl KeyService {
    /// Checks the address and reads the token; sends nothing yet. The messages about a request
    /// name the options of `A`.
    pub fn new<A: Args>(args: &ServiceArgs) -> Result<Self, CliError> {
        Ok(Self {
            base: base(&args.address.service)?,
            token_env: args.token_env.clone(),
            authorization: authorization(&args.token_env)?,
            agent: agent(),
            options: Options::of::<A>(),
        })
    }

    /// Asks whether the service can read and write its database, without a token.
    pub fn ready(args: &AddressArgs) -> Result<(), CliError> {
        let service = Self {
            base: base(&args.service)?,
            token_env: String::new(),
            authorization: HeaderValue::from_static(""), // never sent
            agent: agent(),
            options: Options::of::<AddressArgs>(),
        };
        let answer = service.agent.get(format!("{}/readyz", service.base)).call();
        service.judge(answer, "").map(drop)
    }

    /// The text of the answer to a GET.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<String, CliError> {
        let request = self
            .agent
            .get(format!("{}{path}", self.base))
            .query_pairs(query.iter().copied())
            .header("authorization", self.authorization.clone());
        self.judge(request.call(), "")
    }

    /// The text of the answer to a POST.
    pub fn post(&self, path: &str, body: &impl Serialize) -> Result<String, CliError> {
        let body = json(body)?;
        let request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("authorization", self.authorization.clone())
            .content_type("application/json");
        self.judge(request.send(&body), &body)
    }

    /// The text of the answer to a PATCH, of this version of what is changed if one is given.
    pub fn patch(
        &self,
        path: &str,
        version: Option<&str>,
        body: &impl Serialize,
    ) -> Result<String, CliError> {
        let body = json(body)?;
        let mut request = self
            .agent
            .patch(format!("{}{path}", self.base))
            .header("authorization", self.authorization.clone())
            .content_type("application/json");
        if let Some(version) = version {
            request = request.header("if-match", version);
        }
        self.judge(request.send(&body), &body)
    }

    /// The text of the answer to a PUT.
    pub fn put(&self, path: &str, body: &impl Serialize) -> Result<String, CliError> {
        let body = json(body)?;
        let request = self
            .agent
            .put(format!("{}{path}", self.base))
            .header("authorization", self.authorization.clone())
            .content_type("application/json");
        self.judge(request.send(&body), &body)
    }

    /// The text of the answer to a DELETE.
    pub fn delete(&self, path: &str) -> Result<String, CliError> {
        let request = self
            .agent
            .delete(format!("{}{path}", self.base))
            .header("authorization", self.authorization.clone());
        self.judge(request.call(), "")
    }

    /// Reads the text of an answer.
    pub fn read<T: DeserializeOwned>(&self, text: &str) -> Result<T, CliError> {
        serde_json::from_str(text).map_err(|error| {
            CliError::Service(format!("cannot read the answer of {}: {error}", self.base))
        })
    }

    fn judge(
        &self,
        answer: Result<Response<ureq::Body>, ureq::Error>,
        sent: &str,
    ) -> Result<String, CliError> {
        let base = &self.base;
        let mut answer = answer.map_err(|error| self.unreachable(&error))?;
        if !is_marked(answer.headers()) {
            let status = answer.status().as_u16();
            return Err(CliError::Service(format!(
                "{base} is not a Keygate key service (it returned status {status})"
            )));
        }
        let status = answer.status();
        let text = answer.body_mut().read_to_string();
        let text = text.map_err(|error| self.unreachable(&error))?;
        if status.is_success() {
            return Ok(text);
        }
        let rejection: Rejection = serde_json::from_str(&text).unwrap_or_default();
        let detail = escaped(&rejection.detail);
        Err(match status.as_u16() {
            401 | 403 => CliError::Usage(self.rejected(&rejection)),
            404 if rejection.code == "no_such_path" => CliError::Usage(format!(
                "the key service has nothing at {base}/v1: give only scheme, host and port in \
                 --service or KEYGATE_SERVICE"
            )),
            404 if rejection.code.starts_with("no_such_") => CliError::No(detail.into_owned()),
            400..=499 => {
                let values = rejection.errors.iter();
                let values: Vec<String> = values.map(|it| self.options.explain(it, sent)).collect();
                let rejected = match &values[..] {
                    [] => format!("the request: {detail}"),
                    [only] => only.clone(),
                    several => format!("{} values:\n  {}", several.len(), several.join("\n  ")),
                };
                CliError::Usage(format!("the key service rejected {rejected}"))
            }
            other => CliError::Service(format!("the key service failed ({other}): {detail}")),
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> CliError {
        let base = &self.base;
        let seconds = TIMEOUT.as_secs();
        CliError::Service(match error {
            ureq::Error::Timeout(_) => format!(
                "the key service at {base} did not answer within {seconds} s: check that \
                 KEYGATE_SERVICE is its URL, and read its log"
            ),
            _ if self.speaks_no_tls() => {
                format!("the key service at {base} does not speak TLS: use http://")
            }
            error => format!(
                "cannot reach the key service at {base}: {error} (start it with \
                 `keygate serve`, or set KEYGATE_SERVICE to its URL)"
            ),
        })
    }

    /// Whether an HTTPS address is one of a key service without TLS. The token is not sent.
    fn speaks_no_tls(&self) -> bool {
        let Some(rest) = self.base.strip_prefix("https://") else {
            return false;
        };
        let answer = self.agent.get(format!("http://{rest}/healthz")).call();
        answer.is_ok_and(|it| is_marked(it.headers()))
    }

    /// What to do about a token that the service does not take.
    fn rejected(&self, rejection: &Rejection) -> String {
        let (variable, detail) = (&self.token_env, escaped(&rejection.detail));
        match rejection.code.as_str() {
            "wrong_role" => format!(
                "the role of the token in {variable} does not permit this: set {variable} to an \
                 admin token, or to one whose role does (`keygate tokens create --help`)"
            ),
            "invalid_token" => format!(
                "the key service rejected the token in {variable}: {detail}. Use a token \
                 from KEYGATE_ADMIN_TOKEN of `keygate serve`, or an active one from `keygate \
                 tokens create`"
            ),
            // The token is valid.
            _ => format!("the key service rejected the request: {detail}"),
        }
    }
}

fn json(body: &impl Serialize) -> Result<String, CliError> {
    let text = serde_json::to_string(body);
    text.map_err(|error| CliError::Usage(format!("cannot write the request: {error}")))
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .build()
        .into()
}

impl Options {
    /// The options of a command.
    pub fn of<A: Args>() -> Self {
        Self(A::augment_args(Command::new("")))
    }

    /// The option that sets a field, such as `--allow-ip`.
    pub fn option(&self, field: &str) -> Option<String> {
        let mut all = self.0.get_arguments();
        let argument = all.find(|argument| argument.get_id() == field)?;
        argument.get_long().map(|long| format!("--{long}"))
    }

    /// Whether the option that sets a field is repeatable: its value is a list.
    pub fn is_list(&self, field: &str) -> bool {
        let mut all = self.0.get_arguments();
        let argument = all.find(|argument| argument.get_id() == field);
        argument.is_some_and(|it| matches!(it.get_action(), ArgAction::Append))
    }

    /// The wrong option, or else the field, and what its value must be. Of a list, the value is
    /// quoted, because its option can be given several times.
    fn explain(&self, wrong: &WrongValue, sent: &str) -> String {
        let (name, item) = wrong.field();
        let Some(option) = self.option(&name) else {
            return wrong.to_string();
        };
        let sent: Value = serde_json::from_str(sent).unwrap_or_default();
        let value = item.and_then(|at| sent.get(&name)?.get(at)?.as_str());
        let value = value.map_or_else(String::new, |value| format!(" {value:?}"));
        escaped(&format!("{option}{value}: {}", wrong.detail)).into_owned()
    }
}

impl WrongValue {
    /// The field or parameter, and which of its items.
    fn field(&self) -> (String, Option<usize>) {
        let Some(pointer) = &self.pointer else {
            return (self.parameter.clone().unwrap_or_default(), None);
        };
        let mut steps = pointer.split('/').skip(1);
        let name = steps.next().unwrap_or_default();
        let name = name.replace("~1", "/").replace("~0", "~");
        (name, steps.next().and_then(|at| at.parse().ok()))
    }
}

/// Without what a terminal would obey.
impl fmt::Display for WrongValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = escaped(&self.detail);
        match self.field() {
            (name, _) if name.is_empty() => f.write_str(&detail),
            (name, None) => write!(f, "{}: {detail}", escaped(&name)),
            (name, Some(at)) => write!(f, "{}[{at}]: {detail}", escaped(&name)),
        }
    }
}

fn is_marked(headers: &HeaderMap) -> bool {
    let (name, value) = SERVICE_MARKER;
    headers.get(name).is_some_and(|sent| sent == value)
}

fn base(url: &str) -> Result<String, CliError> {
    // The URL is not repeated in the message: it might hold a password.
    let wrong = |why: &str| Err(CliError::Usage(format!("the URL of the key service {why}")));
    let Ok(uri) = url.parse::<Uri>() else {
        return wrong("is not a URL");
    };
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return wrong("must start with http:// or https://");
    };
    if authority.as_str().contains('@') {
        return wrong("must not contain a user name or a password");
    }
    if url.contains(['?', '#']) {
        return wrong("must not contain a query or a fragment");
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn authorization(variable: &str) -> Result<HeaderValue, CliError> {
    let tokens = required_text(variable).map_err(|error| or_another(&error, "--token-env"))?;
    let unfit = || {
        CliError::Usage(format!(
            "the environment variable {variable} contains no token"
        ))
    };
    let token = keygate_service::auth::split(&tokens)
        .next()
        .ok_or_else(unfit)?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| unfit())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_without_credentials_query_or_fragment() {
        assert_eq!(base("http://[::1]:8801/").unwrap(), "http://[::1]:8801");
        assert_eq!(
            base("https://keys.internal/a/").unwrap(),
            "https://keys.internal/a"
        );
        for wrong in [
            "",
            "/",
            "keys.internal",
            "keys.internal:8801",
            "ftp://keys.internal",
            "http://",
            "http://user:pass@keys.internal",
            "http://keys.internal/?a=b",
            "http://keys.internal/#a",
        ] {
            assert!(base(wrong).is_err(), "{wrong}");
        }
    }
}
