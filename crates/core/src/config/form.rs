//! How a written type is declared: once, for its reader and for its schema.

/// Declares a written type.
///
/// A struct is an object of these members and no others. `#[serde(default)]`, or a value
/// behind `=`, makes a member optional; so does `Option`. An enum is one of these names, or
/// an object with one of them that holds something.
///
/// For the schema, and for the tests that compare the reader with serde's, the type has the
/// attributes of serde as well: with a value behind `=` goes `#[serde(default = "…")]` of the
/// same function.
macro_rules! form {
    (
        $(#[doc = $doc:literal])*
        $(#[derive $derive:tt])?
        $(#[schemars $schemars:tt])?
        $vis:vis struct $Name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $(#[serde($($serde:tt)*)])?
                $(#[schemars $field_schemars:tt])?
                $field_vis:vis $field:ident: $Type:ty $(= $default:expr)?,
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug)]
        $(#[derive $derive])?
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(test, derive(serde::Deserialize))]
        #[cfg_attr(any(test, feature = "schema"), serde(deny_unknown_fields))]
        $(#[cfg_attr(feature = "schema", schemars $schemars)])?
        $vis struct $Name {
            $(
                $(#[doc = $field_doc])*
                $(#[cfg_attr(any(test, feature = "schema"), serde($($serde)*))])?
                $(#[cfg_attr(feature = "schema", schemars $field_schemars)])?
                $field_vis $field: $Type,
            )*
        }

        impl $crate::config::tree::Read for $Name {
            fn read(
                &mut self,
                tree: &$crate::config::tree::Tree,
            ) -> Result<(), $crate::config::tree::Error> {
                static SHAPE: $crate::config::tree::Shape = $crate::config::tree::Shape {
                    expected: concat!("struct ", stringify!($Name)),
                    names: &[$(form!(@name $field $($($serde)*)?)),*],
                    needed: &[$(form!(@needed $Type [$($($serde)*)?] [$($default)?])),*],
                    is_open: false,
                };
                tree.fields(&SHAPE, &mut [$(&mut self.$field),*])
            }
        }

        impl $crate::config::tree::Start for $Name {
            fn start() -> Self {
                Self {
                    $($field: form!(@start $Type [$($($serde)*)?] [$($default)?]),)*
                }
            }
        }
    };

    (
        $(#[doc = $doc:literal])*
        $(#[derive $derive:tt])?
        $vis:vis enum $Name:ident {
            $(
                $(#[doc = $variant_doc:literal])*
                $(#[default $($default:literal)?])?
                $Variant:ident $(($Held:ty))? = $name:literal,
            )*
        }
    ) => {
        $(#[doc = $doc])*
        $(#[derive $derive])?
        #[cfg_attr(
            feature = "schema",
            derive(schemars::JsonSchema, serde::Serialize),
            schemars(inline)
        )]
        #[cfg_attr(test, derive(serde::Deserialize))]
        $vis enum $Name {
            $(
                $(#[doc = $variant_doc])*
                $(#[default] $($default)?)?
                #[cfg_attr(any(test, feature = "schema"), serde(rename = $name))]
                $Variant $(($Held))?,
            )*
        }

        form! { impl $Name { $($Variant $(($Held))? = $name,)* } }
    };

    // Names alone: of an enum that is declared elsewhere, too.
    (impl $Name:ident { $First:ident = $first:literal, $($Variant:ident = $name:literal,)* }) => {
        impl $crate::config::tree::Read for $Name {
            fn read(
                &mut self,
                tree: &$crate::config::tree::Tree,
            ) -> Result<(), $crate::config::tree::Error> {
                let index = tree.word(&[$first, $($name),*])?;
                if let Some(word) = [Self::$First, $(Self::$Variant),*].get(index) {
                    *self = *word;
                }
                Ok(())
            }
        }

        impl $crate::config::tree::Start for $Name {
            fn start() -> Self {
                Self::$First
            }
        }
    };

    // Names that hold something.
    (impl $Name:ident { $First:ident $(($FirstHeld:ty))? = $first:literal, $($Variant:ident $(($Held:ty))? = $name:literal,)* }) => {
        impl $crate::config::tree::Read for $Name {
            fn read(
                &mut self,
                tree: &$crate::config::tree::Tree,
            ) -> Result<(), $crate::config::tree::Error> {
                enum Index { $First, $($Variant),* }
                let choice = tree.choice(&[$first, $($name),*])?;
                if choice.index == Index::$First as usize {
                    *self = form!(@held choice Self::$First $(($FirstHeld))?);
                }
                $(
                    if choice.index == Index::$Variant as usize {
                        *self = form!(@held choice Self::$Variant $(($Held))?);
                    }
                )*
                Ok(())
            }
        }

        impl $crate::config::tree::Start for $Name {
            fn start() -> Self {
                Self::$First $((<$FirstHeld as $crate::config::tree::Start>::start()))?
            }
        }
    };

    (@held $choice:ident Self::$Variant:ident) => {{
        $choice.alone()?;
        Self::$Variant
    }};
    (@held $choice:ident Self::$Variant:ident ($Held:ty)) => {{
        let mut held = <$Held as $crate::config::tree::Start>::start();
        $choice.held(&mut held)?;
        Self::$Variant(held)
    }};

    (@name $field:ident rename = $name:literal) => { $name };
    (@name $field:ident $(default $(= $function:literal)?)?) => { stringify!($field) };

    (@needed $Type:ty [default $($function:tt)*] [$($default:expr)?]) => { false };
    (@needed $Type:ty [$(rename = $name:literal)?] []) => {
        <$Type as $crate::config::tree::Start>::IS_NEEDED
    };

    (@start $Type:ty [default] []) => { <$Type as Default>::default() };
    (@start $Type:ty [default = $function:literal] [$default:expr]) => { $default };
    (@start $Type:ty [$(rename = $name:literal)?] []) => {
        <$Type as $crate::config::tree::Start>::start()
    };
}

pub(super) use form;
