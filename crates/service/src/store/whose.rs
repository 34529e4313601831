//! Whose a key or a token is, for the audit log.

use crate::attributes::Attributes;
use crate::space::{Space, Spaces};

/// Whose the key or token is that an entry is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Of<'a> {
    pub(super) account: Option<&'a str>,
    pub(super) space: Option<&'a str>,
}

impl<'a> From<&'a Attributes> for Of<'a> {
    fn from(attributes: &'a Attributes) -> Self {
        Self {
            account: Some(&attributes.account),
            space: Some(attributes.space.as_str()),
        }
    }
}

impl<'a> From<&'a Spaces> for Of<'a> {
    fn from(spaces: &'a Spaces) -> Self {
        Self {
            account: None,
            space: spaces.only().map(Space::as_str),
        }
    }
}
