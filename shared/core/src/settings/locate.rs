//! Where in the text a setting is.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::error::Place;

/// A YAML value with the places of its parts.
enum Node {
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    Text(String),
    Null,
    /// As a message shows it.
    Other(String),
}

/// The place of the setting with this path in a text, as `SettingsError` has it.
pub fn locate(yaml: &str, path: &str) -> Place {
    Tree::of(yaml).map_or_else(|_| Place::default(), |tree| tree.place(path))
}

/// A text with the places of its parts.
pub(super) struct Tree(Spanned<Node>);

impl Tree {
    /// Of a text, unless it is no YAML.
    pub fn of(yaml: &str) -> Result<Self, serde_saphyr::Error> {
        serde_saphyr::from_str(yaml).map(Self)
    }

    /// The place of the setting with this path, as in `exemptions[0].control`, or of the nearest one around it that is written
    /// out; none where no part of it is.
    pub fn place(&self, path: &str) -> Place {
        follow(&self.0, path).0.map_or_else(Place::default, place_of)
    }

    /// What is written for the setting with this path; nothing where there is none.
    pub fn found(&self, path: &str) -> Option<String> {
        let (_, node, rest) = follow(&self.0, path);
        rest.is_empty().then(|| match &node.value {
            Node::Map(_) => "settings by names".into(),
            Node::List(_) => "a list".into(),
            Node::Text(text) => format!("{text:?}"),
            Node::Null => "nothing".into(),
            Node::Other(text) => text.clone(),
        })
    }

    /// As much of a path as is written out.
    pub fn written<'p>(&self, path: &'p str) -> &'p str {
        let (_, _, rest) = follow(&self.0, path);
        &path[..path.len() - rest.len()]
    }

    /// Whether `null` is written at a path.
    pub fn is_null(&self, yaml: &str, path: &str) -> bool {
        let (_, node, rest) = follow(&self.0, path);
        rest.is_empty() && matches!(node.value, Node::Null) && is_written(yaml, node.referenced)
    }

    /// The paths at which a value was left out: an empty text, or not even `null`.
    pub fn blanks(&self, yaml: &str) -> Vec<String> {
        let mut blanks = Vec::new();
        leaves(&self.0, "", &mut |path, node| {
            let is_blank = match &node.value {
                Node::Text(text) => text.trim().is_empty(),
                Node::Null => !is_written(yaml, node.referenced),
                _ => false,
            };
            if is_blank {
                blanks.push(path.to_owned());
            }
        });
        blanks
    }
}

/// Whether the nothing at a place is written: the parser has the same for no text at all.
fn is_written(yaml: &str, place: Location) -> bool {
    let (Ok(line), Ok(column)) = (usize::try_from(place.line()), usize::try_from(place.column())) else {
        return true;
    };
    let line = yaml.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let rest: String = line.chars().skip(column.saturating_sub(1)).collect();
    ["null", "Null", "NULL", "~", "!", "*", "&"]
        .iter()
        .any(|word| rest.starts_with(word))
}

/// Goes through all that is neither a map nor a list.
fn leaves(node: &Spanned<Node>, path: &str, visit: &mut dyn FnMut(&str, &Spanned<Node>)) {
    match &node.value {
        Node::Map(entries) => {
            for (name, value) in entries {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(value, &format!("{path}{dot}{}", name.value), visit);
            }
        }
        Node::List(items) => {
            for (at, item) in items.iter().enumerate() {
                leaves(item, &format!("{path}[{at}]"), visit);
            }
        }
        _ => visit(path, node),
    }
}

/// A place as messages have it.
pub(super) fn place_of(place: Location) -> Place {
    Place {
        line: Some(place.line()),
        column: Some(place.column()),
    }
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
            _ => None,
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
            Ok(Node::Other(format!("{leaf:?}")))
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
        visit_f64(f64)
    );

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
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
    use super::Tree;

    #[test]
    fn a_setting_is_found_where_it_is_written() {
        let yaml = "mode: notify\nexemptions:\n  - {control: a}\n  - control: b\n    reason: ''\nkms: {required-aliases: {alias/a.b: x}}\n";
        let tree = Tree::of(yaml).unwrap();
        for (path, place, written) in [
            ("mode", "line 1 column 1: ", "mode"),
            ("exemptions[1].reason", "line 5 column 5: ", "exemptions[1].reason"),
            ("exemptions[0]", "line 3 column 5: ", "exemptions[0]"),
            ("exemptions[0].until", "line 3 column 5: ", "exemptions[0]"),
            (
                "kms.required-aliases.alias/a.b",
                "line 6 column 26: ",
                "kms.required-aliases.alias/a.b",
            ),
            ("flips.count", "", ""),
        ] {
            assert_eq!(tree.place(path).to_string(), place, "{path}");
            assert_eq!(tree.written(path), written, "{path}");
        }
    }

    #[test]
    fn a_value_that_was_left_out_is_not_one_that_is_said_to_be_none() {
        let yaml = "a:\nb: null\nc: ~\nd: {e: , f: [x, '  '], g: ''}\nh: # nothing\ni: [a, null]\nj: 0\nk: {l}\n";
        let tree = Tree::of(yaml).unwrap();
        assert_eq!(tree.blanks(yaml), ["a", "d.e", "d.f[1]", "d.g", "h", "k.l"]);
        assert!(["b", "c", "i[1]"].iter().all(|path| tree.is_null(yaml, path)));
        let mut others = ["a", "d", "d.e", "d.f", "d.f[1]", "d.g", "h", "i", "j", "k.l", "z"].iter();
        assert!(others.all(|path| !tree.is_null(yaml, path)));
    }
}
