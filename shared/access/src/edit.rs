//! Edits of a policy's text that leave every other byte as it was.

use std::collections::{BTreeMap, BTreeSet};

use crate::parse::Policy;

impl Policy {
    /// The text without some statements, the others byte for byte; `None` when nothing would be left, which AWS does
    /// not take: delete the policy then.
    pub fn without(&self, indices: &[usize]) -> Option<String> {
        let gone: BTreeSet<usize> = indices.iter().copied().collect();
        let keep: Vec<usize> = (0..self.statements.len())
            .filter(|index| !gone.contains(index))
            .collect();
        if keep.is_empty() {
            return None;
        }
        if keep.len() == self.statements.len() {
            return Some(self.text.clone());
        }
        let spans: Vec<_> = self.statements.iter().map(|statement| statement.span.clone()).collect();
        let mut text = String::with_capacity(self.text.len());
        text.push_str(&self.text[..spans[0].start]);
        for (position, &index) in keep.iter().enumerate() {
            if position > 0 {
                // What stood before this statement, so that its own indentation and comma stay.
                text.push_str(&self.text[spans[index - 1].end..spans[index].start]);
            }
            text.push_str(&self.text[spans[index].clone()]);
        }
        text.push_str(&self.text[spans[spans.len() - 1].end..]);
        Some(text)
    }

    /// The text with one more statement at the end.
    pub fn with_statement(&self, statement_json: &str) -> String {
        let (before, after) = match (self.statements.last(), &self.list) {
            (Some(last), _) => self.text.split_at(last.span.end),
            (None, Some(list)) => self.text.split_at(list.start + 1),
            (None, None) => (self.text.as_str(), ""),
        };
        if self.single {
            let start = self.statements.first().map_or(0, |statement| statement.span.start);
            let (head, statement) = before.split_at(start);
            return format!("{head}[{statement},{statement_json}]{after}");
        }
        let comma = if self.statements.is_empty() { "" } else { "," };
        format!("{before}{comma}{statement_json}{after}")
    }

    /// The text with some statements replaced, by their index.
    pub(crate) fn with_all_replaced(&self, statements: &BTreeMap<usize, String>) -> String {
        let mut text = String::with_capacity(self.text.len());
        let mut from = 0;
        for (index, statement) in statements {
            if let Some(old) = self.statements.get(*index) {
                text.push_str(&self.text[from..old.span.start]);
                text.push_str(statement);
                from = old.span.end;
            }
        }
        text.push_str(&self.text[from..]);
        text
    }

    /// The text with one statement replaced; an index out of range changes nothing.
    pub fn with_replaced(&self, index: usize, statement_json: &str) -> String {
        let Some(statement) = self.statements.get(index) else {
            return self.text.clone();
        };
        let (before, after) = (&self.text[..statement.span.start], &self.text[statement.span.end..]);
        format!("{before}{statement_json}{after}")
    }
}
