//! What a test makes in EC2, and what AWS says of it.

use aws_sdk_ec2::types::{
    AddPrefixListEntry, CreateVolumePermission, CreateVolumePermissionModifications,
    EbsInstanceBlockDeviceSpecification, Filter, HttpTokensState, ImageAttributeName, Instance,
    InstanceBlockDeviceMappingSpecification, InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification,
    IpPermission, IpRange, LaunchPermission, LaunchPermissionModifications, LaunchTemplateBlockDeviceMappingRequest,
    LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateHttpTokensState, LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateInstanceNetworkInterfaceSpecification, LaunchTemplateInstanceNetworkInterfaceSpecificationRequest,
    NetworkInterface, PermissionGroup, PrefixListId, RequestLaunchTemplateData, ResourceType, SnapshotAttributeName,
    Tag, TagSpecification,
};
use portcullis_testkit::{CloudTrail, Snapshot, Subject, World};
use serde_json::json;

use super::account::Ec2;
use crate::instance::QUARANTINE;

/// A resource of the test's.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Where it is.
    pub ec2: Ec2,
    /// What it is, as alerts say it.
    noun: &'static str,
    /// Its id.
    pub id: String,
}

impl Ec2 {
    fn resource(&self, noun: &'static str, id: Option<String>) -> Resource {
        let (ec2, id) = (self.clone(), id.unwrap());
        Resource { ec2, noun, id }
    }

    /// What holds for the whole region.
    pub fn defaults(&self) -> Resource {
        self.resource("account defaults", Some(self.world.region.clone()))
    }

    /// An unencrypted volume.
    pub async fn volume(&self) -> Resource {
        let create = self.client.create_volume().size(1);
        let create = create.availability_zone(format!("{}a", self.world.region));
        self.resource("volume", create.send().await.unwrap().volume_id)
    }

    /// An unencrypted snapshot.
    pub async fn snapshot(&self) -> Resource {
        let create = self.client.create_snapshot().volume_id(self.volume().await.id);
        self.resource("snapshot", create.send().await.unwrap().snapshot_id)
    }

    /// An image whose snapshot is unencrypted.
    pub async fn image(&self) -> Resource {
        let register = self.client.register_image().name("web");
        self.resource("image", register.send().await.unwrap().image_id)
    }

    /// A VPC and a subnet in it.
    pub async fn network(&self) -> (String, String) {
        let create = self.client.create_vpc().cidr_block("10.0.0.0/16");
        let vpc = create.send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
        let create = self.client.create_subnet().vpc_id(&vpc).cidr_block("10.0.0.0/24");
        let subnet = create.send().await.unwrap().subnet.unwrap().subnet_id.unwrap();
        (vpc, subnet)
    }

    /// A security group that lets nothing in, of this VPC or of the default one.
    pub async fn group(&self, name: &str, vpc: Option<&str>) -> Resource {
        let name = self.world.aws.unique(name);
        let create = self.client.create_security_group().group_name(&name).description(&name);
        let made = create.set_vpc_id(vpc.map(str::to_owned)).send().await.unwrap();
        self.resource("security group", made.group_id)
    }

    /// The quarantine group of a VPC, as the function makes it.
    pub async fn quarantine_group(&self) -> Resource {
        let (vpc, _) = self.network().await;
        let create = self.client.create_security_group().group_name(QUARANTINE).vpc_id(vpc);
        let made = create.description("quarantine").send().await.unwrap();
        self.resource("security group", made.group_id)
    }

    /// The default group of a VPC.
    pub async fn default_group(&self) -> Resource {
        self.default_group_of_a_vpc().await.0
    }

    /// The same, and the VPC.
    pub async fn default_group_of_a_vpc(&self) -> (Resource, String) {
        let (vpc, _) = self.network().await;
        let found = self.client.describe_security_groups().filters(filter("vpc-id", &vpc));
        let found = found.filters(filter("group-name", "default")).send().await.unwrap();
        let group = self.resource("security group", found.security_groups()[0].group_id.clone());
        (group, vpc)
    }

    /// A security group that a prefix list opens to everybody, and the list.
    pub async fn listed_group(&self) -> (Resource, String) {
        let everybody = AddPrefixListEntry::builder().cidr("0.0.0.0/0").build();
        let create = self
            .client
            .create_managed_prefix_list()
            .prefix_list_name("all")
            .max_entries(1);
        let list = create.address_family("IPv4").entries(everybody).send().await.unwrap();
        let list = list.prefix_list.unwrap().prefix_list_id.unwrap();
        let group = self.group("listed", None).await;
        let listed = PrefixListId::builder().prefix_list_id(&list).build();
        let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22);
        let open = self.client.authorize_security_group_ingress().group_id(&group.id);
        open.ip_permissions(ssh.prefix_list_ids(listed).build())
            .send()
            .await
            .unwrap();
        (group, list)
    }

    /// An instance whose metadata service asks for no token, and answers over two hops.
    pub async fn instance(&self) -> Resource {
        let options = InstanceMetadataOptionsRequest::builder()
            .http_put_response_hop_limit(2)
            .build();
        let run = self
            .client
            .run_instances()
            .image_id("ami-12c6146b")
            .min_count(1)
            .max_count(1);
        let made = run.metadata_options(options).send().await.unwrap();
        self.resource("instance", made.instances()[0].instance_id.clone())
    }

    /// An instance of restricted data with a public address and an open group, and that group.
    pub async fn exposed_instance(&self) -> (Resource, Resource) {
        let (vpc, subnet) = self.network().await;
        let open = self.group("open", Some(&vpc)).await;
        open.lets_in(22, "0.0.0.0/0").await;
        let interface = InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .subnet_id(subnet);
        let interface = interface.associate_public_ip_address(true).groups(&open.id).build();
        let restricted = Tag::builder().key("DataClassification").value("restricted").build();
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::Instance)
            .tags(restricted);
        let run = self
            .client
            .run_instances()
            .image_id("ami-12c6146b")
            .min_count(1)
            .max_count(1);
        let run = run.network_interfaces(interface).tag_specifications(tags.build());
        let made = run.send().await.unwrap();
        (self.resource("instance", made.instances()[0].instance_id.clone()), open)
    }

    /// A launch template whose instances have an unencrypted disk, a public address, and IMDSv1.
    pub async fn launch_template(&self) -> Resource {
        let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder();
        let metadata = metadata.http_tokens(LaunchTemplateHttpTokensState::Optional);
        let interface = LaunchTemplateInstanceNetworkInterfaceSpecificationRequest::builder().device_index(0);
        let disk = LaunchTemplateEbsBlockDeviceRequest::builder()
            .encrypted(false)
            .volume_size(8);
        let device = LaunchTemplateBlockDeviceMappingRequest::builder().device_name("/dev/xvda");
        let data = RequestLaunchTemplateData::builder()
            .metadata_options(metadata.build())
            .network_interfaces(interface.associate_public_ip_address(true).build())
            .block_device_mappings(device.ebs(disk.build()).build());
        let create = self.client.create_launch_template().launch_template_name("web");
        let made = create.launch_template_data(data.build()).send().await.unwrap();
        self.resource("launch template", made.launch_template.unwrap().launch_template_id)
    }
}

impl Resource {
    /// A security group that is there.
    pub fn group(ec2: &Ec2, id: &str) -> Self {
        ec2.resource("security group", Some(id.to_owned()))
    }

    /// Shares a snapshot or an image with `all` or an account.
    pub async fn share(&self, with: &[&str]) -> &Self {
        let client = &self.ec2.client;
        if self.noun == "image" {
            let entry = |who: &&str| match *who {
                "all" => LaunchPermission::builder().group(PermissionGroup::All).build(),
                account => LaunchPermission::builder().user_id(account).build(),
            };
            let add = LaunchPermissionModifications::builder().set_add(Some(with.iter().map(entry).collect()));
            let share = client.modify_image_attribute().image_id(&self.id);
            share.launch_permission(add.build()).send().await.unwrap();
        } else {
            let entry = |who: &&str| match *who {
                "all" => CreateVolumePermission::builder().group(PermissionGroup::All).build(),
                account => CreateVolumePermission::builder().user_id(account).build(),
            };
            let add = CreateVolumePermissionModifications::builder().set_add(Some(with.iter().map(entry).collect()));
            let share = client.modify_snapshot_attribute().snapshot_id(&self.id);
            let share = share.attribute(SnapshotAttributeName::CreateVolumePermission);
            share.create_volume_permission(add.build()).send().await.unwrap();
        }
        self
    }

    /// Lets a network reach a TCP port of a security group's members.
    pub async fn lets_in(&self, port: i32, from: &str) -> &Self {
        let range = IpRange::builder().cidr_ip(from).description("why").build();
        let rule = IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port);
        let call = self.ec2.client.authorize_security_group_ingress().group_id(&self.id);
        call.ip_permissions(rule.ip_ranges(range).build()).send().await.unwrap();
        self
    }

    /// Attaches a volume, which goes with the instance when that is terminated.
    pub async fn attach_to(&self, instance: &Self) -> &Self {
        let call = self
            .ec2
            .client
            .attach_volume()
            .volume_id(&self.id)
            .instance_id(&instance.id);
        call.device("/dev/sdf").send().await.unwrap();
        let ebs = EbsInstanceBlockDeviceSpecification::builder()
            .volume_id(&self.id)
            .delete_on_termination(true);
        let device = InstanceBlockDeviceMappingSpecification::builder().device_name("/dev/sdf");
        let call = self.ec2.client.modify_instance_attribute().instance_id(&instance.id);
        call.block_device_mappings(device.ebs(ebs.build()).build())
            .send()
            .await
            .unwrap();
        self
    }

    /// The interfaces of an instance.
    pub async fn interfaces(&self) -> Vec<NetworkInterface> {
        let of = filter("attachment.instance-id", &self.id);
        let found = self
            .ec2
            .client
            .describe_network_interfaces()
            .filters(of)
            .send()
            .await
            .unwrap();
        found.network_interfaces.unwrap_or_default()
    }

    async fn of_defaults(&self) -> Snapshot {
        let client = &self.ec2.client;
        let by_default = client.get_ebs_encryption_by_default().send().await.unwrap();
        let volumes = if by_default.ebs_encryption_by_default == Some(true) {
            "encrypted"
        } else {
            "unencrypted"
        };
        let key = client.get_ebs_default_kms_key_id().send().await.unwrap().kms_key_id;
        let snapshots = client
            .get_snapshot_block_public_access_state()
            .send()
            .await
            .unwrap()
            .state;
        let images = client.get_image_block_public_access_state().send().await.unwrap();
        let metadata = client
            .get_instance_metadata_defaults()
            .send()
            .await
            .unwrap()
            .account_level;
        let tokens = metadata.and_then(|defaults| defaults.http_tokens);
        Snapshot(
            [
                ("new volumes", volumes.to_owned()),
                ("their key", key.unwrap_or_default()),
                (
                    "public snapshots",
                    snapshots.map_or(String::new(), |state| state.to_string()),
                ),
                (
                    "public images",
                    images.image_block_public_access_state.unwrap_or_default(),
                ),
                (
                    "tokens",
                    tokens.map_or_else(|| "no preference".to_owned(), |tokens| tokens.to_string()),
                ),
            ]
            .into(),
        )
    }

    async fn of_group(&self) -> Snapshot {
        let of = filter("group-id", &self.id);
        let found = self
            .ec2
            .client
            .describe_security_group_rules()
            .filters(of)
            .send()
            .await
            .unwrap();
        let rules = |egress: bool| {
            let rules = found
                .security_group_rules()
                .iter()
                .filter(|rule| rule.is_egress() == Some(egress));
            sorted(rules.map(|rule| {
                let peer = rule.cidr_ipv4().or(rule.cidr_ipv6()).or(rule.prefix_list_id());
                let peer = peer.or(rule.referenced_group_info().and_then(|group| group.group_id()));
                let ports = match (rule.from_port(), rule.to_port()) {
                    (Some(from), Some(to)) if from == to && from >= 0 => from.to_string(),
                    (Some(from), Some(to)) if from >= 0 => format!("{from}-{to}"),
                    _ => match rule.ip_protocol().unwrap_or_default() {
                        "-1" => "all".to_owned(),
                        protocol => format!("all {protocol}"),
                    },
                };
                let why = rule.description().map_or(String::new(), |why| format!(" ({why})"));
                format!("{ports} from {}{why}", peer.unwrap_or_default())
            }))
        };
        Snapshot([("lets in", rules(false)), ("lets out", rules(true))].into())
    }

    async fn of_shared(&self) -> Snapshot {
        let client = &self.ec2.client;
        if self.noun == "image" {
            let found = client.describe_image_attribute().image_id(&self.id);
            let found = found
                .attribute(ImageAttributeName::LaunchPermission)
                .send()
                .await
                .unwrap();
            let with = found.launch_permissions.unwrap_or_default().into_iter();
            let with = with.filter_map(|one| one.user_id.or(one.group.map(|group| group.to_string())));
            return Snapshot([("shared with", sorted(with))].into());
        }
        let found = client.describe_snapshot_attribute().snapshot_id(&self.id);
        let found = found
            .attribute(SnapshotAttributeName::CreateVolumePermission)
            .send()
            .await
            .unwrap();
        let with = found.create_volume_permissions.unwrap_or_default().into_iter();
        let with = with.filter_map(|one| one.user_id.or(one.group.map(|group| group.to_string())));
        let found = client.describe_snapshots().snapshot_ids(&self.id).send().await.unwrap();
        let encrypted = found.snapshots()[0].encrypted == Some(true);
        Snapshot([("shared with", sorted(with)), ("encrypted", encrypted.to_string())].into())
    }

    async fn of_instance(&self) -> Snapshot {
        let instance = described(&self.ec2, &self.id).await;
        let metadata = instance.metadata_options().unwrap();
        let tokens = metadata.http_tokens().map(HttpTokensState::as_str).unwrap_or_default();
        let interfaces = self.interfaces().await;
        let groups = interfaces.iter().map(|interface| {
            let groups = sorted(interface.groups().iter().filter_map(|group| group.group_name.clone()));
            let once = interface
                .tag_set()
                .iter()
                .find(|tag| tag.key() == Some("portcullis:groups"));
            let once = once.and_then(Tag::value);
            once.map_or(groups.clone(), |once| format!("{groups}, once {once}"))
        });
        let addresses = interfaces.iter().filter_map(|one| one.association()?.public_ip());
        Snapshot(
            [
                ("state", state_of(&instance)),
                ("tokens", tokens.to_owned()),
                (
                    "endpoint",
                    metadata
                        .http_endpoint()
                        .map_or(String::new(), |one| one.as_str().to_owned()),
                ),
                (
                    "hop limit",
                    metadata.http_put_response_hop_limit().unwrap_or_default().to_string(),
                ),
                ("groups", sorted(groups)),
                ("public address", sorted(addresses.map(str::to_owned))),
            ]
            .into(),
        )
    }

    async fn of_volume(&self) -> Snapshot {
        let found = self
            .ec2
            .client
            .describe_volumes()
            .volume_ids(&self.id)
            .send()
            .await
            .unwrap();
        let volume = &found.volumes()[0];
        let mut attached = Vec::new();
        for one in volume.attachments() {
            let (device, instance) = (one.device().unwrap(), one.instance_id().unwrap());
            let state = state_of(&described(&self.ec2, instance).await);
            attached.push(format!("{device} of {instance}, {state}"));
        }
        let tags = volume.tags().iter();
        let tags = tags.map(|tag| format!("{}={}", tag.key().unwrap_or_default(), tag.value().unwrap_or_default()));
        let encrypted = volume.encrypted == Some(true);
        Snapshot(
            [
                ("encrypted", encrypted.to_string()),
                ("attached", attached.join(", ")),
                ("tags", sorted(tags)),
            ]
            .into(),
        )
    }

    async fn of_launch_template(&self) -> Snapshot {
        let found = self
            .ec2
            .client
            .describe_launch_template_versions()
            .launch_template_id(&self.id);
        let found = found.send().await.unwrap();
        let versions = found.launch_template_versions().iter().map(|version| {
            let data = version.launch_template_data().unwrap();
            let tokens = data.metadata_options().and_then(|options| options.http_tokens());
            let tokens = tokens
                .map_or("unset", LaunchTemplateHttpTokensState::as_str)
                .replace("unset", "");
            let encrypted = data
                .block_device_mappings()
                .iter()
                .filter_map(|one| one.ebs()?.encrypted());
            let public = data
                .network_interfaces()
                .iter()
                .filter_map(LaunchTemplateInstanceNetworkInterfaceSpecification::associate_public_ip_address);
            format!(
                "{}: tokens {tokens}, encrypted {:?}, public address {:?}",
                version.version_number().unwrap_or_default(),
                encrypted.collect::<Vec<_>>(),
                public.collect::<Vec<_>>()
            )
        });
        Snapshot([("versions", sorted(versions))].into())
    }
}

impl Subject for Resource {
    fn world(&self) -> &World {
        &self.ec2.world
    }

    fn described(&self) -> String {
        format!("{} {}", self.noun, self.id)
    }

    async fn snapshot(&self) -> Snapshot {
        match self.noun {
            "account defaults" => self.of_defaults().await,
            "security group" => self.of_group().await,
            "image" | "snapshot" => self.of_shared().await,
            "instance" => self.of_instance().await,
            "volume" => self.of_volume().await,
            _ => self.of_launch_template().await,
        }
    }

    /// As CloudTrail has it: what is made has its id in the answer.
    fn call(&self, name: &str) -> CloudTrail {
        let id = &self.id;
        let (params, answer) = match (self.noun, name) {
            ("snapshot", "CreateSnapshot") => (json!({}), json!({"snapshotId": id})),
            ("snapshot", _) => (json!({"snapshotId": id}), json!({})),
            ("image", "CreateImage") => (json!({}), json!({"imageId": id})),
            ("image", _) => (json!({"imageId": id}), json!({})),
            ("security group", "ModifySecurityGroupRules") => {
                (json!({"ModifySecurityGroupRulesRequest": {"GroupId": id}}), json!({}))
            }
            ("security group", _) => (json!({"groupId": id}), json!({})),
            ("instance", "ModifyInstanceMetadataOptions") => (
                json!({"ModifyInstanceMetadataOptionsRequest": {"InstanceId": id}}),
                json!({}),
            ),
            ("instance", _) => (json!({"instanceId": id}), json!({})),
            ("volume", _) => (json!({"volumeId": id}), json!({})),
            ("launch template", _) => {
                let template = json!({"launchTemplateId": id});
                (
                    json!({}),
                    json!({format!("{name}Response"): {"launchTemplate": template}}),
                )
            }
            _ => (json!({}), json!({})),
        };
        self.ec2.call(name, params).response(answer)
    }
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

async fn described(ec2: &Ec2, instance: &str) -> Instance {
    let found = ec2
        .client
        .describe_instances()
        .instance_ids(instance)
        .send()
        .await
        .unwrap();
    found.reservations()[0].instances()[0].clone()
}

fn state_of(instance: &Instance) -> String {
    let state = instance.state().and_then(|state| state.name());
    state.map_or(String::new(), |state| state.as_str().to_owned())
}

/// In a fixed order, as one text.
fn sorted(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.join(", ")
}
