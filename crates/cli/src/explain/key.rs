//! What was found of an app key, as far as it is public.

use keygate_core::decision::AppKeys;
use keygate_core::http::credential;
use keygate_core::http::credential::Carrier;
use keygate_core::keys::{AppKey, Knowledge, MasterSecret};
use keygate_core::secret::{Encoding, KeyRing, RingEntry};
use keygate_core::{Facts, Reason, Request, Secret};
use serde_json::Value;

use crate::environment::required;

/// The steps of the check, without its result. `secrets` is the ring of the provider in the
/// text of the policy.
pub fn steps(
    keys: &AppKeys,
    secrets: &Value,
    request: &Request<'_>,
    facts: &Facts<'_>,
) -> Vec<String> {
    let places: Vec<String> = keys.carriers.iter().map(place).collect();
    let found = match credential::find(&keys.carriers, request) {
        Ok(Some(found)) => found,
        Ok(None) => return vec![format!("no key in {}", places.join(", "))],
        Err(_) => return vec![format!("looked in {}", places.join(", "))],
    };
    let mut steps = vec![format!("a credential in {}", place(found.carrier))];
    if !keys.takes_native || (keys.takes_opaque && !keys.prefix.is_of(found.text.expose())) {
        steps.extend(opaque(keys, found.text.expose(), facts));
        return steps;
    }
    let Ok(key) = AppKey::parse(found.text.expose(), &keys.prefix) else {
        steps.push("format: prefix, length, alphabet or checksum is invalid".to_owned());
        return steps;
    };
    let (kid, id) = (key.kid().to_string(), key.id());
    steps.push(format!("format: valid, kid \"{kid}\", id \"{id}\""));
    let entry = keys.ring.0.iter().find(|entry| entry.id == kid);
    let Some(hash) = keys.ring.authenticate(&key, facts.now) else {
        steps.push(match entry {
            None => format!("tag: there is no secret \"{kid}\" in the ring"),
            Some(entry) if !entry.is_current(facts.now) => {
                format!("tag: the secret \"{kid}\" is not valid at this time")
            }
            Some(entry) => other_encoding(secrets, entry, &key, facts).unwrap_or_else(|| {
                format!("tag: not made with the secret \"{kid}\" that is set here")
            }),
        });
        return steps;
    };
    steps.push(format!("tag: valid, made with the secret \"{kid}\""));
    steps.push(said(&facts.keys.find(&[hash], facts.now)));
    steps
}

/// Names the encoding in which the variable of a secret makes the tag of a key, where the
/// policy reads it in another one: `keygate serve` and the edge disagree about it.
fn other_encoding(
    secrets: &Value,
    entry: &RingEntry<MasterSecret>,
    key: &AppKey<'_>,
    facts: &Facts<'_>,
) -> Option<String> {
    let written = secrets.as_array()?.iter().find(|it| it["id"] == entry.id)?;
    let variable = written["env"].as_str()?;
    let text = required(variable).ok()?.into_encoded_bytes();
    let makes_it = |encoding: &Encoding| {
        let secret = Secret::decode(&text, *encoding).ok();
        let master = secret.and_then(|secret| MasterSecret::derive(&secret).ok());
        master.is_some_and(|master| {
            let ring = KeyRing(vec![entry.with(master)]);
            ring.authenticate(key, facts.now).is_some()
        })
    };
    let made_as = Encoding::ALL.into_iter().find(makes_it)?.name();
    let read_as = written["encoding"].as_str().unwrap_or("utf8");
    Some(format!(
        "tag: made with {variable} decoded as {made_as}, but the policy decodes it as {read_as}: \
         use the same encoding in `keygate serve` and in the policy"
    ))
}

/// The steps for a key from elsewhere, of which nothing is public.
fn opaque(keys: &AppKeys, text: &[u8], facts: &Facts<'_>) -> Vec<String> {
    let hashes = match keys.hashes(text, facts.now) {
        Ok(hashes) => hashes,
        Err(Reason::NoCurrentSecret) => {
            return vec!["hash: no secret of the ring is valid at this time".to_owned()];
        }
        Err(_) => return vec!["format: not 16 to 512 visible ASCII characters".to_owned()],
    };
    let secrets = keys.ring.current(facts.now).count();
    vec![
        format!("format: valid for an imported key, under {secrets} secret(s) of the ring"),
        said(&facts.keys.find(hashes.as_slice(), facts.now)),
    ]
}

fn said(knowledge: &Knowledge) -> String {
    match knowledge {
        Knowledge::Known(known) => format!(
            "the key service: account \"{}\", scopes \"{}\"",
            known.identity.account, known.identity.scopes
        ),
        Knowledge::Unknown => "the key service: unknown key".to_owned(),
        Knowledge::NotAsked => "the key service: not asked".to_owned(),
        Knowledge::Outdated(Some(last)) => format!(
            "the key service: no answer; last known: account \"{}\"",
            last.identity.account
        ),
        Knowledge::Unavailable(_) | Knowledge::Outdated(None) => {
            "the key service: no answer".to_owned()
        }
    }
}

fn place(carrier: &Carrier) -> String {
    match carrier {
        Carrier::Bearer => "authorization (Bearer)".to_owned(),
        Carrier::Basic => "authorization (Basic)".to_owned(),
        Carrier::Header(name) => format!("header \"{name}\""),
        Carrier::Cookie(name) => format!("cookie \"{name}\""),
        Carrier::Query(name) => format!("parameter \"{name}\""),
    }
}
