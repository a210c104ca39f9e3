use std::collections::BTreeSet;

use aws_sdk_kms::Client;
use portcullis_core::{Location, Observed, Resource};
use portcullis_runtime::{Adapter, AwsError, Page, Regional};

use super::convert;
use crate::alias::{Alias, AliasChange, AliasFact};

pub struct Aws(pub Regional<Client>);

impl Adapter for Aws {
    type State = Alias;

    /// An alias that is gone is a state too: settings may require it.
    async fn observe(&self, resource: &Resource, _: &BTreeSet<AliasFact>) -> Result<Option<Alias>, AwsError> {
        let kms = self.0.of(&resource.region);
        let answer = kms.describe_key().key_id(&resource.arn).send().await;
        let answer = convert::found(convert::error("DescribeKey", answer))?;
        Ok(Some(Alias {
            target: Observed::from(answer.and_then(|answer| answer.key_metadata).map(|key| key.key_id)),
        }))
    }

    async fn list(&self, _: &Location, _: Option<String>) -> Result<Page, AwsError> {
        Ok(Page::default())
    }

    async fn execute(&self, resource: &Resource, change: &AliasChange) -> Result<(), AwsError> {
        let kms = self.0.of(&resource.region);
        let alias = &resource.id;
        match change {
            AliasChange::SetAlias(Some(key)) => {
                let update = kms.update_alias().alias_name(alias).target_key_id(key).send().await;
                if convert::found(convert::error("UpdateAlias", update))?.is_none() {
                    let create = kms.create_alias().alias_name(alias).target_key_id(key).send().await;
                    convert::error("CreateAlias", create)?;
                }
            }
            AliasChange::SetAlias(None) => {
                let delete = kms.delete_alias().alias_name(alias).send().await;
                convert::found(convert::error("DeleteAlias", delete))?;
            }
        }
        Ok(())
    }
}
