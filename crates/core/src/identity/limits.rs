//! The limits of an identity and of the record of a key.

/// Most bytes of metadata, as JSON text.
pub const MAX_METADATA: usize = 4096;

/// Most characters of an account, a scope or the name of a key.
pub const MAX_NAME: usize = 128;

/// Most scopes of one key.
pub const MAX_SCOPES: usize = 64;

/// Most addresses and ranges of one key.
pub const MAX_ALLOWED_IPS: usize = 64;

/// Most pages of one key.
pub const MAX_ALLOWED_REFERRERS: usize = 16;

/// What an allocator adds to a block of memory, and what it rounds up.
pub const BLOCK: usize = 12;
