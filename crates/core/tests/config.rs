//! Wrong configurations: each is refused, and the field that is wrong is named.

use keygate_core::decision::policy::Policy;
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn good() -> Value {
    json!({
        "version": 1,
        "secrets": {
            "media": [{ "id": "a", "env": "MEDIA" }, { "id": "b", "env": "MEDIA", "not_after": "2027-01-01T00:00:00Z" }],
            "keys": [{ "id": "01", "env": "KEYS", "encoding": "utf8" }],
            "vouch": [{ "id": "v1", "env": "VOUCH" }],
            "clear": [{ "id": "a", "env": "CLEAR" }],
            "weak": [{ "id": "w", "env": "SHORT" }]
        },
        "key_service": { "cluster": "keys", "authority": "keys", "token_env": "TOKEN",
            "timeout": "300ms", "poll": "1s", "lease": "60s" },
        "providers": {
            "link": { "type": "signed_url", "format": "cloudflare", "secrets": "media", "ttl": "3h" },
            "key": { "type": "app_key", "secrets": "keys", "from": ["bearer", { "header": "x-api-key" }] },
            "session": { "type": "jwt", "strip": ["authorization", { "header": "cf-access-token" }, { "cookie": "session" }] }
        },
        "assertion": { "algorithm": "HS256", "secrets": "vouch", "audience": "keys" },
        "rules": [
            { "name": "one", "match": { "path": "/a/**", "methods": ["GET"], "hosts": ["a.example"] },
              "require": "link", "deny": "page" },
            { "name": "two", "match": { "path": "/b/**" }, "require": { "any": ["link", { "all": ["key"] }] } },
            { "name": "work", "match": { "path": "/w/**" }, "require": "link", "mode": "challenge",
              "challenge": { "secrets": "clear", "difficulty": 8, "clearance": "1h", "cookie": "__Host-c" } },
            { "name": "login", "match": { "path": "/**" }, "require": "key", "mode": "challenge",
              "challenge": { "redirect": "https://login.example/start?return_to={url}" } }
        ],
        "unmatched": "deny",
        "responses": { "page": { "html": "<p>{message}" }, "api": { "json": { "e": ["{reason}"] } } }
    })
}

fn problems(text: &str) -> Vec<String> {
    let environment = |name: &str| match name {
        "TOKEN" => Some(b"edge-token".to_vec()),
        "SPACED" => Some(b"edge token".to_vec()),
        "EMPTY" => Some(Vec::new()),
        "SHORT" => Some(b"short".to_vec()),
        "MISSING" => None,
        _ => Some(SECRET.as_bytes().to_vec()),
    };
    match Policy::parse(text.as_bytes(), &environment) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_good_configuration_holds() {
    assert_eq!(problems(&good().to_string()), Vec::<String>::new());
}

#[test]
fn each_wrong_field_is_refused_by_its_path() {
    let remove = Value::String("(remove)".into());
    #[rustfmt::skip]
    let table: Vec<(&str, Value, &str)> = vec![
        ("/version", json!(2), "version: must be 1"),
        ("/version", json!("1"), "version: invalid type"),
        ("/version", remove.clone(), "missing field `version`"),
        ("/extra", json!(1), "extra: unknown field `extra`"),
        ("/unmatched", remove.clone(), "missing field `unmatched`"),
        ("/unmatched", json!("pass"), "unmatched: unknown variant `pass`"),
        ("/rules", remove.clone(), "missing field `rules`"),
        ("/secrets/media", json!([]), "secrets.media: must name at least one secret"),
        ("/secrets/media/0/id", json!("a b"), "secrets.media[0].id: must be 1 to 64"),
        ("/secrets/media/1/id", json!("a"), "secrets.media[1].id: stands twice"),
        ("/secrets/media/0/env", json!("MISSING"), "secrets.media[0].env: the environment variable MISSING is not set"),
        ("/secrets/media/0/env", json!("EMPTY"), "secrets.media[0].env: the value of EMPTY is empty"),
        ("/secrets/media/0/value", json!("x"), "secrets.media[0].value: unknown field `value`"),
        ("/secrets/media/0/encoding", json!("base32"), "secrets.media[0].encoding: is not of the right form, expected one of"),
        ("/secrets/media/0/encoding", json!("hex"), ""),
        ("/secrets/media/1/not_after", json!("tomorrow"), "secrets.media[1].not_after: must be an RFC 3339"),
        ("/secrets/media/1/not_before", json!("2027-01-01T00:00:00Z"), "secrets.media[1].not_after: must be later"),
        ("/secrets/keys/0/id", json!("001"), "secrets.keys: the id must be 2 letters or digits"),
        ("/secrets/keys/0/env", json!("SHORT"), "secrets.keys: the secret \"01\" holds fewer than 32 bytes"),
        ("/key_service", remove.clone(), "key_service: must be given"),
        ("/key_service/cluster", json!(""), "key_service.cluster: must be visible"),
        ("/key_service/poll_cluster", json!("a b"), "key_service.poll_cluster: must be visible"),
        ("/key_service/authority", json!("a b"), "key_service.authority: must be visible"),
        ("/key_service/token_env", json!("MISSING"), "key_service.token_env: the environment variable MISSING"),
        ("/key_service/token_env", json!("SPACED"), "key_service.token_env: the token must be visible ASCII"),
        ("/key_service/timeout", json!("0s"), "key_service.timeout: must be a duration"),
        ("/key_service/timeout", json!(300), "key_service.timeout: invalid type"),
        ("/key_service/poll", json!("often"), "key_service.poll: must be a duration"),
        ("/key_service/lease", json!("1s"), "key_service.lease: must be longer than poll"),
        ("/key_service/timeout", json!("1m"), "key_service.timeout: must be at most 10 s"),
        ("/key_service/poll", json!("2m"), "key_service.poll: must be at most 60 s"),
        ("/key_service/lease", json!("30d"), "key_service.lease: must be at most 86400 s"),
        ("/providers/link/skew", json!("1h"), "providers.link.skew: must be at most 600 s"),
        ("/providers/link/ttl", json!("10years"), "providers.link.ttl: must be at most"),
        ("/providers/dir", json!({ "type": "signed_url", "format": "cloudflare", "secrets": "media", "ttl": "3h", "directory_length": 9 }), "providers.link.secrets: this ring is used with another"),
        ("/secrets/media/0/env", json!("hunter2!"), "secrets.media[0].env: must be the name of an environment variable"),
        ("/secrets/media", json!("hunter2"), "secrets.media: is not of the right form, expected"),
        ("/key_service/url", json!("x"), "key_service.url: unknown field"),
        ("/key_service/cache", json!({ "max_known": 0 }), "key_service.cache.max_known: must be 1 to 10000000"),
        ("/key_service/cache", json!({ "max_unknown": 10_000_001 }), "key_service.cache.max_unknown: must be 1 to 10000000"),
        ("/key_service/cache", json!({ "max_bytes": 1_000_000 }), "key_service.cache.max_bytes: must be 1048576 to 1073741824"),
        ("/key_service/cache", json!({ "known": 1 }), "key_service.cache.known: unknown field"),
        ("/key_service/miss_limit", json!({ "per_second": 0 }), "key_service.miss_limit.per_second: must be 1 to 1000000"),
        ("/key_service/miss_limit", json!({ "burst": 1_000_001 }), "key_service.miss_limit.burst: must be 1 to 1000000"),
        ("/key_service/miss_limit", json!({ "burst": 5_000_000_000_u64 }), "key_service.miss_limit.burst: must be 1 to 1000000"),
        ("/key_service/miss_limit", json!({ "per_second_48": 0 }), "key_service.miss_limit.per_second_48: must be 1 to 1000000"),
        ("/key_service/miss_limit", json!({ "per_second_worker": 0 }), "key_service.miss_limit.per_second_worker: must be 1 to 1000000"),
        ("/signature_limit", json!({ "burst": 0 }), "signature_limit.burst: must be 1 to 1000000"),
        ("/signature_limit", json!({ "rate": 1 }), "signature_limit.rate: unknown field"),
        ("/key_service/miss_limit", json!({ "rate": 1 }), "key_service.miss_limit.rate: unknown field"),
        ("/providers/key/accept", json!([]), "providers.key.accept: must not be empty"),
        ("/providers/key/accept", json!(["any"]), "providers.key.accept[0]: unknown variant"),
        ("/providers/link/type", json!("saml"), "providers.link.type: must be \"signed_url\""),
        ("/providers/link/type", remove.clone(), "providers.link: missing field `type`"),
        ("/providers/link/format", json!("akami"), "providers.link.format: must be one of "),
        ("/providers/link/format", remove.clone(), "providers.link: missing field `format`"),
        ("/providers/link/secrets", json!("none"), "providers.link.secrets: there is no ring \"none\""),
        ("/providers/link/ttl", json!("3 sheep"), "providers.link.ttl: must be a duration"),
        ("/providers/link/ttl", remove.clone(), "providers.link.ttl: must be given"),
        ("/providers/link/max_lifetime", json!("1h"), "providers.link.max_lifetime: does not go with"),
        ("/providers/link/stamp", json!("expires"), "providers.link.max_lifetime: must be given"),
        ("/providers/link/stamp", json!("never"), "providers.link.stamp: unknown variant"),
        ("/providers/link/skew", json!("-1s"), "providers.link.skew: must be a duration"),
        ("/providers/link/base64", json!("urlsafe"), "providers.link.base64: unknown variant"),
        ("/providers/link/parameter", json!("a&b"), "providers.link.parameter: must be letters"),
        ("/providers/link/header", json!("cookie"), "providers.link.header: this header cannot"),
        ("/providers/link/header", json!("x y"), "providers.link.header: must be the name"),
        ("/providers/link/headers", json!({ "timestamp": "a", "mac": "A" }), "providers.link.headers.mac: must not be"),
        ("/providers/link/headers", json!({ "timestamp": "a" }), "providers.link.headers: missing field `mac`"),
        ("/providers/link/directory_length", json!(1), "providers.link.directory_length: must be at least 2"),
        ("/providers/dir", json!({ "type": "signed_url", "format": "cloudflare", "secrets": "media", "ttl": "3h", "directory": true }), "providers.link.secrets: this ring is used with another"),
        ("/providers/link", json!({ "type": "signed_url", "format": "cloudflare", "secrets": "media", "ttl": "3h", "directory": true, "directory_length": 9 }), "providers.link.directory_length: does not go with directory"),
        ("/providers/link/directory_length", json!(-1), "providers.link.directory_length: invalid value"),
        ("/providers/link/tll", json!("3h"), "providers.link.tll: unknown field `tll`"),
        ("/providers/key/secrets", json!("media"), "secrets.media: the id must be 2"),
        ("/providers/key/prefix", json!("K_G"), "providers.key.prefix: must be 1 to 16"),
        ("/providers/key/from", json!([]), "providers.key.from: must not be empty"),
        ("/providers/key/from", json!(["bearer", "bearer"]), "providers.key.from[1]: stands twice"),
        ("/providers/key/from", json!(["digest"]), "providers.key.from[0]: unknown variant"),
        ("/providers/key/from", json!([{ "header": "Authorization" }]), "providers.key.from[0].header: use \"bearer\""),
        ("/providers/key/from", json!([{ "header": "x-keygate-key" }]), "providers.key.from[0].header: this header cannot"),
        ("/providers/key/from", json!([{ "cookie": "a=b" }]), "providers.key.from[0].cookie: must be the name"),
        ("/providers/session/metadata_key", json!(""), "providers.session.metadata_key: must be 1 to 256"),
        ("/providers/session/filter", json!("a\u{0}b"), "providers.session.filter: must be 1 to 256"),
        ("/providers/session/account_claim", json!("e mail"), "providers.session.account_claim: must be 1 to 256"),
        ("/providers/session/account_claim", json!(["sub"]), "providers.session.account_claim: invalid type"),
        ("/providers/session/account_claim", json!("https://example.com/email"), ""),
        ("/providers/session/scopes_claim", json!("sub"), "providers.session.scopes_claim: must not be the claim"),
        ("/providers/session/scopes_claim", json!("x".repeat(257)), "providers.session.scopes_claim: must be 1 to 256"),
        ("/providers/session/strip", json!(["bearer"]), "providers.session.strip[0]: unknown variant"),
        ("/providers/session/strip", json!("authorization"), "providers.session.strip: invalid type"),
        ("/providers/session/strip", json!(["authorization", "authorization"]), "providers.session.strip[1]: stands twice"),
        ("/providers/session/strip", json!([{ "header": "Authorization" }]), "providers.session.strip[0].header: use \"authorization\""),
        ("/providers/session/strip", json!([{ "header": "cookie" }]), "providers.session.strip[0].header: this header"),
        ("/providers/session/strip", json!([{ "cookie": "a;b" }]), "providers.session.strip[0].cookie: must be the name"),
        ("/providers/session/secrets", json!("keys"), "providers.session.secrets: unknown field"),
        ("/assertion/algorithm", json!("none"), "assertion.algorithm: unknown variant"),
        ("/assertion/algorithm", remove.clone(), "assertion: missing field `algorithm`"),
        ("/assertion/algorithm", json!("EdDSA"), ""),
        ("/assertion/secrets", json!("none"), "assertion.secrets: there is no ring \"none\""),
        ("/secrets/vouch/0/env", json!("SHORT"), "secrets.vouch: the secret \"v1\" holds fewer than 32 bytes"),
        ("/assertion/audience", remove.clone(), "assertion: missing field `audience`"),
        ("/assertion/audience", json!(["a", "b"]), "assertion.audience: invalid type"),
        ("/assertion/audience", json!(""), "assertion.audience: must be 1 to 256"),
        ("/assertion/issuer", json!("a b"), "assertion.issuer: must be 1 to 256"),
        ("/assertion/ttl", json!("61s"), "assertion.ttl: must be whole seconds, 60s at most"),
        ("/assertion/ttl", json!("1500ms"), "assertion.ttl: must be whole seconds"),
        ("/assertion/ttl", json!("soon"), "assertion.ttl: must be a duration"),
        ("/assertion/header", json!("x-keygate-account"), "assertion.header: is the name of another"),
        ("/assertion/header", json!("X-Keygate-Who"), ""),
        ("/assertion/header", json!("X-Who"), ""),
        ("/assertion/header", json!("x who"), "assertion.header: must be the name"),
        ("/assertion/header", json!("x-keygate-"), "assertion.header: must be the name"),
        ("/assertion/header", json!("host"), "assertion.header: this header cannot"),
        ("/assertion/header", json!("Authorization"), "assertion.header: is where clients present"),
        ("/assertion/rules", json!([]), "assertion.rules: is empty"),
        ("/assertion/rules", json!(["one", "three"]), "assertion.rules[1]: there is no rule \"three\""),
        ("/assertion/kid", json!("v1"), "assertion.kid: unknown field"),
        ("/providers/nothing", json!({ "type": "app_key", "secrets": "keys" }), "providers.nothing: its name"),
        ("/rules/0/name", json!(""), "rules[0].name: must be 1 to 64"),
        ("/rules/1/name", json!("one"), "rules[1].name: another rule has this name"),
        ("/rules/0/match/path", json!("a"), "rules[0].match.path: must start with \"/\""),
        ("/rules/0/match/path", json!("/a?b"), "rules[0].match.path: must not contain \"?\""),
        ("/rules/0/match/path", json!("/a/../b"), "rules[0].match.path: must not contain \"//\""),
        ("/rules/0/match/path", json!("/a/b**"), "rules[0].match.path: \"**\" must stand alone"),
        ("/rules/0/match/path", remove.clone(), "rules[0].match: missing field `path`"),
        ("/rules/0/match/methods", json!([]), "rules[0].match.methods: is empty"),
        ("/rules/0/match/methods", json!(["get"]), "rules[0].match.methods[0]: must be a method"),
        ("/rules/0/match/hosts", json!([]), "rules[0].match.hosts: is empty"),
        ("/rules/0/match/hosts", json!(["a", "http://b"]), "rules[0].match.hosts[1]: must be a host name"),
        ("/rules/0/match/host", json!("a"), "rules[0].match.host: unknown field"),
        ("/rules/0/preflight", json!("deny"), "rules[0].preflight: unknown variant `deny`"),
        ("/rules/0/preflight", json!("allow"), ""),
        ("/rules/0/allowed_referrers", json!(["https://*.example.com/a/**", "http://localhost:3000"]), ""),
        ("/rules/0/allowed_referrers", json!([]), "rules[0].allowed_referrers: is empty"),
        ("/rules/0/allowed_referrers", json!(["https://a.*.example"]), "rules[0].allowed_referrers[0]: must be an origin"),
        ("/rules/0/allowed_referrers", json!(["a.example", "ftp://a.example"]), "rules[0].allowed_referrers[1]: must be an origin"),
        ("/rules/0/allowed_referrers", json!(["https://a.example/b**"]), "rules[0].allowed_referrers[0]: the path \"**\" must"),
        ("/providers/key/from", json!([{ "query": "key" }]), "providers.key.query_referrers: must be given"),
        ("/providers/key", json!({ "type": "app_key", "secrets": "keys", "from": [{ "query": "key" }],
            "query_referrers": [] }), "providers.key.query_referrers: is empty"),
        ("/providers/key", json!({ "type": "app_key", "secrets": "keys", "from": [{ "query": "key" }],
            "query_referrers": ["https://*"] }), "providers.key.query_referrers[0]: must be an origin"),
        ("/providers/key", json!({ "type": "app_key", "secrets": "keys", "from": [{ "query": "a&b" }],
            "query_referrers": ["a.example"] }), "providers.key.from[0].query: must be letters"),
        ("/providers/key", json!({ "type": "app_key", "secrets": "keys", "from": ["bearer", { "query": "key" }],
            "query_referrers": ["a.example"] }), ""),
        ("/providers/key/query_referrers", json!(["a.example"]), "providers.key.query_referrers: needs {\"query\""),
        ("/rules/0/require", json!("none"), "rules[0].require: there is no provider \"none\""),
        ("/rules/0/require", json!({ "any": [] }), "rules[0].require.any: must not be empty"),
        ("/rules/0/require", json!({ "any": ["link", "nothing"] }), "rules[0].require.any[1]: \"nothing\" has no place"),
        ("/rules/0/require", json!({ "all": ["link", { "any": ["x"] }] }), "rules[0].require.all[1].any[0]: there is no provider"),
        ("/rules/0/require", json!({ "one": [] }), "rules[0].require"),
        ("/rules/0/require", json!(7), "rules[0].require: invalid type"),
        ("/rules/0/require", remove.clone(), "rules[0]: missing field `require`"),
        ("/rules/0/mode", json!("enforce"), "rules[0].mode: unknown variant `enforce`"),
        ("/rules/0/mode", json!("challenge"), "rules[0].challenge: must be given"),
        ("/rules/2/mode", remove.clone(), "rules[2].challenge: goes with \"mode\": \"challenge\" only"),
        ("/rules/2/mode", json!("simulate"), "rules[2].challenge: goes with \"mode\": \"challenge\" only"),
        ("/rules/2/require", json!("nothing"), "rules[2].mode: challenges nobody"),
        ("/rules/2/challenge", json!({}), "rules[2].challenge: must hold \"secrets\" or \"redirect\""),
        ("/rules/2/challenge", json!("redirect"), "rules[2].challenge: invalid type"),
        ("/rules/2/challenge/secrets", json!("none"), "rules[2].challenge.secrets: there is no ring \"none\""),
        ("/rules/2/challenge/secrets", json!("weak"), "rules[2].challenge.secrets: the secret \"w\" holds fewer than 32"),
        ("/rules/2/challenge/difficulty", json!(7), "rules[2].challenge.difficulty: must be 8 to 24"),
        ("/rules/2/challenge/difficulty", json!(25), "rules[2].challenge.difficulty: must be 8 to 24"),
        ("/rules/2/challenge/difficulty", json!(272), "rules[2].challenge.difficulty: must be 8 to 24"),
        ("/rules/2/challenge/difficulty", json!("16"), "rules[2].challenge.difficulty: invalid type"),
        ("/rules/2/challenge/clearance", json!("999ms"), "rules[2].challenge.clearance: must be 1s to 30d"),
        ("/rules/2/challenge/clearance", json!("31d"), "rules[2].challenge.clearance: must be 1s to 30d"),
        ("/rules/2/challenge/clearance", json!("soon"), "rules[2].challenge.clearance: must be a duration"),
        ("/rules/2/challenge/cookie", json!("a b"), "rules[2].challenge.cookie: must be the name of a cookie"),
        ("/rules/2/challenge/cookie", json!(""), "rules[2].challenge.cookie: must be the name of a cookie"),
        ("/rules/2/challenge/bits", json!(16), "rules[2].challenge.bits: unknown field `bits`"),
        ("/rules/2/challenge/redirect", json!("/login"), "rules[2].challenge.secrets: does not go with redirect"),
        ("/rules/3/challenge/cookie", json!("c"), "rules[3].challenge.cookie: does not go with redirect"),
        ("/rules/3/challenge/redirect", json!("http://login.example/"), "rules[3].challenge.redirect: must start with"),
        ("/rules/3/challenge/redirect", json!("//login.example/"), "rules[3].challenge.redirect: must start with"),
        ("/rules/3/challenge/redirect", json!("https://{url}/"), "rules[3].challenge.redirect: must start with"),
        ("/rules/3/challenge/redirect", json!("/a\\b"), "rules[3].challenge.redirect: must be visible ASCII"),
        ("/rules/3/challenge/redirect", json!("/a?r={uri}"), "rules[3].challenge.redirect: may hold {url}"),
        ("/rules/3/challenge/redirect", json!("/login?r={url}"), "rules[3].challenge.redirect: leads back to this rule"),
        ("/rules/3/challenge/redirect", json!("/b/login?r={url}"), ""),
        ("/rules/0/deny", json!("none"), "rules[0].deny: there is no response \"none\""),
        ("/rules/0/match/headers", json!([]), "rules[0].match.headers: is empty"),
        ("/rules/0/match/headers", json!([{ "name": "a b" }]), "rules[0].match.headers[0].name: must be the name"),
        ("/rules/0/match/headers", json!([{ "value": "a" }]), "rules[0].match.headers[0]: missing field `name`"),
        ("/rules/0/scopes", json!([{ "need": "a" }]), "rules[0].scopes: can never be met"),
        ("/rules/0/outage", json!("allow"), "rules[0].outage: is for app keys, and the rule takes none"),
        ("/rules/1", json!({ "name": "two", "match": { "path": "/b" }, "require": "key", "outage": "allow",
            "scopes": [{ "need": "a" }] }), "rules[1].outage: \"allow\" can never hold"),
        ("/rules/1/outage", json!("open"), "rules[1].outage: unknown variant `open`"),
        ("/providers/key/outage", json!(true), "providers.key.outage: "),
        ("/rules/1/scopes", json!([{ "need": "a b" }]), "rules[1].scopes[0].need: \"AND\" or \"OR\" is missing"),
        ("/rules/1/scopes", json!([{ "need": "a" }, { "need": "b" }]), "rules[1].scopes[1]: never counts"),
        ("/rules/1/scopes", json!([{ "need": "a", "methods": [] }]), "rules[1].scopes[0].methods: is empty"),
        ("/identity", json!({ "account": "cookie" }), "identity.account: must be a header of its own"),
        ("/identity", json!({ "account": "x y" }), "identity.account: must be a header of its own"),
        ("/identity", json!({ "account": "x-a", "result": "X-A" }), "identity: \"x-a\" stands for two things"),
        ("/identity", json!({ "user": "x-a" }), "identity.user: unknown field"),
        ("/responses/page", json!({ "pdf": "x" }), "responses.page"),
        ("/responses/page", json!({ "html": 1 }), "responses.page.html: invalid type"),
        ("/responses/page", json!({}), "responses.page: must hold"),
        ("/responses/page", json!({ "status": 404 }), ""),
        ("/responses/page", json!({ "reasons": { "expired": { "status": 410 } } }), ""),
        ("/responses/page", json!({ "headers": { "x-help": "{advice}" } }), ""),
        ("/responses/page", json!({ "status": 302 }), "responses.page.status: must be 400 to 599"),
        ("/brand", json!({}), ""),
        ("/brand", json!({ "name": "Acme & Co", "color": "#AA0011", "help": "mailto:help@acme.example",
            "logo": "data:image/svg+xml;base64,PHN2Zy8+" }), ""),
        ("/brand", json!("Acme"), "brand: invalid type"),
        ("/brand", json!({ "colour": "#aa0011" }), "brand.colour: unknown field `colour`"),
        ("/brand", json!({ "name": "{title}" }), "brand.name: must be 1 to 64 characters"),
        ("/brand", json!({ "color": "red" }), "brand.color: must be \"#\" and six hexadecimal digits"),
        ("/brand", json!({ "color": "#fff;}*{" }), "brand.color: must be \"#\" and six hexadecimal digits"),
        ("/brand", json!({ "logo": "https://acme.example/logo.png" }), "brand.logo: must start with \"data:image/png"),
        ("/brand", json!({ "logo": "data:image/png;base64,PHN2Zy8+" }), "brand.logo: is not an image of the type"),
        ("/brand", json!({ "logo": "data:image/png;base64,\">" }), "brand.logo: is not base64"),
        ("/brand", json!({ "help": "javascript:alert(1)" }), "brand.help: must be \"https://\" and a host"),
        ("/brand", json!({ "help": "https://a.example/\"x" }), "brand.help: must be visible ASCII"),
        ("/responses/page/status", json!(200), "responses.page.status: must be 400 to 599"),
        ("/responses/page/status", json!(302), "responses.page.status: must be 400 to 599"),
        ("/responses/page/status", json!(600), "responses.page.status: must be 400 to 599"),
        ("/responses/page/text", json!("{resaon}"), "responses.page.text: {resaon} is none of"),
        ("/responses/page/text", json!("{message}"), ""),
        ("/responses/page", json!({ "redirect": "https://a.example/?r={reason}&u={url}", "status": 303 }), ""),
        ("/responses/page", json!({ "redirect": "/login?u={url}" }), ""),
        ("/responses/page", json!({ "redirect": "https://a.example" }), ""),
        ("/responses/page", json!({ "redirect": "/login", "html": "x" }), "responses.page.redirect: does not go"),
        ("/responses/page", json!({ "redirect": "/login", "status": 301 }), "responses.page.status: must be 302, 303 or 307"),
        ("/responses/page", json!({ "redirect": "/login", "status": 401 }), "responses.page.status: must be 302, 303 or 307"),
        ("/responses/page", json!({ "redirect": "/login?u={uri}" }), "responses.page.redirect: {uri} is none of"),
        ("/responses/page", json!({ "redirect": "http://a.example/" }), "responses.page.redirect: must start with"),
        ("/responses/page", json!({ "redirect": "//a.example/" }), "responses.page.redirect: must start with"),
        ("/responses/page", json!({ "redirect": "{url}" }), "responses.page.redirect: must start with"),
        ("/responses/page", json!({ "redirect": "https://{url}" }), "responses.page.redirect: must start with"),
        ("/responses/page", json!({ "redirect": "https://a.example{url}" }), "responses.page.redirect: must start with"),
        ("/responses/page", json!({ "redirect": "https://u@a.example/" }), "responses.page.redirect: must start with"),
        ("/responses/page", json!({ "redirect": "/\\a.example" }), "responses.page.redirect: must be visible"),
        ("/responses/page", json!({ "redirect": "/a\r\nb" }), "responses.page.redirect: must be visible"),
        ("/responses/page", json!({ "redirect": "login" }), "responses.page.redirect: must start with"),
        ("/responses/page/headers", json!({ "x-help": "see {rule}", "content-security-policy": "default-src 'self'" }), ""),
        ("/responses/page/headers", json!({ ":status": "200" }), "responses.page.headers.:status: must be the name"),
        ("/responses/page/headers", json!({ "a b": "x" }), "responses.page.headers.a b: must be the name"),
        ("/responses/page/headers", json!({ "Content-Length": "1" }), "responses.page.headers.Content-Length: this header"),
        ("/responses/page/headers", json!({ "transfer-encoding": "x" }), "responses.page.headers.transfer-encoding: this header"),
        ("/responses/page/headers", json!({ "connection": "x" }), "responses.page.headers.connection: this header"),
        ("/responses/page/headers", json!({ "set-cookie": "x" }), "responses.page.headers.set-cookie: this header"),
        ("/responses/page/headers", json!({ "content-type": "x" }), "responses.page.headers.content-type: this header"),
        ("/responses/page/headers", json!({ "cache-control": "x" }), "responses.page.headers.cache-control: this header"),
        ("/responses/page/headers", json!({ "www-authenticate": "x" }), "responses.page.headers.www-authenticate: this header"),
        ("/responses/page/headers", json!({ "x": "a\r\nb: c" }), "responses.page.headers.x: must be visible"),
        ("/responses/page/headers", json!({ "x": "caf\u{e9}" }), "responses.page.headers.x: must be visible"),
        ("/responses/page/headers", json!({ "x": "{nobody}" }), "responses.page.headers.x: {nobody} is none of"),
        ("/responses/page/headers", json!({ "x": "1", "X": "2" }), "responses.page.headers.x: is given twice"),
        ("/responses/page/reasons", json!({ "expired": { "status": 410, "text": "gone" }, "unavailable": { "status": 502 } }), ""),
        ("/responses/page/reasons", json!({ "revoked_key": { "status": 410 } }), "responses.page.reasons.revoked_key: is none of"),
        ("/responses/page/reasons", json!({ "expired": { "status": 302 } }), "responses.page.reasons.expired.status: must be 400"),
        ("/responses/page/reasons", json!({ "expired": { "redirect": "x" } }), "responses.page.reasons.expired.redirect: must start"),
        ("/responses/page/reasons", json!({ "expired": { "reasons": { "expired": {} } } }), "responses.page.reasons.expired.reasons: has no place"),
        ("/realm", json!("the \"files\""), "realm: must be 1 to 128 visible"),
        ("/realm", json!(""), "realm: must be 1 to 128 visible"),
        ("/realm", json!("the files"), ""),
        ("/providers/key/challenge_basic", json!(true), "providers.key.challenge_basic: needs \"basic\""),
        ("/responses/api/json/e/0", json!("{resaon}"), "responses.api.json.e[0]: {resaon} is none of"),
    ];
    assert!(table.len() >= 60);
    for (pointer, value, expected) in table {
        let mut spoiled = good();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = spoiled.pointer_mut(parent).unwrap();
        match (parent, value == remove) {
            (Value::Object(members), true) => drop(members.remove(name)),
            (Value::Object(members), false) => drop(members.insert(name.into(), value.clone())),
            (Value::Array(items), _) => items[name.parse::<usize>().unwrap()] = value.clone(),
            _ => panic!("{pointer}"),
        }
        let found = problems(&spoiled.to_string());
        let is_named = found.iter().any(|problem| problem.starts_with(expected));
        assert!(
            if expected.is_empty() {
                found.is_empty()
            } else {
                is_named
            },
            "{pointer} = {value}: expected {expected:?}, got {found:?}"
        );
    }
}

#[test]
fn several_problems_are_told_at_once() {
    let mut spoiled = good();
    spoiled["rules"][0]["match"]["path"] = json!("a");
    spoiled["rules"][1]["require"] = json!("none");
    spoiled["providers"]["link"]["ttl"] = json!("soon");
    let found = problems(&spoiled.to_string());
    for path in [
        "rules[0].match.path",
        "rules[1].require",
        "providers.link.ttl",
    ] {
        assert!(
            found.iter().any(|it| it.starts_with(path)),
            "{path} is not in {found:?}"
        );
    }
}

#[test]
fn a_wrong_provider_is_not_told_again_where_it_is_required() {
    let mut spoiled = good();
    spoiled["providers"]["link"]["ttl"] = json!("soon");
    let found = problems(&spoiled.to_string());
    assert_eq!(found.len(), 1, "{found:?}");
    spoiled["providers"]["link"] = json!({ "type": "signed_url" });
    let found = problems(&spoiled.to_string());
    assert_eq!(found, ["providers.link: missing field `format`"]);
}

#[test]
fn a_name_given_twice_is_refused_instead_of_the_last_one_winning() {
    let text = good().to_string();
    for (from, to) in [
        (r#""key":{"#, r#""link":{"#),
        (r#""keys":[{"#, r#""media":[{"#),
        (r#""api":{"#, r#""page":{"#),
        (r#""version":1"#, r#""version":1,"version":1"#),
        (r#""ttl":"3h""#, r#""ttl":"3h","ttl":"9h""#),
    ] {
        assert!(text.contains(from), "{from}");
        let found = problems(&text.replacen(from, to, 1));
        let told = found
            .iter()
            .any(|it| it.contains("given twice") || it.contains("duplicate field"));
        assert!(told, "{to}: {found:?}");
    }
}

#[test]
fn text_that_is_no_json_object_gets_a_hint() {
    for text in ["", "[]", "\u{12}\u{3}abc", "null"] {
        let found = problems(text);
        assert!(
            found[0].contains("google.protobuf.StringValue"),
            "{found:?}"
        );
    }
    assert!(problems("{").len() == 1);
    assert!(problems(&format!("{}x", good()))[0].contains("trailing characters"));
}

#[test]
fn no_message_holds_a_secret() {
    let mut spoiled = good();
    spoiled["secrets"]["keys"][0]["encoding"] = json!("hex");
    spoiled["secrets"]["media"][0]["encoding"] = json!("base64");
    spoiled["key_service"]["token_env"] = json!("SPACED");
    // The secret itself, in each place where its name should stand.
    for pointer in [
        "/secrets/keys",
        "/secrets/keys/0",
        "/secrets/keys/0/env",
        "/secrets/keys/0/encoding",
        "/key_service/token_env",
    ] {
        let mut pasted = good();
        *pasted.pointer_mut(pointer).unwrap() = json!(format!("{SECRET}!"));
        let found = problems(&pasted.to_string());
        assert!(
            !found.is_empty() && !found.join("").contains(SECRET),
            "{found:?}"
        );
    }
    for problem in problems(&spoiled.to_string()) {
        assert!(
            !problem.contains(SECRET) && !problem.contains("edge token"),
            "{problem}"
        );
    }
}

proptest::proptest! {
    #[test]
    fn no_text_can_panic(text: Vec<u8>, cut in 0_usize..2000) {
        let _ = Policy::parse(&text, &|_| None);
        let text = good().to_string();
        let cut = cut.min(text.len());
        let _ = Policy::parse(&text.as_bytes()[..cut], &|_| None);
    }
}
