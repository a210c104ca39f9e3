//! Where in the text a setting is.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// A YAML value with the places of its parts.
enum Node {
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    /// As a message shows it.
    Leaf(String),
}

/// `line 3 column 5: ` for the setting with this path, as in `exemptions[0].control`, or for the nearest one around it
/// that is written out; nothing where none is.
pub(super) fn locate(yaml: &str, path: &str) -> String {
    let Ok(root) = serde_saphyr::from_str::<Spanned<Node>>(yaml) else {
        return String::new();
    };
    follow(&root, path).0.map_or_else(String::new, place_of)
}

/// What keeps a text from being YAML.
pub(super) fn not_yaml(yaml: &str) -> Option<serde_saphyr::Error> {
    serde_saphyr::from_str::<Spanned<Node>>(yaml).err()
}

/// What is written for the setting with this path; nothing where there is none, or where the text is no YAML.
pub(super) fn found(yaml: &str, path: &str) -> Option<String> {
    let root = serde_saphyr::from_str::<Spanned<Node>>(yaml).ok()?;
    let (_, node, rest) = follow(&root, path);
    rest.is_empty().then(|| match &node.value {
        Node::Map(_) => "settings by names".into(),
        Node::List(_) => "a list".into(),
        Node::Leaf(text) => text.clone(),
    })
}

/// `line 3 column 5: `
pub(super) fn place_of(place: Location) -> String {
    format!("line {} column {}: ", place.line(), place.column())
}

/// Goes down a path: the place of the last part that is written out, what is there, and what of the path is left.
fn follow<'a, 'p>(root: &'a Spanned<Node>, path: &'p str) -> (Option<Location>, &'a Spanned<Node>, &'p str) {
    let (mut node, mut rest, mut found) = (root, path, None);
    while !rest.is_empty() {
        let next = match &node.value {
            Node::Map(entries) => {
                let key = rest.trim_start_matches('.');
                // The whole key, not a part of it: names may hold dots.
                let mut fitting = entries.iter().filter_map(|(name, value)| {
                    let after = key.strip_prefix(name.value.as_str())?;
                    (after.is_empty() || after.starts_with(['.', '['])).then_some((name.referenced, value, after))
                });
                fitting.next()
            }
            Node::List(items) => {
                let index = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
                let item = index.and_then(|(at, after)| Some((items.get(at.parse::<usize>().ok()?)?, after)));
                item.map(|(item, after)| (item.referenced, item, after))
            }
            Node::Leaf(_) => None,
        };
        let Some((place, inner, after)) = next else { break };
        (found, node, rest) = (Some(place), inner, after);
    }
    (found, node, rest)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyNode)
    }
}

struct AnyNode;

macro_rules! leaves {
    ($($visit:ident($kind:ty)),*) => {
        $(fn $visit<E>(self, leaf: $kind) -> Result<Node, E> {
            Ok(Node::Leaf(format!("{leaf:?}")))
        })*
    };
}

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any YAML")
    }

    leaves!(
        visit_bool(bool),
        visit_i64(i64),
        visit_i128(i128),
        visit_u64(u64),
        visit_u128(u128),
        visit_f64(f64),
        visit_str(&str)
    );

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf("nothing".into()))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf("nothing".into()))
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        from.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::locate;

    #[test]
    fn a_setting_is_found_where_it_is_written() {
        let yaml = "mode: notify\nexemptions:\n  - {control: a}\n  - control: b\n    reason: ''\nkms: {required-aliases: {alias/a.b: x}}\n";
        for (path, place) in [
            ("mode", "line 1 column 1: "),
            ("exemptions[1].reason", "line 5 column 5: "),
            ("exemptions[0]", "line 3 column 5: "),
            ("exemptions[0].until", "line 3 column 5: "),
            ("kms.required-aliases.alias/a.b", "line 6 column 26: "),
            ("flips.count", ""),
        ] {
            assert_eq!(locate(yaml, path), place, "{path}");
        }
    }
}
