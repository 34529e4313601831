//! The secrets of a provider, read with another encoding than the one that is configured.

use keygate_core::secret::Encoding;
use keygate_core::signed_url::{Format, LinkFacts};
use keygate_core::{Policy, Provider, Reason, Request};
use serde_json::Value;

use super::{alone, environment};

/// A policy of one provider whose secrets have another encoding.
pub struct OtherEncoding {
    encoding: Encoding,
    policy: Policy,
}

impl OtherEncoding {
    /// Every other encoding in which the secrets of a generated policy are valid.
    pub(super) fn all(policy: &Value, environment: &dyn Fn(&str) -> Option<Vec<u8>>) -> Vec<Self> {
        let with = |encoding: Encoding| {
            let mut changed = policy.clone();
            let rings = changed["secrets"].as_object_mut().into_iter().flatten();
            let secrets = rings.filter_map(|(_, ring)| ring.as_array_mut()).flatten();
            for secret in secrets.filter(|it| it.get("env").is_some()) {
                secret["encoding"] = encoding.name().into();
            }
            let policy = Policy::parse(changed.to_string().as_bytes(), environment).ok()?;
            Some(Self { encoding, policy })
        };
        Encoding::ALL.into_iter().filter_map(with).collect()
    }

    /// Every other encoding of the secrets of a provider in a policy.
    pub fn of_provider(policy: &Value, name: &str) -> Vec<Self> {
        let alone = alone(&policy["secrets"], &policy["providers"][name]);
        Self::all(&alone, &environment)
    }

    /// Says that this encoding makes the signature valid, if it does.
    fn explains(&self, request: &Request<'_>, facts: &LinkFacts<'_>) -> Option<String> {
        let rule = self.policy.rules.all().first()?;
        let Some(Provider::SignedUrl(links)) = rule.require.providers().first().copied() else {
            return None;
        };
        let name = self.encoding.name();
        let wrong = matches!(
            links.format.verify(request, facts),
            Err(Reason::WrongSignature)
        );
        (!wrong).then(|| {
            format!(
                "what differs: the encoding of the secret: the link was signed with it as {name}. \
                 Set \"encoding\": \"{name}\" in the ring, or use --encoding {name} here"
            )
        })
    }
}

/// The steps of a format. If the signature is wrong, and valid with another encoding of the
/// secret, these end with that encoding.
pub fn steps(
    format: &dyn Format,
    others: &[OtherEncoding],
    request: &Request<'_>,
    facts: &LinkFacts<'_>,
) -> Vec<String> {
    let mut steps = format.explain(request, facts);
    if matches!(format.verify(request, facts), Err(Reason::WrongSignature))
        && let Some(told) = others.iter().find_map(|it| it.explains(request, facts))
    {
        steps.retain(|it| !it.starts_with("cannot tell"));
        steps.push(told);
    }
    steps
}
