//! What is compared: each variant with its proxy and its requests.

use keygate_tests::service::Service;
use serde_json::{Value, json};

use crate::cpu::Cores;
use crate::credentials::{self, CALLERS, LINKS, NGINX_SECRET};
use crate::load::Request;
use crate::subject::{self, Subject};

/// The variant that the costs of the others are relative to.
pub const PLAIN: &str = "plain";
/// The variant that the costs of nginx's links are also relative to.
const NGINX: &str = "nginx_plain";
/// Suffix of the names of variants that call an upstream for each request.
pub const UPSTREAM: &str = "_upstream";
/// The variant that their costs are also relative to.
const PLAIN_UPSTREAM: &str = "plain_upstream";

/// One of those that are compared.
pub struct Variant {
    /// Its name in `edge.json`.
    pub name: &'static str,
    /// What it does, for a reader.
    pub title: String,
    /// Whether all its requests are rejected.
    pub rejects: bool,
    /// The plain proxy of its kind, where that is not [`PLAIN`].
    pub kin: Option<&'static str>,
    /// The proxy.
    pub proxy: Subject,
    /// What the proxy asks, if it asks something for each request.
    pub service: Option<Subject>,
    /// In turn.
    pub requests: Vec<Request>,
}

/// What the variants share.
pub struct Ground {
    cores: Cores,
    service: Service,
    upstream: Subject,
    keys: Vec<String>,
}

impl Ground {
    /// The key service, with keys.
    pub fn start(cores: Cores) -> Self {
        let service = Service::start();
        crate::cpu::pin(service.id(), cores.services);
        let keys = credentials::app_keys(&service);
        Self {
            cores,
            service,
            upstream: Subject::nginx("return 200 \"ok\\n\";", cores.services),
            keys,
        }
    }

    /// The configuration of Keygate.
    pub fn keygate(&self) -> keygate_tests::envoy::EnvoyConfig {
        subject::keygate(credentials::edit_policy, self.service.port())
    }

    /// All of them, each in a process of its own.
    pub fn variants(&self) -> Vec<Variant> {
        let mut all = self.of_envoy();
        all.extend(self.of_keygate());
        all.extend(self.of_nginx());
        all.extend(self.with_upstream());
        all
    }

    fn envoy(&self, filters: &[(&str, Value)]) -> Subject {
        let config = subject::with_filters(filters);
        Subject::envoy(config, 1, Some(self.cores.proxies))
    }

    fn of_keygate(&self) -> Vec<Variant> {
        let native = credentials::links("native-link", "/native");
        let cloudflare = credentials::links("media-link", "/media");
        let bearer =
            |key: &String| Request::with("/api/hello", "authorization", format!("Bearer {key}"));
        let keys: Vec<Request> = self.keys.iter().map(bearer).collect();
        let forged = credentials::forged_keys();
        let of = |name, title: &str, rejects, requests| Variant {
            name,
            title: title.to_owned(),
            rejects,
            kin: None,
            proxy: Subject::envoy(self.keygate(), 1, Some(self.cores.proxies)),
            service: None,
            requests,
        };
        let get = |targets: &[String]| targets.iter().map(Request::get).collect();
        vec![
            of(
                "signed_url_keygate",
                &format!("Keygate: a signed link of our own format, {LINKS} in turn"),
                false,
                get(&native),
            ),
            of(
                "signed_url_keygate_repeated",
                "Keygate: the same link of our own format again and again",
                false,
                get(&native[..1]),
            ),
            of(
                "signed_url_cloudflare_repeated",
                "Keygate: the same link in Cloudflare's format again and again",
                false,
                get(&cloudflare[..1]),
            ),
            of(
                "signed_url_cloudflare",
                &format!("Keygate: a signed link in Cloudflare's format, {LINKS} in turn"),
                false,
                get(&cloudflare),
            ),
            of(
                "app_key_warm",
                &format!("Keygate: a cached API key, {CALLERS} in turn"),
                false,
                keys,
            ),
            of(
                "rejected",
                "Keygate: a request without a credential, answered with 401",
                true,
                vec![Request::get("/api/hello")],
            ),
            of(
                "forged_key",
                &format!("Keygate: a forged API key, answered with 401, {LINKS} in turn"),
                true,
                forged.iter().map(bearer).collect(),
            ),
            of(
                "simulate",
                "Keygate: a rule that simulates, without a credential",
                false,
                vec![Request::get("/beta/hello")],
            ),
        ]
    }

    fn of_envoy(&self) -> Vec<Variant> {
        let of = |name, title: &str, proxy, requests| Variant {
            name,
            title: title.to_owned(),
            rejects: false,
            kin: None,
            proxy,
            service: None,
            requests,
        };
        let hello = || vec![Request::get("/api/hello")];
        let carrying = |name, values: &[String]| {
            let request = |value: &String| Request::with("/api/hello", name, value);
            values.iter().map(request).collect()
        };
        let floor = |name, title: &str, level: &str| {
            let filter = subject::wasm("target/floor.wasm", level);
            of(name, title, self.envoy(&[("floor", filter)]), hello())
        };
        let keys = credentials::plain_keys();
        let bearer = |it: &String| format!("Bearer {it}");
        let sessions: Vec<String> = credentials::sessions().iter().map(bearer).collect();
        let (file, users) = credentials::users();
        let authorization =
            Subject::envoy(subject::with_filters(&[]), 1, Some(self.cores.services));
        let asking = subject::with_cluster(
            subject::with_filters(&[ext_authz()]),
            "authorization",
            authorization.port(),
        );
        let asking = Subject::envoy(asking, 1, Some(self.cores.proxies));
        vec![
            of(PLAIN, "Envoy without a filter", self.envoy(&[]), hello()),
            of(
                "empty",
                "a wasm filter that does nothing (the SDK's callbacks)",
                self.envoy(&[("empty", subject::wasm("target/empty.wasm", ""))]),
                hello(),
            ),
            floor(
                "floor_callbacks",
                "the callbacks of Keygate, and nothing in them",
                "",
            ),
            floor(
                "floor_headers",
                "Keygate's callbacks, and the headers are fetched",
                "1",
            ),
            floor(
                "floor_edit",
                "Keygate's callbacks, the headers fetched, and one set",
                "22",
            ),
            floor(
                "floor_link",
                "all calls that Keygate makes for a link, and no decision",
                "333",
            ),
            of(
                "lua",
                "Envoy's Lua filter: reads a header",
                self.envoy(&[lua()]),
                carrying("authorization", &keys[..1]),
            ),
            of(
                "api_key_auth",
                &format!("Envoy's api_key_auth, {CALLERS} keys"),
                self.envoy(&[api_key_auth(&keys)]),
                carrying("x-api-key", &keys),
            ),
            of(
                "basic_auth",
                &format!("Envoy's basic_auth, {CALLERS} users"),
                self.envoy(&[basic_auth(&file)]),
                carrying("authorization", &users),
            ),
            of(
                "jwt_authn",
                &format!("Envoy's jwt_authn (HS256, local JWKS), {CALLERS} tokens in turn"),
                self.envoy(&[jwt_authn()]),
                carrying("authorization", &sessions),
            ),
            Variant {
                service: Some(authorization),
                ..of(
                    "ext_authz",
                    "Envoy's ext_authz over HTTP, without what the service costs",
                    asking,
                    carrying("authorization", &keys),
                )
            },
        ]
    }

    /// Some of them again, where what passes is asked of an upstream.
    fn with_upstream(&self) -> Vec<Variant> {
        let hello = || vec![Request::get("/api/hello")];
        let of = |name, title: &str, config, requests| Variant {
            name,
            title: format!("with an upstream: {title}"),
            rejects: false,
            kin: (name != PLAIN_UPSTREAM).then_some(PLAIN_UPSTREAM),
            proxy: {
                let config = subject::with_upstream(config, self.upstream.port());
                Subject::envoy(config, 1, Some(self.cores.proxies))
            },
            service: None,
            requests,
        };
        let links = |provider, directory| -> Vec<Request> {
            let links = credentials::links(provider, directory);
            links.iter().map(Request::get).collect()
        };
        let native = links("native-link", "/native");
        let bearer =
            |it: &String| Request::with("/api/hello", "authorization", format!("Bearer {it}"));
        let keys = self.keys.iter().map(bearer).collect();
        let sessions = credentials::sessions().iter().map(bearer).collect();
        vec![
            of(
                PLAIN_UPSTREAM,
                "Envoy without a filter",
                subject::with_filters(&[]),
                hello(),
            ),
            of(
                "signed_url_keygate_repeated_upstream",
                "Keygate: the same link of our own format again and again",
                self.keygate(),
                native[..1].to_vec(),
            ),
            of(
                "signed_url_keygate_upstream",
                "Keygate: a signed link of our own format",
                self.keygate(),
                native,
            ),
            of(
                "signed_url_cloudflare_upstream",
                "Keygate: a signed link in Cloudflare's format",
                self.keygate(),
                links("media-link", "/media"),
            ),
            of(
                "app_key_warm_upstream",
                "Keygate: a cached API key",
                self.keygate(),
                keys,
            ),
            of(
                "simulate_upstream",
                "Keygate: a rule that simulates, without a credential",
                self.keygate(),
                vec![Request::get("/beta/hello")],
            ),
            of(
                "jwt_authn_upstream",
                "Envoy's jwt_authn",
                subject::with_filters(&[jwt_authn()]),
                sessions,
            ),
        ]
    }

    fn of_nginx(&self) -> Vec<Variant> {
        let links = credentials::nginx_links();
        let requests: Vec<Request> = links.iter().map(Request::get).collect();
        let of = |name, title: &str, location: &str, requests| Variant {
            name,
            title: title.to_owned(),
            rejects: false,
            kin: (name != NGINX).then_some(NGINX),
            proxy: Subject::nginx(location, self.cores.proxies),
            service: None,
            requests,
        };
        let check = format!(
            "secure_link $arg_md5,$arg_expires; \
             secure_link_md5 \"$secure_link_expires$uri {NGINX_SECRET}\"; \
             if ($secure_link = \"\") {{ return 403; }} \
             if ($secure_link = \"0\") {{ return 410; }} \
             return 200 \"ok\\n\";"
        );
        vec![
            of(
                NGINX,
                "nginx without a check",
                "return 200 \"ok\\n\";",
                requests.clone(),
            ),
            of(
                "nginx_secure_link",
                &format!("nginx's secure_link (MD5, not keyed), {LINKS} links in turn"),
                &check,
                requests,
            ),
        ]
    }
}

fn lua() -> (&'static str, Value) {
    let code = "function envoy_on_request(handle) handle:headers():get(\"authorization\") end";
    let config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        "default_source_code": { "inline_string": code }
    });
    ("envoy.filters.http.lua", config)
}

fn api_key_auth(keys: &[String]) -> (&'static str, Value) {
    let entry = |(number, key): (usize, &String)| json!({ "key": key, "client": format!("account-{number}") });
    let config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
        "credentials": keys.iter().enumerate().map(entry).collect::<Vec<_>>(),
        "key_sources": [{ "header": "x-api-key" }]
    });
    ("envoy.filters.http.api_key_auth", config)
}

fn basic_auth(file: &str) -> (&'static str, Value) {
    let config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.basic_auth.v3.BasicAuth",
        "users": { "inline_string": file }
    });
    ("envoy.filters.http.basic_auth", config)
}

fn jwt_authn() -> (&'static str, Value) {
    let key = json!({
        "kty": "oct", "alg": "HS256", "kid": "bench", "k": credentials::session_secret()
    });
    let config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": { "bench": {
            "issuer": "bench", "audiences": ["media"],
            "local_jwks": { "inline_string": json!({ "keys": [key] }).to_string() }
        } },
        "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "bench" } }]
    });
    ("envoy.filters.http.jwt_authn", config)
}

fn ext_authz() -> (&'static str, Value) {
    let config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "http_service": { "server_uri": {
            "uri": "http://authorization", "cluster": "authorization", "timeout": "5s"
        } }
    });
    ("envoy.filters.http.ext_authz", config)
}
