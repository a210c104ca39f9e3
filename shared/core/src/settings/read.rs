//! Reads settings: those that all services have in common, and the section of one.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, Visitor,
};

use super::error::SettingsError;
use super::{Settings, words};

/// All settings but the sections with these names, of which it is only seen that they are sections.
pub(super) fn common(yaml: &str, sections: &[&str]) -> Result<Settings, SettingsError> {
    read(yaml, Common { sections }, sections)
}

/// One section; its defaults where there is none.
pub(super) fn section<T: DeserializeOwned + Default>(yaml: &str, name: &str) -> Result<T, SettingsError> {
    let only = Only { name, of: PhantomData };
    read(yaml, only, &[])
}

fn read<'de, S: DeserializeSeed<'de>>(yaml: &'de str, seed: S, sections: &[&str]) -> Result<S::Value, SettingsError> {
    let mut path = String::new();
    let read = serde_saphyr::with_deserializer_from_str(yaml, |text| {
        let mut track = serde_path_to_error::Track::new();
        let read = seed.deserialize(serde_path_to_error::Deserializer::new(text, &mut track));
        read.inspect_err(|_| path = track.path().to_string())
    });
    read.map_err(|error| words::refusal(yaml, path.trim_matches('.'), &error, sections))
}

struct Common<'n> {
    sections: &'n [&'n str],
}

impl<'de> DeserializeSeed<'de> for Common<'_> {
    type Value = Settings;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Settings, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Common<'_> {
    type Value = Settings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Settings, A::Error> {
        let sections = self.sections;
        Settings::deserialize(MapAccessDeserializer::new(Without { map, sections }))
    }
}

/// A map without the entries of these names, which have to be maps.
struct Without<'n, A> {
    map: A,
    sections: &'n [&'n str],
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Without<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.map.next_key::<String>()? {
            if !self.sections.contains(&name.as_str()) {
                return seed.deserialize(name.into_deserializer()).map(Some);
            }
            self.map.next_value::<BTreeMap<String, IgnoredAny>>()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

struct Only<'n, T> {
    name: &'n str,
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de> + Default> DeserializeSeed<'de> for Only<'_, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Only<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut section = T::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == self.name {
                section = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(section)
    }
}
