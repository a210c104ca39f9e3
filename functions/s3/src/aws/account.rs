use std::collections::BTreeSet;

use portcullis_core::{Location, Resource};
use portcullis_runtime::{Adapter, AwsError, Page};

use super::clients::Clients;
use super::convert;
use crate::account::{Account, AccountChange, AccountFact, resource};

pub struct Aws(pub Clients);

impl Adapter for Aws {
    type State = Account;

    async fn observe(&self, resource: &Resource, _: &BTreeSet<AccountFact>) -> Result<Option<Account>, AwsError> {
        let block = self.0.account_block(&resource.account).await?;
        Ok(Some(Account {
            public_access_block: block.into(),
        }))
    }

    async fn list(&self, place: &Location, _: Option<String>) -> Result<Page, AwsError> {
        Ok(Page {
            resources: vec![resource(&place.region, &place.account)],
            next: None,
        })
    }

    async fn execute(&self, resource: &Resource, change: &AccountChange) -> Result<(), AwsError> {
        let (control, account) = (&self.0.control, &resource.account);
        match *change {
            AccountChange::PublicAccessBlock(Some(block)) => {
                let put = control.put_public_access_block().account_id(account);
                let put = put
                    .public_access_block_configuration(convert::to_account_block(block))
                    .send()
                    .await;
                convert::done("PutPublicAccessBlock (account)", put)?;
            }
            AccountChange::PublicAccessBlock(None) => {
                let delete = control.delete_public_access_block().account_id(account).send().await;
                convert::done("DeletePublicAccessBlock (account)", delete)?;
            }
        }
        Ok(())
    }
}
