//! Assertions against known answers of another implementation, and against forgers.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keygate_core::identity::Identity;
use keygate_core::identity::assertion::{
    Algorithm, Assertion, AssertionError, Issuer, SigningKey, Verifier, VerifyingKey,
};
use keygate_core::secret::{Encoding, KeyRing, RingEntry};
use keygate_core::{Header, Millis, Request, Secret, UnixMillis};
use serde_json::{Value, json};

const SKEW: Millis = Millis::from_secs(5);

fn vectors() -> Vec<Value> {
    let text = include_str!("../../../tests/vectors/assertions.json");
    let mut file: Value = serde_json::from_str(text).unwrap();
    let Value::Array(vectors) = file["vectors"].take() else {
        panic!("no list of vectors")
    };
    assert!(vectors.len() >= 5);
    vectors
}

fn vector(name: &str) -> Value {
    let mut vectors = vectors().into_iter();
    vectors.find(|it| it["name"] == name).unwrap()
}

fn text(vector: &Value, field: &str) -> String {
    vector[field].as_str().unwrap().to_owned()
}

fn key(vector: &Value) -> SigningKey {
    let algorithm = Algorithm::parse(&text(vector, "algorithm")).unwrap();
    let secret = Secret::decode(text(vector, "secret_hex").as_bytes(), Encoding::Hex).unwrap();
    SigningKey::new(&secret, algorithm).unwrap()
}

fn ring<K>(id: &str, key: K) -> KeyRing<K> {
    KeyRing(vec![RingEntry {
        id: id.to_owned(),
        key,
        not_before: None,
        not_after: None,
    }])
}

fn now(vector: &Value) -> UnixMillis {
    UnixMillis::from_secs(vector["now"].as_u64().unwrap())
}

fn issuer(vector: &Value) -> Issuer {
    let claims = &vector["claims"];
    let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    Issuer {
        ring: ring(&text(vector, "kid"), key(vector)),
        issuer: text(claims, "iss"),
        audience: text(claims, "aud"),
        ttl: Millis::from_secs(life),
        rules: None,
    }
}

fn verifier(vector: &Value) -> Verifier {
    Verifier {
        ring: ring(&text(vector, "kid"), key(vector).verifying()),
        issuer: "keygate".to_owned(),
        audience: "keygate-keys".to_owned(),
        skew: SKEW,
    }
}

fn headers(id: Option<&str>) -> Vec<Header> {
    let mut headers = vec![(":method", "GET"), (":path", "/"), (":authority", "h")];
    headers.extend(id.map(|id| ("x-request-id", id)));
    let owned = |(name, value): (&str, &str)| (name.into(), value.into());
    headers.into_iter().map(owned).collect()
}

fn sign(issuer: &Issuer, claims: &Value, now: UnixMillis) -> Option<String> {
    let identity = Identity {
        account: text(claims, "sub"),
        key_id: claims["key_id"].as_str().map(str::to_owned),
        scopes: text(claims, "scope"),
        ..Identity::default()
    };
    let headers = headers(claims["jti"].as_str());
    issuer.sign(&identity, &Request::read(&headers).unwrap(), now)
}

#[test]
fn our_signatures_equal_those_of_another_implementation() {
    for vector in vectors() {
        let signed = sign(&issuer(&vector), &vector["claims"], now(&vector));
        assert_eq!(signed, Some(text(&vector, "token")), "{}", vector["name"]);
    }
}

#[test]
fn signatures_of_another_implementation_verify() {
    for vector in vectors() {
        let token = text(&vector, "token");
        let claims = &vector["claims"];
        let scope = text(claims, "scope");
        let scopes = scope.split(' ').filter(|it| !it.is_empty());
        let expected = Assertion {
            account: text(claims, "sub"),
            key_id: claims["key_id"].as_str().map(str::to_owned),
            scopes: scopes.map(str::to_owned).collect(),
            request_id: claims["jti"].as_str().map(str::to_owned),
        };
        let verified = verifier(&vector).verify(token.as_bytes(), now(&vector));
        assert_eq!(verified, Ok(expected), "{}", vector["name"]);
    }
}

#[test]
fn an_assertion_with_the_most_and_longest_scopes_verifies() {
    let vector = vector("hs256_app_key");
    let mut claims = vector["claims"].clone();
    let scopes: Vec<String> = (0..64).map(|it| format!("{it:0>128}")).collect();
    claims["scope"] = scopes.join(" ").into();
    let token = sign(&issuer(&vector), &claims, now(&vector)).unwrap();
    let verified = verifier(&vector).verify(token.as_bytes(), now(&vector));
    assert_eq!(verified.unwrap().scopes, scopes);
}

#[test]
fn the_public_key_alone_verifies_and_is_published_as_it_is() {
    let vector = vector("eddsa_session");
    let public = URL_SAFE_NO_PAD.decode(text(&vector, "x")).unwrap();
    let public = VerifyingKey::public(&public).unwrap();
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
                      "kid": "ed-1", "x": vector["x"] });
    assert_eq!(public.jwk("ed-1"), Some(jwk.clone()));
    assert_eq!(key(&vector).verifying().jwk("ed-1"), Some(jwk));
    let verifier = Verifier {
        ring: ring("ed-1", public),
        ..verifier(&vector)
    };
    let token = text(&vector, "token");
    assert!(verifier.verify(token.as_bytes(), now(&vector)).is_ok());
    let secret = key(&self::vector("hs256_session")).verifying();
    assert_eq!(secret.jwk("x"), None, "a shared secret is never published");
}

#[test]
fn keys_of_a_wrong_length_or_weak_are_rejected_and_none_is_printed() {
    let new = |length, algorithm| SigningKey::new(&Secret::new(vec![7; length]), algorithm);
    assert!(new(31, Algorithm::Hs256).is_err() && new(32, Algorithm::Hs256).is_ok());
    for length in [31, 33, 64] {
        assert!(new(length, Algorithm::EdDsa).is_err(), "{length}");
    }
    let mut identity_point = [0; 32];
    identity_point[0] = 1;
    let mut off_the_curve = [0; 32];
    off_the_curve[0] = 2;
    for wrong in [&[0_u8; 32][..], &identity_point, &[2; 31], &off_the_curve] {
        assert!(VerifyingKey::public(wrong).is_err(), "{wrong:?}");
    }
    for vector in vectors() {
        let printed = format!("{:?} {:?}", issuer(&vector), verifier(&vector));
        assert!(printed.contains(", ..)"), "{printed}");
        assert!(
            !printed.contains("157") && !printed.contains("9d61"),
            "{printed}"
        );
    }
}

#[test]
fn any_other_byte_anywhere_is_rejected() {
    for vector in vectors() {
        let verifier = verifier(&vector);
        let token = text(&vector, "token").into_bytes();
        let rejected = |changed: &[u8]| verifier.verify(changed, now(&vector)).is_err();
        // Ed25519 is slow without optimisation; some positions are enough.
        let slow = vector["algorithm"] == "EdDSA";
        for at in (0..token.len()).step_by(if slow { 11 } else { 1 }) {
            for byte in [b'A', b'.', b'=', 0xff, token[at] ^ 1] {
                let mut changed = token.clone();
                changed[at] = byte;
                assert!(changed == token || rejected(&changed), "{at} {byte}");
            }
            assert!(rejected(&token[..at]) && rejected(&token[at + 1..]));
        }
        for more in [&b"="[..], b"A", b".", b" ", b"\n", b".AAAA"] {
            assert!(rejected(&[&token[..], more].concat()), "{more:?}");
            assert!(rejected(&[more, &token[..]].concat()), "{more:?}");
        }
    }
}

/// A token with these texts in it, signed with the key of the vector.
fn forge(vector: &Value, head: &str, claims: &str) -> String {
    let signed = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = signed.join(".");
    // Signed by hand: Issuer would never sign this.
    let secret = text(vector, "secret_hex");
    let secret = Secret::decode(secret.as_bytes(), Encoding::Hex).unwrap();
    let mac = keygate_core::secret::mac(secret.expose());
    let mac = hmac::Mac::chain_update(mac, &signed);
    let mac = hmac::Mac::finalize(mac).into_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
}

#[test]
fn a_correctly_signed_token_is_rejected_for_its_claims() {
    use AssertionError::{
        Expired, Lifetime, Malformed, NotYetValid, UnknownKey, WrongKind, WrongParty,
    };
    let vector = vector("hs256_app_key");
    let head = r#"{"alg":"HS256","typ":"JWT","kid":"2026-11"}"#;
    let claims = serde_json::to_string(&vector["claims"]).unwrap();
    let verify = |head: &str, claims: &str| {
        let token = forge(&vector, head, claims);
        let verified = verifier(&vector).verify(token.as_bytes(), now(&vector));
        verified.map(|assertion| assertion.account)
    };
    assert_eq!(verify(head, &claims), Ok("alice@example.com".to_owned()));
    for (other, error) in [
        (r#"{"alg":"none","typ":"JWT","kid":"2026-11"}"#, WrongKind),
        (r#"{"alg":"EdDSA","typ":"JWT","kid":"2026-11"}"#, WrongKind),
        (r#"{"alg":"HS512","typ":"JWT","kid":"2026-11"}"#, WrongKind),
        (
            r#"{"alg":"HS256","typ":"at+jwt","kid":"2026-11"}"#,
            WrongKind,
        ),
        (r#"{"alg":"HS256","typ":"JWT","kid":"2026-12"}"#, UnknownKey),
        (r#"{"alg":"HS256","typ":"JWT"}"#, Malformed),
        (r#"{"alg":"HS256","kid":"2026-11"}"#, Malformed),
        (r#"["HS256","JWT","2026-11"]"#, Malformed),
        (
            r#"{"alg":"HS256","typ":"JWT","kid":"2026-11","crit":["b64"],"b64":false}"#,
            Malformed,
        ),
        (
            r#"{"alg":"HS256","typ":"JWT","kid":"2026-11","jwk":{}}"#,
            Malformed,
        ),
        (
            r#"{"alg":"none","alg":"HS256","typ":"JWT","kid":"2026-11"}"#,
            Malformed,
        ),
        ("", Malformed),
    ] {
        assert_eq!(verify(other, &claims), Err(error), "{other}");
    }
    let with = |name: &str, value: Value| {
        let mut claims = vector["claims"].clone();
        claims[name] = value;
        claims.to_string()
    };
    let at = vector["now"].as_u64().unwrap();
    for (claims, error) in [
        (with("iss", json!("keygate2")), WrongParty),
        (with("aud", json!("keygate-key")), WrongParty),
        (with("aud", json!(["keygate-keys"])), Malformed),
        (with("sub", json!("")), Malformed),
        (with("sub", json!("a b")), Malformed),
        (with("sub", json!("a\r\nb")), Malformed),
        (with("sub", json!(7)), Malformed),
        (with("sub", json!("x".repeat(129))), Malformed),
        (with("scope", json!("a  b")), Malformed),
        (with("scope", json!(" a")), Malformed),
        (with("scope", json!(["s"; 65].join(" "))), Malformed),
        (with("scope", json!(["a"])), Malformed),
        (with("key_id", json!("")), Malformed),
        (with("admin", json!(true)), Malformed),
        (with("exp", json!(at + 61)), Lifetime),
        (with("exp", json!(at)), Lifetime),
        (with("exp", json!(at - 1)), Lifetime),
        (with("exp", json!(u64::MAX)), Lifetime),
        (with("exp", json!(1.7e9 + 30.5)), Malformed),
        (with("exp", json!("1700000060")), Malformed),
        (with("exp", json!(-1)), Malformed),
        (with("nbf", json!(at + 6)), NotYetValid),
        (with("nbf", json!(at + 60)), Lifetime),
        (
            vector["claims"]
                .to_string()
                .replacen('{', r#"{"sub":"root","#, 1),
            Malformed,
        ),
        (
            vector["claims"]
                .to_string()
                .replacen('{', r#"{"exp":1700000060,"#, 1),
            Malformed,
        ),
        (
            r#"["keygate","keygate-keys","root","",null,1700000000,1700000000,1700000060,null]"#
                .to_owned(),
            Malformed,
        ),
        ("{}".to_owned(), Malformed),
    ] {
        assert_eq!(verify(head, &claims), Err(error), "{claims}");
    }
    let token = forge(&vector, head, &claims);
    let verify_at = |millis| verifier(&vector).verify(token.as_bytes(), UnixMillis(millis));
    let (iat, exp) = (at * 1000, (at + 60) * 1000);
    assert!(verify_at(iat - 5_000).is_ok() && verify_at(exp + 4_999).is_ok());
    assert_eq!(verify_at(iat - 5_001), Err(NotYetValid));
    assert_eq!(verify_at(exp + 5_000), Err(Expired));
}

#[test]
fn a_public_key_is_no_secret_for_hs256() {
    // The classic attack: sign with HS256 under the public key.
    let vector = vector("eddsa_session");
    let public = URL_SAFE_NO_PAD.decode(text(&vector, "x")).unwrap();
    for secret in [
        public.clone(),
        text(&vector, "x").into(),
        STANDARD.encode(&public).into(),
    ] {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let forger = json!({ "secret_hex": hex });
        let head = r#"{"alg":"HS256","typ":"JWT","kid":"ed-1"}"#;
        let token = forge(&forger, head, &vector["claims"].to_string());
        let verified = verifier(&vector).verify(token.as_bytes(), now(&vector));
        assert_eq!(verified, Err(AssertionError::WrongKind));
    }
}

#[test]
fn the_first_current_secret_signs_and_expired_ones_do_not_verify() {
    let vector = vector("hs256_session");
    let at = now(&vector);
    let entry = |id: &str, fill, not_before, not_after| RingEntry {
        id: id.to_owned(),
        key: SigningKey::new(&Secret::new(vec![fill; 32]), Algorithm::Hs256).unwrap(),
        not_before,
        not_after,
    };
    let entries = vec![
        entry("next", 1, Some(at.plus(Millis(1))), None),
        entry("this", 2, None, Some(at.plus(Millis(1)))),
        entry("last", 3, None, Some(at)),
    ];
    let issuer = Issuer {
        ring: KeyRing(entries.clone()),
        ..issuer(&vector)
    };
    let verifier = |only: Option<&str>| Verifier {
        ring: KeyRing(
            entries
                .iter()
                .filter(|it| only.is_none_or(|id| it.id == id))
                .map(|it| RingEntry {
                    id: it.id.clone(),
                    key: it.key.verifying(),
                    not_before: it.not_before,
                    not_after: it.not_after,
                })
                .collect(),
        ),
        ..self::verifier(&vector)
    };
    let token = sign(&issuer, &vector["claims"], at).unwrap();
    assert!(verifier(Some("this")).verify(token.as_bytes(), at).is_ok());
    let later = verifier(None).verify(token.as_bytes(), at.plus(Millis(1)));
    assert_eq!(later, Err(AssertionError::UnknownKey));
    let none = Issuer {
        ring: KeyRing(entries[2..].to_vec()),
        ..issuer
    };
    assert_eq!(sign(&none, &vector["claims"], at), None);
}

#[test]
fn a_request_id_that_cannot_be_shown_is_left_out() {
    let vector = vector("hs256_session");
    let long = "x".repeat(129);
    for id in ["", "a b", "caf\u{e9}", &long] {
        let mut claims = vector["claims"].clone();
        claims["jti"] = json!(id);
        let token = sign(&issuer(&vector), &claims, now(&vector));
        assert_eq!(token, Some(text(&vector, "token")), "{id}");
    }
}

proptest::proptest! {
    #[test]
    fn untrusted_bytes_never_panic(token: Vec<u8>, head: String, claims: String, now: u64) {
        let vector = vector("hs256_session");
        let _ = verifier(&vector).verify(&token, UnixMillis(now));
        let forged = forge(&vector, &head, &claims);
        let _ = verifier(&vector).verify(forged.as_bytes(), UnixMillis(now));
        let head = r#"{"alg":"HS256","typ":"JWT","kid":"2026-11"}"#;
        let forged = forge(&vector, head, &claims);
        let _ = verifier(&vector).verify(forged.as_bytes(), UnixMillis(now));
    }
}
