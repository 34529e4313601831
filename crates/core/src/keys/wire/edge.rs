//! The same without serde, for the edge: how the filter writes its questions and reads the
//! answers. Fields are those of the types, members that they do not have are passed over.

use super::{
    ChangesResponse, Incarnation, LinkUseRequest, LinkUseResponse, LookupRequest, LookupResponse,
    Record, Status,
};
use crate::keys::app_key::KeyHash;
use crate::text::json::{Object, Value};
use crate::time::UnixMillis;

impl LookupRequest {
    /// The request as JSON.
    pub fn write(&self) -> String {
        let hashes = self.hashes.iter().map(|it| format!("\"{it}\""));
        let hashes = hashes.collect::<Vec<_>>().join(",");
        Object::new().raw("hashes", &format!("[{hashes}]")).end()
    }
}

impl LinkUseRequest {
    /// The request as JSON.
    pub fn write(&self) -> String {
        Object::new()
            .text("id", &self.id)
            .number("expires_at", self.expires_at.0)
            .raw("peek", if self.peek { "true" } else { "false" })
            .end()
    }
}

impl LinkUseResponse {
    /// Reads the answer; `None` for anything else.
    pub fn read(text: &[u8]) -> Option<Self> {
        let [first] = Value::parse(text)?.open(["first"])?;
        Some(Self {
            first: first?.flag()?,
        })
    }
}

impl ChangesResponse {
    /// Reads the answer; `None` for anything else.
    pub fn read(text: &[u8]) -> Option<Self> {
        let names = ["incarnation", "epoch", "reset", "more", "changed"];
        let [id, epoch, reset, more, changed] = Value::parse(text)?.open(names)?;
        let changed = changed?.list()?;
        Some(Self {
            incarnation: incarnation(id)?,
            epoch: epoch?.number()?,
            reset: reset?.flag()?,
            more: more?.flag()?,
            changed: changed.into_iter().map(hash).collect::<Option<_>>()?,
        })
    }
}

impl LookupResponse<String> {
    /// Reads the answer; `None` for anything else.
    pub fn read(text: &[u8]) -> Option<Self> {
        let names = ["incarnation", "epoch", "records"];
        let [id, epoch, records] = Value::parse(text)?.open(names)?;
        let records = records?.list()?;
        Some(Self {
            incarnation: incarnation(id)?,
            epoch: epoch?.number()?,
            records: records.into_iter().map(record).collect::<Option<_>>()?,
        })
    }
}

fn incarnation(value: Option<Value<'_>>) -> Option<Incarnation> {
    match value {
        Some(value) => Incarnation::parse(&value.text()?),
        None => Some(Incarnation::default()),
    }
}

fn record(value: Value<'_>) -> Option<Record<String>> {
    let names = [
        "hash",
        "id",
        "account",
        "status",
        "expires_at",
        "scopes",
        "allowed_ips",
        "allowed_referrers",
        "metadata",
    ];
    let [
        hash_,
        id,
        account,
        status,
        expires,
        scopes,
        ips,
        referrers,
        metadata,
    ] = value.open(names)?;
    let texts = |list: Option<Value<'_>>| list.map_or(Some(Vec::new()), Value::texts);
    let ips = texts(ips)?;
    Some(Record {
        hash: hash(hash_?)?,
        id: id?.text()?,
        account: account?.text()?,
        status: match status?.text()?.as_str() {
            "active" => Status::Active,
            "disabled" => Status::Disabled,
            "revoked" => Status::Revoked,
            _ => return None,
        },
        expires_at: match expires.filter(|it| !it.is_null()) {
            Some(at) => Some(UnixMillis(at.number()?)),
            None => None,
        },
        scopes: texts(scopes)?,
        allowed_ips: ips
            .iter()
            .map(|it| it.parse().ok())
            .collect::<Option<_>>()?,
        allowed_referrers: texts(referrers)?,
        metadata: metadata?.raw.to_owned(),
    })
}

fn hash(value: Value<'_>) -> Option<KeyHash> {
    KeyHash::parse(&value.text()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn questions_are_written_as_serde_writes_them() {
        for count in 0..3 {
            let hashes = (0..count).map(|it| KeyHash([it; 32])).collect();
            let request = LookupRequest { hashes };
            assert_eq!(request.write(), serde_json::to_string(&request).unwrap());
        }
        for peek in [true, false] {
            let request = LinkUseRequest {
                id: "a\"\\b".to_owned(),
                expires_at: UnixMillis(u64::MAX),
                peek,
            };
            assert_eq!(request.write(), serde_json::to_string(&request).unwrap());
        }
    }

    const RECORD: &str = r#"{"incarnation":"AQEBAQEBAQEBAQEBAQEBAQ","epoch":7,"more":[],"records":[{"hash":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE","id":"AbC","account":"al\u0069ce","status":"active","expires_at":1000,"scopes":["a","b"],"allowed_ips":["10.0.0.0/8","2001:db8::/32"],"allowed_referrers":["https://a.example"],"metadata": {"a": [1.50]} ,"new":null}]}"#;

    /// The answer as serde reads it, and as it is read here: the same, or refused by both.
    fn lookup(text: &str) -> Option<String> {
        let theirs: Option<LookupResponse> = serde_json::from_str(text).ok();
        let ours = LookupResponse::read(text.as_bytes());
        let shown = |it: &dyn std::fmt::Debug| format!("{it:?}").replace("RawValue(", "");
        let ours_shown = ours
            .as_ref()
            .map(|it| (it.incarnation, it.epoch, it.records.len()));
        let theirs_shown = theirs
            .as_ref()
            .map(|it| (it.incarnation, it.epoch, it.records.len()));
        assert_eq!(theirs_shown, ours_shown, "{text}");
        let (theirs, ours) = (theirs?, ours?);
        for (theirs, ours) in theirs.records.iter().zip(&ours.records) {
            assert_eq!(theirs.metadata.get(), ours.metadata);
            assert_eq!(theirs.hash, ours.hash);
            let fields = |it: &dyn std::fmt::Debug| {
                let text = shown(it);
                text.split("metadata:").next().unwrap().to_owned()
            };
            assert_eq!(fields(theirs), fields(ours));
        }
        Some(text.to_owned())
    }

    #[test]
    fn answers_are_read_as_serde_reads_them() {
        assert!(lookup(RECORD).is_some());
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
            assert_eq!(lookup(&text).is_some(), fits, "{text}");
        }
    }

    #[test]
    fn changes_and_uses_are_read_as_serde_reads_them() {
        let whole = r#"{"incarnation":"AQEBAQEBAQEBAQEBAQEBAQ","epoch":7,"reset":false,"more":true,"changed":["AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"]}"#;
        for text in [
            whole.to_owned(),
            whole.replace("true", "1"),
            whole.replace("\"more\":true,", ""),
            whole.replace("AQE", "A"),
            whole.replace("\"incarnation\":\"AQEBAQEBAQEBAQEBAQEBAQ\",", ""),
            whole.replace("\"AQEBAQEBAQEBAQEBAQEBAQ\"", "1"),
            whole.replace("}", ",\"x\":{}}"),
        ] {
            let theirs: Option<ChangesResponse> = serde_json::from_str(&text).ok();
            assert_eq!(ChangesResponse::read(text.as_bytes()), theirs, "{text}");
        }
        for text in [
            r#"{"first":true}"#,
            r#"{"first":false,"x":1}"#,
            "{}",
            r#"{"first":null}"#,
            "true",
        ] {
            let theirs: Option<LinkUseResponse> = serde_json::from_str(text).ok();
            assert_eq!(LinkUseResponse::read(text.as_bytes()), theirs, "{text}");
        }
    }
}
