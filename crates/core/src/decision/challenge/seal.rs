//! Seals: texts of the form `SECONDS.MAC` that say nothing by themselves and hold only
//! for the request that they were made for.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::http::request::Request;
use crate::keys::app_key::{AppKeyError, MIN_MASTER_SECRET};
use crate::secret::mac::derived_mac;
use crate::secret::{KeyRing, Secret};
use crate::time::UnixMillis;

/// The keys derived from one secret (HKDF-SHA256, RFC 5869, without salt).
#[derive(Clone)]
pub struct SealKeys {
    challenge: Hmac<Sha256>,
    clearance: Hmac<Sha256>,
}

/// What a seal is for. Each has a key of its own: none passes for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A challenge, from the moment of its issue.
    Challenge,
    /// A clearance, up to its end.
    Clearance,
}

/// What a seal is bound to: a client that differs in one of these needs its own seal.
#[derive(Debug)]
pub struct Binding {
    host: String,
    rule: String,
    client: Vec<u8>,
    user_agent: [u8; 32],
    difficulty: u8,
}

impl SealKeys {
    /// Derives a key for each purpose.
    ///
    /// # Errors
    /// [`AppKeyError::Short`] under 32 bytes.
    pub fn derive(secret: &Secret) -> Result<Self, AppKeyError> {
        if secret.expose().len() < MIN_MASTER_SECRET {
            return Err(AppKeyError::Short);
        }
        let master = Hkdf::<Sha256>::new(None, secret.expose());
        Ok(Self {
            challenge: derived_mac(&master, b"keygate/v1/challenge/token"),
            clearance: derived_mac(&master, b"keygate/v1/challenge/clearance"),
        })
    }

    /// Every field comes with its length before it: no two bindings read the same.
    fn mac(&self, purpose: Purpose, seconds: u64, binding: &Binding) -> Hmac<Sha256> {
        let mut mac = match purpose {
            Purpose::Challenge => self.challenge.clone(),
            Purpose::Clearance => self.clearance.clone(),
        };
        let fields: [&[u8]; 6] = [
            &seconds.to_be_bytes(),
            binding.host.as_bytes(),
            binding.rule.as_bytes(),
            &binding.client,
            &binding.user_agent,
            &[binding.difficulty],
        ];
        for field in fields {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
        }
        mac
    }
}

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKeys(..)")
    }
}

impl Binding {
    /// Binds to this client at this host under this rule.
    pub fn new(request: &Request<'_>, client: IpAddr, rule: &str, difficulty: u8) -> Self {
        let mut user_agent = Sha256::new();
        for value in request.values("user-agent") {
            user_agent.update((value.len() as u64).to_be_bytes());
            user_agent.update(value);
        }
        Self {
            host: request.authority.as_str().to_ascii_lowercase(),
            rule: rule.to_owned(),
            client: network(client),
            user_agent: user_agent.finalize().into(),
            difficulty,
        }
    }
}

/// The whole address of version 4; of version 6 the /64, inside which a device changes
/// its address as it likes (RFC 8981).
fn network(client: IpAddr) -> Vec<u8> {
    match client.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().into_iter().take(8).collect(),
    }
}

impl KeyRing<SealKeys> {
    /// Seals an instant; `None` when no secret of the ring is valid now.
    pub fn seal(
        &self,
        purpose: Purpose,
        seconds: u64,
        binding: &Binding,
        now: UnixMillis,
    ) -> Option<String> {
        let signer = self.current(now).next()?;
        let mac = signer.key.mac(purpose, seconds, binding);
        let mac = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
        Some(format!("{seconds}.{mac}"))
    }

    /// The instant in a seal that one of our secrets made for exactly this.
    pub fn open(
        &self,
        purpose: Purpose,
        seal: &str,
        binding: &Binding,
        now: UnixMillis,
    ) -> Option<u64> {
        let (seconds, mac) = seal.split_once('.')?;
        let seconds = decimal(seconds)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        let made_it = |keys: &SealKeys| {
            let expected = keys.mac(purpose, seconds, binding);
            expected.verify_slice(&mac).is_ok()
        };
        self.current(now)
            .any(|entry| made_it(&entry.key))
            .then_some(seconds)
    }
}

/// A number in the one spelling that we write: no sign, no leading zero.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
