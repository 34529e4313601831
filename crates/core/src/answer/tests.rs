mod authenticate;

use serde_json::Value;

use super::content::*;
use super::*;

fn headers(list: &[(&str, &str)]) -> Vec<Header> {
    let owned = |(name, value): &(&str, &str)| (name.as_bytes().into(), value.as_bytes().into());
    list.iter().map(owned).collect()
}

fn rejection(reason: Reason, scheme: Scheme) -> Rejection {
    Rejection { reason, scheme }
}

fn voice(template: Option<&Template>) -> Voice<'_> {
    Voice {
        rule: "it",
        template,
        ..Voice::default()
    }
}

/// A template with these bodies for every reason.
fn bodies(bodies: Bodies) -> Template {
    reply(Form::Bodies(bodies))
}

fn reply(form: Form) -> Template {
    let reply = Reply {
        status: None,
        headers: Vec::new(),
        form,
    };
    Template {
        reply,
        reasons: Vec::new(),
    }
}

fn redirect(to: &str) -> Template {
    reply(Form::Redirect(Blanks::of(to, Spelling::Url)))
}

fn html(page: &str) -> Template {
    bodies(Bodies {
        html: Some(Blanks::of(page, Spelling::Html)),
        ..Bodies::default()
    })
}

fn header<'a>(denial: &'a Denial, name: &str) -> Option<&'a str> {
    let found = denial
        .headers
        .iter()
        .find(|(candidate, _)| *candidate == name);
    found.map(|(_, value)| &**value)
}

#[test]
fn a_program_reads_problem_details_and_a_person_a_page() {
    let expired = rejection(Reason::Expired, Scheme::SignedUrl);
    let program = expired.answer(&headers(&[("accept", "*/*")]), &voice(None));
    assert_eq!(
        header(&program, "content-type"),
        Some("application/problem+json")
    );
    let body: Value = serde_json::from_str(&program.body).unwrap();
    assert_eq!(body["reason"], "expired");
    assert_eq!(body["status"], 403);
    assert_eq!(program.details, "keygate_denied{reason=expired,rule=it}");
    let browser = "text/html,application/xhtml+xml,application/json;q=0.9";
    let person = expired.answer(&headers(&[("accept", browser)]), &voice(None));
    assert_eq!(header(&person, "content-type"), Some(HTML));
    assert!(person.body.contains("<h1>This link has expired</h1>"));
    assert!(header(&person, "content-security-policy").is_some());
}

#[test]
fn no_value_changes_the_structure_of_a_template() {
    let template = bodies(Bodies {
        json: Some(blanks(serde_json::json!({
            "error": { "code": "{reason}", "status": "{status}", "{reason}": ["at {request_id}"],
                "id": "{request_id}", "url": "{url}", "other": "{other}",
                "said \"\n": "\"\\\n{rule}\u{1}" }
        }))),
        ..Bodies::default()
    });
    let id = "a\"b{message}\\";
    let answer = rejection(Reason::RevokedKey, Scheme::AppKey).answer(
        &headers(&[("x-request-id", id), (":path", "/a?b=c")]),
        &voice(Some(&template)),
    );
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["error"]["id"], id);
    assert_eq!(body["error"]["url"], "%2Fa%3Fb%3Dc");
    assert_eq!(body["error"]["other"], "{other}");
    assert_eq!(body["error"]["code"], "invalid_credential");
    assert_eq!(body["error"]["status"], 401);
    assert_eq!(body["error"]["{reason}"][0], format!("at {id}"));
    assert_eq!(body["error"]["said \"\n"], "\"\\\nit\u{1}");
}

#[test]
fn every_reason_gives_json() {
    let template = bodies(Bodies {
        json: Some(blanks(serde_json::json!([
            "{reason}",
            "{message}",
            "{rule}"
        ]))),
        ..Bodies::default()
    });
    for &reason in Reason::ALL {
        for scheme in [Scheme::None, Scheme::AppKey, Scheme::SignedUrl] {
            let rejection = rejection(reason, scheme);
            let answer = rejection.answer(&[], &voice(Some(&template)));
            let body: Value = serde_json::from_str(&answer.body).unwrap();
            let expected = [reason.public().code(), rejection.message(), "it"];
            assert_eq!(body, serde_json::json!(expected));
        }
    }
}

#[test]
fn values_in_a_page_are_escaped() {
    let template = html("<style>a{color:red}</style><p>{request_id}{nobody}");
    let answer = rejection(Reason::Expired, Scheme::SignedUrl).answer(
        &headers(&[("x-request-id", "<script>&'\"")]),
        &voice(Some(&template)),
    );
    let expected = "<style>a{color:red}</style><p>&lt;script&gt;&amp;&#39;&quot;{nobody}";
    assert_eq!(answer.body, expected);
}

#[test]
fn a_strange_request_id_is_left_out() {
    for id in ["a b", "caf\u{e9}", &"x".repeat(129)] {
        assert_eq!(visible(id.as_bytes()), "");
    }
    let longest = "x".repeat(128);
    assert_eq!(visible(longest.as_bytes()), longest);
}

const REALM: &str = "the files";

#[test]
fn no_answer_is_cached_or_sniffed() {
    let redirect = redirect("/login");
    for template in [None, Some(&redirect), Some(&html("<p>"))] {
        for &reason in Reason::ALL {
            let answer = rejection(reason, Scheme::AppKey).answer(&[], &voice(template));
            assert_eq!(header(&answer, "cache-control"), Some("no-store"));
            assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
            let is_for_later = [429, 503].contains(&answer.status);
            assert_eq!(header(&answer, "retry-after").is_some(), is_for_later);
            let is_html = header(&answer, "content-type") == Some(HTML);
            assert_eq!(
                header(&answer, "content-security-policy").is_some(),
                is_html
            );
        }
    }
}

#[test]
fn of_several_bodies_the_client_gets_the_one_it_prefers() {
    let template = bodies(Bodies {
        json: Some(blanks(serde_json::json!({ "code": "{reason}" }))),
        html: Some(Blanks::of("<p>{message}", Spelling::Html)),
        text: Some(plain("{message}")),
    });
    for (accept, kind, body) in [
        ("*/*", JSON, "{\"code\":\"expired\"}"),
        (
            "text/html,*/*;q=0.8",
            HTML,
            "<p>This link has expired. It worked for a limited time only.",
        ),
        (
            "text/plain",
            TEXT,
            "This link has expired. It worked for a limited time only.",
        ),
        ("image/png", JSON, "{\"code\":\"expired\"}"),
    ] {
        let answer = rejection(Reason::Expired, Scheme::SignedUrl)
            .answer(&headers(&[("accept", accept)]), &voice(Some(&template)));
        assert_eq!(header(&answer, "content-type"), Some(kind), "{accept}");
        assert_eq!(answer.body, body, "{accept}");
        assert_eq!(header(&answer, "vary"), Some("accept"));
    }
    let only = rejection(Reason::Expired, Scheme::SignedUrl);
    let answer = only.answer(&[], &voice(Some(&html("<p>"))));
    assert_eq!(header(&answer, "vary"), None, "there was nothing to choose");
}

#[test]
fn a_reason_can_have_an_answer_of_its_own() {
    let mut template = html("<p>{reason}");
    template.reply.headers = vec![("x-support".to_owned(), plain("{rule}/{request_id}"))];
    template.reasons = vec![(
        PublicReason::Expired,
        Reply {
            status: Some(410),
            ..html("<p>gone {status}").reply
        },
    )];
    let id = headers(&[("x-request-id", "r1")]);
    let expired =
        rejection(Reason::Expired, Scheme::SignedUrl).answer(&id, &voice(Some(&template)));
    assert_eq!(
        (expired.status, expired.body.as_str()),
        (410, "<p>gone 410")
    );
    assert_eq!(header(&expired, "x-support"), None);
    let other =
        rejection(Reason::WrongSignature, Scheme::SignedUrl).answer(&id, &voice(Some(&template)));
    assert_eq!(
        (other.status, other.body.as_str()),
        (403, "<p>invalid_credential")
    );
    assert_eq!(header(&other, "x-support"), Some("it/r1"));
}

#[test]
fn a_header_of_ones_own_replaces_ours() {
    let mut template = html("<p>");
    let policy = "default-src 'self'";
    template.reply.headers = vec![("content-security-policy".to_owned(), plain(policy))];
    let answer = rejection(Reason::Expired, Scheme::SignedUrl).answer(&[], &voice(Some(&template)));
    let all = answer.headers.iter();
    let policies: Vec<_> = all
        .filter(|(name, _)| name.starts_with("content-sec"))
        .collect();
    assert_eq!(
        policies,
        [&("content-security-policy".into(), policy.into())]
    );
}

#[test]
fn a_redirect_returns_to_this_site_only() {
    let to = "https://login.example/?reason={reason}&return_to={url}#{status}";
    let template = redirect(to);
    let secret = ["verify".to_owned(), "key".to_owned()];
    for (path, url) in [
        ("/a/b?c=d&e=%20", "%2Fa%2Fb%3Fc%3Dd%26e%3D%2520"),
        ("/", "%2F"),
        // No other site, and nothing that a browser takes for one.
        ("//evil.example/", "%2F"),
        ("/\\evil.example", "%2F"),
        ("https://evil.example/", "%2F"),
        ("/%2f/evil.example", "%2F"),
        ("/a\u{e9}", "%2F"),
        // No credential either.
        ("/a?verify=1-x&c=d", "%2Fa%3Fc%3Dd"),
        ("/a?c=d&%6bey=SECRET&verify=2", "%2Fa%3Fc%3Dd"),
    ] {
        let voice = Voice {
            secret_parameters: &secret,
            ..voice(Some(&template))
        };
        let rejected = rejection(Reason::Expired, Scheme::AppKey);
        for (method, status) in [("GET", 302), ("HEAD", 302), ("POST", 303)] {
            let request = headers(&[(":method", method), (":path", path)]);
            let answer = rejected.answer(&request, &voice);
            let expected =
                format!("https://login.example/?reason=expired&return_to={url}#{status}");
            assert_eq!(
                header(&answer, "location"),
                Some(expected.as_str()),
                "{path}"
            );
            assert_eq!((answer.status, answer.body.as_str()), (status, ""));
            assert_eq!(header(&answer, "content-type"), None);
            assert_eq!(header(&answer, "www-authenticate"), None);
        }
    }
}

#[test]
fn grpc_gets_a_short_text_and_a_fitting_status() {
    let redirect = redirect("/login");
    for (reason, number) in [
        (Reason::MissingCredential, 16),
        (Reason::ForgedKey, 16),
        (Reason::Expired, 16),
        (Reason::AddressNotAllowed, 7),
        (Reason::DuplicateCredential, 3),
        (Reason::KeyServiceUnavailable, 14),
    ] {
        for kind in ["application/grpc", "application/grpc+proto"] {
            let request = headers(&[("content-type", kind), ("accept", "text/html")]);
            for template in [None, Some(&redirect), Some(&html("<p>"))] {
                let rejected = rejection(reason, Scheme::AppKey);
                let answer = rejected.answer(&request, &voice(template));
                assert_eq!(answer.grpc_status, Some(number), "{reason:?}");
                assert_eq!(answer.body, rejected.message());
                assert_eq!(answer.status, rejected.status());
                assert_eq!(header(&answer, "location"), None);
            }
        }
    }
    for kind in [
        "application/grpc-web",
        "application/grpcx",
        "application/json",
    ] {
        let answer = rejection(Reason::Expired, Scheme::AppKey)
            .answer(&headers(&[("content-type", kind)]), &voice(None));
        assert_eq!(answer.grpc_status, None, "{kind}");
    }
}

#[test]
fn problem_details_name_the_request_as_a_urn() {
    let uuid = "4ff14c3f-0123-4abc-8def-0123456789ab";
    for (id, instance) in [
        (uuid, format!("urn:uuid:{uuid}").into()),
        ("r1", Value::Null),
        (&uuid[1..], Value::Null),
        (&uuid.replace('-', "0"), Value::Null),
        (&uuid.replace('c', "z"), Value::Null),
        (&uuid.replace("c-8", "-c8"), Value::Null),
    ] {
        let answer = rejection(Reason::UnknownKey, Scheme::AppKey)
            .answer(&headers(&[("x-request-id", id)]), &voice(None));
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        let expected = serde_json::json!({
            "type": "about:blank", "title": "Unauthorized", "status": 401,
            "detail": "Your API key or sign-in is not valid. It may be incomplete, or it is no longer accepted.", "reason": "invalid_credential",
            "request_id": id
        });
        assert_eq!(problem["instance"], instance);
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&problem[name], value);
        }
    }
}

#[test]
fn unknown_forged_revoked_and_disabled_are_answered_byte_for_byte_alike() {
    let authenticate = Authenticate::default();
    let answer = |reason| {
        let voice = Voice {
            authenticate: Some(&authenticate),
            ..voice(None)
        };
        let denial = rejection(reason, Scheme::AppKey).answer(&[], &voice);
        (denial.status, denial.headers, denial.body)
    };
    let unknown = answer(Reason::UnknownKey);
    for reason in [Reason::ForgedKey, Reason::RevokedKey, Reason::DisabledKey] {
        assert_eq!(answer(reason), unknown);
    }
}

fn written(value: &Value) -> Json {
    match value {
        Value::String(text) => Json::Text(text.clone()),
        Value::Array(items) => Json::List(items.iter().map(written).collect()),
        Value::Object(members) => {
            let members = members.iter();
            Json::Object(
                members
                    .map(|(name, it)| (name.clone(), written(it)))
                    .collect(),
            )
        }
        word => Json::Word(word.to_string()),
    }
}

fn blanks(value: Value) -> Blanks {
    Blanks::json(&written(&value))
}

fn plain(text: &str) -> Blanks {
    Blanks::of(text, Spelling::Plain)
}
