use std::collections::BTreeSet;

use portcullis_core::{Location, Resource};
use portcullis_runtime::{Adapter, AwsError, Page};

use super::{Clients, convert};
use crate::account::{Account, Fact, Remedy, State, resource};

pub struct Aws(pub Clients);

impl Adapter<Account> for Aws {
    async fn observe(&self, resource: &Resource, _: &BTreeSet<Fact>) -> Result<Option<State>, AwsError> {
        let block = self.0.account_block(&resource.account).await?;
        Ok(Some(State {
            public_access_block: block.into(),
        }))
    }

    async fn list(&self, place: &Location, _: Option<String>) -> Result<Page, AwsError> {
        Ok(Page {
            resources: vec![resource(&place.region, &place.account)],
            next: None,
        })
    }

    async fn execute(&self, resource: &Resource, remedy: &Remedy) -> Result<(), AwsError> {
        let (control, account) = (&self.0.control, &resource.account);
        match *remedy {
            Remedy::PublicAccessBlock(Some(block)) => {
                let put = control.put_public_access_block().account_id(account);
                let put = put
                    .public_access_block_configuration(convert::to_account_block(block))
                    .send()
                    .await;
                put.map_err(|error| AwsError::new("PutPublicAccessBlock (account)", &error))?;
            }
            Remedy::PublicAccessBlock(None) => {
                let delete = control.delete_public_access_block().account_id(account).send().await;
                delete.map_err(|error| AwsError::new("DeletePublicAccessBlock (account)", &error))?;
            }
        }
        Ok(())
    }
}
