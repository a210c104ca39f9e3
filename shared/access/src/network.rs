//! Address ranges, and which sets of addresses are the internet rather than somebody's network.

use std::net::IpAddr;

/// A range of addresses. Host bits are ignored, as AWS does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Cidr {
    pub first: u128,
    pub last: u128,
    pub v6: bool,
    pub length: u8,
}

impl Cidr {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, length) = text
            .trim()
            .split_once('/')
            .map_or((text.trim(), None), |(a, l)| (a, Some(l)));
        let address: IpAddr = address.parse().ok()?;
        let (bits, number) = number(address);
        let length: u8 = length.map_or(Some(bits), |length| length.parse().ok())?;
        if length > bits {
            return None;
        }
        let host = if length == 0 && bits == 128 {
            u128::MAX
        } else {
            (1_u128 << (bits - length)) - 1
        };
        Some(Self {
            first: number & !host,
            last: number | host,
            v6: bits == 128,
            length,
        })
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let (bits, number) = number(address);
        self.v6 == (bits == 128) && (self.first..=self.last).contains(&number)
    }

    fn covers(&self, other: &Self) -> bool {
        self.v6 == other.v6 && self.first <= other.first && other.last <= self.last
    }

    /// S3's rule per value: broader than /8 or, for IPv6, /32. Private ranges don't count.
    ///
    /// Source: S3 User Guide, "Blocking public access", The meaning of "public".
    pub(crate) fn is_broad(&self) -> bool {
        let broad = if self.v6 { self.length < 32 } else { self.length < 8 };
        broad && !private().iter().any(|range| range.covers(self))
    }
}

fn number(address: IpAddr) -> (u8, u128) {
    match address {
        IpAddr::V4(v4) => (32, u128::from(u32::from(v4))),
        IpAddr::V6(v6) => (128, u128::from(v6)),
    }
}

fn text(number: u128, v6: bool) -> String {
    if v6 {
        IpAddr::from(number.to_be_bytes()).to_string()
    } else {
        let low = u32::try_from(number).unwrap_or(u32::MAX);
        IpAddr::from(low.to_be_bytes()).to_string()
    }
}

/// Ranges that `aws:SourceIp` never holds: a request from the internet has a public address.
pub(crate) fn private() -> Vec<Cidr> {
    [
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
        "::1",
    ]
    .iter()
    .filter_map(|range| Cidr::parse(range))
    .collect()
}

/// Addresses that every range of a policy treats alike.
pub(crate) struct AddressClass {
    pub example: String,
    /// So many addresses that it is the internet.
    pub broad: bool,
}

/// Splits all public addresses by which of `ranges` (grouped as the conditions group them) hold them, leaving out the
/// `trusted`. Ranges of one group may together be the internet although each is small.
pub(crate) fn address_classes(groups: &[Vec<Cidr>], trusted: &[Cidr]) -> Vec<AddressClass> {
    let private = private();
    let mut classes = Vec::new();
    for v6 in [false, true] {
        let end = if v6 { u128::MAX } else { u128::from(u32::MAX) };
        let all = || {
            groups
                .iter()
                .flatten()
                .chain(trusted)
                .chain(&private)
                .filter(|range| range.v6 == v6)
        };
        let mut starts: Vec<u128> = all()
            .flat_map(|range| [Some(range.first), range.last.checked_add(1)])
            .flatten()
            .collect();
        starts.push(0);
        starts.retain(|start| *start <= end);
        starts.sort_unstable();
        starts.dedup();
        let merged: Vec<Intervals> = groups.iter().map(|group| merge(group, v6)).collect();
        let mut sets: Vec<(Vec<bool>, Intervals)> = Vec::new();
        for (index, &first) in starts.iter().enumerate() {
            let last = starts.get(index + 1).map_or(end, |next| next - 1);
            let holds = |range: &&Cidr| range.v6 == v6 && range.first <= first && last <= range.last;
            if private.iter().chain(trusted).any(|range| holds(&range)) {
                continue;
            }
            let signature: Vec<bool> = merged.iter().map(|group| holds_address(group, first)).collect();
            match sets.iter_mut().find(|(known, _)| *known == signature) {
                Some((_, intervals)) => match intervals.last_mut() {
                    Some(before) if before.1.checked_add(1) == Some(first) => before.1 = last,
                    _ => intervals.push((first, last)),
                },
                None => sets.push((signature, vec![(first, last)])),
            }
        }
        for (_, intervals) in sets {
            let broad = is_internet(&intervals, v6);
            // An address that people know, where there is a choice.
            let known = if v6 {
                Cidr::parse("2001:db8::7")
            } else {
                Cidr::parse("198.51.100.77")
            }
            .map_or(0, |c| c.first);
            let example = if intervals.iter().any(|(first, last)| (*first..=*last).contains(&known)) {
                known
            } else {
                let (first, last) = intervals.iter().copied().max_by_key(|(a, b)| b - a).unwrap_or((0, 0));
                first + u128::from(last > first)
            };
            classes.push(AddressClass {
                example: text(example, v6),
                broad,
            });
        }
    }
    classes
}

/// Ranges of addresses, first and last, in order and apart.
type Intervals = Vec<(u128, u128)>;

fn merge(ranges: &[Cidr], v6: bool) -> Intervals {
    let mut sorted: Intervals = ranges
        .iter()
        .filter(|range| range.v6 == v6)
        .map(|range| (range.first, range.last))
        .collect();
    sorted.sort_unstable();
    let mut merged: Intervals = Vec::new();
    for (first, last) in sorted {
        match merged.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

fn holds_address(intervals: &Intervals, address: u128) -> bool {
    let after = intervals.partition_point(|(first, _)| *first <= address);
    after > 0 && address <= intervals[after - 1].1
}

/// A contiguous block larger than a /8 (/32 in IPv6) is more than one network's, as S3 draws the line; so is a
/// sixteenth of all IPv4 addresses in smaller pieces.
fn is_internet(intervals: &[(u128, u128)], v6: bool) -> bool {
    let most = if v6 { 1_u128 << 96 } else { 1 << 24 };
    let total = intervals
        .iter()
        .fold(0_u128, |sum, (first, last)| sum.saturating_add(last - first));
    intervals.iter().any(|(first, last)| last - first >= most) || (!v6 && total >= 1 << 28)
}
