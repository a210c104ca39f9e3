use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    LaunchTemplateHttpTokensState, LaunchTemplateInstanceMetadataEndpointState, LaunchTemplateVersion,
    ResponseLaunchTemplateData,
};
use futures_util::future::try_join;
use portcullis_controls::Keys;
use portcullis_controls::encryption::Key;
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, PAGE, Page, Regional};

use super::calls::{done, tags, unless};
use crate::instance::Tokens;
use crate::launch_template::{LaunchTemplate, LaunchTemplateChange, LaunchTemplateFact, NAMING, Version};

const GONE: [&str; 1] = ["InvalidLaunchTemplateId.NotFound"];

pub struct Aws {
    pub ec2: Regional<Client>,
    pub keys: Arc<Keys>,
}

impl Adapter for Aws {
    type State = LaunchTemplate;

    async fn observe(
        &self,
        resource: &Resource,
        facts: &BTreeSet<LaunchTemplateFact>,
    ) -> Result<Option<LaunchTemplate>, AwsError> {
        let ec2 = &self.ec2.of(&resource.region);
        let description = async {
            let answer = ec2
                .describe_launch_templates()
                .launch_template_ids(&resource.id)
                .include_managed_resources(true)
                .send()
                .await;
            let answer = unless(&GONE, done("DescribeLaunchTemplates", answer))?;
            Ok(answer.and_then(|answer| answer.launch_templates?.into_iter().next()))
        };
        let versions = async {
            if !facts.contains(&LaunchTemplateFact::Versions) && !facts.contains(&LaunchTemplateFact::Keys) {
                return Ok((Observed::Unread, Observed::Unread));
            }
            let call = ec2.describe_launch_template_versions().launch_template_id(&resource.id);
            let call = call.include_managed_resources(true);
            let answer = call.versions("$Default").versions("$Latest").send().await;
            let answer = unless(&GONE, done("DescribeLaunchTemplateVersions", answer))?;
            let versions = answer
                .and_then(|answer| answer.launch_template_versions)
                .unwrap_or_default();
            let mut keys: BTreeMap<i64, BTreeMap<String, Key>> = BTreeMap::new();
            if facts.contains(&LaunchTemplateFact::Keys) {
                for (number, device, name) in versions.iter().flat_map(named_keys) {
                    let key = self.keys.named(resource, name).await?;
                    keys.entry(number).or_default().insert(device.to_owned(), key);
                }
            }
            let version = |one: LaunchTemplateVersion| Some((one.version_number?, version(&one.launch_template_data?)));
            let versions = versions.into_iter().filter_map(version).collect();
            let keys = if facts.contains(&LaunchTemplateFact::Keys) {
                Observed::Is(keys)
            } else {
                Observed::Unread
            };
            Ok((Observed::Is(versions), keys))
        };
        let (description, (versions, keys)) = try_join(description, versions).await?;
        Ok(description.map(|template| LaunchTemplate {
            tags: Observed::Is(tags(template.tags())),
            versions,
            keys,
        }))
    }

    async fn list(&self, place: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let call = self.ec2.of(&place.region).describe_launch_templates();
        let call = call.include_managed_resources(true);
        let answer = call.max_results(PAGE).set_next_token(from).send().await;
        let answer = done("DescribeLaunchTemplates", answer)?;
        let ids = answer
            .launch_templates()
            .iter()
            .filter_map(|template| template.launch_template_id());
        Ok(Page {
            resources: ids.map(|id| NAMING.resource(id, place)).collect(),
            next: answer.next_token.clone().filter(|token| !token.is_empty()),
        })
    }

    async fn execute(&self, _: &Resource, change: &LaunchTemplateChange) -> Result<(), AwsError> {
        match *change {}
    }
}

/// The keys that a version names, with its number and their devices.
fn named_keys(version: &LaunchTemplateVersion) -> impl Iterator<Item = (i64, &str, &str)> {
    let number = version.version_number;
    let data = version.launch_template_data.iter();
    let devices = data.flat_map(ResponseLaunchTemplateData::block_device_mappings);
    devices.filter_map(move |device| {
        let key = device.ebs().and_then(|ebs| ebs.kms_key_id());
        Some((number?, device.device_name()?, key.filter(|key| !key.is_empty())?))
    })
}

fn version(data: &ResponseLaunchTemplateData) -> Version {
    let plain = data
        .block_device_mappings()
        .iter()
        .filter(|device| device.ebs().is_some_and(|ebs| ebs.encrypted() == Some(false)));
    let metadata = data
        .metadata_options()
        .filter(|options| options.http_endpoint() != Some(&LaunchTemplateInstanceMetadataEndpointState::Disabled));
    let tokens = metadata
        .and_then(|options| options.http_tokens())
        .map(|tokens| match tokens {
            LaunchTemplateHttpTokensState::Required => Tokens::Required,
            _ => Tokens::Optional,
        });
    Version {
        plain: plain.filter_map(|device| device.device_name.clone()).collect(),
        tokens,
        public: data
            .network_interfaces()
            .iter()
            .any(|one| one.associate_public_ip_address() == Some(true)),
        ipv6: data
            .network_interfaces()
            .iter()
            .any(|one| one.ipv6_address_count().is_some_and(|count| count > 0) || !one.ipv6_addresses().is_empty()),
    }
}
