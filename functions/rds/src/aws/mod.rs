//! Talking to AWS: the only files of this function that do.

mod calls;
mod database;
mod quarantine_group;
mod snapshot;

use std::sync::Arc;

use aws_sdk_rds::Client;
use portcullis_controls::Keys;
use portcullis_runtime::{Handler, Regional, SdkConfig};

use self::calls::Clients;
use crate::controls::{CLUSTER_SNAPSHOTS, CLUSTERS, INSTANCES, SNAPSHOTS};

/// The resource types of this function, with the SDK behind them.
pub async fn serve(config: SdkConfig) -> Vec<Box<dyn Handler>> {
    let clients = Arc::new(Clients {
        rds: Regional::new(&config, Client::new),
        ec2: Regional::new(&config, aws_sdk_ec2::Client::new),
        keys: Keys::new(&config),
    });
    let databases = |of| database::Aws {
        of,
        clients: clients.clone(),
        turn: tokio::sync::Mutex::default(),
    };
    let snapshots = |of| snapshot::Aws {
        of,
        clients: clients.clone(),
    };
    vec![
        portcullis_runtime::serve(SNAPSHOTS, snapshots(&crate::snapshot::INSTANCES)),
        portcullis_runtime::serve(CLUSTER_SNAPSHOTS, snapshots(&crate::snapshot::CLUSTERS)),
        portcullis_runtime::serve(CLUSTERS, databases(&crate::database::CLUSTERS)),
        portcullis_runtime::serve(INSTANCES, databases(&crate::database::INSTANCES)),
    ]
}
