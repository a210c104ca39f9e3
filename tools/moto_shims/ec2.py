"""EC2, where moto differs from AWS: the blocks of public snapshots and images, the default key of EBS and its default encryption,
the defaults of the metadata service, whether the devices of an image are encrypted, the key of a snapshot, the tags of a launch template, the options of a metadata service that a call does
not name, the security groups of an interface, the groups that refer to a prefix list, what a volume is attached to and when it can't be attached or detached, when an instance
was last started, and the client token by which one is found."""

from datetime import timedelta

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError
from moto.ec2.models.amis import Ami
from moto.ec2.models.elastic_block_store import EBSBackend, VolumeAttachment
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.models.security_groups import SecurityGroup
from moto.ec2.responses import EC2Response
from moto.ec2.utils import filter_dict_attribute_mapping

_state = {}


def reset():
    _state.clear()


def state(response):
    return _state.setdefault((response.current_account, response.region), {"snapshot": "unblocked", "image": "unblocked"})


class OperationNotPermitted(EC2ClientError):
    def __init__(self, message):
        super().__init__("OperationNotPermitted", message)


def block(name, member):
    """Get, enable and disable for one kind of block public access."""

    def get(self):
        return ActionResult({member: state(self)[name], "ManagedBy": "account"})

    def enable(self):
        state(self)[name] = self._get_param(member)
        return ActionResult({member: state(self)[name]})

    def disable(self):
        state(self)[name] = "unblocked"
        return ActionResult({member: "unblocked"})

    return get, enable, disable


(
    EC2Response.get_snapshot_block_public_access_state,
    EC2Response.enable_snapshot_block_public_access,
    EC2Response.disable_snapshot_block_public_access,
) = block("snapshot", "State")
(
    EC2Response.get_image_block_public_access_state,
    EC2Response.enable_image_block_public_access,
    EC2Response.disable_image_block_public_access,
) = block("image", "ImageBlockPublicAccessState")


def default_key(change):
    """Get, modify and reset for the key of new volumes."""

    def answer(self):
        key = {"get": state(self).get("key"), "modify": self._get_param("KmsKeyId")}.get(change)
        state(self)["key"] = key or "alias/aws/ebs"
        return ActionResult({"KmsKeyId": state(self)["key"]})

    return answer


EC2Response.get_ebs_default_kms_key_id = default_key("get")
EC2Response.modify_ebs_default_kms_key_id = default_key("modify")
EC2Response.reset_ebs_default_kms_key_id = default_key("reset")


def get_instance_metadata_defaults(self):
    return ActionResult({"AccountLevel": state(self).get("metadata", {})})


def modify_instance_metadata_defaults(self):
    state(self)["metadata"] = {"HttpTokens": self._get_param("HttpTokens")}
    return ActionResult({"Return": True})


EC2Response.get_instance_metadata_defaults = get_instance_metadata_defaults
EC2Response.modify_instance_metadata_defaults = modify_instance_metadata_defaults

_modify_snapshot_attribute = EC2Response.modify_snapshot_attribute


def modify_snapshot_attribute(self):
    """The CreateVolumePermission form, which moto takes and ignores; and the block, which it does not know."""
    permission = self._get_param("CreateVolumePermission", {}) or {}
    add, remove = permission.get("Add") or [], permission.get("Remove") or []
    if self._get_param("OperationType") == "add":
        add = add + [{"Group": group} for group in self._get_param("GroupNames", [])]
    if state(self)["snapshot"] != "unblocked" and any(one.get("Group") == "all" for one in add):
        raise OperationNotPermitted("Public sharing of snapshots is blocked in this Region")
    if not permission:
        return _modify_snapshot_attribute(self)
    snapshot = self._get_param("SnapshotId")
    for change, entries in (
        (self.ec2_backend.add_create_volume_permission, add),
        (self.ec2_backend.remove_create_volume_permission, remove),
    ):
        if entries:
            users = [one["UserId"] for one in entries if "UserId" in one]
            change(snapshot, user_ids=users, groups=[one["Group"] for one in entries if "Group" in one])
    return EmptyResult()


EC2Response.modify_snapshot_attribute = modify_snapshot_attribute

_create_volume = EBSBackend.create_volume


def create_volume(self, size, zone_name, snapshot_id=None, encrypted=False, *args, **kwargs):
    encrypted = encrypted or getattr(self, "ebs_encryption_by_default", False)
    return _create_volume(self, size, zone_name, snapshot_id, encrypted, *args, **kwargs)


EBSBackend.create_volume = create_volume

_create_snapshot = EBSBackend.create_snapshot


def create_snapshot(self, *args, **kwargs):
    """With the key of the volume, which moto leaves out. Source: EBS User Guide, "Amazon EBS encryption"."""
    snapshot = _create_snapshot(self, *args, **kwargs)
    snapshot.kms_key_id = snapshot.volume.kms_key_id if snapshot.encrypted else None
    return snapshot


EBSBackend.create_snapshot = create_snapshot

# As they are; moto shows those that it was made with.
LaunchTemplate.tags = property(lambda self: self.get_tags(), lambda self, _: None)

_mappings = Ami.block_device_mappings.fget


def block_device_mappings(self):
    """With what AWS says of each device and moto does not: whether its snapshot is encrypted."""
    return [{**one, "Ebs": {**one["Ebs"], "Encrypted": self.ebs_snapshot.encrypted}} for one in _mappings(self)]


Ami.block_device_mappings = property(block_device_mappings)

_describe_image_attribute = EC2Response.describe_image_attribute


def describe_image_attribute(self):
    """Of an image that is no more, AWS's error; moto breaks off."""
    if self._get_param("ImageId") not in self.ec2_backend.amis:
        raise InvalidAMIIdError([self._get_param("ImageId")])
    return _describe_image_attribute(self)


EC2Response.describe_image_attribute = describe_image_attribute

_modify_image_attribute = EC2Response.modify_image_attribute


def modify_image_attribute(self):
    """The block, which moto does not know."""
    add = (self._get_param("LaunchPermission", {}) or {}).get("Add") or []
    if state(self)["image"] != "unblocked" and any(one.get("Group") == "all" for one in add):
        raise OperationNotPermitted("Public sharing of images is blocked in this Region")
    return _modify_image_attribute(self)


EC2Response.modify_image_attribute = modify_image_attribute

_modify_instance_metadata_options = EC2Response.modify_instance_metadata_options


def modify_instance_metadata_options(self):
    """What a call does not name stays; moto takes it for none."""
    had = self.ec2_backend.get_instance(self._get_param("InstanceId")).metadata_options
    answer = _modify_instance_metadata_options(self)
    now = self.ec2_backend.get_instance(self._get_param("InstanceId")).metadata_options
    for option, value in vars(had).items():
        if getattr(now, option) is None:
            setattr(now, option, value)
    if self._get_param("HttpPutResponseHopLimit") is None:
        now.http_put_response_hop_limit = had.http_put_response_hop_limit
    return answer


EC2Response.modify_instance_metadata_options = modify_instance_metadata_options

# An interface has the groups that it was given; moto adds those of its instance, which on AWS are the first interface's own.
NetworkInterface.group_set = property(lambda self: self._group_set or (self.instance.security_groups if self.instance else []))


def filter_ip_permission__prefix_list_id(self, values):
    """Which groups let in what is on a prefix list, which moto can't say."""
    return any(rule.prefix_list_id in values for rule in self.ingress_rules)


SecurityGroup.filter_ip_permission__prefix_list_id = filter_ip_permission__prefix_list_id


def delete_on_termination(self):
    """What AWS says of each attachment, and moto only of the instance's device."""
    device = self.instance.block_device_mapping.get(self.device)
    return bool(device and device.delete_on_termination)


VolumeAttachment.delete_on_termination = property(delete_on_termination)

_attach_volume, _detach_volume = EBSBackend.attach_volume, EC2Response.detach_volume


def attach_volume(self, volume_id, instance_id, device_path, *args, **kwargs):
    """One disk a device and, of the kinds that are used here, one instance a volume; moto puts one in the place of the other."""
    if self.get_volume(volume_id).attachment:
        raise EC2ClientError("VolumeInUse", f"{volume_id} is already attached to an instance")
    if device_path in self.get_instance(instance_id).block_device_mapping:
        raise EC2ClientError("InvalidParameterValue", f"Invalid value '{device_path}' for unixDevice. Attachment point is already in use")
    return _attach_volume(self, volume_id, instance_id, device_path, *args, **kwargs)


def detach_volume(self):
    """The instance need not be named; moto breaks off without it. What an instance starts from stays while it runs."""
    volume = self._get_param("VolumeId")
    attachment = self.ec2_backend.get_volume(volume).attachment
    if not attachment:
        raise EC2ClientError("IncorrectState", f"Volume '{volume}' is in the 'available' state.")
    instance = attachment.instance
    if instance.state == "running" and attachment.device == instance.root_device_name:
        raise EC2ClientError("OperationNotPermitted", f"Unable to detach root volume '{volume}' from instance '{instance.id}'")
    if self._get_param("InstanceId"):
        return _detach_volume(self)
    self.ec2_backend.detach_volume(volume, instance.id, attachment.device)
    return ActionResult({"VolumeId": volume, "InstanceId": instance.id, "Device": attachment.device, "State": "detaching"})


EBSBackend.attach_volume, EC2Response.detach_volume = attach_volume, detach_volume

_start = Instance.start


def start(self):
    """The launch time is that of the last start, in seconds: a later one is another one. Source: EC2 User Guide, "Find the initial
    and most recent launch times"."""
    if self.state == "stopped":
        self.launch_time = max(utcnow(), self.launch_time + timedelta(seconds=1))
    return _start(self)


Instance.start = start


# Source: EC2 API Reference, `DescribeInstances`, filter `client-token`.
filter_dict_attribute_mapping["client-token"] = "client_token"
Instance.client_token = None
_run_instances = EC2Response.run_instances


def run_instances(self):
    before = {one.id for one in self.ec2_backend.all_instances()}
    answer = _run_instances(self)
    for instance in self.ec2_backend.all_instances():
        if instance.id not in before:
            instance.client_token = self._get_param("ClientToken")
    return answer


EC2Response.run_instances = run_instances
