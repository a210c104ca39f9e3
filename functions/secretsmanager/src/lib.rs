//! AWS Secrets Manager: secrets.
//!
//! [`service`] is what the command line, the docs and the template see. With the feature `aws`, [`serve`] joins the type with the
//! file that talks to AWS.

#[cfg(feature = "aws")]
mod aws;
pub mod controls;
pub mod secret;
pub mod settings;
#[cfg(feature = "violations")]
pub mod violations;

use portcullis_core::Service;
use portcullis_core::settings::SectionType;

#[cfg(feature = "aws")]
pub use aws::serve;
pub use settings::SecretsManagerSettings;

/// The service, as the catalog lists it.
pub fn service() -> Service {
    Service {
        name: "secretsmanager",
        title: "AWS Secrets Manager",
        source: secret::SOURCE,
        types: vec![Box::new(controls::SECRETS)],
        settings: Some(SectionType::of::<SecretsManagerSettings>()),
    }
}
