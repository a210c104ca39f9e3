//! Behind which load balancers an instance is, as far as that was learned.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What was asked, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balanced {
    /// The target groups that the instance is in, in words: each with its load balancers.
    pub groups: BTreeSet<String>,
    /// How many target groups of its VPC were asked.
    pub asked: usize,
    /// How many more there are, which were not.
    pub left: usize,
    /// Whether there may be target groups that were not even listed.
    pub unlisted: bool,
    /// What could not be learned, in words.
    pub unknown: BTreeSet<String>,
}

impl Balanced {
    /// A clause after what is wrong with an instance; empty where none is known to be before it.
    pub fn clause(&self) -> String {
        if self.groups.is_empty() {
            return String::new();
        }
        let groups: Vec<_> = self.groups.iter().map(String::as_str).collect();
        format!("; it is behind a load balancer: {}", groups.join(", "))
    }

    /// What somebody should know who relies on it.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.left > 0 || self.unlisted {
            let mut note = format!("only {} target groups of its VPC were asked for it", self.asked);
            if self.left > 0 {
                let _ = write!(note, ", and {} were not", self.left);
            }
            if self.unlisted {
                note.push_str("; there are more than could be listed");
            }
            notes.push(note);
        }
        if !self.unknown.is_empty() {
            let unknown: Vec<_> = self.unknown.iter().map(String::as_str).collect();
            notes.push(format!(
                "whether it is behind a load balancer could not be learned: {}",
                unknown.join("; ")
            ));
        }
        notes
    }
}

/// A target group with its load balancers, by their names, in words.
pub fn in_words(group: &str, balancers: &[String]) -> String {
    // arn:…:loadbalancer/app/name/id. Source: Service Authorization Reference, "Elastic Load Balancing V2".
    let names = balancers.iter().filter_map(|arn| arn.split('/').nth(2));
    let names: Vec<_> = names.collect();
    format!("in the target group {group} of {}", names.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_and_what_was_not_is_said() {
        assert_eq!(
            (Balanced::default().clause(), Balanced::default().notes()),
            (String::new(), vec![])
        );
        let arn =
            |name: &str| format!("arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/{name}/50dc6c49");
        let one = in_words("web", &[arn("app/shop"), arn("net/edge")]);
        let balanced = Balanced {
            groups: [one, in_words("api", &[arn("app/shop")])].into(),
            asked: 50,
            left: 23,
            unlisted: true,
            unknown: ["DescribeTargetHealth failed: Throttling: slow down".to_owned()].into(),
        };
        assert_eq!(
            balanced.clause(),
            "; it is behind a load balancer: in the target group api of shop, in the target group web of shop and edge"
        );
        assert_eq!(
            balanced.notes(),
            [
                "only 50 target groups of its VPC were asked for it, and 23 were not; there are more than could be listed",
                "whether it is behind a load balancer could not be learned: DescribeTargetHealth failed: Throttling: slow down",
            ]
        );
    }
}
