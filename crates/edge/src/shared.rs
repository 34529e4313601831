//! What the workers of one proxy share: bytes under names, with compare-and-swap.
//!
//! A host whose workers are virtual machines of their own has such bytes (proxy-wasm's shared
//! data); in one process [`Memory`] is enough. Nothing else of a host differs for the edge.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counts the changes of an entry. 0 is that of an entry that does not exist.
pub type Version = u32;

/// A store that all workers of a proxy see.
pub trait Shared {
    /// The value under a name, and its version; `None` for nothing.
    fn read(&self, name: &str) -> Option<(Vec<u8>, Version)>;

    /// Writes, if the entry is still of this version; 0 writes whatever its version is.
    /// `false` when another worker has written meanwhile, or the store fails.
    #[must_use]
    fn write(&self, name: &str, value: &[u8], version: Version) -> bool;
}

/// The store of workers that are threads of one process, or of a single one.
#[derive(Default)]
pub struct Memory(Mutex<BTreeMap<String, (Vec<u8>, Version)>>);

impl Shared for Memory {
    fn read(&self, name: &str) -> Option<(Vec<u8>, Version)> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(name).cloned()
    }

    fn write(&self, name: &str, value: &[u8], version: Version) -> bool {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = entries.get(name).map_or(0, |(_, version)| *version);
        if version != 0 && version != current {
            return false;
        }
        let next = current.wrapping_add(1).max(1);
        entries.insert(name.to_owned(), (value.to_vec(), next));
        true
    }
}
