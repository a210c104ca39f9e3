//! The one list of services. The command line, the docs, the template, the tests and the benchmarks read it.

use portcullis_core::{Listing, Meta, Service};

macro_rules! services {
    ($($name:ident),* $(,)?) => {
        /// All services, in the order in which they are shown.
        pub fn services() -> Vec<Service> {
            vec![$($name::service()),*]
        }

        /// All services as the tests, the demo and the benchmarks know them, in the same order.
        #[cfg(feature = "violations")]
        pub const UNDER_TEST: &[portcullis_testkit::ServiceUnderTest] = &[$($name::violations::SERVICE),*];
    };
}

// A new service is one more line here, and in `Cargo.toml`.
services! {
    portcullis_s3,
    portcullis_kms,
    portcullis_ec2,
    portcullis_sqs,
    portcullis_rds,
    portcullis_sns,
    portcullis_secretsmanager,
    portcullis_trail,
    portcullis_ecr,
    portcullis_dynamodb,
    portcullis_efs,
}

/// The resource types of all services.
pub fn listings() -> Vec<Box<dyn Listing>> {
    services().into_iter().flat_map(|service| service.types).collect()
}

/// The controls of all services, in their order.
pub fn controls() -> Vec<&'static Meta> {
    listings().iter().flat_map(|listing| listing.controls()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use portcullis_core::Location;
    use portcullis_core::settings::{Known, Settings};

    use super::*;

    #[test]
    fn each_folder_of_functions_is_in_the_list_under_its_name() {
        let functions = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions");
        let folders = fs::read_dir(functions).unwrap().map(|entry| entry.unwrap().file_name());
        let folders: BTreeSet<_> = folders.map(|name| name.to_string_lossy().into_owned()).collect();
        let listed: Vec<_> = services().iter().map(|service| service.name.to_owned()).collect();
        assert_eq!(folders.len(), listed.len(), "{listed:?}");
        assert_eq!(folders, listed.into_iter().collect());
    }

    #[test]
    fn a_type_s_arns_have_its_form_unless_a_place_has_but_one() {
        let place = Location {
            account: "111122223333".into(),
            region: "eu-west-1".into(),
        };
        for listing in listings() {
            let form = listing.arn_form();
            if form.is_empty() {
                assert_eq!(listing.config_kind(), "AWS::::Account", "{}", listing.kind());
                continue;
            }
            let filled = form.replace("{r}", &place.region).replace("{a}", &place.account);
            let arn = format!(
                "arn:aws:{}",
                filled.replace("{n}", "some-name").replace("{i}", "0f1e2d3c4b5a69788")
            );
            let found = listing.identified(&arn, &place).map(|resource| resource.arn);
            assert_eq!(found, Some(arn), "{}", listing.kind());
        }
    }

    #[test]
    fn an_exemption_of_all_of_a_type_is_refused_by_its_function() {
        for service in services() {
            let known = Known::own(&service, []);
            for form in service.types.iter().map(|listing| listing.arn_form()) {
                let parts = form.replace("{r}", "*").replace("{a}", "*");
                let pattern = format!("arn:aws:{}", parts.replace("{n}", "*").replace("{i}", "*"));
                let yaml = format!(
                    "exemptions: [{{control: '*', resource: '{pattern}', reason: r, owner: o, until: 2099-01-01T00:00:00Z}}]"
                );
                let refused = Settings::from_yaml(&yaml, &known).map_err(|error| error.to_string());
                let everything = refused.is_err_and(|told| told.contains("everything of some type"));
                assert_eq!(everything, !form.is_empty(), "{pattern}");
            }
        }
    }

    #[test]
    fn an_exemption_of_one_resource_is_taken_by_its_function_and_at_the_desk() {
        let place = Location {
            account: "111122223333".into(),
            region: "eu-west-1".into(),
        };
        let at_the_desk = Known::all(&services());
        for service in services() {
            let own = Known::own(&service, []);
            for listing in &service.types {
                let filled = listing
                    .arn_form()
                    .replace("{r}", &place.region)
                    .replace("{a}", &place.account);
                let filled = filled.replace("{n}", "some-name").replace("{i}", "0f1e2d3c4b5a69788");
                let named = if filled.is_empty() {
                    place.account.clone()
                } else {
                    format!("arn:aws:{filled}")
                };
                let arn = listing.identified(&named, &place).unwrap().arn;
                for control in listing.controls().iter().map(|meta| meta.id).chain(["*"]) {
                    let yaml = format!(
                        "exemptions: [{{control: '{control}', resource: '{arn}', reason: r, owner: o, until: 2099-01-01T00:00:00Z}}]"
                    );
                    for known in [&own, &at_the_desk] {
                        let read = Settings::from_yaml(&yaml, known);
                        assert!(read.is_ok(), "{control} {arn}: {read:?}");
                    }
                }
                let other = "arn:aws:nothing:eu-west-1:111122223333:thing/some-name";
                for control in listing.controls() {
                    let yaml = format!(
                        "exemptions: [{{control: {}, resource: '{other}', reason: r, owner: o, until: 2099-01-01T00:00:00Z}}]",
                        control.id
                    );
                    let refused = Settings::from_yaml(&yaml, &own).map_err(|error| error.to_string());
                    assert!(
                        refused.is_err_and(|told| told.contains("none of them can have")),
                        "{}",
                        control.id
                    );
                }
            }
        }
    }

    #[test]
    fn a_service_s_controls_types_and_settings_carry_its_name_and_its_source() {
        for service in services() {
            assert_eq!(service.binary(), format!("portcullis-{}", service.name));
            let section = service.settings.map_or(service.name, |section| section.name);
            assert_eq!(section, service.name);
            let source = service.source.split_once('.').map(|(source, _)| source);
            let names = [Some(service.name), source];
            assert!(names.contains(&Some(service.prefix())), "{}", service.prefix());
            for listing in &service.types {
                assert_eq!(listing.source(), service.source, "{}", listing.kind());
                for meta in listing.controls() {
                    assert!(meta.id.starts_with(&format!("{}-", service.prefix())), "{}", meta.id);
                }
            }
        }
    }
}
