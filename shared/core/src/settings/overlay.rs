//! Settings over what they do not name: maps are merged by key at every depth, lists and single values are replaced.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, IntoDeserializer as _, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};

/// What a text is read over, and what of the text is not read.
#[derive(Clone, Copy)]
pub(super) struct Under<'b> {
    /// The values of what the text does not name.
    pub base: &'b Value,
    /// The paths that are read as if they were not written.
    pub without: &'b BTreeSet<String>,
    /// Whether `null` is written at a path, which takes an entry out of a map.
    pub is_null: &'b dyn Fn(&str) -> bool,
    /// The paths at which nothing, or a blank text, was read.
    pub blanks: &'b RefCell<Vec<String>>,
}

/// A deserializer of a text over something.
pub(super) struct Over<'b, D> {
    from: D,
    at: Spot<'b>,
}

/// A place within the text.
#[derive(Clone)]
struct Spot<'b> {
    under: Under<'b>,
    base: Option<&'b Value>,
    path: String,
}

impl Spot<'_> {
    fn entry(&self, name: &str) -> Self {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        let base = self.base.and_then(|base| base.get(name));
        Self { base, path, ..*self }
    }

    fn item(&self, at: usize) -> Self {
        let path = format!("{}[{at}]", self.path);
        Self {
            base: None,
            path,
            ..*self
        }
    }

    fn is_left_out(&self) -> bool {
        self.under.without.contains(&self.path)
    }

    fn is_null(&self) -> bool {
        (self.under.is_null)(&self.path)
    }

    fn note_blank(&self, text: &str) {
        if text.trim().is_empty() {
            self.under.blanks.borrow_mut().push(self.path.clone());
        }
    }
}

impl<'b, D> Over<'b, D> {
    pub fn new(from: D, under: Under<'b>) -> Self {
        let at = Spot {
            under,
            base: Some(under.base),
            path: String::new(),
        };
        Self { from, at }
    }

    fn visited_by<V>(self, visitor: V, named_freely: bool) -> (D, Merging<'b, V>) {
        let merging = Merging {
            of: visitor,
            at: self.at,
            named_freely,
        };
        (self.from, merging)
    }
}

/// A visitor, or a seed, of what is at a place.
struct Merging<'b, T> {
    of: T,
    at: Spot<'b>,
    /// Whether keys are the writer's own, so that an entry can be taken out: a struct's fields can't.
    named_freely: bool,
}

macro_rules! forwarded {
    ($($method:ident($($name:ident: $kind:ty),*)),* $(,)?) => {
        $(fn $method<V: Visitor<'de>>(self, $($name: $kind,)* visitor: V) -> Result<V::Value, D::Error> {
            let (from, visitor) = self.visited_by(visitor, false);
            from.$method($($name,)* visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Over<'_, D> {
    type Error = D::Error;

    forwarded!(
        deserialize_any(),
        deserialize_bool(),
        deserialize_i8(),
        deserialize_i16(),
        deserialize_i32(),
        deserialize_i64(),
        deserialize_i128(),
        deserialize_u8(),
        deserialize_u16(),
        deserialize_u32(),
        deserialize_u64(),
        deserialize_u128(),
        deserialize_f32(),
        deserialize_f64(),
        deserialize_char(),
        deserialize_str(),
        deserialize_string(),
        deserialize_bytes(),
        deserialize_byte_buf(),
        deserialize_option(),
        deserialize_unit(),
        deserialize_unit_struct(name: &'static str),
        deserialize_newtype_struct(name: &'static str),
        deserialize_seq(),
        deserialize_tuple(length: usize),
        deserialize_tuple_struct(name: &'static str, length: usize),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
        deserialize_identifier(),
        deserialize_ignored_any(),
    );

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let (from, visitor) = self.visited_by(visitor, true);
        from.deserialize_map(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.from.is_human_readable()
    }
}

macro_rules! passed_on {
    ($($visit:ident($kind:ty)),* $(,)?) => {
        $(fn $visit<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.of.$visit(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Merging<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.of.expecting(f)
    }

    passed_on!(
        visit_bool(bool),
        visit_i8(i8),
        visit_i16(i16),
        visit_i32(i32),
        visit_i64(i64),
        visit_i128(i128),
        visit_u8(u8),
        visit_u16(u16),
        visit_u32(u32),
        visit_u64(u64),
        visit_u128(u128),
        visit_f32(f32),
        visit_f64(f64),
        visit_char(char),
        visit_bytes(&[u8]),
        visit_borrowed_bytes(&'de [u8]),
        visit_byte_buf(Vec<u8>),
    );

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        self.at.note_blank(text);
        self.of.visit_str(text)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<V::Value, E> {
        self.at.note_blank(text);
        self.of.visit_borrowed_str(text)
    }

    fn visit_string<E: Error>(self, text: String) -> Result<V::Value, E> {
        self.at.note_blank(&text);
        self.of.visit_string(text)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.at.note_blank("");
        self.of.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.at.note_blank("");
        self.of.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        self.of.visit_some(Over { from, at: self.at })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<V::Value, D::Error> {
        self.of.visit_newtype_struct(Over { from, at: self.at })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.of.visit_enum(data)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        self.of.visit_seq(Items {
            list,
            at: self.at,
            next: 0,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let unnamed = self.at.base.and_then(Value::as_object).cloned().unwrap_or_default();
        self.of.visit_map(Entries {
            map,
            at: self.at,
            named_freely: self.named_freely,
            unnamed,
            value: None,
        })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Merging<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<S::Value, D::Error> {
        self.of.deserialize(Over { from, at: self.at })
    }
}

struct Items<'b, A> {
    list: A,
    at: Spot<'b>,
    next: usize,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        loop {
            let at = self.at.item(self.next);
            self.next += 1;
            if !at.is_left_out() {
                let of = seed;
                return self.list.next_element_seed(Merging {
                    of,
                    at,
                    named_freely: false,
                });
            }
            if self.list.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
    }
}

struct Entries<'b, A> {
    map: A,
    at: Spot<'b>,
    named_freely: bool,
    /// What is under the text and was not named yet.
    unnamed: Map<String, Value>,
    /// Where the value of the last key comes from.
    value: Option<Source<'b>>,
}

enum Source<'b> {
    Text(Spot<'b>),
    Base(Value),
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let key_of = |name: String| -> StringDeserializer<A::Error> { name.into_deserializer() };
        while let Some(name) = self.map.next_key::<String>()? {
            let at = self.at.entry(&name);
            if at.is_left_out() {
                self.map.next_value::<IgnoredAny>()?;
            } else if self.named_freely && self.unnamed.contains_key(&name) && at.is_null() {
                self.unnamed.remove(&name);
                self.map.next_value::<IgnoredAny>()?;
            } else {
                self.unnamed.remove(&name);
                self.value = Some(Source::Text(at));
                return seed.deserialize(key_of(name)).map(Some);
            }
        }
        let Some(name) = self.unnamed.keys().next().cloned() else {
            return Ok(None);
        };
        self.value = self.unnamed.remove(&name).map(Source::Base);
        seed.deserialize(key_of(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        match self.value.take() {
            Some(Source::Text(at)) => self.map.next_value_seed(Merging {
                of: seed,
                at,
                named_freely: false,
            }),
            Some(Source::Base(value)) => seed.deserialize(value).map_err(A::Error::custom),
            None => Err(A::Error::custom("a value was asked for before its key")),
        }
    }
}
