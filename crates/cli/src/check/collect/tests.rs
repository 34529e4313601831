//! The search for every problem against the reader that finds the first.

use super::*;

const POLICY: &str = r#"{
    "version": 1,
    "secrets": { "media": [ { "id": "01", "env": "A", "not_after": "2027-01-01T00:00:00Z" } ] },
    "key_service": { "cluster": "k", "authority": "k", "token_env": "T", "poll": "1s" },
    "providers": {
        "link": { "type": "signed_url", "format": "cloudflare", "secrets": "media", "ttl": "3h",
                  "headers": { "timestamp": "t", "mac": "m" } },
        "key": { "type": "app_key", "secrets": "media", "from": [ "bearer", { "header": "x" } ] }
    },
    "rules": [
        { "name": "a", "match": { "path": "/a", "methods": ["GET"] }, "require": "link", "deny": "page" },
        { "name": "b", "match": { "path": "/b" }, "require": { "any": ["link", { "all": ["link"] }] } }
    ],
    "unmatched": "deny",
    "responses": { "page": { "html": "x" }, "api": { "json": { "a": ["{reason}"] } } }
}"#;

/// The addresses of all nodes below one, itself included.
fn addresses(node: &Node, above: &[usize]) -> Vec<Vec<usize>> {
    let children: Vec<&Node> = match &node.value {
        Value::Object(members) => members.iter().map(|it| &it.node).collect(),
        Value::Array(items) => items.iter().collect(),
        Value::Leaf(_) => Vec::new(),
    };
    let below = children.iter().enumerate();
    let below = below.flat_map(|(index, child)| addresses(child, &[above, &[index]].concat()));
    [above.to_vec()].into_iter().chain(below).collect()
}

/// Every value is replaced by every other value: problems are reported exactly when the reader
/// has one, its first one is among them, and the search ends.
#[test]
fn check_reports_exactly_the_errors_of_the_reader() {
    let secret = |_: &str| Some(b"0123456789abcdef0123456789abcdef".to_vec());
    let good = Node::parse(POLICY).unwrap();
    assert!(collect(&good, &secret).0.is_empty());
    let others = [
        "null",
        "7",
        "\"?\"",
        "[]",
        "{}",
        "true",
        "{\"?\":[1]}",
        "[[\"x\"]]",
    ];
    for steps in addresses(&good, &[]).iter().skip(1) {
        for other in others {
            let mut root = good.clone();
            *root.follow_mut(steps).unwrap() = Node::parse(other).unwrap();
            let text = root.to_string();
            let problems = Policy::parse(text.as_bytes(), &secret)
                .err()
                .unwrap_or_default();
            let (found, is_all) = collect(&root, &secret);
            assert!(is_all, "{text}");
            assert_eq!(found.is_empty(), problems.is_empty(), "{text}");
            let first = problems
                .iter()
                .find(|it| it.place.is_some())
                .or(problems.first());
            let has_first = first.is_none_or(|it| found.iter().any(|that| that.path == it.path));
            assert!(has_first, "{text}");
            assert!(found.len() <= 8, "{text}");
        }
    }
}
