//! Sealing at the client: the key service never has the headers.

use std::path::PathBuf;
use std::str::FromStr;

use keygate_core::keys::{AppKey, Prefix, SealKey, Sealed, SealedHeaders};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::path;
use crate::client::KeyService;
use crate::environment::{required, value_of};
use crate::error::CliError;
use crate::file::read;

/// Where a secret is: never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretFrom {
    /// An environment variable.
    Variable(String),
    /// A file, or "-" for standard input.
    File(PathBuf),
}

/// A header, and where its value is.
#[derive(Clone, Debug)]
pub struct HeaderFrom {
    name: String,
    from: SecretFrom,
}

/// The body of a call about sealed data, and its answer.
#[derive(Deserialize, Serialize)]
struct Body {
    sealed: String,
}

impl FromStr for SecretFrom {
    type Err = &'static str;

    /// A text of another form may be the secret itself, and is not repeated.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match text.strip_prefix('@') {
            _ if text == "-" => Ok(Self::File(text.into())),
            Some(file) if !file.is_empty() => Ok(Self::File(file.into())),
            None if !text.is_empty() && text.bytes().all(fits) => Ok(Self::Variable(text.into())),
            _ => Err("must be the name of an environment variable, @FILE, or - for standard input"),
        }
    }
}

impl SecretFrom {
    /// Reads it, without one trailing line break.
    fn read(&self) -> Result<Zeroizing<Vec<u8>>, CliError> {
        let bytes = match self {
            Self::Variable(name) => required(name)?.into_encoded_bytes(),
            Self::File(file) => read(file)?,
        };
        let mut bytes = Zeroizing::new(bytes);
        for end in [b'\n', b'\r'] {
            bytes.pop_if(|last| *last == end);
        }
        Ok(bytes)
    }

    /// What messages call it.
    fn place(&self) -> String {
        match self {
            Self::Variable(name) => value_of(name),
            Self::File(file) if file.as_os_str() == "-" => "standard input".to_owned(),
            Self::File(file) => format!("the content of {}", file.display()),
        }
    }
}

impl FromStr for HeaderFrom {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (name, from) = text.split_once('=').ok_or(
            "must be NAME=SOURCE: the name of an environment variable with the value, @FILE, or - \
             for standard input",
        )?;
        Ok(Self {
            name: name.to_ascii_lowercase(),
            from: from.parse()?,
        })
    }
}

/// Reads the values of headers, before anything is sent.
pub(super) fn headers(
    given: &[HeaderFrom],
    key: Option<&SecretFrom>,
) -> Result<SealedHeaders, CliError> {
    let stdin = SecretFrom::File("-".into());
    let sources = given.iter().map(|it| &it.from).chain(key);
    if sources.filter(|it| **it == stdin).count() > 1 {
        let message = "only one value can be read from standard input: use variables or files";
        return Err(CliError::Usage(message.to_owned()));
    }
    let mut headers = SealedHeaders::none();
    for header in given {
        let place = header.from.place();
        let added = headers.add(header.name.clone(), header.from.read()?);
        added.map_err(|error| {
            let name = &header.name;
            CliError::Usage(format!("the header {name} from {place}: {error}"))
        })?;
    }
    if !given.is_empty() {
        let fits = headers.check();
        fits.map_err(|error| CliError::Usage(format!("the sealed headers {error}")))?;
    }
    Ok(headers)
}

/// Reads the text of the key with this id.
pub(super) fn key(from: &SecretFrom, id: &str) -> Result<SealKey, CliError> {
    let text = from.read()?;
    seal_key(&text, id).ok_or_else(|| {
        let place = from.place();
        CliError::Usage(format!("{place} is not the key with the id {id}"))
    })
}

fn seal_key(text: &[u8], id: &str) -> Option<SealKey> {
    let prefix = text.split(|byte| *byte == b'_').next()?;
    let prefix = Prefix::parse(std::str::from_utf8(prefix).ok()?).ok()?;
    let key = AppKey::parse(text, &prefix).ok()?;
    (key.id() == id).then(|| SealKey::of(&key))
}

/// Seals headers for a new key, whose answer has its text.
pub(super) fn seal_for_new(
    service: &KeyService,
    headers: &SealedHeaders,
    id: &str,
    text: &str,
) -> Result<(), CliError> {
    let key = seal_key(text.as_bytes(), id);
    let key = key.ok_or_else(|| CliError::Service("the new key has an unknown form".to_owned()))?;
    seal(service, headers, id, &key).map_err(|error| {
        let hint = format!(
            "the key {id} was created and printed, but its headers are not sealed: {error}. Seal them \
             with `keygate keys seal {id}`, or revoke the key with `keygate keys revoke {id}`"
        );
        match error {
            CliError::No(_) => CliError::No(hint),
            CliError::Usage(_) => CliError::Usage(hint),
            CliError::Service(_) => CliError::Service(hint),
        }
    })
}

/// Seals headers for a key, and stores them.
pub(super) fn seal(
    service: &KeyService,
    headers: &SealedHeaders,
    id: &str,
    key: &SealKey,
) -> Result<(), CliError> {
    let mut random = [0; 40];
    getrandom::fill(&mut random)
        .map_err(|error| CliError::Service(format!("no random bytes are available: {error}")))?;
    let mut random = random.into_iter();
    let mut fill = |bytes: &mut [u8]| bytes.fill_with(|| random.next().unwrap_or_default());
    let sealed = Sealed::seal(headers, key, &mut fill)
        .map_err(|error| CliError::Usage(format!("the sealed headers {error}")))?;
    let body = Body {
        sealed: sealed.to_string(),
    };
    service.put(&path_of_sealed(id)?, &body).map(drop)
}

/// Opens what is sealed with a key.
pub(super) fn open(
    service: &KeyService,
    id: &str,
    key: &SealKey,
) -> Result<SealedHeaders, CliError> {
    let answer: Body = service.read(&service.get(&path_of_sealed(id)?, &[])?)?;
    let sealed = Sealed::parse(&answer.sealed);
    let sealed = sealed.map_err(|error| CliError::Service(format!("the sealed data {error}")))?;
    sealed
        .open(key)
        .map_err(|error| CliError::No(error.to_string()))
}

/// The path of what is sealed with a key.
pub(super) fn path_of_sealed(id: &str) -> Result<String, CliError> {
    Ok(format!("{}/sealed", path(id)?))
}
