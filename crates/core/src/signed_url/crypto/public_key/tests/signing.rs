//! What our own private keys sign.

use crate::signed_url::crypto::private_key::{PrivateKey, PrivateKeyError};

use super::*;

const RSA: &str = include_str!("../../../../../tests/keys/rsa2048.pem");
const RSA_PKCS1: &str = include_str!("../../../../../tests/keys/rsa2048-pkcs1.pem");
const P256: &str = include_str!("../../../../../tests/keys/p256.pem");
const P256_SEC1: &str = include_str!("../../../../../tests/keys/p256-sec1.pem");
const ED25519: &str = include_str!("../../../../../tests/keys/ed25519.pem");

#[test]
fn a_public_key_verifies_what_its_private_key_signs() {
    for (text, scheme) in [
        (RSA, Scheme::RsaSha1),
        (RSA_PKCS1, Scheme::RsaSha256),
        (P256, Scheme::Es256),
        (P256, Scheme::EcdsaSha1),
        (P256_SEC1, Scheme::EcdsaSha256),
        (ED25519, Scheme::Ed25519),
    ] {
        let private = PrivateKey::parse(text).unwrap();
        let public = key(&private.public_key());
        assert_eq!(public.kind(), private.kind());
        let signature = private.sign_as(scheme, b"hello").unwrap();
        assert!(
            public.verify_as(scheme, &[b"hello"], &signature),
            "{scheme:?}"
        );
        assert!(
            !public.verify_as(scheme, &[b"hellp"], &signature),
            "{scheme:?}"
        );
        assert_eq!(format!("{private:?}"), "PrivateKey(..)");
    }
}

#[test]
fn rsa_signs_as_openssl_does() {
    let private = PrivateKey::parse(RSA).unwrap();
    let signature = private.sign_as(Scheme::RsaSha1, b"hello").unwrap();
    assert_eq!(
        signature,
        include_bytes!("../../../../../tests/keys/hello.rsa2048.sha1")
    );
    let spki = include_str!("../../../../../tests/keys/rsa2048.pub");
    assert_eq!(private.public_key(), spki);
    let private = PrivateKey::parse(P256).unwrap();
    let spki = include_str!("../../../../../tests/keys/p256.pub");
    assert_eq!(private.public_key(), spki);
}

#[test]
fn a_key_signs_in_no_scheme_of_another_kind() {
    let none = |text: &str, scheme| PrivateKey::parse(text).unwrap().sign_as(scheme, b"hello");
    assert_eq!(none(RSA, Scheme::Es256), None);
    assert_eq!(none(P256, Scheme::RsaSha256), None);
    assert_eq!(none(ED25519, Scheme::Es256), None);
}

#[test]
fn broken_private_keys_are_rejected_and_never_printed() {
    for good in [RSA, RSA_PKCS1, P256, P256_SEC1, ED25519] {
        for wrong in [
            good.replacen("-----BEGIN ", "-----BEGIN X", 1),
            good.replacen("M", "N", 1),
            good.replace("-----END", "AAAA\n-----END"),
            good.replace("PRIVATE", "PUBLIC"),
        ] {
            let error = PrivateKey::parse(&wrong).err();
            assert_eq!(error, Some(PrivateKeyError::Form), "{wrong}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn untrusted_bytes_never_panic(text: String, bytes: Vec<u8>) {
        let _ = PrivateKey::parse(&text);
        for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
            let inner = STANDARD.encode(&bytes);
            let _ = PrivateKey::parse(&format!("-----BEGIN {label}-----{inner}-----END {label}-----"));
        }
    }
}
