//! Where a token of Cloudflare's format may be, and what it signs there.

use super::{Signs, Token};
use crate::http::edit::Strip;
use crate::http::parameter::find_token;
use crate::http::request::Request;
use crate::reason::Reason;
use crate::signed_url::carrier::only_token;

/// Longest token: ten digits, a dash, and 44 characters of which each may be percent-encoded.
const MAX_TOKEN: usize = 11 + 3 * 44;

/// Where a token may stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkCarrier {
    /// The last parameter of the query.
    Parameter(String),
    /// A header with `<stamp>-<mac>`.
    Header(String),
    /// Two headers, as in Cloudflare's example for a concatenated argument.
    Headers {
        /// The header with the stamp.
        timestamp: String,
        /// The header with the MAC.
        mac: String,
    },
}

impl LinkCarrier {
    pub(super) fn find<'a>(
        &'a self,
        request: &Request<'a>,
        signs: Signs,
    ) -> Result<Option<Token<'a>>, Reason> {
        let path = request.target.path;
        let whole = match signs {
            Signs::Uri => request.target.whole,
            Signs::Path => path,
        };
        let in_header = |stamp, mac, names: &[&'a String]| Token {
            message: whole,
            message_and_separator: whole,
            stamp,
            mac,
            strips: names.iter().map(|it| Strip::Header(it)).collect(),
        };
        match self {
            Self::Parameter(name) => {
                let Some(parameter) = find_token(&request.target, name)? else {
                    return Ok(None);
                };
                let (message, message_and_separator, strip) = match signs {
                    Signs::Path => (path, path, Strip::Parameter(name)),
                    // What follows the token is not signed, so nothing may follow.
                    Signs::Uri if !parameter.is_last => return Err(Reason::MalformedCredential),
                    Signs::Uri => {
                        let strip = Strip::Target(parameter.before);
                        (parameter.before, parameter.through_name, strip)
                    }
                };
                let (stamp, mac) = split_token(parameter.value)?;
                Ok(Some(Token {
                    message,
                    message_and_separator,
                    stamp,
                    mac,
                    strips: [strip].into_iter().collect(),
                }))
            }
            Self::Header(name) => {
                let Some(value) = only_token(request.values(name))? else {
                    return Ok(None);
                };
                let (stamp, mac) = split_token(value)?;
                Ok(Some(in_header(stamp, mac, &[name])))
            }
            Self::Headers { timestamp, mac } => {
                let found = (
                    only_token(request.values(timestamp))?,
                    only_token(request.values(mac))?,
                );
                match found {
                    (None, None) => Ok(None),
                    (Some(stamp), Some(value)) => {
                        Ok(Some(in_header(stamp, value, &[timestamp, mac])))
                    }
                    _ => Err(Reason::MalformedCredential),
                }
            }
        }
    }
}

/// Splits `<stamp>-<mac>`.
#[inline]
fn split_token(token: &str) -> Result<(&str, &str), Reason> {
    if token.len() > MAX_TOKEN {
        return Err(Reason::MalformedCredential);
    }
    token.split_once('-').ok_or(Reason::MalformedCredential)
}
