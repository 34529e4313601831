//! A chain of HTTP filters: that Keygate is in it, active, and that nothing before it answers.

use super::at::At;
use super::exam::{Exam, Gate};
use super::findings::Id;
use super::{jwt, known, plugin};

/// Filters that may be before Keygate: docs/envoy.md says why.
const BEFORE: [&str; 3] = [
    "envoy.extensions.filters.http.cors.v3.Cors",
    "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb",
    jwt::JWT,
];

/// Filters that answer requests, or can.
const ANSWERS: [(&str, Id); 19] = [
    ("cache.v3.CacheConfig", Id::CacheBefore),
    ("cache_v2.v3.CacheV2Config", Id::CacheBefore),
    ("ext_proc.v3.ExternalProcessor", Id::ExtProcBefore),
    ("lua.v3.Lua", Id::LuaBefore),
    ("rbac.v3.RBAC", Id::AnswersBefore),
    ("ratelimit.v3.RateLimit", Id::AnswersBefore),
    ("local_ratelimit.v3.LocalRateLimit", Id::AnswersBefore),
    (
        "rate_limit_quota.v3.RateLimitQuotaFilterConfig",
        Id::AnswersBefore,
    ),
    ("ext_authz.v3.ExtAuthz", Id::AnswersBefore),
    ("fault.v3.HTTPFault", Id::AnswersBefore),
    ("health_check.v3.HealthCheck", Id::AnswersBefore),
    ("basic_auth.v3.BasicAuth", Id::AnswersBefore),
    ("api_key_auth.v3.ApiKeyAuth", Id::AnswersBefore),
    ("oauth2.v3.OAuth2", Id::AnswersBefore),
    ("csrf.v3.CsrfPolicy", Id::AnswersBefore),
    ("buffer.v3.Buffer", Id::AnswersBefore),
    ("admission_control.v3.AdmissionControl", Id::AnswersBefore),
    (
        "adaptive_concurrency.v3.AdaptiveConcurrency",
        Id::AnswersBefore,
    ),
    ("custom_response.v3.CustomResponse", Id::AnswersBefore),
];

const FAMILY: &str = "envoy.extensions.filters.http.";

/// Examines the filters in a list; without Keygate, `missing` is found.
pub fn examine<'d>(exam: &mut Exam<'d>, of: &At<'d>, list: &str, missing: Id) -> Gate {
    let mut gate = Gate::default();
    let mut before = Vec::new();
    let mut authentications = Vec::new();
    for filter in of.items(list) {
        known::HTTP_FILTER.check(&filter, &mut exam.findings);
        let Some((r#type, config)) = received(exam, &filter) else {
            before.push((filter, ""));
            continue;
        };
        if !plugin::is_keygate(r#type, filter.text("name"), &config) {
            if r#type == jwt::JWT {
                authentications.push((filter.clone(), config));
            }
            if gate.names.is_empty() {
                before.push((filter, r#type));
            }
            continue;
        }
        if !gate.names.is_empty() {
            exam.add(Id::FilterTwice, &filter);
        }
        if filter.is_true("disabled") {
            exam.add(Id::FilterDisabled, &filter);
        }
        if filter.is_true("is_optional") {
            exam.add(Id::FilterOptional, &filter);
        }
        gate.names.push(filter.text("name").to_owned());
        plugin::examine(exam, &config, &mut gate);
    }
    if gate.names.is_empty() {
        exam.add(missing, of);
        return gate;
    }
    for (filter, config) in authentications {
        jwt::examine(exam, &filter, &config, &gate);
    }
    for (filter, r#type) in before {
        if BEFORE.contains(&r#type) {
            continue;
        }
        let name = r#type.strip_prefix(FAMILY).unwrap_or(r#type);
        let known = ANSWERS.iter().find(|(known, _)| *known == name);
        match known {
            Some((_, id)) => exam.say(*id, &filter, r#type),
            None => exam.say(Id::UnknownFilterBefore, &filter, r#type),
        }
    }
    gate
}

/// The type and the configuration of a filter, from the chain or from a discovery service.
fn received<'d>(exam: &mut Exam<'d>, filter: &At<'d>) -> Option<(&'d str, At<'d>)> {
    let Some(discovery) = filter.field("config_discovery") else {
        return filter.typed("typed_config");
    };
    if discovery.is_true("apply_default_config_without_warming") {
        let place = format!("{}/apply_default_config_without_warming", discovery.place);
        exam.findings.add(Id::UnknownSetting, &place, "");
    }
    let name = filter.text("name");
    let all = exam
        .dump
        .resources("Ecds", &["ecds_filters"], "ecds_filter");
    let mut named = all.iter().filter(|it| it.text("name") == name);
    let first = named.next();
    // Two filters with one name can have two discovery services. The dump does not tell them apart.
    if named.any(|it| Some(it.json()) != first.map(At::json)) {
        exam.add(Id::FilterAmbiguous, filter);
    }
    let config =
        first.and_then(|it| At::new(it.json(), filter.place.clone()).typed("typed_config"));
    if config.is_none() {
        exam.add(Id::FilterNotReceived, filter);
    }
    config
}
