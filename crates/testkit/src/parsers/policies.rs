//! An input is a configuration. Whatever is rejected is rejected at a field that the text has,
//! or that is missing in one that it has; what is accepted is accepted however it is
//! written, and with one unknown member more it is rejected at that member.

use keygate_core::UnixMillis;
use keygate_core::decision::Problem;
use keygate_core::text::json;
use serde_json::Value;

use super::policy;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let json: Option<Value> = serde_json::from_str(text).ok();
    match (policy(text), json) {
        (Ok(read), Some(json)) => {
            let again = policy(&json.to_string()).expect("written again it is rejected");
            let pretty = serde_json::to_string_pretty(&json).unwrap();
            let pretty = policy(&pretty).expect("with blanks it is rejected");
            assert_eq!(shown(&again), shown(&read));
            assert_eq!(shown(&pretty), shown(&read));
            let _ = keygate_core::lint::lint(
                &read,
                data,
                &|_| Some(super::SECRET.to_vec()),
                UnixMillis(0),
            );
            unknown_members(&json);
        }
        (Ok(_), None) => panic!("no JSON is accepted"),
        (Err(problems), json) => {
            assert!(!problems.is_empty());
            for problem in &problems {
                check(problem, text, json.is_some());
            }
        }
    }
}

/// Members of objects have no order, so neither have lines.
fn shown(policy: &keygate_core::Policy) -> String {
    let text = format!("{policy:#?}");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn check(problem: &Problem, text: &str, is_json: bool) {
    assert!(!problem.wrong.to_string().is_empty());
    let shown = problem.to_string();
    let secret = std::str::from_utf8(super::SECRET).unwrap();
    assert!(text.contains(secret) || !shown.contains(secret), "{shown}");
    if !is_json || problem.path.is_empty() {
        // The text as a whole, or where it breaks off.
        return;
    }
    // Of members of one name serde_json keeps the last; any of them may be wrong. That both
    // read the same is for the target `json`.
    let stands = |path: &str| json::Value::parse(text.as_bytes()).is_some_and(|it| has(it, path));
    // Names may contain dots and brackets: any way to cut the path will do.
    let is_there = stands(&problem.path) || {
        let parent = problem.path.rfind('.').map_or("", |at| &problem.path[..at]);
        stands(parent)
    };
    assert!(
        is_there,
        "there is no {:?}: {}",
        problem.path, problem.wrong
    );
}

fn has(value: json::Value, path: &str) -> bool {
    let path = path.strip_prefix('.').unwrap_or(path);
    if path.is_empty() {
        return true;
    }
    match value {
        json::Value::Object(members) => members.into_iter().any(|(name, value)| {
            let rest = path.strip_prefix(name.as_str());
            let goes_on = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
            rest.is_some_and(|rest| goes_on(rest) && has(value, rest))
        }),
        json::Value::List(items) => {
            let Some((index, rest)) = path.strip_prefix('[').and_then(|it| it.split_once(']'))
            else {
                return false;
            };
            let mut items = items.into_iter();
            let item = index.parse().ok().and_then(|it| items.nth(it));
            item.is_some_and(|it| has(it, rest))
        }
        _ => false,
    }
}

/// An unknown member is added to each object of the text, one after another.
fn unknown_members(json: &Value) {
    for at in 0.. {
        let mut changed = json.clone();
        let Some(path) = insert(&mut changed, "", &mut { at }) else {
            assert!(at > 0);
            return;
        };
        let text = changed.to_string();
        let Err(problems) = policy(&text) else {
            panic!("an unknown member of {path:?} passes: {text}");
        };
        let is_there = |it: &Problem| it.path.starts_with(&path);
        assert!(problems.iter().any(is_there), "{path:?}: {problems:?}");
    }
}

/// Puts the member into the object of this number, and returns the path of that object.
/// Objects whose names are free are passed over, and so is what is inside of a body.
fn insert(value: &mut Value, path: &str, left: &mut usize) -> Option<String> {
    match value {
        Value::Object(members) => {
            let of_names = ["secrets", "providers", "responses", "headers", "reasons"];
            let last = path.rsplit('.').next().unwrap_or_default();
            if !of_names.contains(&last) {
                if *left == 0 {
                    members.insert("zzz".to_owned(), Value::Null);
                    return Some(path.to_owned());
                }
                *left -= 1;
            }
            let is_body = |name: &str| path.starts_with("responses.") && name == "json";
            let mut below = members.iter_mut().filter(|it| !is_body(it.0));
            below.find_map(|(name, value)| {
                let dot = if path.is_empty() { "" } else { "." };
                insert(value, &format!("{path}{dot}{name}"), left)
            })
        }
        Value::Array(items) => {
            let mut items = items.iter_mut().enumerate();
            items.find_map(|(at, it)| insert(it, &format!("{path}[{at}]"), left))
        }
        _ => None,
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let page = include_str!("../../../../docs/policy.md");
    let blocks = page
        .split("```json")
        .skip(1)
        .filter_map(|it| it.split("```").next());
    let mut all: Vec<Vec<u8>> = blocks
        .filter_map(|it| it.find('{').map(|at| it[at..].trim().as_bytes().to_vec()))
        .collect();
    all.extend(super::texts(WHOLE));
    all
}

const WHOLE: &[&str] = &[
    r#"{"version":1,"secrets":{"r":[{"id":"01","env":"A","not_before":"2026-01-01T00:00:00Z","not_after":"2027-01-01T00:00:00Z","encoding":"utf8"}],"x":[{"id":"01","env":"X"}],"p":[{"id":"01","env":"P"}]},
"key_service":{"cluster":"k","authority":"k","token_env":"T","timeout":"300ms","poll":"1s","lease":"60s"},
"providers":{"l":{"type":"signed_url","format":"keygate","secrets":"r","max_lifetime":"3h","exchange":{"secrets":"x","max_session":"1h"}},
"k":{"type":"app_key","secrets":"r","from":["bearer","basic",{"header":"x-k"},{"cookie":"k"}]},
"j":{"type":"jwt","filter":"f","strip":["authorization"]}},
"assertion":{"algorithm":"HS256","secrets":"r","audience":"a"},
"rules":[{"name":"a","match":{"path":"/a/**","methods":["GET"],"hosts":["*.example.com"],"headers":[{"name":"x","value":"y"}]},"require":{"any":["l",{"all":["k","j"]}]},
"scopes":[{"methods":["GET"],"need":"a AND b"}],"deny":"d","allowed_referrers":["https://a.example"],"preflight":"allow"},
{"name":"b","match":{"path":"/b/*"},"require":"l","mode":"challenge","challenge":{"secrets":"r","difficulty":9}}],
"identity":{"account":"x-user"},"unmatched":"deny","realm":"r",
"responses":{"d":{"json":{"a":"{reason}"},"html":"<p>{message}","status":418,"headers":{"x-a":"{rule}"},"reasons":{"expired":{"status":410}}}}}"#,
    r#"{"version":1,"secrets":{"r":[{"id":"01","env":"A"}]},"providers":{"s":{"type":"signed_url","format":"s3","secrets":"r","region":"eu"},
"c":{"type":"signed_url","format":"cloudflare","secrets":"r","ttl":"3h"}},"rules":[{"name":"a","match":{"path":"/**"},"require":"c","deny":"d"}],
"responses":{"d":{"redirect":"https://a.example/?to={url}"}},"unmatched":"allow"}"#,
    r#"{"version":2,"rules":[{"match":7}],"version":1}"#,
    r#"{"version":1,"secrets":{"r":[]},"providers":{},"rules":[],"unmatched":"deny"}"#,
    r#"{"version":1,"responses":{"s":{"type":"x"}},"responses":{"d":{"text":"x"}},"rules":[],"unmatched":"deny"}"#,
];
