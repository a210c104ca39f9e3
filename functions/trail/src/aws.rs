//! Talking to AWS: the only file of this function that does.

use std::collections::BTreeSet;

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::operation::get_trail_status::GetTrailStatusOutput;
use aws_sdk_cloudtrail::types::{AdvancedEventSelector, EventSelector, ReadWriteType, Trail as Described};
use portcullis_controls::Keys;
use portcullis_core::{Arn, Location, Observed, Resource, Tags};
use portcullis_runtime::{Adapter, AwsError, ErrorCodes, Handler, Kind, Page, Regional, SdkConfig, unless};

use crate::controls::TRAILS;
use crate::trail::{Description, Elsewhere, Encryption, Field, Selector, TYPE, Trail, TrailChange, TrailFact};

/// What error codes mean that only CloudTrail has. Source: CloudTrail API Reference, "Errors" of `UpdateTrail` and `StartLogging`.
const CODES: &ErrorCodes = &[
    ("TrailNotFoundException", Kind::NotFound),
    ("CloudTrailARNInvalidException", Kind::Rejected),
    ("NotOrganizationMasterAccountException", Kind::Rejected),
    ("InsufficientEncryptionPolicyException", Kind::Rejected),
    ("InsufficientS3BucketPolicyException", Kind::Rejected),
    ("KmsKeyNotFoundException", Kind::Rejected),
    ("KmsKeyDisabledException", Kind::Rejected),
    ("KmsException", Kind::Rejected),
    ("S3BucketDoesNotExistException", Kind::Rejected),
    ("OperationNotPermittedException", Kind::Rejected),
    ("ConflictException", Kind::Conflict),
];
/// There is no such trail.
const GONE: [&str; 1] = ["TrailNotFoundException"];

macro_rules! done {
    ($operation:literal, $answer:expr) => {
        $answer.map_err(|error| AwsError::with_codes($operation, &error, CODES))
    };
}

struct Aws {
    trails: Regional<Client>,
    keys: Keys,
}

/// The resource types of this function, with the SDK behind them.
pub async fn serve(config: SdkConfig) -> Vec<Box<dyn Handler>> {
    let (trails, keys) = (Regional::new(&config, Client::new), Keys::new(&config));
    vec![portcullis_runtime::serve(TRAILS, Aws { trails, keys })]
}

impl Aws {
    /// All trails that record in a region, those of other regions included.
    async fn described(&self, region: &str) -> Result<Vec<Described>, AwsError> {
        let answer = self
            .trails
            .of(region)
            .describe_trails()
            .include_shadow_trails(true)
            .send()
            .await;
        Ok(done!("DescribeTrails", answer)?.trail_list.unwrap_or_default())
    }

    async fn status(&self, region: &str, arn: &str) -> Result<GetTrailStatusOutput, AwsError> {
        done!(
            "GetTrailStatus",
            self.trails.of(region).get_trail_status().name(arn).send().await
        )
    }

    async fn selectors(&self, region: &str, arn: &str) -> Result<Vec<Selector>, AwsError> {
        let answer = self
            .trails
            .of(region)
            .get_event_selectors()
            .trail_name(arn)
            .send()
            .await;
        let answer = done!("GetEventSelectors", answer)?;
        let (basic, advanced) = (answer.event_selectors(), answer.advanced_event_selectors());
        if basic.is_empty() && advanced.is_empty() {
            return Ok(vec![Selector::all()]);
        }
        // A trail has selectors of one kind: those of the other are empty. Source: CloudTrail API Reference, `PutEventSelectors`.
        let advanced = advanced.iter().filter_map(of_advanced);
        Ok(basic.iter().filter_map(of_basic).chain(advanced).collect())
    }

    /// What other trails record. One of the organisation that this account may not look at says nothing.
    async fn elsewhere(&self, region: &str, others: &[Described]) -> Result<Elsewhere, AwsError> {
        let mut elsewhere = Elsewhere::default();
        for other in others {
            let Some(arn) = other.trail_arn() else { continue };
            let read = async {
                let logging = self.status(region, arn).await?.is_logging.unwrap_or_default();
                Ok((logging, self.selectors(region, arn).await?))
            };
            let (logging, selectors) = match read.await {
                Err(AwsError {
                    kind: Kind::Denied | Kind::NotFound,
                    ..
                }) => continue,
                read => read?,
            };
            if logging {
                elsewhere.trails.extend(other.name.clone());
                elsewhere.multi_region |= other.is_multi_region_trail() == Some(true) && !selectors.is_empty();
                elsewhere.selectors.extend(selectors);
            }
        }
        Ok(elsewhere)
    }

    async fn tags(&self, trail: &Resource) -> Result<Tags, AwsError> {
        let list = self.trails.of(&trail.region).list_tags().resource_id_list(&trail.arn);
        let answer = done!("ListTags", list.send().await)?
            .resource_tag_list
            .unwrap_or_default();
        let tags = answer.into_iter().flat_map(|one| one.tags_list.unwrap_or_default());
        Ok(tags.map(|tag| (tag.key, tag.value.unwrap_or_default())).collect())
    }

    async fn read(
        &self,
        trail: &Resource,
        is: &Described,
        others: &[Described],
        facts: &BTreeSet<TrailFact>,
    ) -> Result<Trail, AwsError> {
        let mut read = Trail {
            description: Observed::Is(Description {
                bucket: is.s3_bucket_name.clone().unwrap_or_default(),
                multi_region: is.is_multi_region_trail.unwrap_or_default(),
                global_services: is.include_global_service_events.unwrap_or_default(),
            }),
            validation: Observed::Is(is.log_file_validation_enabled.unwrap_or_default()),
            tags: Observed::Is(self.tags(trail).await?),
            ..Trail::default()
        };
        if facts.contains(&TrailFact::Encryption) {
            read.encryption = match is.kms_key_id.as_ref().filter(|name| !name.is_empty()) {
                None => Observed::Absent,
                Some(name) => Observed::Is(Encryption {
                    name: name.clone(),
                    key: self.keys.named(trail, name).await?,
                }),
            };
        }
        if facts.contains(&TrailFact::Logging) || facts.contains(&TrailFact::Delivery) {
            let status = self.status(&trail.region, &trail.arn).await?;
            read.logging = Observed::Is(status.is_logging.unwrap_or_default());
            read.delivery_error = status.latest_delivery_error.filter(|error| !error.is_empty()).into();
        }
        if facts.contains(&TrailFact::Recorded) {
            read.selectors = Observed::Is(self.selectors(&trail.region, &trail.arn).await?);
            read.elsewhere = Observed::Is(self.elsewhere(&trail.region, others).await?);
        }
        Ok(read)
    }
}

impl Adapter for Aws {
    type State = Trail;

    async fn observe(&self, trail: &Resource, facts: &BTreeSet<TrailFact>) -> Result<Option<Trail>, AwsError> {
        let all = self.described(&trail.region).await?;
        let is = |one: &Described| one.trail_arn() == Some(trail.arn.as_str());
        let (own, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is);
        match own.first() {
            Some(own) => unless(&GONE, self.read(trail, own, &others, facts).await),
            None if facts.contains(&TrailFact::Existence) => Ok(Some(Trail {
                description: Observed::Absent,
                elsewhere: Observed::Is(self.elsewhere(&trail.region, &others).await?),
                ..Trail::default()
            })),
            None => Ok(None),
        }
    }

    async fn list(&self, location: &Location, _: Option<String>) -> Result<Page, AwsError> {
        let all = self.described(&location.region).await?;
        let own = |arn: &String| arn.parse::<Arn>().is_ok_and(|arn| arn.region == location.region);
        let arns = all.into_iter().filter_map(|one| one.trail_arn).filter(own);
        Ok(Page {
            resources: arns.filter_map(|arn| (TYPE.identified)(&arn, location)).collect(),
            next: None,
        })
    }

    async fn execute(&self, trail: &Resource, change: &TrailChange) -> Result<(), AwsError> {
        let (trails, name) = (self.trails.of(&trail.region), &trail.id);
        match change {
            TrailChange::Logging(true) => {
                done!("StartLogging", trails.start_logging().name(name).send().await).map(drop)
            }
            TrailChange::Logging(false) => {
                done!("StopLogging", trails.stop_logging().name(name).send().await).map(drop)
            }
            TrailChange::Validation(on) => {
                let update = trails.update_trail().name(name).enable_log_file_validation(*on);
                done!("UpdateTrail", update.send().await).map(drop)
            }
            // An empty text is none. Source: CloudTrail API Reference, `UpdateTrail`, `KmsKeyId`.
            TrailChange::Encryption(key) => {
                let key = key.as_ref().map(|key| key.name.as_str()).unwrap_or_default();
                done!(
                    "UpdateTrail",
                    trails.update_trail().name(name).kms_key_id(key).send().await
                )
                .map(drop)
            }
        }
    }
}

/// What a basic selector takes of management events. Source: CloudTrail API Reference, `EventSelector`.
fn of_basic(selector: &EventSelector) -> Option<Selector> {
    if !selector.include_management_events().unwrap_or(true) {
        return None;
    }
    let kind = selector.read_write_type().unwrap_or(&ReadWriteType::All);
    Some(Selector {
        reads: *kind != ReadWriteType::WriteOnly,
        writes: *kind != ReadWriteType::ReadOnly,
        without: selector.exclude_management_event_sources().iter().cloned().collect(),
    })
}

fn of_advanced(selector: &AdvancedEventSelector) -> Option<Selector> {
    Selector::advanced(selector.field_selectors().iter().map(|field| {
        Field {
            name: field.field(),
            equals: field.equals(),
            not_equals: field.not_equals(),
            otherwise: [
                field.starts_with(),
                field.ends_with(),
                field.not_starts_with(),
                field.not_ends_with(),
            ]
            .iter()
            .any(|values| !values.is_empty()),
        }
    }))
}
