//! JSON as a value, without a key that is twice in an object: `serde_json` alone would keep the last of them.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::bundle::check_size;
use super::problem::BundleProblem;
use crate::error::Error;

/// A JSON value.
pub(super) enum Json {
    Null,
    Flag,
    /// A whole number from 0 to 2^64 - 1, or `None` for any other number.
    Number(Option<u64>),
    Text(String),
    List(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

/// The members of an object.
pub(super) type Members = BTreeMap<String, Json>;

/// Reads a document that is an object.
///
/// # Errors
/// `pki/bundle`; `pki/too-many` for more than 1 MiB.
pub(super) fn object(text: &[u8]) -> Result<Members, Error> {
    check_size(text.len())?;
    let value: Json = serde_json::from_slice(text)
        .map_err(|error| fail("", BundleProblem::Json(error.to_string())))?;
    value.object("")
}

/// The error at a place, such as `keys[0].use`; the empty place is the whole document.
pub(super) fn fail(place: &str, problem: BundleProblem) -> Error {
    Error::Bundle { place: place.to_string(), problem }
}

impl Json {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag => "true or false",
            Self::Number(Some(_)) => "a number",
            Self::Number(None) => "a number that is negative, not whole or larger than 64 bits",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    fn wrong(&self, place: &str, expected: &'static str) -> Error {
        fail(place, BundleProblem::WrongType { found: self.kind(), expected })
    }

    /// The members of an object.
    pub(super) fn object(self, place: &str) -> Result<Members, Error> {
        match self {
            Self::Object(members) => Ok(members),
            other => Err(other.wrong(place, "an object")),
        }
    }

    /// The items of a list.
    pub(super) fn list(self, place: &str) -> Result<Vec<Self>, Error> {
        match self {
            Self::List(items) => Ok(items),
            other => Err(other.wrong(place, "a list")),
        }
    }

    /// A string.
    pub(super) fn text(self, place: &str) -> Result<String, Error> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(other.wrong(place, "a string")),
        }
    }

    /// A whole number.
    pub(super) fn number(self, place: &str) -> Result<u64, Error> {
        match self {
            Self::Number(Some(number)) => Ok(number),
            other => Err(other.wrong(place, "a whole number")),
        }
    }
}

/// Takes a member out of an object; null is as good as absent.
pub(super) fn take(members: &mut Members, name: &str) -> Option<Json> {
    members.remove(name).filter(|value| !matches!(value, Json::Null))
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Flag)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(Some(number)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(u64::try_from(number).ok()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_string()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let mut members = Members::new();
        while let Some(name) = object.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format!("the key `{name}` is there twice")));
            }
            let value = object.next_value()?;
            members.insert(name, value);
        }
        Ok(Json::Object(members))
    }
}
