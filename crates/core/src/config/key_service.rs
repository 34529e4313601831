//! `"key_service"`: whom the filter asks, and what it keeps of the answers.

use std::fmt;
use std::ops::RangeInclusive;

use super::{Compiler, member, written};
use crate::keys::failure_limit::FailureLimit;
use crate::keys::service::CacheBounds;
use crate::keys::service::KeyService;
use crate::keys::wire::MAX_LEASE;
use crate::time::Millis;

impl Compiler<'_> {
    pub(super) fn key_service(&mut self, written: &written::KeyService) -> Option<KeyService> {
        let at = |field: &str| member("key_service", field);
        // What is not written cannot be wrong.
        for (field, text) in [
            ("cluster", Some(&written.cluster)),
            ("poll_cluster", written.poll_cluster.as_ref()),
            ("authority", Some(&written.authority)),
        ] {
            let Some(text) = text else {
                continue;
            };
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                self.wrong_in("key_service", field, "must be visible ASCII and not empty");
            }
        }
        let timeout = self.span(&at("timeout"), &written.timeout);
        let poll = self.span(&at("poll"), &written.poll);
        let lease = self.span(&at("lease"), &written.lease);
        if let (Some(poll), Some(lease)) = (poll, lease)
            && lease <= poll
        {
            self.wrong_in(
                "key_service",
                "lease",
                "must be longer than poll, or cached keys are never valid",
            );
        }
        for (field, span, most) in [
            ("timeout", timeout, Millis::from_secs(10)),
            ("poll", poll, Millis::from_secs(60)),
            ("lease", lease, MAX_LEASE),
        ] {
            self.at_most(&at(field), span, most);
        }
        let token = self.secret(&at("token_env"), &written.token_env, Default::default())?;
        if !token.expose().iter().all(u8::is_ascii_graphic) {
            self.wrong_in(
                "key_service",
                "token_env",
                "the token must be visible ASCII: it is sent in a header",
            );
        }
        let cache = self.cache(&at("cache"), &written.cache);
        let miss_limit =
            self.failure_limit(&at("miss_limit"), &written.miss_limit, FailureLimit::MISSES);
        Some(KeyService {
            cluster: written.cluster.clone(),
            poll_cluster: written
                .poll_cluster
                .as_ref()
                .unwrap_or(&written.cluster)
                .clone(),
            authority: written.authority.clone(),
            token,
            timeout: timeout?,
            poll: poll?,
            lease: lease?,
            cache,
            miss_limit,
            // Rules can change what providers say: see `Compiler::policy`.
            allows_outage: false,
            want: Vec::new(),
        })
    }

    fn cache(&mut self, path: &str, written: &written::Cache) -> CacheBounds {
        let default = CacheBounds::default();
        let entries = 1..=10_000_000;
        let bytes = CacheBounds::MIN_BYTES..=1 << 30;
        let written::Cache {
            max_known,
            max_unknown,
            max_bytes,
        } = *written;
        CacheBounds {
            max_known: self.within(path, "max_known", max_known, &entries, default.max_known),
            max_unknown: self.within(
                path,
                "max_unknown",
                max_unknown,
                &entries,
                default.max_unknown,
            ),
            max_bytes: self.within(path, "max_bytes", max_bytes, &bytes, default.max_bytes),
        }
    }

    /// Reads a limit of failures; what is not given is as in `default`, and follows a larger
    /// `per_second`.
    pub(super) fn failure_limit(
        &mut self,
        path: &str,
        written: &written::FailureLimit,
        default: FailureLimit,
    ) -> FailureLimit {
        let range = 1..=FailureLimit::MAX;
        let mut number = |field, written, default| {
            let default = FailureLimit::MAX.min(default);
            self.within(path, field, written, &range, default)
        };
        let per_second = number("per_second", written.per_second, default.per_second);
        let prefix = per_second.saturating_mul(4).max(default.per_second_48);
        let worker = per_second.saturating_mul(10).max(default.per_second_worker);
        FailureLimit {
            per_second,
            burst: number("burst", written.burst, default.burst),
            per_second_48: number("per_second_48", written.per_second_48, prefix),
            per_second_worker: number("per_second_worker", written.per_second_worker, worker),
        }
    }

    /// A number of this range, or what holds without one.
    fn within<T: TryFrom<u64> + PartialOrd + Copy + fmt::Display>(
        &mut self,
        path: &str,
        field: &str,
        written: Option<u64>,
        range: &RangeInclusive<T>,
        default: T,
    ) -> T {
        let Some(number) = written else {
            return default;
        };
        let fits = |it: &T| range.contains(it);
        T::try_from(number).ok().filter(fits).unwrap_or_else(|| {
            let (least, most) = (range.start(), range.end());
            self.wrong_in(path, field, format!("must be {least} to {most}"));
            default
        })
    }
}
