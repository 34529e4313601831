//! Keys and signatures of another implementation (OpenSSL), and everything near them.

#[cfg(feature = "tools")]
mod signing;

use super::*;

const ED25519: &str = include_str!("../../../../tests/keys/ed25519.pub");

fn key(text: &str) -> PublicKey {
    PublicKey::parse(text, &Rc::default()).unwrap()
}

fn rejected(text: &str) -> Option<PublicKeyError> {
    PublicKey::parse(text, &Rc::default()).err()
}

#[test]
fn an_ed25519_key_is_read_in_each_form() {
    let pem = key(ED25519);
    let bytes = super::pem(ED25519, "PUBLIC KEY").unwrap();
    let bytes = &bytes[bytes.len() - 32..];
    for text in [STANDARD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)] {
        assert_eq!(key(&text).id, pem.id);
    }
    assert_eq!(pem.kind(), KeyKind::Ed25519);
    // All zeros is a point of small order.
    for wrong in [STANDARD.encode([0; 32]), STANDARD.encode([1; 31])] {
        assert_eq!(rejected(&wrong), Some(PublicKeyError::Form));
    }
}

mod rsa_and_p256 {
    use ::rsa::pkcs1::UintRef;
    #[cfg(feature = "tools")]
    use ::rsa::{BoxedUint, hazmat::rsa_decrypt, pkcs1::RsaPrivateKeyRef};
    use spki::der::Encode as _;

    use super::*;

    /// For an operation without blinding: it is never asked.
    #[cfg(feature = "tools")]
    struct NoRandomness;

    #[cfg(feature = "tools")]
    impl ::rsa::rand_core::TryRng for NoRandomness {
        type Error = std::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(0)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(0)
        }

        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            Ok(())
        }
    }

    #[cfg(feature = "tools")]
    impl ::rsa::rand_core::TryCryptoRng for NoRandomness {}

    const RSA: &str = include_str!("../../../../tests/keys/rsa2048.pub");
    const RSA_PKCS1: &str = include_str!("../../../../tests/keys/rsa2048-pkcs1.pub");
    const RSA_4096: &str = include_str!("../../../../tests/keys/rsa4096.pub");
    const P256: &str = include_str!("../../../../tests/keys/p256.pub");
    const RSA_SHA1: &[u8] = include_bytes!("../../../../tests/keys/hello.rsa2048.sha1");
    const RSA_SHA256: &[u8] = include_bytes!("../../../../tests/keys/hello.rsa2048.sha256");
    const RSA_4096_SHA1: &[u8] = include_bytes!("../../../../tests/keys/hello.rsa4096.sha1");
    const RSA_4096_SHA256: &[u8] = include_bytes!("../../../../tests/keys/hello.rsa4096.sha256");
    const P256_SHA1: &[u8] = include_bytes!("../../../../tests/keys/hello.p256.sha1");
    const P256_SHA256: &[u8] = include_bytes!("../../../../tests/keys/hello.p256.sha256");

    const KNOWN: [(&str, Scheme, &[u8]); 6] = [
        (RSA, Scheme::RsaSha1, RSA_SHA1),
        (RSA, Scheme::RsaSha256, RSA_SHA256),
        (RSA_4096, Scheme::RsaSha1, RSA_4096_SHA1),
        (RSA_4096, Scheme::RsaSha256, RSA_4096_SHA256),
        (P256, Scheme::EcdsaSha1, P256_SHA1),
        (P256, Scheme::EcdsaSha256, P256_SHA256),
    ];

    #[test]
    fn signatures_of_openssl_verify_and_near_misses_do_not() {
        for (text, scheme, signature) in KNOWN {
            let key = key(text);
            assert!(
                key.verify_as(scheme, &[b"he", b"llo"], signature),
                "{scheme:?}"
            );
            assert!(!key.verify_as(scheme, &[b"hellp"], signature));
            assert!(!key.verify_as(scheme, &[b"hell"], signature));
            for at in [0, 1, 10, signature.len() / 2, signature.len() - 1] {
                let mut forged = signature.to_vec();
                forged[at] ^= 1;
                assert!(
                    !key.verify_as(scheme, &[b"hello"], &forged),
                    "{scheme:?} {at}"
                );
            }
            let longer = [signature, &[0]].concat();
            let led = [&[0], signature].concat();
            for wrong in [&[][..], &signature[1..], &longer, &led] {
                assert!(!key.verify_as(scheme, &[b"hello"], wrong));
            }
        }
    }

    #[test]
    fn a_signature_counts_in_its_own_scheme_only() {
        let all = [
            Scheme::Ed25519,
            Scheme::RsaSha1,
            Scheme::RsaSha256,
            Scheme::Es256,
            Scheme::EcdsaSha1,
            Scheme::EcdsaSha256,
        ];
        for (text, scheme, signature) in KNOWN {
            let key = key(text);
            for other in all {
                let holds = key.verify_as(other, &[b"hello"], signature);
                assert_eq!(holds, other == scheme, "{scheme:?} as {other:?}");
            }
        }
    }

    #[test]
    fn both_forms_of_an_rsa_key_are_one_key() {
        assert_eq!(key(RSA).id, key(RSA_PKCS1).id);
        assert_ne!(key(RSA).id, key(RSA_4096).id);
        assert_eq!(key(RSA).kind(), KeyKind::Rsa);
        assert_eq!(key(P256).kind(), KeyKind::P256);
    }

    #[test]
    fn rsa_keys_out_of_bounds_are_rejected() {
        let text = include_str!("../../../../tests/keys/rsa1024.pub");
        assert_eq!(rejected(text), Some(PublicKeyError::Rsa));
        let of = |first: u8, size: usize, last: u8, exponent: &[u8]| {
            let mut modulus = vec![first; size];
            modulus[size - 1] = last;
            let key = ::rsa::pkcs1::RsaPublicKeyRef {
                modulus: UintRef::new(&modulus).unwrap(),
                public_exponent: UintRef::new(exponent).unwrap(),
            };
            rsa::RsaKey::from_pkcs1(&key.to_der().unwrap()).err()
        };
        let good = &[1, 0, 1][..];
        assert_eq!(of(0xff, 256, 1, good), None);
        assert_eq!(of(0xff, 512, 1, &[3]), None);
        for (first, size, last, exponent) in [
            (0x7f, 256, 1, good),
            (0xff, 255, 1, good),
            (0x01, 513, 1, good),
            (0xff, 256, 2, good),
            (0xff, 256, 1, &[0]),
            (0xff, 256, 1, &[1]),
            (0xff, 256, 1, &[2]),
            (0xff, 256, 1, &[1, 0, 0]),
            (0xff, 256, 1, &[1, 0, 0, 0, 1]),
        ] {
            let why = of(first, size, last, exponent);
            assert_eq!(why, Some(PublicKeyError::Rsa), "{first} {size} {last}");
        }
    }

    #[test]
    fn keys_of_other_curves_and_broken_ones_are_rejected() {
        let p384 = include_str!("../../../../tests/keys/p384.pub");
        assert_eq!(rejected(p384), Some(PublicKeyError::Form));
        for good in [RSA, RSA_PKCS1, P256, ED25519] {
            let wrong = [
                good.replacen("-----BEGIN ", "-----BEGIN X", 1),
                good.replacen("PUBLIC", "PRIVATE", 2),
                good.replacen("PUBLIC", "PRIVATE", 1),
                good.replacen("M", "N", 1),
                good.replace("-----END", "AAAA\n-----END"),
                good.trim().trim_end_matches('-').to_owned(),
            ];
            for wrong in wrong {
                assert!(rejected(&wrong).is_some(), "{wrong}");
            }
        }
    }

    #[test]
    fn a_repeated_link_costs_no_second_check() {
        for (text, scheme, signature) in KNOWN {
            let key = key(text);
            for _ in 0..3 {
                assert!(key.verify_as(scheme, &[b"hello"], signature));
            }
            assert_eq!(key.seen.checks.get(), 1);
        }
    }

    #[test]
    fn a_remembered_signature_is_bound_to_its_key() {
        let seen = Rc::new(Seen::default());
        let key = |text: &str| PublicKey::parse(text, &seen).unwrap();
        let (old, new) = (key(RSA), key(RSA_4096));
        assert!(old.verify_as(Scheme::RsaSha256, &[b"hello"], RSA_SHA256));
        // The old key leaves the ring: all that asks for its links now is the new one.
        drop(old);
        assert!(!new.verify_as(Scheme::RsaSha256, &[b"hello"], RSA_SHA256));
        assert!(!key(P256).verify_as(Scheme::RsaSha256, &[b"hello"], RSA_SHA256));
    }

    #[test]
    #[cfg(feature = "tools")]
    fn the_whole_encoding_is_compared() {
        use ::rsa::traits::PublicKeyParts as _;
        const PRIVATE: &str = include_str!("../../../../tests/keys/rsa2048-pkcs1.pem");
        let private = super::super::pem(PRIVATE, "RSA PRIVATE KEY").unwrap();
        let private = RsaPrivateKeyRef::from_der(&private).unwrap();
        let private = ::rsa::PrivateKey::try_from(private).unwrap();
        // What the private key makes of these bytes.
        let open = |bytes: &[u8]| {
            let number = BoxedUint::from_be_slice(bytes, private.n_bits_precision()).unwrap();
            let signature = rsa_decrypt::<NoRandomness>(None, &private, &number).unwrap();
            signature.to_be_bytes().to_vec()
        };
        // RFC 8017 section 9.2: 00 01 ff… 00 DigestInfo, and as long as the modulus.
        let info = [
            0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
            0x01, 0x05, 0x00, 0x04, 0x20,
        ];
        let digest = Sha256::digest(b"hello");
        let whole = |filling: usize, after: usize| {
            let filling = vec![0xff; filling];
            let after = vec![0; after];
            [&[0, 1], filling.as_slice(), &[0], &info, &digest, &after].concat()
        };
        let key = key(RSA);
        let holds = |bytes: &[u8]| key.verify_as(Scheme::RsaSha256, &[b"hello"], &open(bytes));
        assert_eq!(open(&whole(202, 0)), RSA_SHA256);
        assert!(holds(&whole(202, 0)));
        for at in [1, 2, 9, 100, 203, 204, 205, 222, 223, 224, 255] {
            let mut near = whole(202, 0);
            near[at] ^= 1;
            assert!(!holds(&near), "{at}");
        }
        // The forgery of Bleichenbacher: less filling, and bytes behind the digest.
        assert!(!holds(&whole(8, 194)));
    }

    proptest::proptest! {
        #[test]
        fn untrusted_bytes_never_panic(text: String, bytes: Vec<u8>) {
            let seen = Rc::default();
            let _ = PublicKey::parse(&text, &seen);
            let pem = format!("-----BEGIN PUBLIC KEY-----{}-----END PUBLIC KEY-----", STANDARD.encode(&bytes));
            let _ = PublicKey::parse(&pem, &seen);
            let _ = ecdsa::from_der(&bytes);
            let _ = rsa::RsaKey::from_pkcs1(&bytes);
        }
    }
}
