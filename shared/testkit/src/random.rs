//! Names that no other test has. No dependency: the standard library seeds its hashers from the system's randomness.

use std::hash::{BuildHasher, RandomState};

/// 64 random bits.
pub fn bits() -> u64 {
    RandomState::new().hash_one(std::thread::current().id())
}

/// A random AWS account id: twelve digits, the first not 0.
pub fn account() -> String {
    (100_000_000_000 + bits() % 900_000_000_000).to_string()
}

/// A random UUID (version 4), as AWS uses for request and event ids.
pub fn uuid() -> String {
    let (high, low) = (bits(), bits());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 48) & 0x3fff,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_have_twelve_digits_and_differ() {
        let accounts: std::collections::BTreeSet<_> = (0..100).map(|_| account()).collect();
        assert_eq!(accounts.len(), 100);
        assert!(
            accounts
                .iter()
                .all(|a| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit()))
        );
    }

    #[test]
    fn uuids_have_their_shape_and_differ() {
        let (a, b) = (uuid(), uuid());
        assert_ne!(a, b);
        let lengths: Vec<usize> = a.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
    }
}
