//! The environment and randomness, which Envoy offers under their WASI names. The SDK has
//! neither, and on wasm32-unknown-unknown std has none.
#![allow(unsafe_code, reason = "C functions over raw memory")]

pub use imp::{environment, random};

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
mod imp {
    use super::super::{HostError, check};

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        fn environ_sizes_get(count: *mut usize, size: *mut usize) -> u32;
        fn environ_get(entries: *mut *mut u8, text: *mut u8) -> u32;
        fn random_get(bytes: *mut u8, size: usize) -> u32;
    }

    pub fn environment(name: &str) -> Option<Vec<u8>> {
        let (mut count, mut size) = (0, 0);
        // SAFETY: both pointers are valid for the call.
        check(unsafe { environ_sizes_get(&raw mut count, &raw mut size) }).ok()?;
        let mut entries = vec![std::ptr::null_mut(); count];
        let mut text = vec![0_u8; size];
        // SAFETY: the host writes `count` pointers and `size` bytes, as it has just said.
        check(unsafe { environ_get(entries.as_mut_ptr(), text.as_mut_ptr()) }).ok()?;
        text.split(|&byte| byte == 0)
            .filter_map(|entry| entry.strip_prefix(name.as_bytes()))
            .find_map(|rest| rest.strip_prefix(b"="))
            .map(<[u8]>::to_vec)
    }

    pub fn random() -> Result<u64, HostError> {
        let mut bytes = [0; 8];
        // SAFETY: pointer and size are those of a live array.
        check(unsafe { random_get(bytes.as_mut_ptr(), bytes.len()) })?;
        Ok(u64::from_le_bytes(bytes))
    }
}

/// wasm32-wasip1, and the tests of the adapter.
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
mod imp {
    use std::hash::{BuildHasher as _, RandomState};

    use super::super::HostError;

    pub fn environment(name: &str) -> Option<Vec<u8>> {
        std::env::var_os(name).map(std::ffi::OsString::into_encoded_bytes)
    }

    #[expect(clippy::unnecessary_wraps, reason = "its twin can fail")]
    pub fn random() -> Result<u64, HostError> {
        Ok(RandomState::new().hash_one(()))
    }
}
