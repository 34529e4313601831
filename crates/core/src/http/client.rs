//! Where a request comes from.

use std::net::IpAddr;

/// The address that the proxy trusts to be the client's.
#[derive(Clone, Copy)]
pub enum Client<'a> {
    /// This one, or none.
    Known(Option<IpAddr>),
    /// Resolved lazily: few decisions need the address, and the host call costs about 2 µs.
    Asked(&'a dyn Fn() -> Option<IpAddr>),
}

impl Client<'_> {
    /// The address, if there is one.
    #[inline]
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Self::Known(address) => address,
            Self::Asked(ask) => ask(),
        }
    }
}
