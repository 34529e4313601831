//! Responses from their written form.

use serde_json::value::RawValue;

use super::read::UniqueMap;
use super::{Compiler, item, member, written};
use crate::answer::{Blanks, Bodies, Form, Json, PLACEHOLDERS, Reply, Spelling, Template};
use crate::reason::{PublicReason, Reason};

/// Headers that are the proxy's, or that say what only the filter knows.
const TAKEN: [&str; 17] = [
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "host",
    "keep-alive",
    "location",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "x-content-type-options",
];

impl Compiler<'_> {
    pub(super) fn response(&mut self, name: &str, written: &written::Response<'_>) {
        let path = format!("responses.{name}");
        let changes_standard = written.status.is_some()
            || !written.headers.0.is_empty()
            || !written.reasons.0.is_empty();
        let form = match self.form(&path, written) {
            Some(form) => form,
            None if written.redirect.is_none() && changes_standard => Form::Standard,
            None => {
                if written.redirect.is_none() {
                    let needed = "must contain \"json\", \"html\", \"text\" or \"redirect\", or \
                                  change the standard answer with \"status\", \"headers\" or \
                                  \"reasons\"";
                    self.wrong(&path, needed);
                }
                return;
            }
        };
        let reply = Reply {
            status: self.status(&path, written.status, &form),
            headers: self.headers(&path, written),
            form,
        };
        let mut reasons = Vec::new();
        for (code, own) in &written.reasons.0 {
            let path = format!("{path}.reasons.{code}");
            let Some(reason) = PublicReason::ALL.into_iter().find(|it| it.code() == code) else {
                let precise = Reason::ALL.iter().find(|it| it.code() == code);
                let message = match precise.map(|it| it.public().code()) {
                    Some(public) => {
                        format!("`{code}` is a precise reason: use its public reason, `{public}`")
                    }
                    None => {
                        let known = PublicReason::ALL.map(PublicReason::code).join(", ");
                        format!("is unknown: use one of {known}")
                    }
                };
                self.wrong(&path, message);
                continue;
            };
            reasons.push((reason, self.override_of(&path, own, &reply)));
        }
        let template = Template { reply, reasons };
        self.responses.insert(name.to_owned(), template.into());
    }

    /// The answer for one reason: what it does not say is as in `reply`.
    fn override_of(&mut self, path: &str, written: &written::Response, reply: &Reply) -> Reply {
        if !written.reasons.0.is_empty() {
            self.wrong_in(path, "reasons", "is not allowed here");
        }
        let own = self.form(path, written);
        // The status of a redirect does not fit a body, nor the other way round.
        let is_kin = own.as_ref().is_none_or(|own| {
            matches!(own, Form::Redirect(_)) == matches!(reply.form, Form::Redirect(_))
        });
        let form = own.unwrap_or_else(|| reply.form.clone());
        let status = self.status(path, written.status, &form);
        let mut headers = self.headers(path, written);
        for (name, value) in &reply.headers {
            if !headers.iter().any(|(own, _)| own == name) {
                headers.push((name.clone(), value.clone()));
            }
        }
        Reply {
            status: status.or(reply.status.filter(|_| is_kin)),
            headers,
            form,
        }
    }

    /// `None` when the response says nothing of its form, or something wrong.
    fn form(&mut self, path: &str, written: &written::Response<'_>) -> Option<Form> {
        let has_body = written.json.is_some() || written.html.is_some() || written.text.is_some();
        if let Some(to) = &written.redirect {
            let path = member(path, "redirect");
            if has_body {
                self.wrong(&path, "cannot be combined with a body");
            }
            self.blanks(&path, to);
            self.checked(&path, check_redirect(to))?;
            return Some(Form::Redirect(Blanks::of(to, Spelling::Url)));
        }
        let json = written.json.map(|it| self.json(&member(path, "json"), it));
        if let Some(text) = &written.text {
            self.blanks(&member(path, "text"), text);
        }
        let of =
            |text: &Option<String>, spelling| text.as_deref().map(|it| Blanks::of(it, spelling));
        has_body.then(|| {
            Form::Bodies(Bodies {
                json: json.as_ref().map(Blanks::json),
                html: of(&written.html, Spelling::Html),
                text: of(&written.text, Spelling::Plain),
            })
        })
    }

    fn status(&mut self, path: &str, status: Option<u16>, form: &Form) -> Option<u16> {
        let status = status?;
        let (fits, wanted) = match form {
            Form::Bodies(_) | Form::Standard => {
                ((400..=599).contains(&status), "must be 400 to 599")
            }
            Form::Redirect(_) => (
                [302, 303, 307].contains(&status),
                "must be 302, 303 or 307 with \"redirect\"",
            ),
        };
        if !fits {
            self.wrong_in(path, "status", wanted);
        }
        Some(status)
    }

    fn headers(&mut self, path: &str, written: &written::Response<'_>) -> Vec<(String, Blanks)> {
        let mut headers: Vec<(String, Blanks)> = Vec::new();
        for (name, value) in &written.headers.0 {
            let path = format!("{path}.headers.{name}");
            let lower = name.to_ascii_lowercase();
            // RFC 9110 section 5.1: a field name is a token.
            let fits =
                |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if lower.is_empty() || !lower.bytes().all(fits) {
                self.wrong(&path, "must be the name of a header");
            }
            if TAKEN.contains(&lower.as_str())
                || lower == "www-authenticate"
                || lower.starts_with("grpc-")
            {
                self.wrong(&path, "this header cannot be set here");
            }
            if headers.iter().any(|(taken, _)| *taken == lower) {
                self.wrong(&path, "is given more than once");
            }
            let is_visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
            if !value.bytes().all(is_visible) || value.trim() != value {
                self.wrong(
                    &path,
                    "must be visible ASCII without leading or trailing spaces",
                );
            }
            self.blanks(&path, value);
            headers.push((lower, Blanks::of(value, Spelling::Plain)));
        }
        headers
    }

    /// The JSON of a body. Numbers are kept as they are written; what cannot be read is noted.
    fn json(&mut self, path: &str, written: &RawValue) -> Json {
        let text = written.get();
        let read = match text.bytes().next() {
            Some(b'{') => self.part(path, written).map(|it: UniqueMap<&RawValue>| {
                let read = |(name, value): (String, _)| {
                    let value = self.json(&member(path, &name), value);
                    (name, value)
                };
                Json::Object(it.0.into_iter().map(read).collect())
            }),
            Some(b'[') => self.part(path, written).map(|it: Vec<&RawValue>| {
                let read = |(index, value)| self.json(&item(path, index), value);
                Json::List(it.into_iter().enumerate().map(read).collect())
            }),
            Some(b'"') => self.part(path, written).map(|text: String| {
                // A `{word}` that nothing fills is a mistake here; in HTML it may be a style.
                self.blanks(path, &text);
                Json::Text(text)
            }),
            _ => None,
        };
        read.unwrap_or_else(|| Json::Word(text.to_owned()))
    }

    fn blanks(&mut self, path: &str, text: &str) {
        for (name, _) in text.split('{').skip(1).filter_map(|it| it.split_once('}')) {
            if !PLACEHOLDERS.contains(&name) {
                let known = PLACEHOLDERS.join("}, {");
                self.wrong(
                    path,
                    format!("{{{name}}} is unknown: use one of {{{known}}}"),
                );
            }
        }
    }

    pub(super) fn realm(&mut self, written: Option<&str>) {
        let Some(realm) = written else {
            return;
        };
        // The characters of a quoted string that need no escape: RFC 9110 section 5.6.4.
        let fits = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && !b"\"\\".contains(&byte);
        if !(1..=128).contains(&realm.len()) || !realm.bytes().all(fits) {
            self.wrong(
                "realm",
                "must be 1 to 128 visible ASCII characters without quotes or backslashes",
            );
        }
        realm.clone_into(&mut self.realm);
    }
}

/// A redirect leads to a host that the operator wrote, with every value of a placeholder.
fn check_redirect(to: &str) -> Result<(), &'static str> {
    let fixed = to.split('{').next().unwrap_or_default();
    let is_safe = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`|".contains(&byte);
    if !to.bytes().all(is_safe) {
        return Err("must be visible ASCII without quotes, backslashes or spaces");
    }
    let leads = match fixed.strip_prefix("https://") {
        Some(rest) => match rest.split_once(['/', '?']) {
            Some((host, _)) => is_host(host),
            // Without a blank in it all of the text is the host.
            None => fixed == to && is_host(rest),
        },
        None => to.starts_with('/') && !to.starts_with("//"),
    };
    if leads {
        Ok(())
    } else {
        Err("must start with \"https://\" and a host without a placeholder, or with a single \"/\"")
    }
}

fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}
