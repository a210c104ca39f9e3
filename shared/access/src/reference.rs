//! AWS's own list of services, as `tools/service_reference.py` writes it: actions, ARNs, condition keys.
//!
//! The tables are sorted text that is searched where it lies, so a start parses nothing and only their bytes are linked.
//!
//! Source: Service Authorization Reference; IAM User Guide, "AWS global condition context keys".

const ACTIONS: &str = include_str!("reference/actions.txt");
const ARNS: &str = include_str!("reference/arns.txt");
const KEYS: &str = include_str!("reference/keys.txt");

/// What kind of value a condition key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    Text,
    Arn,
    Bool,
    Number,
    Date,
    Address,
}

/// The actions of a service on its resources, each with the types of resource that it is on.
pub(crate) fn actions(
    prefix: &str,
) -> impl Iterator<Item = (&'static str, impl Iterator<Item = &'static str> + Clone)> {
    lines(ACTIONS, prefix).filter_map(|line| {
        let (name, types) = line.split_once(' ')?;
        Some((name, types.split(',')))
    })
}

/// What follows the account in ARNs of a service that are more than one name: with a colon in it, or without an account
/// before it (then true). `*` stands for a name.
pub(crate) fn arns(service: &str) -> impl Iterator<Item = (bool, &'static str)> {
    lines(ARNS, service).filter_map(|line| {
        let (account, rest) = line.split_once(' ')?;
        Some((account == "-", rest))
    })
}

/// What kind of value a condition key (in lower case) has, if it is one of AWS's.
pub(crate) fn value_type(key: &str) -> Option<ValueType> {
    let found = lines(KEYS, key).next().or_else(|| {
        // A family's name ends where the part begins that somebody else chose.
        let ends = key
            .char_indices()
            .rev()
            .filter(|(_, one)| matches!(one, '/' | ':' | '.'));
        let mut starts = ends.map(|(at, one)| &key[..at + one.len_utf8()]);
        starts.find_map(|start| lines(KEYS, &format!("{start}*")).next())
    })?;
    Some(match found {
        "a" => ValueType::Arn,
        "b" => ValueType::Bool,
        "n" => ValueType::Number,
        "d" => ValueType::Date,
        "i" => ValueType::Address,
        _ => ValueType::Text,
    })
}

/// The rest of the lines of a table whose first word is that.
fn lines(table: &'static str, word: &str) -> impl Iterator<Item = &'static str> {
    let (mut low, mut high) = (0, table.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = table[..middle].rfind('\n').map_or(0, |at| at + 1);
        let line = &table[start..];
        let line = &line[..line.find('\n').unwrap_or(line.len())];
        let first = line.split(' ').next().unwrap_or(line);
        if first < word {
            low = start + line.len() + 1;
        } else {
            high = start;
        }
    }
    let word = word.to_owned();
    table[low.min(table.len())..]
        .lines()
        .map_while(move |line| line.strip_prefix(word.as_str())?.strip_prefix(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_found() {
        for line in KEYS.lines().skip(1) {
            let (key, _) = line.split_once(' ').unwrap();
            let key = key
                .strip_suffix('*')
                .map_or_else(|| key.to_owned(), |start| format!("{start}x"));
            assert!(value_type(&key).is_some(), "{key}");
        }
        for (table, first) in [(ACTIONS, "acm-pca"), (ARNS, "apigateway")] {
            assert!(lines(table, first).next().is_some());
            let mut words: Vec<&str> = table
                .lines()
                .skip(1)
                .filter_map(|line| line.split(' ').next())
                .collect();
            let all = words.len();
            words.dedup();
            assert_eq!(words.iter().map(|word| lines(table, word).count()).sum::<usize>(), all);
        }
        assert_eq!(lines(KEYS, "zzz").count(), 0);
    }

    // Service Authorization Reference, the pages of S3, KMS, Lambda, CloudWatch Logs and API Gateway.
    #[test]
    fn what_the_list_says() {
        assert_eq!(value_type("s3:prefix"), Some(ValueType::Text));
        assert_eq!(value_type("kms:grantisforawsresource"), Some(ValueType::Bool));
        assert_eq!(value_type("aws:principaltag/team/name"), Some(ValueType::Text));
        assert_eq!(value_type("kms:encryptioncontext:aws:logs:arn"), Some(ValueType::Text));
        assert_eq!(value_type("s3:existingobjecttag/a"), Some(ValueType::Text));
        assert_eq!(value_type("s3:prefixes"), None);
        let types: Vec<_> = actions("s3")
            .find(|(name, _)| *name == "GetObject")
            .unwrap()
            .1
            .collect();
        assert_eq!(types, ["accesspointobject", "object"]);
        assert!(arns("lambda").any(|one| one == (false, "function:*:*")));
        assert!(arns("apigateway").any(|one| one == (true, "/restapis/*")));
        assert_eq!(arns("sns").count(), 0);
    }
}
