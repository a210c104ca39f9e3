use std::collections::BTreeSet;

use futures_util::future::try_join3;
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, PAGE, Page};

use super::clients::Clients;
use super::convert;
use crate::access_point::{AccessPoint, AccessPointChange, AccessPointFact, Settings, resource};

pub struct Aws(pub Clients);

impl Adapter for Aws {
    type State = AccessPoint;

    async fn observe(
        &self,
        resource: &Resource,
        facts: &BTreeSet<AccessPointFact>,
    ) -> Result<Option<AccessPoint>, AwsError> {
        let (account, name) = (&resource.account, &resource.id);
        let control = &self.0.control;
        // Always read: it tells whether the access point is there, and of which bucket.
        let settings = async {
            let answer = control.get_access_point().account_id(account).name(name).send().await;
            let point = convert::done("GetAccessPoint", answer)?;
            let bucket = match &point.bucket {
                _ if !facts.contains(&AccessPointFact::BucketBlock) => Observed::Unread,
                Some(bucket) if point.bucket_account_id.as_ref().is_none_or(|owner| owner == account) => {
                    self.0.bucket_block(bucket, account, &resource.region).await?.into()
                }
                // That of another account can't be read.
                _ => Observed::Absent,
            };
            Ok((point, bucket))
        };
        let policy = async {
            if !facts.contains(&AccessPointFact::Policy) {
                return Ok(Observed::Unread);
            }
            let answer = control
                .get_access_point_policy()
                .account_id(account)
                .name(name)
                .send()
                .await;
            let answer = convert::done("GetAccessPointPolicy", answer);
            let answer = convert::unless(&["NoSuchAccessPointPolicy"], answer)?;
            let policy = AwsError::policy("GetAccessPointPolicy", answer.and_then(|answer| answer.policy))?;
            Ok(policy.into())
        };
        let block = async {
            if !facts.contains(&AccessPointFact::AccountBlock) {
                return Ok(Observed::Unread);
            }
            self.0.account_block(account).await.map(Observed::from)
        };
        // Whichever read says that there is none: a point without a policy is something else.
        let read = convert::unless(&["NoSuchAccessPoint"], try_join3(settings, policy, block).await)?;
        Ok(read.map(|((point, bucket_block), policy, account_block)| AccessPoint {
            settings: Observed::Is(Settings {
                public_access_block: point
                    .public_access_block_configuration
                    .as_ref()
                    .map(convert::account_block)
                    .unwrap_or_default(),
                vpc: point.vpc_configuration.map(|vpc| vpc.vpc_id),
                bucket: point.bucket.unwrap_or_default(),
            }),
            policy,
            bucket_block,
            account_block,
        }))
    }

    async fn list(&self, place: &Location, from: Option<String>) -> Result<Page, AwsError> {
        let Location { account, region } = place;
        let list = self
            .0
            .control
            .list_access_points()
            .account_id(account)
            .max_results(PAGE);
        let answer = list.set_next_token(from).send().await;
        let answer = convert::done("ListAccessPoints", answer)?;
        let points = answer.access_point_list.unwrap_or_default().into_iter();
        Ok(Page {
            resources: points.map(|point| resource(&point.name, region, account)).collect(),
            next: answer.next_token,
        })
    }

    async fn execute(&self, resource: &Resource, change: &AccessPointChange) -> Result<(), AwsError> {
        let (control, account, name) = (&self.0.control, &resource.account, &resource.id);
        match change {
            AccessPointChange::Policy(Some(policy)) => {
                let put = control
                    .put_access_point_policy()
                    .account_id(account)
                    .name(name)
                    .policy(policy)
                    .send()
                    .await;
                convert::done("PutAccessPointPolicy", put)?;
            }
            AccessPointChange::Policy(None) => {
                let delete = control
                    .delete_access_point_policy()
                    .account_id(account)
                    .name(name)
                    .send()
                    .await;
                convert::done("DeleteAccessPointPolicy", delete)?;
            }
        }
        Ok(())
    }
}
