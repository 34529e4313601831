//! A key as a row of the table `keys`. It holds for every database, and knows no SQL but the
//! names of the columns: `cells` turns a row into cells, and cells into values.

use ipnet::IpNet;
use keygate_core::UnixMillis;
use keygate_core::http::address;
use keygate_core::identity::RateLimit;
use keygate_core::keys::Sealed;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::attributes::{Attributes, attributes};
use crate::key::{Disabler, Key, NewKey, Reason, Revocation};
use crate::metadata::Metadata;
use crate::space::Space;

/// A value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// Nothing.
    Null,
    /// A text, or JSON as text.
    Text(String),
    /// A count, or milliseconds since 1970-01-01T00:00:00Z.
    Number(i64),
}

/// A column holds nothing that it could.
#[derive(Debug, thiserror::Error)]
#[error("the column {column} holds no value of its kind")]
pub(super) struct Corrupt {
    column: &'static str,
}

macro_rules! columns {
    ({} $($(#[$meta:meta])* $field:ident: $Type:ty = $check:ident($Written:ty);)*) => {
        /// What [`new`] writes in addition to the hash.
        pub(super) const WRITTEN: &str = concat!("id, start, created_at, created_by, replaces, sealed, secret_id" $(, ", ", stringify!($field))*);

        /// What [`key`] reads.
        pub(super) const COLUMNS: &str = concat!(
            "id, start, created_at, created_by, replaces, secret_id" $(, ", ", stringify!($field))*,
            ", version, updated_at, disabled_by, replaced_by, sealed IS NOT NULL, \
              revoked_at, revoked_reason, revoked_note"
        );

        /// What [`key`] reads before them.
        pub(super) const LAST_USE: &str = "(SELECT last_used_at FROM key_uses WHERE key_uses.number = keys.number) AS last_used_at";

        /// What [`attributes`] writes.
        pub(super) const ATTRIBUTES: &[&str] = Attributes::NAMES;

        /// The values of [`ATTRIBUTES`].
        pub(super) fn attributes(attributes: &Attributes) -> Vec<Cell> {
            vec![$(attributes.$field.write(),)*]
        }

        /// The values of [`WRITTEN`] for a key that is made `now`.
        pub(super) fn new(key: &NewKey, now: UnixMillis) -> Vec<Cell> {
            let mut cells = vec![
                key.id.write(),
                key.start.write(),
                now.write(),
                key.created_by.write(),
                key.replaces.write(),
                key.sealed.as_ref().map(Sealed::to_string).write(),
                key.secret_id.to_string().write(),
            ];
            cells.extend(attributes(&key.attributes));
            cells
        }

        /// The key with the values of [`LAST_USE`] and [`COLUMNS`], which `next` returns one by one.
        pub(super) fn key<E: From<Corrupt>>(
            mut next: impl FnMut() -> Result<Cell, E>,
        ) -> Result<Key, E> {
            let cells = &mut next;
            Ok(Key {
                last_used_at: read(cells, "last_used_at")?,
                id: read(cells, "id")?,
                start: read(cells, "start")?,
                created_at: read(cells, "created_at")?,
                created_by: read(cells, "created_by")?,
                replaces: read(cells, "replaces")?,
                secret_id: read(cells, "secret_id")?,
                attributes: Attributes {
                    $($field: read(cells, stringify!($field))?,)*
                },
                version: read(cells, "version")?,
                updated_at: read(cells, "updated_at")?,
                disabled_by: read(cells, "disabled_by")?,
                replaced_by: read(cells, "replaced_by")?,
                is_sealed: read(cells, "sealed")?,
                revoked: match read(cells, "revoked_at")? {
                    Some(at) => Some(Revocation {
                        at,
                        reason: read(cells, "revoked_reason")?,
                        note: read(cells, "revoked_note")?,
                    }),
                    None => None,
                },
            })
        }
    };
}

attributes!(columns!);

fn read<T: Column, E: From<Corrupt>>(
    next: &mut impl FnMut() -> Result<Cell, E>,
    column: &'static str,
) -> Result<T, E> {
    T::read(next()?).ok_or_else(|| Corrupt { column }.into())
}

/// A type that has a column.
trait Column: Sized {
    fn write(&self) -> Cell;

    fn read(cell: Cell) -> Option<Self>;
}

impl<T: Column> Column for Option<T> {
    fn write(&self) -> Cell {
        self.as_ref().map_or(Cell::Null, T::write)
    }

    fn read(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::read(cell).map(Some),
        }
    }
}

impl Column for String {
    fn write(&self) -> Cell {
        Cell::Text(self.clone())
    }

    fn read(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Text(text) => Some(text),
            Cell::Null | Cell::Number(_) => None,
        }
    }
}

impl Column for Space {
    fn write(&self) -> Cell {
        Cell::Text(self.as_str().to_owned())
    }

    fn read(cell: Cell) -> Option<Self> {
        Self::parse(&String::read(cell)?).ok()
    }
}

impl Column for UnixMillis {
    fn write(&self) -> Cell {
        Cell::Number(signed(*self))
    }

    fn read(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Number(at) => u64::try_from(at).ok().map(Self),
            Cell::Null | Cell::Text(_) => None,
        }
    }
}

impl Column for u64 {
    fn write(&self) -> Cell {
        Cell::Number(i64::try_from(*self).unwrap_or(i64::MAX))
    }

    fn read(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Number(number) => Self::try_from(number).ok(),
            Cell::Null | Cell::Text(_) => None,
        }
    }
}

impl Column for RateLimit {
    fn write(&self) -> Cell {
        Cell::Text(self.to_string())
    }

    fn read(cell: Cell) -> Option<Self> {
        Self::parse(&String::read(cell)?).ok()
    }
}

impl Column for bool {
    fn write(&self) -> Cell {
        Cell::Number(i64::from(*self))
    }

    fn read(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Number(number) => Some(number != 0),
            Cell::Null | Cell::Text(_) => None,
        }
    }
}

impl Column for Reason {
    fn write(&self) -> Cell {
        Cell::Text(self.word().to_owned())
    }

    fn read(cell: Cell) -> Option<Self> {
        Self::parse(&String::read(cell)?)
    }
}

impl Column for Disabler {
    fn write(&self) -> Cell {
        Cell::Text(self.word().to_owned())
    }

    fn read(cell: Cell) -> Option<Self> {
        Self::parse(&String::read(cell)?)
    }
}

impl Column for Vec<String> {
    fn write(&self) -> Cell {
        json(self)
    }

    fn read(cell: Cell) -> Option<Self> {
        from_json(cell)
    }
}

impl Column for Vec<IpNet> {
    fn write(&self) -> Cell {
        json(self)
    }

    fn read(cell: Cell) -> Option<Self> {
        let ranges: Self = from_json(cell)?;
        Some(ranges.into_iter().map(address::canonical).collect())
    }
}

impl Column for Metadata {
    fn write(&self) -> Cell {
        Cell::Text(self.text().to_owned())
    }

    fn read(cell: Cell) -> Option<Self> {
        Self::stored(String::read(cell)?).ok()
    }
}

/// The integers of databases have a sign. Nothing later than the year 9999 gets here.
pub(super) fn signed(at: UnixMillis) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

fn json(value: &impl Serialize) -> Cell {
    // No list of texts or ranges fails.
    Cell::Text(serde_json::to_string(value).unwrap_or_default())
}

fn from_json<T: DeserializeOwned>(cell: Cell) -> Option<T> {
    serde_json::from_str(&String::read(cell)?).ok()
}
