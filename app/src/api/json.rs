//! Deserializes JSON that the browser has parsed. `serde-wasm-bindgen` does the same at ten times the size: it brings
//! in serde's error messages, and those bring in the formatting of every kind of number. This deserializer has no error
//! messages.

use std::fmt::Display;

use js_sys::{Array, Reflect};
use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor, value::U32Deserializer},
    forward_to_deserialize_any,
};
use wasm_bindgen::{JsCast, JsValue};

/// Deserializes a value; `None` when the JSON doesn't match the type.
pub fn read<T: DeserializeOwned>(value: &JsValue) -> Option<T> {
    T::deserialize(Json(value.clone())).ok()
}

/// The JSON doesn't match the type.
#[derive(Debug)]
struct Mismatch;

impl Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("unexpected JSON")
    }
}

impl std::error::Error for Mismatch {}

impl serde::de::Error for Mismatch {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

/// Each method reads the one kind of JSON that a type needs, so that a type doesn't bring in the code for all others.
struct Json(JsValue);

impl Json {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the server's numbers are whole and not negative"
    )]
    fn number(&self) -> Result<u64, Mismatch> {
        self.0.as_f64().map(|number| number as u64).ok_or(Mismatch)
    }
}

macro_rules! numbers {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            visitor.visit_u64(self.number()?)
        }
    )+};
}

macro_rules! texts {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
            visitor.visit_string(self.0.as_string().ok_or(Mismatch)?)
        }
    )+};
}

impl<'de> Deserializer<'de> for Json {
    type Error = Mismatch;

    /// For the kinds that no response contains.
    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Mismatch> {
        Err(Mismatch)
    }

    numbers! { deserialize_u16 deserialize_u32 deserialize_u64 }
    texts! { deserialize_str deserialize_string }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_bool(self.0.as_bool().ok_or(Mismatch)?)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.0.is_null() || self.0.is_undefined() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_seq(Items { array: self.0.dyn_into().map_err(|_| Mismatch)?, next: 0 })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Members { object: self.0, names, next: 0, value: JsValue::UNDEFINED })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let name = self.0.as_string().ok_or(Mismatch)?;
        visitor.visit_enum(place_of(&name, names)?.into_deserializer())
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u128 f32 f64 char bytes byte_buf unit_struct tuple tuple_struct map identifier ignored_any
    }
}

fn place_of(name: &str, names: &[&str]) -> Result<u32, Mismatch> {
    let place = names.iter().position(|other| *other == name).ok_or(Mismatch)?;
    u32::try_from(place).map_err(|_| Mismatch)
}

struct Items {
    array: Array,
    next: u32,
}

impl<'de> SeqAccess<'de> for Items {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mismatch> {
        if self.next >= self.array.length() {
            return Ok(None);
        }
        self.next += 1;
        seed.deserialize(Json(self.array.get(self.next - 1))).map(Some)
    }
}

/// The members of an object that a struct has fields for. A field is given by its place, which derived code takes as
/// well as its name, so that the names need not be compared.
struct Members {
    object: JsValue,
    names: &'static [&'static str],
    next: u32,
    /// Of the member before `next`.
    value: JsValue,
}

impl Members {
    /// Goes to the next member that the object has. Returns its place among the names.
    fn advance(&mut self) -> Result<Option<u32>, Mismatch> {
        while let Some(name) = self.names.get(self.next as usize) {
            self.next += 1;
            self.value = Reflect::get(&self.object, &JsValue::from_str(name)).map_err(|_| Mismatch)?;
            if !self.value.is_undefined() {
                return Ok(Some(self.next - 1));
            }
        }
        Ok(None)
    }
}

impl<'de> MapAccess<'de> for Members {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mismatch> {
        let Some(place) = self.advance()? else { return Ok(None) };
        let place: U32Deserializer<Mismatch> = place.into_deserializer();
        seed.deserialize(place).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        seed.deserialize(Json(self.value.clone()))
    }
}
