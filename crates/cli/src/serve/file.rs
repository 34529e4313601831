//! `keygate serve --config`: what the file says.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keygate_core::Millis;
use keygate_core::keys::Prefix;
use keygate_service::attributes::is_scope;
use keygate_service::events::MAX_TARGETS;
use keygate_service::leaks::GITHUB_KEYS;
use keygate_service::templates::Templates;
use keygate_service::{Endpoint, KeyLimits, KeySource, Limits, Space};

use super::events::{EventSettings, HookSettings, endpoint};
use super::table::{Table, parse};
use super::templates;
use crate::error::CliError;
use crate::file::read as read_file;
use crate::place::StoreSettings;

/// Most connections that the file can ask for.
const MAX_CONNECTIONS: u32 = 1_000_000;

/// Most keys that it can speak of.
const MAX_COUNT: u32 = 1_000_000;

/// Longest life that it can allow: a hundred years.
const MAX_LIFE: Millis = Millis::from_secs(36_500 * 24 * 3600);

/// Shortest time for which an ended key is kept, and after which a key is unused.
const TWO_DAYS: Millis = Millis::from_secs(2 * 24 * 3600);

/// What a file says. An option and its variable come before it.
#[derive(Default)]
pub struct Settings {
    pub listen: Option<SocketAddr>,
    pub store: StoreSettings,
    pub prefix: Option<Prefix>,
    pub connections: Limits,
    pub limits: KeyLimits,
    pub spaces: BTreeMap<Space, KeyLimits>,
    pub templates: Templates,
    pub retention: Option<Millis>,
    pub events: Vec<EventSettings>,
    pub unused_after: Option<Millis>,
    pub leaks: Option<KeySource>,
    pub hook: Option<HookSettings>,
}

impl Settings {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong: the message has a line for each error.
    pub fn read(file: &Path) -> Result<Self, CliError> {
        let text = String::from_utf8(read_file(file)?);
        let name = file.display();
        let text =
            text.map_err(|_| CliError::Usage(format!("cannot read {name}: it is not UTF-8")))?;
        parse(&text, Self::of).map_err(|wrong| {
            let lines = wrong.iter().map(|line| format!("\n  {name}:{line}"));
            let lines: String = lines.collect();
            CliError::Usage(format!("the configuration is wrong:{lines}"))
        })
    }

    fn of(file: &mut Table<'_>) -> Self {
        let limits = file.table("limits", |table| limits_over(&KeyLimits::default(), table));
        Self {
            listen: file.text("listen", listen),
            store: store(file),
            prefix: file.text("prefix", |text| {
                Prefix::parse(text).map_err(|error| error.to_string())
            }),
            connections: file.table("connections", connections),
            spaces: file.named("spaces", space, |table| limits_over(&limits, table)),
            limits,
            templates: file
                .named("templates", templates::name, templates::template)
                .into_iter()
                .filter_map(|(name, template)| Some((name, template?)))
                .collect(),
            retention: file.table("retention", |table| table.text("ended_keys", days)),
            events: file.tables("events", MAX_TARGETS, EventSettings::of),
            unused_after: file.table("unused", |table| table.text("after", days)),
            leaks: file.optional("leaks", leaks),
            hook: file.optional("hook", HookSettings::of),
        }
    }
}

/// Where the keys are stored: in one place.
fn store(file: &mut Table<'_>) -> StoreSettings {
    let path = |text: &str| Ok(PathBuf::from(text));
    let settings = StoreSettings {
        database: file.text("database", path),
        store: file.text("store", |text| Ok(text.to_owned())),
        store_password_file: file.text("store_password_file", path),
    };
    if settings.database.is_some() && settings.store.is_some() {
        file.wrong("database", "cannot be combined with store");
    }
    settings
}

fn connections(table: &mut Table<'_>) -> Limits {
    let default = Limits::default();
    let max = table.number("max", 1..=MAX_CONNECTIONS);
    let mut time = |name| {
        let span = table.text(name, span);
        span.map(|Millis(millis)| Duration::from_millis(millis))
    };
    Limits {
        head: time("header_timeout").unwrap_or(default.head),
        idle: time("idle_timeout").unwrap_or(default.idle),
        body: time("body_timeout").unwrap_or(default.body),
        connections: max
            .and_then(|max| usize::try_from(max).ok())
            .unwrap_or(default.connections),
    }
}

/// Limits; what the table does not name is as in `base`.
fn limits_over(base: &KeyLimits, table: &mut Table<'_>) -> KeyLimits {
    let scopes = table.texts("allowed_scopes", |text| match is_scope(text) {
        true => Ok(()),
        false => Err("must be scopes of 1 to 128 ASCII characters, no spaces or quotes"),
    });
    let mut life = |name, base| table.text(name, life).or(base);
    let max_lifetime = life("max_lifetime", base.max_lifetime);
    let default_lifetime = life("default_lifetime", base.default_lifetime);
    let mut count = |name, base| table.number(name, 1..=MAX_COUNT).or(base);
    KeyLimits {
        max_lifetime,
        default_lifetime,
        active_keys_per_account: count("active_keys_per_account", base.active_keys_per_account),
        creations_per_account: count("creations_per_account", base.creations_per_account),
        creations_per_token: count("creations_per_token", base.creations_per_token),
        allowed_scopes: scopes.or_else(|| base.allowed_scopes.clone()),
    }
}

fn space(text: &str) -> Result<Space, String> {
    Space::parse(text).map_err(str::to_owned)
}

/// Where the keys of the reporter are: GitHub's, unless the table says otherwise.
fn leaks(table: &mut Table<'_>) -> Option<KeySource> {
    let url = table.text("keys_url", endpoint);
    let file = table.text("keys_file", |text| Ok(PathBuf::from(text)));
    match (url, file) {
        (Some(_), Some(_)) => {
            table.wrong("keys_file", "cannot be combined with keys_url");
            None
        }
        (_, Some(file)) => Some(KeySource::File(file)),
        (Some(url), None) => Some(KeySource::Url(url)),
        (None, None) => Endpoint::parse(GITHUB_KEYS).ok().map(KeySource::Url),
    }
}

fn life(text: &str) -> Result<Millis, String> {
    match span(text)? {
        life if life <= MAX_LIFE => Ok(life),
        _ => Err("must be at most 36500d".to_owned()),
    }
}

/// A request to create a key can be repeated for a day, and then finds it; an edge can report a use
/// that is a day old.
fn days(text: &str) -> Result<Millis, String> {
    match life(text)? {
        kept if kept >= TWO_DAYS => Ok(kept),
        _ => Err("must be at least 2d".to_owned()),
    }
}

fn span(text: &str) -> Result<Millis, String> {
    Millis::parse(text).map_err(|error| error.to_string())
}

/// Parses an address to listen on.
pub fn listen(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse();
    address.map_err(|_| "must be an IP address and a port, such as 127.0.0.1:8801".to_owned())
}

#[cfg(test)]
mod tests {
    use keygate_service::EventType;
    use keygate_service::events::UNUSED_AFTER;

    use super::*;

    #[test]
    fn the_file_of_the_page_says_what_the_page_says() {
        let page = include_str!("../../../../docs/operations.md");
        let (_, example) = page.split_once("```toml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let settings = parse(example, Settings::of).unwrap();
        assert_eq!(settings.listen, Some(([127, 0, 0, 1], 8801).into()));
        let database = Path::new("/var/lib/keygate/keygate.db");
        assert_eq!(settings.store.database.as_deref(), Some(database));
        assert_eq!(settings.prefix, Prefix::parse("kg").ok());
        let (given, default) = (settings.connections, Limits::default());
        assert_eq!(given.connections, default.connections);
        let times = |it: Limits| [it.head, it.idle, it.body];
        assert_eq!(times(given), times(default), "the page names the defaults");

        let days = |days: u64| Some(Millis::from_secs(days * 24 * 3600));
        let scopes = ["files:read", "files:write", "keys:read"].map(str::to_owned);
        let limits = KeyLimits {
            max_lifetime: days(365),
            default_lifetime: days(90),
            active_keys_per_account: Some(100),
            creations_per_account: Some(10),
            creations_per_token: Some(600),
            allowed_scopes: Some(scopes.into()),
        };
        let staging = KeyLimits {
            max_lifetime: days(30),
            default_lifetime: days(7),
            ..limits.clone()
        };
        let spaces = BTreeMap::from([(Space::parse("staging").unwrap(), staging)]);
        assert_eq!(settings.spaces, spaces);
        let names: Vec<&String> = settings.templates.keys().collect();
        assert_eq!(names, ["ci"]);
        assert_eq!(settings.limits, limits);
        assert_eq!(settings.retention, days(400));
        assert_eq!(
            settings.unused_after,
            Some(UNUSED_AFTER),
            "the page names the default"
        );
        let url = Endpoint::parse("https://hooks.example.com/keygate").unwrap();
        let events = EventSettings {
            url: url.clone(),
            secret_env: "KEYGATE_EVENTS_SECRET".to_owned(),
            types: vec![EventType::Revoked, EventType::Expiring],
        };
        assert_eq!(settings.events, [events]);
        let hook = HookSettings {
            url: Endpoint::parse("https://hooks.example.com/keys").unwrap(),
            secret_env: "KEYGATE_HOOK_SECRET".to_owned(),
        };
        assert_eq!(settings.hook, Some(hook));
        let github = KeySource::Url(Endpoint::parse(GITHUB_KEYS).unwrap());
        assert_eq!(
            settings.leaks,
            Some(github.clone()),
            "the page names the default"
        );
        let given = |text| parse(text, Settings::of).map(|it| it.leaks);
        assert_eq!(given("[leaks]"), Ok(Some(github)));
        assert_eq!(given(""), Ok(None));
        let file = KeySource::File(PathBuf::from("/keys.json"));
        assert_eq!(given("[leaks]\nkeys_file = '/keys.json'"), Ok(Some(file)));

        let other = "[connections]\nmax = 7\nheader_timeout = '1s'\nidle_timeout = '2s'\n\
                     body_timeout = '3s'";
        let given = parse(other, Settings::of).unwrap().connections;
        assert_eq!(given.connections, 7);
        assert_eq!(times(given), [1, 2, 3].map(Duration::from_secs));
    }
}
