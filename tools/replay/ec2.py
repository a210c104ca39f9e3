"""What an event of EC2 names, as insecure as the event says: in a VPC with a security group that is open to everybody."""

import json
import re

from shown import plain, shown

FUNCTION = "portcullis-ec2"
ID = re.compile(r"\b(ami|eni|i|lt|pl|sg|sgr|snap|vol)-[0-9a-f]{8,17}\b")
EVERYBODY = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


def make(aws, record):
    """Makes what the event names; says by which names, and how to look at it."""
    maker = Maker(aws.client("ec2"), record)
    kinds = {match[0]: match[1] for match in ID.finditer(json.dumps(record))}
    names = {there: maker.make(kind) for there, kind in sorted(kinds.items())}
    if maker.name == "CreateTags":
        tags = [{"Key": tag["key"], "Value": tag["value"]} for tag in record["requestParameters"]["tagSet"]["items"]]
        maker.ec2.create_tags(Resources=list(names.values()), Tags=tags)
    looks = {here: getattr(maker, "of_" + kinds[there], None) for there, here in names.items()}
    looks = {here: look for here, look in looks.items() if look}
    if not looks:
        return names, maker.of_region
    return names, lambda: {here: plain(look(here)) for here, look in looks.items()}


class Maker:
    """One of each kind at most, but for instances and volumes, of which an event may name many."""

    def __init__(self, ec2, record):
        self.ec2, self.name = ec2, record["eventName"]
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]
        self.group = ec2.create_security_group(GroupName="open", Description="open", VpcId=vpc)["GroupId"]
        if self.name != "AuthorizeSecurityGroupEgress":
            ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=EVERYBODY)

    def make(self, kind):
        return getattr(self, "make_" + kind)()

    def make_vol(self):
        return self.ec2.create_volume(AvailabilityZone=self.subnet["AvailabilityZone"], Size=8, Encrypted=False)["VolumeId"]

    def make_snap(self):
        snapshot = self.ec2.create_snapshot(VolumeId=self.make_vol())["SnapshotId"]
        if self.name == "ModifySnapshotAttribute":
            self.ec2.modify_snapshot_attribute(
                SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", GroupNames=["all"]
            )
        return snapshot

    def make_ami(self):
        image = self.ec2.create_image(InstanceId=self.make_i(), Name="image")["ImageId"]
        if self.name == "ModifyImageAttribute":
            self.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
        return image

    def make_sg(self):
        return self.group

    def make_sgr(self):
        rules = self.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [self.group]}])
        return min(rules["SecurityGroupRules"], key=lambda rule: rule["IsEgress"])["SecurityGroupRuleId"]

    def make_pl(self):
        """One that everybody is on, and that the group lets in."""
        entries = [{"Cidr": "0.0.0.0/0", "Description": "everybody"}]
        made = self.ec2.create_managed_prefix_list(PrefixListName="list", MaxEntries=5, AddressFamily="IPv4", Entries=entries)
        list_id = made["PrefixList"]["PrefixListId"]
        rule = {"IpProtocol": "tcp", "FromPort": 3389, "ToPort": 3389, "PrefixListIds": [{"PrefixListId": list_id}]}
        self.ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[rule])
        return list_id

    def of_pl(self, _):
        return {self.group: self.of_sg(self.group)}

    def make_i(self):
        return self.run()["InstanceId"]

    def make_eni(self):
        return self.run()["NetworkInterfaces"][0]["NetworkInterfaceId"]

    def run(self):
        interface = {"DeviceIndex": 0, "SubnetId": self.subnet["SubnetId"], "Groups": [self.group], "AssociatePublicIpAddress": True}
        run = {"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1, "NetworkInterfaces": [interface]}
        return self.ec2.run_instances(**run, MetadataOptions={"HttpTokens": "optional"})["Instances"][0]

    def make_lt(self):
        data = {"ImageId": "ami-12c6146b", "MetadataOptions": {"HttpTokens": "optional"}}
        return self.ec2.create_launch_template(LaunchTemplateName="template", LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]

    def of_vol(self, volume):
        volume = self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]
        return {"Encrypted": volume["Encrypted"], "State": volume["State"], "Tags": volume.get("Tags", [])}

    def of_snap(self, snapshot):
        shared = self.ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
        encrypted = self.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["Encrypted"]
        return {"Encrypted": encrypted, "CreateVolumePermissions": shared["CreateVolumePermissions"]}

    def of_ami(self, image):
        shared = self.ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")
        return {"LaunchPermissions": shared.get("LaunchPermissions", [])}

    def of_sg(self, group):
        group = self.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        ranges = [(rule.get("FromPort"), rule["IpRanges"]) for rule in group["IpPermissions"]]
        return {"in": [f"{port} from {one['CidrIp']}" for port, many in ranges for one in many]}

    def of_i(self, instance):
        found = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        interfaces = found["NetworkInterfaces"]
        return {
            "State": found["State"]["Name"],
            "HttpTokens": found["MetadataOptions"]["HttpTokens"],
            "Groups": [group["GroupName"] for interface in interfaces for group in interface["Groups"]],
            "PublicIp": [one["Association"]["PublicIp"] for one in interfaces if "Association" in one],
        }

    def of_region(self):
        return {
            "EBS encryption": shown(self.ec2.get_ebs_encryption_by_default),
            "snapshot block": shown(self.ec2.get_snapshot_block_public_access_state),
            "image block": shown(self.ec2.get_image_block_public_access_state),
            "metadata defaults": shown(self.ec2.get_instance_metadata_defaults),
        }
