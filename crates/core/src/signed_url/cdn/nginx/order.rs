//! What is to be signed for an order.

use super::{Part, Template, Text};
use crate::http::client::Client;
use crate::http::request::{Header, Request};
use crate::reason::Reason;
use crate::signed_url::sign::{Order, SignError};

impl Template {
    /// What is to be signed for an order.
    pub(super) fn for_order(&self, order: &Order<'_>, digits: &str) -> Result<Text, SignError> {
        let wrong = |text: &str| SignError::new(text);
        let address = match order.addresses {
            [net] if net.prefix_len() == net.max_prefix_len() => Some(net.addr()),
            [] => None,
            _ => return Err(wrong("this format signs one address")),
        };
        let signs_address = self.parts.contains(&Part::RemoteAddr);
        if signs_address != address.is_some() {
            return Err(wrong("an address is required if the template signs it"));
        }
        let mut headers: Vec<Header> = vec![
            (":method".into(), "GET".into()),
            (":path".into(), order.target.whole.into()),
        ];
        let authority = match order.authority() {
            "" if self.parts.contains(&Part::Host) => {
                return Err(wrong("the template signs the host: give the whole URL"));
            }
            "" => "localhost",
            authority => authority,
        };
        headers.push((":authority".into(), authority.into()));
        for (name, value) in order.headers {
            if !self.parts.contains(&Part::Http((*name).to_owned())) {
                return Err(wrong("the template does not sign this header"));
            }
            headers.push(((*name).into(), (*value).into()));
        }
        for (name, value) in order.cookies {
            if !self.parts.contains(&Part::Cookie((*name).to_owned())) {
                return Err(wrong("the template does not sign this cookie"));
            }
            headers.push(("cookie".into(), format!("{name}={value}").into()));
        }
        let request = Request::read(&headers).map_err(|it| wrong(it.code()))?;
        let text = self.text(&request, Client::Known(address), digits);
        text.map_err(|reason| match reason {
            Reason::AmbiguousPath => wrong("the end of the path could be part of the address"),
            reason => wrong(reason.code()),
        })
    }
}
