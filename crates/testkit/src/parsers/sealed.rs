//! An input is sealed data, or what is inside of it: what opens can be sent as headers, and is
//! sealed and opened again as it was.

use keygate_core::http::is_sealable;
use keygate_core::keys::{SealKey, Sealed, SealedHeaders};

pub fn run(data: &[u8]) {
    let key = SealKey::of_new(&super::key(b"1"));
    let text = std::str::from_utf8(data).unwrap_or_default();
    if let Ok(sealed) = Sealed::parse(text) {
        assert_eq!(sealed.to_string(), text);
        // No fuzzer finds a tag by chance.
        let is_ours = seeds().iter().any(|seed| seed == data);
        assert_eq!(sealed.open(&key).is_ok(), is_ours);
    }
    let mut fill = |bytes: &mut [u8]| bytes.fill(7);
    // As another implementation may have written it.
    if let Some(opened) = SealedHeaders::read(data) {
        check(&opened);
        if let Ok(again) = Sealed::seal(&opened, &key, &mut fill) {
            assert_eq!(told(&again.open(&key).unwrap()), told(&opened));
        }
    }
    let mut headers = SealedHeaders::none();
    for line in data.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = String::from_utf8_lossy(parts.next().unwrap_or_default());
        let value = parts.next().unwrap_or_default();
        let _ = headers.add(name.into_owned(), value.to_vec().into());
    }
    check(&headers);
    let sealed = Sealed::seal(&headers, &key, &mut fill);
    assert_eq!(sealed.is_ok(), headers.check().is_ok());
    if let Ok(sealed) = sealed {
        assert_eq!(told(&sealed.open(&key).unwrap()), told(&headers));
    }
}

fn told(headers: &SealedHeaders) -> Vec<(&str, &[u8])> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| (name, value.expose()))
        .collect()
}

/// Each name is one that may be sealed, once; each value is one that a header can have.
fn check(headers: &SealedHeaders) {
    let all = told(headers);
    for (at, (name, value)) in all.iter().enumerate() {
        assert!(is_sealable(name), "{name}");
        assert!(!all[..at].iter().any(|(other, _)| other == name), "{name}");
        assert!(value.iter().all(|byte| matches!(byte, b' '..=b'~')));
        assert!(!value.is_empty() && value.trim_ascii() == *value);
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut headers = SealedHeaders::none();
    let value = b"Bearer a\"b\\c".to_vec().into();
    headers.add("authorization".to_owned(), value).unwrap();
    let key = SealKey::of_new(&super::key(b"1"));
    let sealed = Sealed::seal(&headers, &key, &mut |bytes| bytes.fill(1)).unwrap();
    let mut seeds = super::texts(&[
        r#"{"headers":{"authorization":"Bearer a\u0041\/\"","x-a":"b c"}}"#,
        r#"{"headers":{"x-a":"b","x-a":"c"}}"#,
        "authorization:Bearer a\nx-a:b",
        "ks1.AAAA",
    ]);
    seeds.push(sealed.to_string().into_bytes());
    seeds
}
