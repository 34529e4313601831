//! The provider that options describe: a policy is generated from them.

use keygate_core::Policy;
use keygate_core::decision::Problem;
use serde_json::{Map, Value, json};

use super::encoding::OtherEncoding;
use super::problem::{ALLOW_WEAK, Given, NOT_SET, PROVIDER};
use super::{Alone, Args, Links, alone, environment};
use crate::environment::{required, value_of};
use crate::error::CliError;
use crate::secret::Key;

/// The variable under which the generated policy finds the secret that was given.
const GIVEN: &str = "KEYGATE_GIVEN_SECRET";

/// The ring that it is in.
const RING: &str = "given";

/// The field that limits how far ahead a link may end.
const BOUND: &str = "max_lifetime";

/// Bounds for formats that ask for one, the widest first.
const LIFETIMES: [&str; 4] = ["367d", "30d", "7d", "1d"];

impl Args {
    pub(super) fn of_options(&self, more: &[(&str, Option<String>)]) -> Result<Links, CliError> {
        let format = self.format().unwrap_or_default();
        let mut fields = Map::new();
        let short = [("parameter", &self.parameter), ("base64", &self.base64)];
        let more = more.iter().map(|(name, value)| (*name, value)).chain(short);
        let mut options = Vec::new();
        for (name, value) in more {
            if let Some(value) = value {
                options.push(name);
                fields.insert(name.to_owned(), value.as_str().into());
            }
        }
        for field in &self.set {
            let (name, value) = field.split_once('=').ok_or_else(|| {
                CliError::Usage("--set must be a field, a \"=\" and a value".to_owned())
            })?;
            if NOT_SET.contains(&name) {
                return Err(CliError::Usage(format!(
                    "--set does not set {name}: --format names the format, and the options under \
                     \"Secret\" name the secrets"
                )));
            }
            let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
            options.retain(|it| *it != name);
            fields.insert(name.to_owned(), value);
        }
        if format == "cloudflare" && fields.get("stamp").is_none_or(|it| it == "issued") {
            fields.entry("ttl").or_insert_with(|| "3h".into());
        }
        let id = self.key_id.as_deref().unwrap_or("cli");
        let (entry, secret, place, private_key) = match self.source.key()? {
            Key::Secret(secret, place) => {
                let encoding = self.encoding.unwrap_or_default().name();
                let entry = json!({ "id": id, "env": GIVEN, "encoding": encoding });
                (entry, secret.expose().to_vec(), place, None)
            }
            Key::Private(key, place) => {
                let entry = json!({ "id": id, "public_key": key.public_key() });
                (entry, Vec::new(), place, Some(*key))
            }
            Key::Public(key, place) => {
                let entry = json!({ "id": id, "public_key": key });
                (entry, Vec::new(), place, None)
            }
        };
        let mut rings = json!({ RING: [entry] });
        let mut places = vec![(RING, place)];
        for ring in &self.ring {
            let (name, variable) = ring.split_once('=').ok_or_else(|| {
                CliError::Usage("--ring must be a name, a \"=\" and a variable".to_owned())
            })?;
            let encoding = self.encoding.unwrap_or_default().name();
            required(variable)?;
            places.push((name, value_of(variable)));
            rings[name] = json!([{ "id": id, "env": variable, "encoding": encoding }]);
        }
        let values = ["signed_url", format, RING].map(Value::from);
        fields.extend(NOT_SET.map(str::to_owned).into_iter().zip(values));
        let environment = |name: &str| match name {
            GIVEN => Some(secret.clone()),
            _ => environment(name),
        };
        let parse = |fields: &Map<String, Value>| {
            let generated = alone(&rings, &fields.clone().into());
            let policy = Policy::parse(generated.to_string().as_bytes(), &environment)?;
            let others = OtherEncoding::all(&generated, &environment);
            Ok((policy, others))
        };
        let mut parsed = parse(&fields);
        // How long a link may live is the edge's to say; here any bound will do. What is said of
        // a bound that the format does not take is of no use.
        let is_bound = |it: &Problem| it.path == format!("{PROVIDER}.{BOUND}");
        let is_bound_wrong = |problems: &Vec<Problem>| problems.iter().any(is_bound);
        if parsed.is_err() && !fields.contains_key(BOUND) {
            let with_bound = |bound: &&str| {
                let mut fields = fields.clone();
                fields.insert(BOUND.to_owned(), (*bound).into());
                parse(&fields)
            };
            let mut all = LIFETIMES.iter().map(with_bound);
            let suited = all.find(|it| !it.as_ref().is_err_and(is_bound_wrong));
            parsed = suited.unwrap_or(parsed);
        }
        let (policy, others) = parsed.map_err(|problems| {
            let given = Given {
                policy: &alone(&rings, &fields.clone().into()),
                format,
                rings: places,
                allows_weak: fields.get(ALLOW_WEAK).is_some_and(|it| it == true),
                options,
            };
            CliError::Usage(given.told(&problems))
        })?;
        Ok(Links {
            providers: vec![Alone {
                name: None,
                policy,
                others,
            }],
            whole: None,
            private_key,
        })
    }
}
