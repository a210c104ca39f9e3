"""What the local KMS is trusted for: that it refuses what AWS refuses, and shows what AWS shows.

    .tools/venv/bin/python -m unittest discover --start-directory tools
"""

import json
import unittest

import test_moto
from botocore.exceptions import ClientError

ACCOUNT = "222233334444"


def setUpModule():
    test_moto.setUpModule()


def tearDownModule():
    test_moto.tearDownModule()


class Kms(unittest.TestCase):
    def setUp(self):
        self.kms = test_moto.client("kms", test_moto.account(ACCOUNT))

    def key(self, **how):
        return self.kms.create_key(**how)["KeyMetadata"]

    def describe(self, key):
        return self.kms.describe_key(KeyId=key["Arn"])["KeyMetadata"]

    def refused(self, code, call, **arguments):
        with self.assertRaises(ClientError) as refusal:
            call(**arguments)
        self.assertEqual(refusal.exception.response["Error"]["Code"], code)

    def test_a_cancelled_deletion_leaves_the_key_disabled(self):
        key = self.key()
        self.kms.schedule_key_deletion(KeyId=key["Arn"], PendingWindowInDays=7)
        self.refused("KMSInvalidStateException", self.kms.enable_key, KeyId=key["KeyId"])
        self.refused("KMSInvalidStateException", self.kms.schedule_key_deletion, KeyId=key["KeyId"])
        self.kms.cancel_key_deletion(KeyId=key["Arn"])
        self.assertEqual(self.describe(key)["KeyState"], "Disabled")
        self.refused("KMSInvalidStateException", self.kms.cancel_key_deletion, KeyId=key["KeyId"])
        self.refused("ValidationException", self.kms.schedule_key_deletion, KeyId=key["KeyId"], PendingWindowInDays=3)

    def test_a_key_is_for_encryption_unless_told_otherwise(self):
        self.assertEqual(self.describe(self.key())["KeyUsage"], "ENCRYPT_DECRYPT")

    def test_only_symmetric_keys_of_kms_rotate(self):
        key, rsa = self.key(), self.key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
        self.kms.enable_key_rotation(KeyId=key["Arn"], RotationPeriodInDays=180)
        self.assertEqual(self.kms.get_key_rotation_status(KeyId=key["KeyId"])["RotationPeriodInDays"], 180)
        self.refused("UnsupportedOperationException", self.kms.enable_key_rotation, KeyId=rsa["KeyId"])
        self.kms.disable_key(KeyId=key["KeyId"])
        self.refused("DisabledException", self.kms.enable_key_rotation, KeyId=key["KeyId"])

    def test_a_policy_that_locks_its_author_out_is_refused(self):
        key = self.key()
        statement = {"Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        put = {"KeyId": key["Arn"], "PolicyName": "default", "Policy": policy}
        self.refused("MalformedPolicyDocumentException", self.kms.put_key_policy, **put)
        self.kms.put_key_policy(**put, BypassPolicyLockoutSafetyCheck=True)
        self.assertEqual(self.kms.get_key_policy(KeyId=key["Arn"], PolicyName="default")["Policy"], policy)

    def test_imported_material_comes_and_goes(self):
        key = self.key(Origin="EXTERNAL")
        self.assertEqual(self.describe(key)["KeyState"], "PendingImport")
        self.refused("KMSInvalidStateException", self.kms.enable_key, KeyId=key["KeyId"])
        material = {"ImportToken": b"t", "EncryptedKeyMaterial": b"m", "ValidTo": 2_000_000_000}
        self.kms.import_key_material(KeyId=key["KeyId"], **material)
        found = self.describe(key)
        self.assertEqual((found["KeyState"], found["ExpirationModel"]), ("Enabled", "KEY_MATERIAL_EXPIRES"))
        self.kms.delete_imported_key_material(KeyId=key["KeyId"])
        self.assertEqual(self.describe(key)["KeyState"], "PendingImport")

    def test_a_primary_waits_for_its_replicas_and_can_move(self):
        key = self.key(MultiRegion=True)
        self.kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion="eu-west-1")
        kind = self.describe(key)["MultiRegionConfiguration"]["MultiRegionKeyType"]
        self.assertEqual(kind, "PRIMARY")
        self.kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=9)
        found = self.describe(key)
        self.assertEqual((found["KeyState"], found["PendingDeletionWindowInDays"]), ("PendingReplicaDeletion", 9))
        self.kms.cancel_key_deletion(KeyId=key["KeyId"])
        self.kms.update_primary_region(KeyId=key["KeyId"], PrimaryRegion="eu-west-1")
        self.assertEqual(self.describe(key)["MultiRegionConfiguration"]["PrimaryKey"]["Region"], "eu-west-1")

    def test_a_key_that_is_being_moved_takes_no_change_for_a_while(self):
        key = self.key(MultiRegion=True)
        self.kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion="eu-west-1")
        self.kms.update_primary_region(KeyId=key["KeyId"], PrimaryRegion="eu-west-1")
        self.refused("KMSInvalidStateException", self.kms.enable_key_rotation, KeyId=key["KeyId"])
        states = [self.describe(key)["KeyState"] for _ in range(4)]
        self.assertEqual(states, ["Updating"] * 3 + ["Enabled"])
        self.kms.enable_key_rotation(KeyId=key["KeyId"])

    def test_a_grant_says_under_which_account_it_was_made(self):
        key, other = self.key(), test_moto.client("kms", test_moto.account("333344445555"))
        grant = {"GranteePrincipal": "dynamodb.us-east-1.amazonaws.com", "Operations": ["Decrypt"]}
        for client in (self.kms, other):
            client.create_grant(KeyId=key["Arn"], **grant)
        found = self.kms.list_grants(KeyId=key["KeyId"])["Grants"]
        issuers = [f"arn:aws:iam::{account}:root" for account in (ACCOUNT, "333344445555")]
        self.assertEqual(sorted(grant["IssuingAccount"] for grant in found), issuers)

    def test_the_rotation_can_not_be_seen_while_the_deletion_is_pending(self):
        key = self.key()
        self.kms.enable_key_rotation(KeyId=key["Arn"], RotationPeriodInDays=90)
        self.kms.schedule_key_deletion(KeyId=key["Arn"], PendingWindowInDays=7)
        self.assertFalse(self.kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"])
        self.kms.cancel_key_deletion(KeyId=key["Arn"])
        found = self.kms.get_key_rotation_status(KeyId=key["KeyId"])
        self.assertEqual((found["KeyRotationEnabled"], found["RotationPeriodInDays"]), (True, 90))

    def test_keys_of_others_are_not_found_and_aws_s_own_are_told_apart(self):
        foreign = self.key()["Arn"].replace(ACCOUNT, "333344445555")
        self.refused("NotFoundException", self.kms.describe_key, KeyId=foreign)
        self.refused("NotFoundException", self.kms.list_grants, KeyId="0d9f3a5e-7c41-4b8e-9f16-2a6b8c4d1e70")
        self.assertEqual(self.kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyManager"], "AWS")
        key = self.key()
        self.refused("NotFoundException", self.kms.revoke_grant, KeyId=key["KeyId"], GrantId="g-1")


if __name__ == "__main__":
    unittest.main()
