//! Reads settings: those that all services have in common, and the section of one.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, Visitor,
};

use serde_json::Value;

use super::error::{Place, SettingsError, Wrong};
use super::locate::Tree;
use super::overlay::{Over, Under};
use super::{Settings, words};

/// A text of settings, and what of it is read.
pub(super) struct Text<'t> {
    yaml: &'t str,
    /// The text as data with places: parsed once somebody asks, for good settings need none.
    tree: OnceCell<Result<Tree, SettingsError>>,
    /// The paths at which nothing, or a blank text, was read.
    blanks: RefCell<Vec<String>>,
    /// The paths, as they are written, that are read as if they were not.
    pub without: BTreeSet<String>,
}

impl<'t> Text<'t> {
    pub fn of(yaml: &'t str) -> Result<Self, SettingsError> {
        let is_empty = |line: &str| matches!(line.trim_start().chars().next(), None | Some('#'));
        if yaml.lines().all(is_empty) {
            let what = "expected settings by their names, found an empty text; write {} for the defaults";
            return Err(words::unreadable(Place::default(), what));
        }
        Ok(Self {
            yaml,
            tree: OnceCell::new(),
            blanks: RefCell::default(),
            without: BTreeSet::new(),
        })
    }

    fn tree(&self) -> Result<&Tree, SettingsError> {
        let parsed = self
            .tree
            .get_or_init(|| Tree::of(self.yaml).map_err(|error| words::broken(&error)));
        parsed.as_ref().map_err(Clone::clone)
    }

    #[cfg(test)]
    pub fn was_looked_at_again(&self) -> bool {
        self.tree.get().is_some()
    }

    /// All settings but the sections with these names, of which it is only seen that they are sections; what is not named is as in
    /// `base`.
    pub fn common(&self, sections: &[&str], base: &Settings) -> Result<Settings, SettingsError> {
        self.read(Common { sections }, &json_of(base)?, sections)
    }

    /// One section; what is not named is as in `base`.
    pub fn section<T>(&self, name: &str, base: &T) -> Result<T, SettingsError>
    where
        T: DeserializeOwned + Serialize + Default,
    {
        let base = Value::Object([(name.to_owned(), json_of(base)?)].into_iter().collect());
        self.read(Only { name, of: PhantomData }, &base, &[])
    }

    fn read<S: DeserializeSeed<'t>>(
        &self,
        seed: S,
        base: &Value,
        sections: &[&str],
    ) -> Result<S::Value, SettingsError> {
        let is_null = |path: &str| {
            may_be_left_out(self.yaml, path, true) && self.tree().is_ok_and(|tree| tree.is_null(self.yaml, path))
        };
        let under = Under {
            base,
            without: &self.without,
            is_null: &is_null,
            blanks: &self.blanks,
        };
        let mut path = String::new();
        let read = serde_saphyr::with_deserializer_from_str(self.yaml, |text| {
            let mut track = serde_path_to_error::Track::new();
            let merged = Over::new(text, under);
            let read = seed.deserialize(serde_path_to_error::Deserializer::new(merged, &mut track));
            read.inspect_err(|_| path = track.path().to_string())
        });
        read.map_err(|error| match self.tree() {
            Ok(tree) => words::unfit(tree, &self.as_written(path.trim_matches('.')), &error, sections),
            Err(broken) => broken,
        })
    }

    /// What is wrong with a setting that was read.
    pub fn refused(&self, (path, what): Wrong) -> SettingsError {
        let path = self.as_written(&path);
        SettingsError::Refused {
            place: self.tree().map_or_else(|_| Place::default(), |tree| tree.place(&path)),
            path,
            what,
        }
    }

    /// As much of a path as is written out.
    pub fn written<'p>(&self, path: &'p str) -> &'p str {
        self.tree().map_or("", |tree| tree.written(path))
    }

    /// The first value that was left out, in what `counts`.
    pub fn blank(&self, counts: impl Fn(&str) -> bool) -> Result<(), SettingsError> {
        let read = self.blanks.take();
        if !read.iter().any(|path| may_be_left_out(self.yaml, path, false)) {
            return Ok(());
        }
        let blanks = self.tree()?.blanks(self.yaml).into_iter();
        let mut blanks = blanks.filter(|path| !self.without.contains(path) && counts(path));
        blanks.next().map_or(Ok(()), |path| {
            let what = "expected a value, found none; write it, or null for none, or take the line out for the default";
            Err(SettingsError::Refused {
                place: self.tree()?.place(&path),
                path,
                what: what.into(),
            })
        })
    }

    /// A path with the places that its list items have in the text: those that are not read have none in what was.
    fn as_written(&self, path: &str) -> String {
        let mut written = String::new();
        for part in path.split_inclusive(']') {
            let item = part.strip_suffix(']').and_then(|part| part.rsplit_once('['));
            let Some((before, Ok(at))) = item.map(|(before, at)| (before, at.parse::<usize>())) else {
                written.push_str(part);
                continue;
            };
            written.push_str(before);
            let is_read = |at: &usize| !self.without.contains(&format!("{written}[{at}]"));
            let place = (0..).filter(is_read).nth(at).unwrap_or(at);
            written = format!("{written}[{place}]");
        }
        written
    }
}

/// Whether the value at a path may be left out or, where `null` counts, be that: by what follows its name, wherever that is in the
/// text. What can't be is told without another look at all of it.
fn may_be_left_out(yaml: &str, path: &str, null_counts: bool) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path);
    if name.ends_with(']') {
        return true;
    }
    let is_comment = |at: usize| {
        yaml[..at]
            .lines()
            .last()
            .is_some_and(|line| line.trim_start().starts_with('#'))
    };
    yaml.match_indices(name)
        .filter(|(at, _)| !is_comment(*at))
        .any(|(at, _)| {
            let after = yaml[at + name.len()..]
                .trim_start_matches(['\'', '"'])
                .trim_start_matches(' ');
            match after.strip_prefix(':') {
                Some(value) => match value.trim_start_matches(' ').chars().next() {
                    None | Some('\n' | '\r' | '#' | ',' | '}' | ']' | '\'' | '"' | '&' | '!' | '*' | '|' | '>') => true,
                    Some('~' | 'n' | 'N') => null_counts,
                    Some(_) => false,
                },
                // A key of a flow map that has no value.
                None => yaml[..at].trim_end().ends_with(['{', ',']),
            }
        })
}

fn json_of(value: &impl Serialize) -> Result<Value, SettingsError> {
    serde_json::to_value(value).map_err(|error| words::unreadable(Place::default(), &error.to_string()))
}

struct Common<'n> {
    sections: &'n [&'n str],
}

impl<'de> DeserializeSeed<'de> for Common<'_> {
    type Value = Settings;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Settings, D::Error> {
        from.deserialize_struct("settings", &[], self)
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
        from.deserialize_struct("settings", &[], self)
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
