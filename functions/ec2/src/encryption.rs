//! What a copy of a disk is to be encrypted with.

use portcullis_controls::encryption::is_particular;
use portcullis_core::JudgeContext;

/// How `aws ec2 copy-snapshot` and `copy-image` are told to make a copy with such a key.
pub fn copied(context: &JudgeContext<'_>) -> String {
    match &context.level.key {
        Some(key) => format!("--encrypted --kms-key-id {key}"),
        None if is_particular(context) => "--encrypted --kms-key-id, with a key of the customer's".into(),
        None => "--encrypted".into(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use portcullis_core::Settings;
    use portcullis_core::settings::Encryption;

    pub const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    /// Settings under which what has no tag needs this encryption, and this key.
    pub fn asking(asked: Encryption, named: Option<&str>) -> Settings {
        let mut settings = Settings::default();
        let level = settings.classification.levels.get_mut("internal").unwrap();
        level.encryption = asked;
        level.key = named.map(str::to_owned);
        settings
    }
}
