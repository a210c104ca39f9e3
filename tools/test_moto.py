"""The local AWS answers as AWS documents it, where the functions and their tests depend on it.

    .tools/venv/bin/python -m unittest discover -s tools
"""

import json
import socket
import subprocess
import sys
import unittest
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

ACCOUNT, OTHER = "111122223333", "444455556666"
BLOCK = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
ENFORCED = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"

_getaddrinfo = socket.getaddrinfo


def setUpModule():
    global launcher, endpoint
    # S3 Control puts the account id in front of the endpoint's host.
    socket.getaddrinfo = lambda host, *a, **k: _getaddrinfo("127.0.0.1" if host.endswith(".127.0.0.1") else host, *a, **k)
    command = [sys.executable, Path(__file__).with_name("moto_launch.py"), "0", "--with-stdin"]
    launcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    endpoint = f"http://127.0.0.1:{int(launcher.stdout.readline().removeprefix('ready '))}"


def tearDownModule():
    socket.getaddrinfo = _getaddrinfo
    launcher.stdin.close()
    assert launcher.wait(timeout=5) == 0, "it ends with its standard input"
    launcher.stdout.close()


def client(service, keys=None):
    keys = keys or {"AccessKeyId": "test", "SecretAccessKey": "test"}
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
        config=Config(retries={"total_max_attempts": 1}),
    )


def account(number):
    return client("sts").assume_role(RoleArn=f"arn:aws:iam::{number}:role/test", RoleSessionName="test")["Credentials"]


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(endpoint + path, method=method, data=data)) as answer:
        return json.load(answer)


def public(resource):
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Moto(unittest.TestCase):
    def setUp(self):
        self.keys = account(ACCOUNT)
        self.s3, self.s3control = client("s3", self.keys), client("s3control", self.keys)
        self.bucket = self.id().rpartition(".")[2].replace("_", "-")
        self.s3.create_bucket(Bucket=self.bucket)

    def refused(self, code, call, **arguments):
        with self.assertRaises(ClientError) as refusal:
            call(**arguments)
        self.assertEqual(refusal.exception.response["Error"]["Code"], code)

    def encryption(self):
        return self.s3.get_bucket_encryption(Bucket=self.bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]

    def put_encryption(self, **rule):
        self.s3.put_bucket_encryption(Bucket=self.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def test_a_new_bucket_is_encrypted_and_nothing_else(self):
        self.assertEqual(self.encryption()["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"})
        self.refused("NoSuchPublicAccessBlockConfiguration", self.s3.get_public_access_block, Bucket=self.bucket)
        self.refused("OwnershipControlsNotFoundError", self.s3.get_bucket_ownership_controls, Bucket=self.bucket)
        self.assertNotIn("Status", self.s3.get_bucket_versioning(Bucket=self.bucket))

    def test_encryption_keeps_blocked_types(self):
        kms = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/k"}
        rule = {
            "ApplyServerSideEncryptionByDefault": kms,
            "BucketKeyEnabled": True,
            "BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]},
        }
        self.put_encryption(**rule)
        self.assertEqual(self.encryption(), rule)
        self.s3.delete_bucket_encryption(Bucket=self.bucket)
        self.assertEqual(self.encryption()["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"})
        with self.assertRaisesRegex(ClientError, "MalformedXML"):
            self.put_encryption(ApplyServerSideEncryptionByDefault={"SSEAlgorithm": "rot13"})

    def test_the_expected_owner_must_own_the_bucket(self):
        self.s3.get_bucket_acl(Bucket=self.bucket, ExpectedBucketOwner=ACCOUNT)
        self.refused("AccessDenied", self.s3.get_bucket_acl, Bucket=self.bucket, ExpectedBucketOwner=OTHER)

    def test_acls_and_ownership_exclude_each_other(self):
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="public-read-write")
        grants = self.s3.get_bucket_acl(Bucket=self.bucket)["Grants"]
        self.assertEqual([g["Permission"] for g in grants if g["Grantee"].get("URI") == ALL_USERS], ["READ", "WRITE"])
        enforce = {"Bucket": self.bucket, "OwnershipControls": ENFORCED}
        self.refused("InvalidBucketAclWithObjectOwnership", self.s3.put_bucket_ownership_controls, **enforce)
        self.s3.put_bucket_acl(Bucket=self.bucket, ACL="private")
        self.s3.put_bucket_ownership_controls(**enforce)
        self.refused("AccessControlListNotSupported", self.s3.put_bucket_acl, Bucket=self.bucket, ACL="public-read")

    def test_a_block_refuses_public_policies_and_acls(self):
        policy = {"Bucket": self.bucket, "Policy": public(f"arn:aws:s3:::{self.bucket}/*")}
        self.s3.put_bucket_policy(**policy)
        self.assertEqual(self.s3.get_bucket_policy(Bucket=self.bucket)["Policy"], policy["Policy"])
        self.s3.put_public_access_block(Bucket=self.bucket, PublicAccessBlockConfiguration=BLOCK)
        self.refused("AccessDenied", self.s3.put_bucket_policy, **policy)
        self.refused("AccessDenied", self.s3.put_bucket_acl, Bucket=self.bucket, ACL="public-read")

    def test_the_account_s_block_counts_for_its_buckets(self):
        policy = {"Bucket": self.bucket, "Policy": public(f"arn:aws:s3:::{self.bucket}/*")}
        self.refused("NoSuchPublicAccessBlockConfiguration", self.s3control.get_public_access_block, AccountId=ACCOUNT)
        self.s3control.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=BLOCK)
        self.addCleanup(self.s3control.delete_public_access_block, AccountId=ACCOUNT)
        self.refused("AccessDenied", self.s3.put_bucket_policy, **policy)
        other = client("s3control", account(OTHER))
        self.refused("AccessDenied", other.get_public_access_block, AccountId=ACCOUNT)

    def test_policies_must_make_sense(self):
        for policy in ("{", "[]", "{}", public("arn:aws:s3:::somebody-else/*")):
            self.refused("MalformedPolicy", self.s3.put_bucket_policy, Bucket=self.bucket, Policy=policy)

    def test_access_points_are_blocked_unless_told_otherwise(self):
        def create(name, **block):
            self.s3control.create_access_point(AccountId=ACCOUNT, Name=name, Bucket=self.bucket, **block)
            return {"AccountId": ACCOUNT, "Name": name}

        def policy(point):
            return public(f"arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/{point['Name']}/object/*")

        blocked = create("blocked")
        self.refused("AccessDenied", self.s3control.put_access_point_policy, **blocked, Policy=policy(blocked))
        self.refused("NoSuchAccessPointPolicy", self.s3control.get_access_point_policy, **blocked)
        open_ = create("open", PublicAccessBlockConfiguration={**BLOCK, "BlockPublicPolicy": False})
        self.s3control.put_access_point_policy(**open_, Policy=policy(open_))
        self.assertEqual(self.s3control.get_access_point_policy(**open_)["Policy"], policy(open_))

    def test_messages_are_listed_and_checked(self):
        sns = client("sns", account(OTHER))
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        message = json.dumps({"default": "text", "sqs": "{}"})
        attributes = {"severity": {"DataType": "String", "StringValue": "HIGH"}}
        sns.publish(TopicArn=topic, Subject="s", Message=message, MessageStructure="json", MessageAttributes=attributes)
        self.refused("InvalidParameter", sns.publish, TopicArn=topic, Subject="two\nlines", Message="x")
        self.refused("InvalidParameter", sns.publish, TopicArn=topic, Message="{}", MessageStructure="json")
        (listed,) = control("GET", f"/_sns?topic={topic}")
        self.assertEqual((listed["subject"], listed["message"], listed["message_structure"]), ("s", message, "json"))
        self.assertEqual(listed["attributes"], {"severity": {"Type": "String", "Value": "HIGH"}})

    def test_faults_and_calls_belong_to_a_key(self):
        key, other = self.keys["AccessKeyId"], account(OTHER)
        control("POST", f"/_fault?key={other['AccessKeyId']}", [{"service": "sts", "status": 503, "code": "Mine"}])
        slow_down = {"service": "s3", "action": "GetBucketAcl", "status": 503, "code": "SlowDown"}
        control("POST", f"/_fault?key={key}", [slow_down, {"service": "s3", "action": "GetBucketPolicy", "drop": True}])
        control("DELETE", f"/_calls?key={key}")
        self.refused("SlowDown", self.s3.get_bucket_acl, Bucket=self.bucket)
        self.s3.get_bucket_acl(Bucket=self.bucket)  # once only
        self.assertRaises(ConnectionClosedError, self.s3.get_bucket_policy, Bucket=self.bucket)
        self.refused("Mine", client("sts", other).get_caller_identity)
        calls = control("GET", f"/_calls?key={key}")
        expected = [("GetBucketAcl", 503, True), ("GetBucketAcl", 200, False), ("GetBucketPolicy", None, True)]
        self.assertEqual([(call["action"], call["status"], call["injected"]) for call in calls], expected)
        self.assertTrue(all(call["resource"] == self.bucket and call["started_ms"] <= call["ended_ms"] for call in calls))

    def test_the_launch_time_is_that_of_the_last_start(self):
        ec2 = client("ec2", account(ACCOUNT))
        id = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]

        def launched():
            return ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]["LaunchTime"]

        first = launched()
        ec2.stop_instances(InstanceIds=[id])
        self.assertEqual(launched(), first, "a stop leaves it")
        ec2.start_instances(InstanceIds=[id])
        second = launched()
        self.assertGreater(second, first)
        ec2.start_instances(InstanceIds=[id])
        self.assertEqual(launched(), second, "what runs is not started")

    def test_a_snapshot_has_the_key_of_its_volume(self):
        keys = account(ACCOUNT)
        ec2 = client("ec2", keys)
        key = client("kms", keys).create_key()["KeyMetadata"]["Arn"]
        for kept, asked in ((key, {"Encrypted": True, "KmsKeyId": key}), (None, {})):
            volume = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, **asked)["VolumeId"]
            made = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
            self.assertEqual(ec2.describe_snapshots(SnapshotIds=[made])["Snapshots"][0].get("KmsKeyId"), kept)

    def test_the_tags_of_a_launch_template_are_those_that_it_has(self):
        ec2 = client("ec2", account(ACCOUNT))
        data = {"ImageId": "ami-12c6146b"}
        id = ec2.create_launch_template(LaunchTemplateName="tagged", LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
        ec2.create_tags(Resources=[id], Tags=[{"Key": "a", "Value": "b"}])
        found = ec2.describe_launch_templates(LaunchTemplateIds=[id])["LaunchTemplates"][0]
        self.assertEqual(found["Tags"], [{"Key": "a", "Value": "b"}])

    def test_groups_are_found_by_the_prefix_list_that_they_refer_to(self):
        ec2 = client("ec2", account(ACCOUNT))
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = ec2.create_managed_prefix_list(PrefixListName="offices", MaxEntries=5, AddressFamily="IPv4")["PrefixList"]["PrefixListId"]
        groups = [ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("in", "out", "none")]
        rule = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": made}]}]
        ec2.authorize_security_group_ingress(GroupId=groups[0], IpPermissions=rule)
        ec2.authorize_security_group_egress(GroupId=groups[1], IpPermissions=rule)
        found = ec2.describe_security_groups(Filters=[{"Name": "ip-permission.prefix-list-id", "Values": [made]}])
        self.assertEqual([group["GroupId"] for group in found["SecurityGroups"]], groups[:1])

    def test_a_table_and_its_stream_each_have_a_policy(self):
        dynamodb = client("dynamodb", account(ACCOUNT))
        schema = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
        stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        policy = public("*")
        made = dynamodb.create_table(TableName="orders", BillingMode="PAY_PER_REQUEST", StreamSpecification=stream, ResourcePolicy=policy, **schema)
        table, stream = made["TableDescription"]["TableArn"], made["TableDescription"]["LatestStreamArn"]
        self.assertEqual(dynamodb.get_resource_policy(ResourceArn=table)["Policy"], policy)
        self.refused("PolicyNotFoundException", dynamodb.get_resource_policy, ResourceArn=stream)
        self.refused("PolicyNotFoundException", dynamodb.put_resource_policy, ResourceArn=stream, Policy=policy, ExpectedRevisionId="1")
        first = dynamodb.put_resource_policy(ResourceArn=stream, Policy=policy, ExpectedRevisionId="NO_POLICY")["RevisionId"]
        self.assertEqual(dynamodb.put_resource_policy(ResourceArn=stream, Policy=policy)["RevisionId"], first, "the same text")
        self.assertNotEqual(dynamodb.put_resource_policy(ResourceArn=stream, Policy=public("x"))["RevisionId"], first)
        self.refused("PolicyNotFoundException", dynamodb.delete_resource_policy, ResourceArn=stream, ExpectedRevisionId=first)
        dynamodb.delete_resource_policy(ResourceArn=stream)
        dynamodb.delete_resource_policy(ResourceArn=stream)

    def test_aws_manages_the_key_of_what_names_none(self):
        keys = account(ACCOUNT)
        dynamodb, efs, kms = client("dynamodb", keys), client("efs", keys), client("kms", keys)
        schema = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}], "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
        dynamodb.create_table(TableName="payments", BillingMode="PAY_PER_REQUEST", **schema)
        self.assertNotIn("SSEDescription", dynamodb.describe_table(TableName="payments")["Table"])
        dynamodb.update_table(TableName="payments", SSESpecification={"Enabled": True, "SSEType": "KMS"})
        table = dynamodb.describe_table(TableName="payments")["Table"]["SSEDescription"]["KMSMasterKeyArn"]
        for key in (table, efs.create_file_system(CreationToken="a key", Encrypted=True)["KmsKeyId"]):
            self.assertEqual(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyManager"], "AWS")
        self.assertNotIn("KmsKeyId", efs.create_file_system(CreationToken="no key"))

    def test_a_file_system_s_policy_can_be_deleted(self):
        efs = client("efs", account(ACCOUNT))
        id = efs.create_file_system(CreationToken="a policy")["FileSystemId"]
        self.refused("PolicyNotFound", efs.describe_file_system_policy, FileSystemId=id)
        efs.put_file_system_policy(FileSystemId=id, Policy=public("*"))
        self.assertEqual(efs.describe_file_system_policy(FileSystemId=id)["Policy"], public("*"))
        efs.delete_file_system_policy(FileSystemId=id)
        self.refused("PolicyNotFound", efs.describe_file_system_policy, FileSystemId=id)
        self.refused("FileSystemNotFound", efs.describe_file_system_policy, FileSystemId="fs-0123456789abcdef0")

    def test_what_is_missing_says_so_at_once(self):
        self.refused("NotImplemented", client("accessanalyzer").list_analyzers)


if __name__ == "__main__":
    unittest.main()
