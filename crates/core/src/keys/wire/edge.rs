//! How the edge writes its questions and reads the answers: as JSON, whole or not at all.

use serde::de::DeserializeOwned;

use super::{ChangesResponse, LinkUseRequest, LinkUseResponse, LookupRequest, LookupResponse};

impl LookupRequest {
    /// The request as JSON.
    pub fn write(&self) -> String {
        // Hashes are text; nothing else can fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl LinkUseRequest {
    /// The request as JSON.
    pub fn write(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl LinkUseResponse {
    /// Reads the answer; `None` for anything else.
    pub fn read(text: &[u8]) -> Option<Self> {
        read(text)
    }
}

impl ChangesResponse {
    /// Reads the answer; `None` for anything else.
    pub fn read(text: &[u8]) -> Option<Self> {
        read(text)
    }
}

impl LookupResponse {
    /// Reads the answer; `None` for anything else.
    pub fn read(text: &[u8]) -> Option<Self> {
        read(text)
    }
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Option<T> {
    // JSON is UTF-8 (RFC 8259 section 8.1), also in members that are passed over.
    serde_json::from_str(std::str::from_utf8(text).ok()?).ok()
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic"
)]
mod tests {
    use super::super::{Status, Want};
    use super::*;
    use crate::keys::app_key::KeyHash;
    use crate::time::UnixMillis;

    #[test]
    fn questions_are_written_without_blanks_in_the_order_of_their_fields() {
        let hash = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
        for (count, hashes) in [(0, String::new()), (2, format!("\"{hash}\",\"{hash}\""))] {
            let request = LookupRequest {
                hashes: vec![KeyHash([7; 32]); count],
                want: Vec::new(),
            };
            assert_eq!(request.write(), format!("{{\"hashes\":[{hashes}]}}"));
            let more = LookupRequest {
                want: vec![Want::Sealed],
                ..request
            };
            let expected = format!("{{\"hashes\":[{hashes}],\"want\":[\"sealed\"]}}");
            assert_eq!(more.write(), expected);
        }
        let request = LinkUseRequest {
            id: "a\"\\b".to_owned(),
            expires_at: UnixMillis(u64::MAX),
            peek: true,
        };
        let expected = r#"{"id":"a\"\\b","expires_at":18446744073709551615,"peek":true}"#;
        assert_eq!(request.write(), expected);
    }

    const RECORD: &str = r#"{"incarnation":"AQEBAQEBAQEBAQEBAQEBAQ","epoch":7,"more":[],"records":[{"hash":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","id":"AbC","account":"al\u0069ce","status":"active","expires_at":1000,"scopes":["a","b"],"allowed_ips":["10.0.0.0/8","2001:db8::/32"],"allowed_referrers":["https://a.example"],"metadata": {"a": [1.50]} ,"new":null}]}"#;

    #[test]
    fn a_record_is_read_and_its_metadata_stays_as_it_was_written() {
        let answer = LookupResponse::read(RECORD.as_bytes()).unwrap();
        assert_eq!((answer.epoch, answer.incarnation.0), (7, [1; 16]));
        let record = &answer.records[0];
        assert_eq!(
            (record.hash, record.status),
            (KeyHash([1; 32]), Status::Active)
        );
        assert_eq!(
            (record.id.as_str(), record.account.as_str()),
            ("AbC", "alice")
        );
        assert_eq!(record.expires_at, Some(UnixMillis(1000)));
        assert_eq!(record.scopes, ["a", "b"]);
        assert_eq!(record.allowed_ips.len(), 2);
        assert_eq!(record.allowed_referrers, ["https://a.example"]);
        assert_eq!(record.metadata.get(), "{\"a\": [1.50]}");
    }

    #[test]
    fn an_answer_is_read_whole_or_not_at_all() {
        for (from, to, fits) in [
            (",\"expires_at\":1000", "", true),
            ("\"expires_at\":1000", "\"expires_at\":null", true),
            ("\"expires_at\":1000", "\"expires_at\":1000.0", false),
            ("\"expires_at\":1000", "\"expires_at\":\"1000\"", false),
            ("\"id\":\"AbC\"", "\"id\":\"AbC\",\"id\":\"AbC\"", false),
            ("\"id\":\"AbC\"", "\"id\":1", false),
            ("\"id\":\"AbC\",", "", false),
            ("[\"a\",\"b\"]", "[\"a\",1]", false),
            ("[\"a\",\"b\"]", "null", false),
            ("\"scopes\":[\"a\",\"b\"],", "", true),
            ("10.0.0.0/8", "10.0.0.0", false),
            ("10.0.0.0/8", "10.0.0.0/33", false),
            ("\"active\"", "\"Active\"", false),
            ("\"active\"", "\"revoked\"", true),
            ("QEBAQE\"", "QEBAQE=\"", false),
            ("{\"a\": [1.50]}", "[\"x\"]", true),
            ("\"metadata\": {\"a\": [1.50]} ,", "", false),
            ("\"epoch\":7", "\"epoch\":-7", false),
            ("\"incarnation\":\"AQEBAQEBAQEBAQEBAQEBAQ\",", "", true),
            ("\"AQEBAQEBAQEBAQEBAQEBAQ\"", "\"AQEB\"", false),
            ("\"AQEBAQEBAQEBAQEBAQEBAQ\"", "null", false),
            ("}]}", "}]} x", false),
            ("\"epoch\":7", "\"epoch\":7,\"epoch\":7", false),
        ] {
            let text = RECORD.replacen(from, to, 1);
            assert_ne!(text, RECORD);
            let read = LookupResponse::read(text.as_bytes());
            assert_eq!(read.is_some(), fits, "{text}");
        }
    }

    #[test]
    fn changes_and_uses_are_read_with_members_of_newer_services() {
        let whole = r#"{"incarnation":"AQEBAQEBAQEBAQEBAQEBAQ","epoch":7,"reset":false,"more":true,"changed":["AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"]}"#;
        for (from, to, fits) in [
            ("x", "x", true),
            ("true", "1", false),
            ("\"more\":true,", "", false),
            ("\"more\":true", "\"more\":true,\"more\":true", false),
            ("AQE", "A", false),
            ("\"incarnation\":\"AQEBAQEBAQEBAQEBAQEBAQ\",", "", true),
            ("\"AQEBAQEBAQEBAQEBAQEBAQ\"", "1", false),
            ("}", ",\"x\":{}}", true),
            ("}", ",\"x\":{},\"x\":{}}", true),
        ] {
            let text = whole.replace(from, to);
            assert_eq!(
                ChangesResponse::read(text.as_bytes()).is_some(),
                fits,
                "{text}"
            );
        }
        for (text, first) in [
            ("{\"first\":true}", Some(true)),
            ("{\"first\":false,\"x\":1}", Some(false)),
            ("{\"first\":true,\"first\":true}", None),
            ("{}", None),
            ("{\"first\":null}", None),
            ("true", None),
            ("{\"first\":true} x", None),
        ] {
            let read = LinkUseResponse::read(text.as_bytes());
            assert_eq!(read.map(|it| it.first), first, "{text}");
        }
        let skipped = b"{\"first\":true,\"x\":\"\xff\"}";
        assert!(LinkUseResponse::read(skipped).is_none());
    }
}
