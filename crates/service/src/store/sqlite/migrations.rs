//! The schema, one step a file. A step that was released is never changed.

use rusqlite::{Connection, TransactionBehavior};

/// Step N brings `PRAGMA user_version` from N to N + 1.
const STEPS: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_keys.sql"),
    include_str!("../../../migrations/sqlite/0002_referrers.sql"),
    include_str!("../../../migrations/sqlite/0003_link_uses.sql"),
    include_str!("../../../migrations/sqlite/0004_incarnations.sql"),
    include_str!("../../../migrations/sqlite/0005_heartbeat.sql"),
    include_str!("../../../migrations/sqlite/0006_created_by.sql"),
    include_str!("../../../migrations/sqlite/0007_changes.sql"),
    include_str!("../../../migrations/sqlite/0008_tokens.sql"),
    include_str!("../../../migrations/sqlite/0009_audit.sql"),
    include_str!("../../../migrations/sqlite/0010_idempotency.sql"),
    include_str!("../../../migrations/sqlite/0011_alive.sql"),
    include_str!("../../../migrations/sqlite/0012_labels.sql"),
    include_str!("../../../migrations/sqlite/0013_events.sql"),
    include_str!("../../../migrations/sqlite/0014_rate_limit.sql"),
    include_str!("../../../migrations/sqlite/0015_retention.sql"),
    include_str!("../../../migrations/sqlite/0016_uses.sql"),
    include_str!("../../../migrations/sqlite/0017_sealed.sql"),
    include_str!("../../../migrations/sqlite/0018_unused.sql"),
    include_str!("../../../migrations/sqlite/0019_spaces.sql"),
    include_str!("../../../migrations/sqlite/0020_secret_id.sql"),
];

#[derive(Debug)]
pub(super) enum Error {
    Newer { found: u32, known: u32 },
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// The version of the schema of this release.
pub(super) fn known() -> u32 {
    u32::try_from(STEPS.len()).unwrap_or(u32::MAX)
}

/// Runs the steps that are missing, all or none.
pub(super) fn run(connection: &mut Connection) -> Result<(), Error> {
    // Immediate: a second process that starts at once waits here and then finds the work done.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = known();
    if found > known {
        return Err(Error::Newer { found, known });
    }
    for step in STEPS.iter().skip(found as usize) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gets_the_secret_that_its_text_names_and_the_default_space() {
        let mut connection = Connection::open_in_memory().unwrap();
        for step in &STEPS[..17] {
            connection.execute_batch(step).unwrap();
        }
        connection.pragma_update(None, "user_version", 17).unwrap();
        for (number, start) in [(1, "kg_01AbCdEfGhIj"), (2, ""), (3, "prod7_zZAbCdEfGhIk")] {
            connection
                .execute(
                    "INSERT INTO keys (number, id, hash, start, account, scopes, metadata, \
                     allowed_ips, created_at) \
                     VALUES (?1, ?1, randomblob(32), ?2, 'a', '[]', '{}', '[]', 0)",
                    rusqlite::params![number, start],
                )
                .unwrap();
        }
        run(&mut connection).unwrap();
        let mut statement = connection
            .prepare("SELECT secret_id, space FROM keys ORDER BY number")
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        let rows: Vec<(Option<String>, String)> = rows.unwrap().map(Result::unwrap).collect();
        let ids: Vec<_> = rows.iter().map(|(id, _)| id.as_deref()).collect();
        assert_eq!(ids, [Some("01"), None, Some("zZ")]);
        assert!(rows.iter().all(|(_, space)| space == "default"));
    }

    #[test]
    fn every_file_of_migrations_is_a_step_in_order() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let files = std::fs::read_dir(directory).unwrap();
        let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        assert_eq!(paths.len(), STEPS.len());
        for (path, step) in paths.iter().zip(STEPS) {
            let text = std::fs::read_to_string(path).unwrap();
            assert!(
                text == *step,
                "{} is not a step in its place",
                path.display()
            );
        }
    }
}
