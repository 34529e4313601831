//! Puts a token where a provider looks for it first.

use crate::signed_url::carrier::Carrier;
use crate::signed_url::sign::{Order, SignError, Signed};

/// The URL of an order with its token, which may be separate.
///
/// # Errors
/// When there is no place for a token.
pub(crate) fn deliver(
    carriers: &[Carrier],
    order: &Order<'_>,
    token: String,
) -> Result<Signed, SignError> {
    let bare = Signed {
        url: format!("{}{}", order.origin, order.target.whole),
        ..Signed::default()
    };
    let carrier = carriers.first();
    match carrier.ok_or_else(|| SignError::new("the provider has no carrier for the token"))? {
        Carrier::Query(name) => Ok(Signed {
            url: order.with_query(&format!("{name}={token}")),
            ..bare
        }),
        Carrier::Header(name) => Ok(Signed {
            headers: vec![(name.clone(), token)],
            ..bare
        }),
        Carrier::Cookie(name) => Ok(Signed {
            cookies: vec![(name.clone(), token)],
            ..bare
        }),
        Carrier::Path(name) => {
            let token = token.replace('%', "%25").replace('/', "%2F");
            let token = token.replace('?', "%3F");
            let url = format!("{}/{name}={token}{}", order.origin, order.target.whole);
            Ok(Signed { url, ..bare })
        }
        Carrier::PathParameter(name) => {
            let query = order.target.query.map(|it| format!("?{it}"));
            let query = query.unwrap_or_default();
            let url = format!(
                "{}{};{name}={token}{query}",
                order.origin, order.target.path
            );
            Ok(Signed { url, ..bare })
        }
    }
}
