"""An account whose instances write to their disks while they run, so that it shows which disk has lost something; and where, as on
AWS and not as in the emulator, nothing that is asked for has happened when the call returns."""

import json
import random
import re
from collections import Counter

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"
# Reads until what was asked for has happened.
LAG = 1


class World:
    def __init__(self, endpoint, account=None, table="ledger", topic=None):
        def client(service, **keys):
            return boto3.client(service, endpoint_url=endpoint, region_name=REGION, config=Config(retries={"total_max_attempts": 1}), **keys)

        self.account = account or "".join(random.choice("123456789") for _ in range(12))
        sts = client("sts", aws_access_key_id="test", aws_secret_access_key="test")
        keys = sts.assume_role(RoleArn=f"arn:aws:iam::{self.account}:role/tester", RoleSessionName="tester")["Credentials"]
        keys = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"], "aws_session_token": keys["SessionToken"]}
        self.clients = {service: client(service, **keys) for service in ("ec2", "dynamodb", "sns")}
        self.ec2, self.table = self.clients["ec2"], table
        self.at, self.running, self.content, self.written, self.clock = {}, set(), {}, {}, 0
        self.copies, self.lags, self.taking, self.starts_fail, self.broken = {}, Counter(), {}, False, {}
        self.wrong, self.told, self.restarts = [], [], 0
        if not account:
            schema = {
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            }
            self.clients["dynamodb"].create_table(TableName=table, BillingMode="PAY_PER_REQUEST", **schema)
        self.topic = topic or self.clients["sns"].create_topic(Name="alerts")["TopicArn"]

    def names(self):
        return {
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::AccountId": self.account,
            "AWS::StackName": "portcullis",
            "Ledger": self.table,
            "Alerts": self.topic,
            "ReencryptionRole.Arn": f"arn:aws:iam::{self.account}:role/reencryption",
            "Ec2Role.Arn": f"arn:aws:iam::{self.account}:role/ec2",
        }

    # ------------------------------------------------------------------------------------------------------ what there is

    def instance(self):
        self.id = self.ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        self.running.add(self.id)
        self.write()
        return self.id

    def root(self):
        """The volume that the instance started from, as people tag them."""
        instance = self.described()
        device = instance["RootDeviceName"]
        (mapping,) = [one for one in instance["BlockDeviceMappings"] if one["DeviceName"] == device]
        volume = mapping["Ebs"]["VolumeId"]
        self.at[self.id, device] = volume
        return self.tagged(volume)

    def data(self, device="/dev/sdf", attach=True, **kind):
        volume = self.ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=8, Encrypted=False, **kind)["VolumeId"]
        self.content[volume] = 0
        self.tagged(volume)
        if attach:
            self.ec2.attach_volume(VolumeId=volume, InstanceId=self.id, Device=device)
            self.at[self.id, device] = volume
        return volume

    def tagged(self, volume, plan="keep-days=90"):
        tags = {"Name": "web", "portcullis:re-encrypt": plan, "portcullis:quarantine": "re-encrypt"}
        self.ec2.create_tags(Resources=[volume], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
        return volume

    def described(self):
        return self.ec2.describe_instances(InstanceIds=[self.id])["Reservations"][0]["Instances"][0]

    def one(self, volume):
        return self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]

    def tags(self, of):
        return {tag["Key"]: tag["Value"] for tag in of.get("Tags", [])}

    def disk(self, device):
        """The volume at the device, if there is one; both the instance and the volume have to say so."""
        at = [one["Ebs"]["VolumeId"] for one in self.described()["BlockDeviceMappings"] if one["DeviceName"] == device]
        filters = [{"Name": "attachment.instance-id", "Values": [self.id]}]
        everywhere = [
            volume["VolumeId"]
            for volume in self.ec2.describe_volumes(Filters=filters)["Volumes"]
            for one in volume["Attachments"]
            if one["Device"] == device
        ]
        return at[0] if at == everywhere and len(at) == 1 else None

    def locks(self):
        return [item["pk"]["S"] for item in self.clients["dynamodb"].scan(TableName=self.table)["Items"] if item["pk"]["S"].startswith("lock#")]

    # ------------------------------------------------------------------------------------------------------ what happens

    def write(self):
        """Whatever runs writes to its disks."""
        self.clock += 1
        for (instance, device), volume in self.at.items():
            if instance in self.running:
                self.content[volume] = self.written[instance, device] = self.clock

    def lost(self, device):
        """Whether the disk at a device lacks what was written there last."""
        key = (self.id, device)
        return self.content.get(self.at.get(key)) != self.written.get(key, 0)

    def call(self, service, action, arguments):
        self.write()
        before = getattr(self, "before_" + action, None)
        after = getattr(self, "after_" + action, None)
        if before and before(arguments) is False:
            return {}
        result = getattr(self.clients[service], re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower())(**arguments)
        result.pop("ResponseMetadata")
        result = json.loads(json.dumps(result, default=lambda time: time.isoformat()))
        return (after(arguments, result) if after else None) or result

    def refuse(self, code):
        raise ClientError({"Error": {"Code": code, "Message": "not yet"}}, "call")

    def slow(self, key):
        """Whether it has not happened yet; one read later it has."""
        self.lags[key] -= 1
        return self.lags[key] >= 0

    def after_createSnapshot(self, arguments, result):
        self.copies[result["SnapshotId"]] = self.content.get(arguments["VolumeId"], 0)
        self.lags[result["SnapshotId"]] = LAG

    def after_describeSnapshots(self, arguments, result):
        for one in result["Snapshots"]:
            if self.slow(one["SnapshotId"]):
                one["State"] = "pending"

    def before_createVolume(self, arguments):
        if self.lags[arguments["SnapshotId"]] > 0:
            self.refuse("IncorrectState")

    def after_createVolume(self, arguments, result):
        self.content[result["VolumeId"]] = self.copies[arguments["SnapshotId"]]
        self.lags[result["VolumeId"]] = LAG

    def after_describeVolumes(self, arguments, result):
        for one in result["Volumes"]:
            id = one["VolumeId"]
            if self.slow(id):
                one["State"] = "creating"
            if self.slow(("attach", id)) and one["Attachments"]:
                one["Attachments"][0]["State"] = "attaching"
            if self.slow(("detach", id)) and not one["Attachments"]:
                one |= {"State": "in-use", "Attachments": [{**self.taking[id], "State": "detaching"}]}

    def before_stopInstances(self, arguments):
        if arguments["InstanceIds"][0] in self.running:
            self.lags["stop"] = LAG

    def after_describeInstances(self, arguments, result):
        for one in (one for reservation in result["Reservations"] for one in reservation["Instances"]):
            id, state = one["InstanceId"], one["State"]
            if id in self.broken:
                state["Name"], one["LaunchTime"] = "stopped", self.broken[id]
                one["StateReason"] = {"Code": "Client.InternalError", "Message": "Client error on launch"}
            elif state["Name"] == "stopped":
                if self.slow("stop"):
                    state["Name"] = "stopping"
                else:
                    self.running.discard(id)
            elif self.slow("start"):
                state["Name"] = "pending"

    def before_startInstances(self, arguments):
        (id,) = arguments["InstanceIds"]
        self.broken.pop(id, None)
        if self.starts_fail and any(self.one(volume)["Encrypted"] for (instance, _), volume in self.at.items() if instance == id):
            self.broken[id] = f"2036-01-01T00:00:{self.clock % 60:02}Z"
            return False
        self.restarts += id not in self.running
        self.lags["start"], self.lags["stop"] = LAG, 0
        self.running.add(id)
        return None

    def before_detachVolume(self, arguments):
        for (instance, _), volume in self.at.items():
            if volume == arguments["VolumeId"] and instance in self.running:
                self.wrong.append("a disk is taken out of an instance that runs")
        attachments = self.one(arguments["VolumeId"])["Attachments"]
        if attachments:
            self.taking[arguments["VolumeId"]] = json.loads(json.dumps(attachments[0], default=str))

    def after_detachVolume(self, arguments, result):
        self.at = {place: volume for place, volume in self.at.items() if volume != arguments["VolumeId"]}
        self.lags["detach", arguments["VolumeId"]] = LAG

    def before_attachVolume(self, arguments):
        if self.lags[arguments["VolumeId"]] > 0 or self.lags["detach", arguments["VolumeId"]] > 0:
            self.refuse("IncorrectState")

    def after_attachVolume(self, arguments, result):
        self.at[arguments["InstanceId"], arguments["Device"]] = arguments["VolumeId"]
        self.lags["attach", arguments["VolumeId"]] = LAG

    def after_createTags(self, arguments, result):
        replaced = {"Key": "portcullis:quarantine", "Value": "replaced"} in arguments["Tags"]
        if replaced and arguments["Resources"][0] in self.at.values():
            self.wrong.append("a volume that is attached is said to be replaced")

    def before_publish(self, arguments):
        self.told.append(arguments)
