//! What an allowed request looks like to the upstream: a list of edits.

use std::rc::Rc;

use crate::credential::cookies_without;
use crate::reason::Reason;
use crate::record::KnownKey;
use crate::request::Request;

/// Every header that speaks of identity starts so. A client's own never arrives.
pub const IDENTITY_PREFIX: &str = "x-keygate-";

/// The header that tells the upstream what was decided.
pub const RESULT_HEADER: &str = "x-keygate-result";

/// One change to the headers of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Remove every header of this name.
    Remove(String),
    /// Replace every header of this name (`:path` too) by one.
    Set(String, Vec<u8>),
}

/// A credential that must not reach the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strip {
    /// It stands in the query: this is the target without it.
    Target(String),
    /// It is a header.
    Header(String),
    /// It is a cookie.
    Cookie(String),
}

/// Why a request may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A credential holds.
    Verified,
    /// None was asked for.
    Anonymous,
    /// The rule only simulates; in block mode this would have been the reason.
    WouldDeny(Reason),
}

/// Permission for a request to pass, after these edits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// In the order in which they are to be made.
    pub edits: Vec<Edit>,
    /// Why.
    pub outcome: Outcome,
}

impl Grant {
    /// Lets a request pass: identity headers of the client go, then the credentials
    /// in `strips`, then comes what is known of the key.
    pub fn new(
        request: &Request<'_>,
        outcome: Outcome,
        strips: &[Strip],
        identity: Option<&Rc<KnownKey>>,
    ) -> Self {
        let mut edits = Vec::new();
        for (name, _) in request.headers {
            if let Some(name) = identity_name(name)
                && !edits.contains(&Edit::Remove(name.to_owned()))
            {
                edits.push(Edit::Remove(name.to_owned()));
            }
        }
        edits.extend(strips.iter().map(|strip| strip.edit(request)));
        let mut set = |name: &str, value: &str| {
            let name = format!("{IDENTITY_PREFIX}{name}");
            edits.push(Edit::Set(name, value.as_bytes().to_vec()));
        };
        if let Some(key) = identity {
            set("account", &key.account);
            set("key-id", &key.id);
            set("scopes", &key.scopes);
            set("metadata", &key.metadata);
        }
        match outcome {
            Outcome::Verified => set("result", "allow"),
            Outcome::Anonymous => {}
            Outcome::WouldDeny(reason) => {
                set("result", &format!("would-deny;reason={}", reason.code()));
            }
        }
        Self { edits, outcome }
    }
}

impl Strip {
    fn edit(&self, request: &Request<'_>) -> Edit {
        match self {
            Self::Target(target) => Edit::Set(":path".to_owned(), target.clone().into_bytes()),
            Self::Header(name) => Edit::Remove(name.clone()),
            Self::Cookie(name) => match cookies_without(request, name) {
                Some(rest) => Edit::Set("cookie".to_owned(), rest),
                None => Edit::Remove("cookie".to_owned()),
            },
        }
    }
}

/// The name, if it is one of ours in any spelling: many servers read `_` as `-`.
fn identity_name(name: &[u8]) -> Option<&str> {
    let spelled = |(byte, expected): (&u8, u8)| match byte {
        b'_' => expected == b'-',
        byte => byte.eq_ignore_ascii_case(&expected),
    };
    let head = name.get(..IDENTITY_PREFIX.len())?;
    let ours = head.iter().zip(IDENTITY_PREFIX.bytes()).all(spelled);
    std::str::from_utf8(name).ok().filter(|_| ours)
}
