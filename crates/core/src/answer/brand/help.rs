//! The link to the operator's help: a web page over HTTPS, or a mail address.

/// An `https:` or `mailto:` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Help(String);

/// Why a text is not a help link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelpError {
    /// Another scheme, or no host or mailbox.
    #[error("must be \"https://\" and a host, or \"mailto:\" and an address")]
    Start,
    /// A character that a URL cannot hold, or one that marks a placeholder.
    #[error("must be visible ASCII without quotation marks, \"<\", \">\", \"\\\" and braces")]
    Characters,
    /// More than 512 characters.
    #[error("must be at most 512 characters long")]
    TooLong,
}

impl Help {
    /// Parses `https://HOST…` or `mailto:MAILBOX@HOST…`.
    ///
    /// # Errors
    /// [`HelpError`].
    pub fn parse(text: &str) -> Result<Self, HelpError> {
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\{}`^|".contains(&byte);
        if text.len() > 512 {
            return Err(HelpError::TooLong);
        }
        if !text.bytes().all(fits) {
            return Err(HelpError::Characters);
        }
        let leads = match (text.strip_prefix("https://"), text.strip_prefix("mailto:")) {
            (Some(rest), _) => is_host(rest.split(['/', '?', '#']).next().unwrap_or_default()),
            (None, Some(rest)) => {
                let address = rest.split('?').next().unwrap_or_default();
                let parts = address.split_once('@');
                parts.is_some_and(|(mailbox, host)| !mailbox.is_empty() && is_host(host))
            }
            (None, None) => false,
        };
        match leads {
            true => Ok(Self(text.to_owned())),
            false => Err(HelpError::Start),
        }
    }

    /// The URL.
    pub(super) fn url(&self) -> &str {
        &self.0
    }
}

/// A host with or without a port, without `user@`.
fn is_host(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
    text.bytes().all(fits) && text.starts_with(|first: char| first != ':' && first != '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_help_link_is_a_page_over_https_or_a_mail_address() {
        for good in [
            "https://help.example",
            "https://help.example:8443/links?from=keygate#expired",
            "mailto:help@acme.example",
            "mailto:help@acme.example?subject=A%20link",
        ] {
            assert_eq!(Help::parse(good).map(|it| it.0), Ok(good.to_owned()));
        }
        let long = format!("https://help.example/{}", "x".repeat(512));
        for (wrong, error) in [
            ("", HelpError::Start),
            ("/help", HelpError::Start),
            ("//help.example/", HelpError::Start),
            ("http://help.example/", HelpError::Start),
            ("javascript:alert(1)", HelpError::Start),
            ("data:text/html,x", HelpError::Start),
            ("HTTPS://help.example/", HelpError::Start),
            ("https://", HelpError::Start),
            ("https:///x", HelpError::Start),
            ("https://user@help.example/", HelpError::Start),
            ("mailto:", HelpError::Start),
            ("mailto:help", HelpError::Start),
            ("mailto:@acme.example", HelpError::Start),
            ("https://help.example/\"onclick=x", HelpError::Characters),
            ("https://help.example/{request_id}", HelpError::Characters),
            ("https://help.example/a b", HelpError::Characters),
            ("https://help.example/é", HelpError::Characters),
            (long.as_str(), HelpError::TooLong),
        ] {
            assert_eq!(Help::parse(wrong), Err(error), "{wrong}");
        }
    }
}
