//! What was found of an app key, as far as it is public.

use keygate_core::app_key::AppKey;
use keygate_core::credential::{self, Carrier};
use keygate_core::policy::Facts;
use keygate_core::provider::AppKeys;
use keygate_core::record::Knowledge;
use keygate_core::request::Request;

/// The steps of the check, without its result.
pub fn steps(keys: &AppKeys, request: &Request<'_>, facts: &Facts<'_>) -> Vec<String> {
    let places: Vec<String> = keys.carriers.iter().map(place).collect();
    let found = match credential::find(&keys.carriers, request) {
        Ok(Some(found)) => found,
        Ok(None) => return vec![format!("no key in {}", places.join(", "))],
        Err(_) => return vec![format!("looked in {}", places.join(", "))],
    };
    let mut steps = vec![format!("a credential in {}", place(found.carrier))];
    let Ok(key) = AppKey::parse(found.text.expose(), &keys.prefix) else {
        steps.push("its form: prefix, length, alphabet or checksum is wrong".to_owned());
        return steps;
    };
    let (kid, id) = (key.kid(), key.id());
    steps.push(format!("its form holds: kid \"{kid}\", id \"{id}\""));
    let entry = keys.ring.0.iter().find(|entry| entry.id == kid);
    let Some(hash) = keys.ring.authenticate(&key, facts.now) else {
        steps.push(match entry {
            None => format!("its tag: there is no secret \"{kid}\" in the ring"),
            Some(entry) if !entry.is_current(facts.now) => {
                format!("its tag: the secret \"{kid}\" does not count at this time")
            }
            Some(_) => format!("its tag: not made with the secret \"{kid}\" that is given here"),
        });
        return steps;
    };
    steps.push(format!("its tag holds: made with the secret \"{kid}\""));
    steps.push(match facts.keys.find(&hash, facts.now) {
        Knowledge::Known(known) => format!(
            "the key service: account \"{}\", scopes \"{}\"",
            known.account, known.scopes
        ),
        Knowledge::Unknown => "the key service: not known".to_owned(),
        Knowledge::NotAsked => "the key service: nothing is known here of this key".to_owned(),
        Knowledge::Unavailable(_) => "the key service: no answer".to_owned(),
    });
    steps
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
