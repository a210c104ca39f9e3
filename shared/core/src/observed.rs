use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One fact of a state: not read, read and not there, or what it is.
///
/// The difference between "not there" and "not read" keeps a restore from deleting what nobody looked at.
/// Fields of this type carry `#[serde(default, skip_serializing_if = "Observed::is_unread")]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Observed<T> {
    /// No enabled control needed it, so it was not asked for.
    #[default]
    Unread,
    /// AWS says that there is none.
    Absent,
    /// What AWS said.
    Is(T),
}

impl<T> Observed<T> {
    /// The value, if there is one.
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Unread | Self::Absent => None,
        }
    }

    /// Whether nobody asked.
    pub fn is_unread(&self) -> bool {
        matches!(self, Self::Unread)
    }
}

impl<T> From<Option<T>> for Observed<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Is)
    }
}

impl<T: Serialize> Serialize for Observed<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(to)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Observed<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::<T>::deserialize(from).map(Self::from)
    }
}
