//! The services that there are.

use portcullis_testkit::{Arranged, Enforced, ServiceUnderTest};

pub use portcullis_catalog::UNDER_TEST as SERVICES;

/// The service whose control this is.
pub fn service_of(control: &str) -> &'static ServiceUnderTest {
    let begins = |service: &&ServiceUnderTest| {
        control
            .strip_prefix(service.prefix())
            .is_some_and(|rest| rest.starts_with('-'))
    };
    let found = SERVICES.iter().find(begins);
    found.unwrap_or_else(|| panic!("no service has {control}"))
}

/// Takes an arrangement that violates a control through what every violation must come to.
pub async fn round_trip(control: &str, arranged: Arranged) -> Enforced {
    service_of(control).round_trip(control, &arranged).await
}
