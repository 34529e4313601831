//! Requests that their receiver can verify, by Standard Webhooks 1.0
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
//!
//! The crate `standardwebhooks` 1.0 would add a second base64 (0.21) and a second HMAC, takes one secret
//! and reads the clock itself.

use axum::body::Bytes;
use axum::http::header::{self, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use http_body_util::Full;
use keygate_core::secret::{Encoding, mac};
use keygate_core::{Secret, UnixMillis};

use crate::outbound::{Endpoint, USER_AGENT};

/// How many bytes a secret may have.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What a receiver verifies requests with: one secret, or several while they are replaced.
#[derive(Clone, Debug)]
pub struct WebhookSecrets(Vec<Secret>);

/// A text is not a list of secrets. Carries no part of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ and the base64 of 24 to 64 bytes; several are separated by commas")]
pub struct NoSecrets;

impl WebhookSecrets {
    /// Parses `whsec_<base64>`, or several with commas between them.
    ///
    /// # Errors
    /// [`NoSecrets`].
    pub fn parse(text: &str) -> Result<Self, NoSecrets> {
        let secret = |text: &str| {
            let base64 = text.trim().strip_prefix("whsec_").ok_or(NoSecrets)?;
            let secret = Secret::decode(base64.as_bytes(), Encoding::Base64);
            let secret = secret.map_err(|_| NoSecrets)?;
            match BYTES.contains(&secret.expose().len()) {
                true => Ok(secret),
                false => Err(NoSecrets),
            }
        };
        text.split(',')
            .map(secret)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The request that says `body` to an endpoint, signed at `now`. A receiver that gets the same
    /// `id` again has got it twice.
    pub(crate) fn request(
        &self,
        endpoint: &Endpoint,
        id: &str,
        body: Bytes,
        now: UnixMillis,
    ) -> Request<Full<Bytes>> {
        let seconds = now.0 / 1000;
        let signature = self.sign(id, seconds, &body);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint.uri().clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert("webhook-timestamp", HeaderValue::from(seconds));
        for (name, value) in [("webhook-id", id), ("webhook-signature", &signature)] {
            // Both are ASCII.
            headers
                .extend(HeaderValue::try_from(value).map(|it| (HeaderName::from_static(name), it)));
        }
        request
    }

    /// The value of `webhook-signature`: one signature for each secret.
    fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> String {
        let sign = |secret: &Secret| {
            let mut mac = mac(secret.expose());
            mac.update(format!("{id}.{seconds}.").as_bytes());
            mac.update(body);
            format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
        };
        let signatures: Vec<String> = self.0.iter().map(sign).collect();
        signatures.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answer of the reference libraries of Standard Webhooks.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn a_body_has_the_signature_of_the_reference_libraries() {
        let secrets = WebhookSecrets::parse(SECRET).unwrap();
        assert_eq!(secrets.sign(ID, 1_614_265_330, BODY), SIGNATURE);
    }

    #[test]
    fn each_of_several_secrets_signs() {
        let other = format!("whsec_{}", STANDARD.encode([7; 32]));
        let secrets = WebhookSecrets::parse(&format!("{SECRET}, {other}")).unwrap();
        let signed = secrets.sign(ID, 1_614_265_330, BODY);
        let (first, second) = signed.split_once(' ').unwrap();
        assert_eq!(first, SIGNATURE);
        let alone = WebhookSecrets::parse(&other).unwrap();
        assert_eq!(second, alone.sign(ID, 1_614_265_330, BODY));
    }

    #[test]
    fn a_secret_has_a_prefix_and_24_to_64_bytes_of_base64() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for right in [of(24), of(64)] {
            assert!(WebhookSecrets::parse(&right).is_ok(), "{right}");
        }
        let plain = STANDARD.encode([7; 32]);
        let twice = format!("{},", of(24));
        for wrong in [
            of(23),
            of(65),
            plain,
            twice,
            "whsec_%".to_owned(),
            String::new(),
        ] {
            assert!(WebhookSecrets::parse(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let printed = format!("{:?}", WebhookSecrets::parse(SECRET).unwrap());
        assert!(!printed.contains("MfKQ"), "{printed}");
    }
}
