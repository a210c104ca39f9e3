//! Talking to AWS: the only files of this function that do.

mod account_defaults;
mod balanced;
mod calls;
mod image;
mod instance;
mod launch_template;
mod security_group;
mod snapshot;
mod volume;

use std::sync::Arc;

use aws_sdk_ec2::Client;
use portcullis_controls::Keys;
use portcullis_runtime::{Handler, Regional};

use self::calls::Ahead;
use crate::controls;

/// The resource types of this function, with the SDK behind them.
pub async fn serve(config: portcullis_runtime::SdkConfig) -> Vec<Box<dyn Handler>> {
    let ec2 = Regional::new(&config, Client::new);
    let keys = Arc::new(Keys::new(&config));
    let snapshots = snapshot::Aws {
        ec2: ec2.clone(),
        keys: Arc::clone(&keys),
    };
    let images = image::Aws {
        ec2: ec2.clone(),
        keys: Arc::clone(&keys),
    };
    let templates = launch_template::Aws {
        ec2: ec2.clone(),
        keys: Arc::clone(&keys),
    };
    let volumes = volume::Aws {
        ec2: ec2.clone(),
        ahead: Ahead::default(),
        keys,
    };
    let instances = instance::Aws {
        ec2: ec2.clone(),
        elb: Regional::new(&config, aws_sdk_elasticloadbalancingv2::Client::new),
        ahead: Ahead::default(),
        open: Ahead::default(),
        turn: tokio::sync::Mutex::default(),
    };
    vec![
        portcullis_runtime::serve(controls::REGIONS, account_defaults::Aws(ec2.clone())),
        portcullis_runtime::serve(controls::SNAPSHOTS, snapshots),
        portcullis_runtime::serve(controls::IMAGES, images),
        portcullis_runtime::serve(controls::SECURITY_GROUPS, security_group::Aws(ec2)),
        portcullis_runtime::serve(controls::LAUNCH_TEMPLATES, templates),
        portcullis_runtime::serve(controls::VOLUMES, volumes),
        portcullis_runtime::serve(controls::INSTANCES, instances),
    ]
}
