//! What a call changes of a key.

use ipnet::IpNet;
use keygate_core::UnixMillis;
use keygate_core::identity::RateLimit;
use serde::{Deserialize, Deserializer};

use crate::attributes::{
    Attributes, account, attributes, labels, ranges, rate_limit, referrers, scopes, title,
};
use crate::expiry::{end, instant};
use crate::json::{AnyJson, Draft};
use crate::metadata::{Metadata, metadata};
use crate::space::{Space, space};
use crate::wrong::{Errors, Wrong};

macro_rules! declare {
    ({} $($(#[$meta:meta])* $field:ident: $Type:ty = $check:ident($Written:ty);)*) => {
        /// What a call changes of a key. What it does not name stays as it is.
        #[derive(Clone, Debug, Default)]
        pub struct Patch {
            /// Whether it is disabled.
            pub disabled: Option<bool>,
            $(
                #[doc = concat!("Its new `", stringify!($field), "`.")]
                pub $field: Option<$Type>,
            )*
        }

        impl Patch {
            /// This change, and then another one.
            pub(crate) fn then(self, other: Self) -> Self {
                Self {
                    disabled: other.disabled.or(self.disabled),
                    $($field: other.$field.or(self.$field),)*
                }
            }

            /// What becomes of these attributes.
            pub(crate) fn of(&self, attributes: &Attributes) -> Attributes {
                Attributes {
                    $($field: self.$field.as_ref().unwrap_or(&attributes.$field).clone(),)*
                }
            }
        }

        /// `PATCH /v1/keys/{id}` as written.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct PatchBody {
            disabled: Option<bool>,
            expires_in: Option<String>,
            $(
                #[serde(default, deserialize_with = "given")]
                $field: Option<$Written>,
            )*
        }

        impl PatchBody {
            /// Checks every field.
            pub(crate) fn check(draft: Draft<Self>, now: UnixMillis) -> Result<Patch, Errors> {
                let (body, mut errors) = (draft.body, draft.errors);
                let Some(body) = body else {
                    return Err(errors);
                };
                let mut unchanging = |field: &str, is_given: bool| {
                    if is_given && Attributes::FIXED.contains(&field) {
                        errors.push(Wrong::invalid(field, "cannot be changed"));
                    }
                };
                $(unchanging(stringify!($field), body.$field.is_some());)*
                let mut patch = Patch {
                    disabled: body.disabled,
                    $(
                        $field: body.$field.and_then(|written| {
                            errors.check(stringify!($field), |name| $check(name, written))
                        }),
                    )*
                };
                end(&mut errors, &mut patch.expires_at, body.expires_in, now);
                errors.none().map(|()| patch)
            }
        }
    };
}

attributes!(declare!);

/// Tells a field that is `null` from one that is left out.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(json: D) -> Result<Option<T>, D::Error> {
    T::deserialize(json).map(Some)
}
