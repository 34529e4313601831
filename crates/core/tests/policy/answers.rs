//! In which form a rejection comes: what a client says that it reads decides.

use super::*;

/// The content type of a rejection that has a body of each kind, HTML in the middle.
fn kind_for(accept: &str) -> String {
    let mut json = demo();
    json["responses"]["api"] =
        json!({ "json": { "code": "{reason}" }, "html": "<p>", "text": "no" });
    let headers = get("/api/x", &[("accept", accept)]);
    let unknown = &NothingKnown;
    let verdict = policy(&json, SECRET).decide(&headers, &facts(unknown, None, NOW));
    let Verdict::Deny(denial) = verdict else {
        panic!("there is no key");
    };
    let kind = header(&denial, "content-type").unwrap();
    kind.split(';').next().unwrap().to_owned()
}

fn header(denial: &Denial, name: &str) -> Option<String> {
    let mut found = denial.headers.iter().filter(|(it, _)| *it == name);
    let value = found.next().map(|(_, value)| value.to_string());
    assert!(found.next().is_none(), "{name} is given more than once");
    value
}

#[test]
fn quoted_text_is_not_an_accepted_media_type() {
    for accept in [
        "x/y;a=\",text/html,\", text/plain;q=0.5",
        "x/y;a=\"\\\",text/html,\", text/plain;q=0.5",
        "x/y\\\",text/html,\", text/plain;q=0.5",
    ] {
        assert_eq!(kind_for(accept), "text/plain", "{accept}");
    }
}

#[test]
fn a_client_of_another_charset_gets_a_body_without_one() {
    let latin = "text/html;charset=iso-8859-1, application/json;q=0.1";
    assert_eq!(kind_for(latin), "application/json");
    // JSON has no such parameter.
    let strange = "application/json;charset=utf-8, text/html;q=0.1";
    assert_eq!(kind_for(strange), "text/html");
    let other = "text/html;level=utf-8, text/plain;q=0.1";
    assert_eq!(kind_for(other), "text/plain");
}

#[test]
fn a_cache_learns_that_the_form_of_an_answer_depends_on_accept() {
    // Neither rule says what a rejection looks like, or there is no rule at all.
    for target in ["/either/x", "/nowhere"] {
        let denial = denied(&get(target, &[]), Knowledge::Unknown);
        assert_eq!(header(&denial, "vary").as_deref(), Some("accept"));
    }
}

fn rejected_as_html(json: &Value, target: &str) -> Denial {
    let headers = get(target, &[("accept", "text/html")]);
    match policy(json, SECRET).decide(&headers, &facts(&NothingKnown, None, NOW)) {
        Verdict::Deny(denial) => denial,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_response_changes_the_status_of_the_standard_answer() {
    let mut json = demo();
    json["responses"]["api"] = json!({ "status": 404, "headers": { "x-title": "{title}" },
        "reasons": { "missing_credential": { "status": 410 } } });
    let page = rejected_as_html(&json, "/api/x");
    assert_eq!(page.status, 410);
    let kind = header(&page, "content-type").unwrap();
    assert_eq!(kind, "text/html; charset=utf-8");
    assert_eq!(header(&page, "x-title").unwrap(), "You are not signed in");
    assert!(page.body.contains("<h1>You are not signed in</h1>"));
    let headers = get("/api/x", &[]);
    let verdict = policy(&json, SECRET).decide(&headers, &facts(&NothingKnown, None, NOW));
    let Verdict::Deny(program) = verdict else {
        panic!("there is no key");
    };
    let problem: Value = serde_json::from_str(&program.body).unwrap();
    assert_eq!(
        (&problem["status"], &problem["title"]),
        (&json!(410), &json!("Gone"))
    );
}

#[test]
fn the_brand_is_on_every_page_of_a_policy() {
    let mut json = demo();
    json["brand"] = json!({ "name": "Acme", "color": "#aa0011" });
    json["rules"][0]["deny"] = Value::Null;
    let rules = json["rules"].as_array_mut().unwrap();
    rules.push(
        json!({ "name": "work", "match": { "path": "/tasks/**" }, "require": "key",
        "mode": "challenge", "challenge": { "secrets": "media" } }),
    );
    for target in ["/nowhere", "/a//b", "/either/x"] {
        let page = rejected_as_html(&json, target);
        assert!(
            page.body.contains("<p class=\"brand\">Acme</p>"),
            "{target}"
        );
    }
}
