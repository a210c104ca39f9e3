//! Patterns of ARNs: what they match, and whether they could match everything of a type, or nothing at all.

use std::collections::BTreeSet;

use crate::partition_of;

/// Two names, and two ids, that nobody chose: with all letters and digits, and neither beginning nor end in common.
const NAMES: [(&str, &str); 2] = [
    ("q0.x9jw8-vk7yh6ug5tf4sd3rc2pb1nmloieaz", "0f1e2d3c4b5a69788"),
    ("z7ab.cdefghijklm-nop1qrstuvwxy2345689-0q", "8a9b6c7d5e4f31200"),
];

/// Whether a pattern names nothing of a resource itself: it matches resources of some type, account and region whatever they
/// are called.
pub(super) fn is_everything(pattern: &str, arn_forms: &[&str]) -> bool {
    if !pattern.chars().any(char::is_alphanumeric) {
        return true;
    }
    // The account and the region are the pattern's own where it names them.
    let mut accounts = vec!["204060801357".to_owned()];
    let digits = pattern.split(|letter: char| !letter.is_ascii_digit());
    accounts.extend(
        digits
            .filter(|run| (2..=12).contains(&run.len()))
            .map(|run| format!("{run:7<12}")),
    );
    let mut regions = vec![
        "us-east-1",
        "eu-central-1",
        "ap-south-1",
        "ca-west-1",
        "sa-east-1",
        "cn-north-1",
        "us-gov-west-1",
    ];
    regions.extend(
        pattern
            .split([':', '*', '/'])
            .filter(|part| part.matches('-').count() >= 2),
    );
    let called = |form: &str, account: &str, region: &str, (name, id): (&str, &str)| {
        let filled = form.replace("{r}", region).replace("{a}", account);
        filled.replace("{n}", name).replace("{i}", id)
    };
    ["aws", "aws-cn", "aws-us-gov"].iter().any(|partition| {
        accounts.iter().any(|account| {
            regions.iter().any(|region| {
                arn_forms.iter().any(|form| {
                    let arn = |names| format!("arn:{partition}:{}", called(form, account, region, names));
                    NAMES.into_iter().all(|names| matches(pattern, &arn(names)))
                })
            })
        })
    })
}

/// Whether `text` fits `pattern`, in which `*` stands for any text. Linear in both but for repeated prefixes.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    if !pattern.contains('*') {
        return rest.is_empty();
    }
    let mut parts: Vec<_> = parts.collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// What a part of an ARN may be.
#[derive(Clone, Copy)]
enum Part {
    One(fn(char, char) -> bool, char),
    Many(fn(char) -> bool),
}

/// The parts of the ARNs that have this form, in any partition. A name that follows the account's colon at once, as a bucket's does,
/// has neither slash nor colon in it. Source: IAM User Guide, "Identify AWS resources with Amazon Resource Names (ARNs)".
fn parts_of(form: &str) -> Vec<Part> {
    let literal = |letter: char| Part::One(|expected, found| expected == found, letter);
    let mut parts: Vec<Part> = "arn:".chars().map(literal).collect();
    parts.push(Part::Many(|letter| letter.is_ascii_lowercase() || letter == '-'));
    parts.push(literal(':'));
    let mut rest = form;
    while let Some(letter) = rest.chars().next() {
        let hole = |name: &str| rest.strip_prefix(name);
        if let Some(after) = hole("{r}") {
            parts.push(Part::Many(|letter| {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-'
            }));
            rest = after;
        } else if let Some(after) = hole("{a}") {
            parts.extend([Part::One(|_, found| found.is_ascii_digit(), '0'); 12]);
            rest = after;
        } else if let Some(after) = hole("{i}") {
            parts.push(Part::Many(|letter| letter.is_ascii_alphanumeric() || letter == '-'));
            rest = after;
        } else if let Some(after) = hole("{n}") {
            let is_whole = form.splitn(4, ':').nth(3) == Some("{n}");
            parts.push(if is_whole {
                Part::Many(|letter| letter.is_ascii_graphic() && !matches!(letter, '/' | ':' | '*'))
            } else {
                Part::Many(|letter| letter.is_ascii_graphic() && letter != '*')
            });
            rest = after;
        } else {
            parts.push(literal(letter));
            rest = &rest[letter.len_utf8()..];
        }
    }
    parts
}

/// Whether there can be an ARN of this form that the pattern matches.
pub(super) fn can_match(pattern: &str, form: &str) -> bool {
    let (pattern, parts): (Vec<char>, _) = (pattern.chars().collect(), parts_of(form));
    // Where in the pattern, where in the form, and whether the form's part there has a letter already.
    let mut open = vec![(0, 0, false)];
    let mut seen = BTreeSet::new();
    while let Some(place @ (at, part, begun)) = open.pop() {
        if !seen.insert(place) {
            continue;
        }
        if at == pattern.len() && part == parts.len() {
            return true;
        }
        let wanted = pattern.get(at);
        let next = if wanted == Some(&'*') {
            open.push((at + 1, part, begun));
            at
        } else {
            at + 1
        };
        let takes = |takes: &dyn Fn(char) -> bool| wanted.is_some_and(|letter| *letter == '*' || takes(*letter));
        match parts.get(part) {
            Some(Part::One(is, expected)) if takes(&|letter| is(*expected, letter)) => {
                open.push((next, part + 1, false));
            }
            Some(Part::Many(is)) => {
                if begun {
                    open.push((at, part + 1, false));
                }
                if takes(is) {
                    open.push((next, part, true));
                }
            }
            _ => {}
        }
    }
    false
}

/// A form as a reader knows ARNs, with an example of each part that differs.
pub(super) fn example(form: &str) -> String {
    let filled = form.replace("{r}", "eu-west-1").replace("{a}", "111122223333");
    let filled = filled.replace("{n}", "legacy-*").replace("{i}", "0a1b2c3d*");
    format!("arn:{}:{filled}", partition_of("eu-west-1"))
}

/// The pattern that was meant, as far as one of these forms can tell.
pub(super) fn meant(pattern: &str, forms: &[impl AsRef<str>]) -> Option<String> {
    let parts: Vec<_> = pattern.splitn(6, ':').collect();
    let is_arn = parts[0] == "arn";
    let part = |at: usize, fits: &dyn Fn(&str) -> bool| {
        let written = parts.get(at).copied().filter(|text| is_arn && fits(text));
        written.unwrap_or("*").to_owned()
    };
    let region = part(3, &|text| text.contains('-'));
    let account = part(4, &|text| {
        text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
    });
    let partition = if is_arn {
        parts.get(1).copied().unwrap_or("aws")
    } else {
        "aws"
    };
    let rest = pattern.rsplit(':').next().unwrap_or(pattern);
    let of_service = |form: &&str| !is_arn || form.split(':').next() == parts.get(2).copied();
    let meant: BTreeSet<String> = forms
        .iter()
        .map(AsRef::as_ref)
        .filter(of_service)
        .filter_map(|form| {
            let (before, hole) = form.rfind('{').map(|at| form.split_at(at))?;
            let name = match before.rsplit_once('/') {
                Some((kind, prefix)) => {
                    let kind = kind.rsplit(':').next().unwrap_or(kind);
                    if is_arn && !rest.starts_with(kind) {
                        return None;
                    }
                    let name = rest.rsplit('/').next().unwrap_or(rest);
                    name.strip_prefix(prefix).unwrap_or(name)
                }
                None => rest.split('/').next().unwrap_or(rest),
            };
            let before = before.replace("{r}", &region).replace("{a}", &account);
            let filled = format!(
                "arn:{partition}:{before}{}",
                hole.replace("{n}", name).replace("{i}", name)
            );
            (!name.is_empty() && can_match(&filled, form)).then_some(filled)
        })
        .collect();
    let mut meant = meant.into_iter();
    meant.next().filter(|_| meant.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMS: [&str; 6] = [
        "s3:::{n}",
        "s3:{r}:{a}:accesspoint/{n}",
        "kms:{r}:{a}:key/{i}",
        "ec2:{r}:{a}:instance/i-{i}",
        "ec2:{r}:{a}:volume/vol-{i}",
        "ec2:{r}:{a}:security-group/sg-{i}",
    ];

    #[test]
    fn what_names_nothing_of_a_resource_is_everything() {
        for everything in [
            "*",
            "*:*",
            "arn:*",
            "arn:aws:s3*",
            "arn:aws:s3:::*",
            "arn:*:s3:::**",
            "arn:aws:kms:*:*:key/*",
            "arn:aws:s3:eu-west-1:111122223333:accesspoint/*",
            "*:s3:::*",
            "*:111122223333:*",
            "arn:aws:kms:*:1111*:key/*",
            "*aws*",
            "arn*s3*",
            "*a*",
            "*x*",
            "*7*",
            "*.*",
            "*key/*",
            "*security-group*",
            "arn:aws:ec2:eu-west-3:*:instance/i-*",
            "arn:aws:ec2:eu-*:111122223333:volume/*",
            "arn:aws-cn:s3:::*",
        ] {
            assert!(is_everything(everything, &FORMS), "{everything}");
        }
        for some in [
            "arn:aws:s3:::logs-*",
            "arn:aws:s3:::a*",
            "*:logs-*",
            "arn:aws:kms:*:*:key/1234*",
            "arn:aws:s3:eu-west-1:111122223333:accesspoint/a",
            "arn:aws:s3:::exact",
            "arn:aws:s3:::q*",
            "arn:aws:s3:::*-logs",
            "*prod*",
            "arn:aws:ec2:*:*:instance/i-0abc*",
            "arn:aws:ec2:eu-west-3:111122223333:security-group/sg-0a1b2c3d",
        ] {
            assert!(!is_everything(some, &FORMS), "{some}");
        }
    }

    #[test]
    fn a_pattern_can_match_what_is_an_arn_of_the_form_and_nothing_else() {
        for (pattern, form, can) in [
            ("arn:aws:s3:::my-bucket", "s3:::{n}", true),
            ("arn:aws-cn:s3:::my-bucket", "s3:::{n}", true),
            ("*", "s3:::{n}", true),
            ("*:legacy-*", "s3:::{n}", true),
            ("*legacy*", "kms:{r}:{a}:alias/{n}", true),
            ("my-bucket", "s3:::{n}", false),
            ("my-bucket*", "s3:::{n}", false),
            ("*my-bucket", "s3:::{n}", true),
            ("arn:aws:s3::legacy-*", "s3:::{n}", false),
            ("arn:aws:s3:::bucket/object", "s3:::{n}", false),
            ("arn:aws:s3:::bucket/*", "s3:::{n}", false),
            ("arn:aws:s3:::", "s3:::{n}", false),
            ("arn:aws:s3:eu-west-1:111122223333:my-bucket", "s3:::{n}", false),
            ("arn:aws:s3:::my-bucket", "ec2:{r}::snapshot/snap-{i}", false),
            (
                "arn:aws:ec2:eu-west-1::snapshot/snap-0a*",
                "ec2:{r}::snapshot/snap-{i}",
                true,
            ),
            (
                "arn:aws:ec2:eu-west-1:*:snapshot/snap-0a*",
                "ec2:{r}::snapshot/snap-{i}",
                true,
            ),
            (
                "arn:aws:ec2:eu-west-1:111122223333:snapshot/snap-0a*",
                "ec2:{r}::snapshot/snap-{i}",
                false,
            ),
            ("arn:aws:ec2:*:1111*:volume/vol-*", "ec2:{r}:{a}:volume/vol-{i}", true),
            (
                "arn:aws:ec2:*:1111222233334:volume/vol-*",
                "ec2:{r}:{a}:volume/vol-{i}",
                false,
            ),
            (
                "arn:aws:ec2:EU:111122223333:volume/vol-*",
                "ec2:{r}:{a}:volume/vol-{i}",
                false,
            ),
            ("arn:aws:kms:*:*:alias/team/app", "kms:{r}:{a}:alias/{n}", true),
            ("arn:aws:sqs:*:*:orders.fifo", "sqs:{r}:{a}:{n}", true),
            ("arn:aws:sqs:*:*:queue/orders", "sqs:{r}:{a}:{n}", false),
            (
                "arn:aws:rds:*:*:snapshot:rds:db-2026*",
                "rds:{r}:{a}:snapshot:{n}",
                true,
            ),
            ("", "s3:::{n}", false),
        ] {
            assert_eq!(can_match(pattern, form), can, "{pattern} {form}");
        }
    }

    #[test]
    fn what_was_meant_is_said_where_one_form_tells_it() {
        const SNAPSHOT: &str = "ec2:{r}::snapshot/snap-{i}";
        for (pattern, forms, expected) in [
            (
                "my-website-bucket",
                &["s3:::{n}"][..],
                Some("arn:aws:s3:::my-website-bucket"),
            ),
            ("arn:aws:s3::legacy-*", &FORMS, Some("arn:aws:s3:::legacy-*")),
            ("arn:aws:s3:::data/logs/*", &["s3:::{n}"], Some("arn:aws:s3:::data")),
            (
                "arn:aws:ec2:eu-west-1:111122223333:snapshot/snap-0a1b",
                &[SNAPSHOT],
                Some("arn:aws:ec2:eu-west-1::snapshot/snap-0a1b"),
            ),
            ("snap-0a1b", &[SNAPSHOT], Some("arn:aws:ec2:*::snapshot/snap-0a1b")),
            ("vol-0a1b", &FORMS, None),
            ("arn:aws:s3:::data", &[SNAPSHOT], None),
        ] {
            assert_eq!(meant(pattern, forms).as_deref(), expected, "{pattern}");
        }
        assert_eq!(example(SNAPSHOT), "arn:aws:ec2:eu-west-1::snapshot/snap-0a1b2c3d*");
    }
}
