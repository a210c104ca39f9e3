//! The section of the settings that a service has for itself: its type is the service's.

use std::borrow::Cow;
use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Settings;
use super::error::{SettingsError, Wrong};
use super::read::Text;

#[cfg(feature = "schema")]
use schemars::JsonSchema as Described;

/// Whatever needs no schema.
#[cfg(not(feature = "schema"))]
pub trait Described {}
#[cfg(not(feature = "schema"))]
impl<T> Described for T {}

/// A service's own section of the settings.
pub trait Section:
    Debug + Clone + Default + PartialEq + Serialize + DeserializeOwned + Described + Send + Sync + 'static
{
    /// Its key in the settings: the service's name.
    const NAME: &'static str;

    /// What is at odds with itself or with the other settings, if anything is; its path is the one within the section.
    fn check(&self, settings: &Settings) -> Result<(), Wrong>;
}

/// A section as data, without its type: what a service lists.
#[derive(Debug, Clone, Copy)]
pub struct SectionType {
    /// Its key in the settings.
    pub name: &'static str,
    /// Its defaults, written out.
    pub defaults: fn() -> serde_json::Result<serde_json::Value>,
    /// What settings have in it, written out.
    pub value: fn(&Settings) -> serde_json::Result<serde_json::Value>,
    /// Its schema, as a reference to what is added to the definitions.
    #[cfg(feature = "schema")]
    pub schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
    pub(super) read: fn(&Text<'_>, &Settings, &mut Settings) -> Result<(), SettingsError>,
    pub(super) check: fn(&Settings) -> Result<(), Wrong>,
}

impl SectionType {
    /// The one of a type.
    pub const fn of<S: Section>() -> Self {
        Self {
            name: S::NAME,
            defaults: || serde_json::to_value(S::default()),
            value: |settings| serde_json::to_value(&*settings.section::<S>()),
            #[cfg(feature = "schema")]
            schema: |generator| generator.subschema_for::<S>(),
            read: |text, base, settings| {
                settings.set(text.section(S::NAME, &*base.section::<S>())?);
                Ok(())
            },
            check: |settings| {
                let checked = settings.section::<S>().check(settings);
                checked.map_err(|(path, what)| (format!("{}.{path}", S::NAME), what))
            },
        }
    }
}

impl Settings {
    /// A service's own section; its defaults where nothing is set.
    pub fn section<S: Section>(&self) -> Cow<'_, S> {
        self.sections
            .get()
            .map_or_else(|| Cow::Owned(S::default()), Cow::Borrowed)
    }

    /// Sets a service's own section.
    pub fn set<S: Section>(&mut self, section: S) {
        self.sections.set(section);
    }
}
