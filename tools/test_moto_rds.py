"""What the local RDS is trusted for: that it refuses what AWS refuses, and finds what AWS finds.

    .tools/venv/bin/python -m unittest discover --start-directory tools
"""

import unittest

import test_moto
from botocore.exceptions import ClientError

ACCOUNT = "222233334455"


def setUpModule():
    test_moto.setUpModule()


def tearDownModule():
    test_moto.tearDownModule()


class Rds(unittest.TestCase):
    def setUp(self):
        self.rds = test_moto.client("rds", test_moto.account(ACCOUNT))

    def instance(self, name, **how):
        how = {"Engine": "postgres", "AllocatedStorage": 20, "MasterUsername": "shop", "MasterUserPassword": "not-a-secret-1", **how}
        made = self.rds.create_db_instance(DBInstanceIdentifier=name, DBInstanceClass="db.m6g.large", **how)
        return made["DBInstance"]

    def refused(self, code, call, **arguments):
        with self.assertRaises(ClientError) as refusal:
            call(**arguments)
        self.assertEqual(refusal.exception.response["Error"]["Code"], code)

    def test_each_is_found_by_an_id_of_its_own(self):
        one, other = self.instance("one"), self.instance("other")
        self.assertRegex(one["DbiResourceId"], "^db-[A-Z0-9]{26}$")
        self.assertNotEqual(one["DbiResourceId"], other["DbiResourceId"])
        found = self.rds.describe_db_instances(Filters=[{"Name": "dbi-resource-id", "Values": [other["DbiResourceId"]]}])
        self.assertEqual([found["DBInstanceIdentifier"] for found in found["DBInstances"]], ["other"])
        made = self.rds.create_db_cluster(
            DBClusterIdentifier="orders", Engine="aurora-mysql", MasterUsername="shop", MasterUserPassword="not-a-secret-1"
        )["DBCluster"]
        by_id = [{"Name": "db-cluster-resource-id", "Values": [made["DbClusterResourceId"]]}]
        found = self.rds.describe_db_clusters(Filters=by_id)["DBClusters"]
        self.assertEqual([found["DBClusterIdentifier"] for found in found], ["orders"])

    def test_a_stopped_one_is_not_modified(self):
        self.instance("stopped")
        self.rds.stop_db_instance(DBInstanceIdentifier="stopped")
        self.refused("InvalidDBInstanceState", self.rds.modify_db_instance, DBInstanceIdentifier="stopped", PubliclyAccessible=False)

    def test_the_groups_of_a_member_are_its_cluster_s(self):
        self.rds.create_db_cluster(
            DBClusterIdentifier="members", Engine="aurora-mysql", MasterUsername="shop", MasterUserPassword="not-a-secret-1"
        )
        self.rds.create_db_instance(
            DBInstanceIdentifier="member", DBClusterIdentifier="members", Engine="aurora-mysql", DBInstanceClass="db.r6g.large"
        )
        modify = self.rds.modify_db_instance
        self.refused("InvalidParameterCombination", modify, DBInstanceIdentifier="member", VpcSecurityGroupIds=["sg-12345678"])
        modify(DBInstanceIdentifier="member", PubliclyAccessible=False)

    def test_an_encrypted_snapshot_is_never_public(self):
        self.instance("sealed", StorageEncrypted=True)
        self.rds.create_db_snapshot(DBInstanceIdentifier="sealed", DBSnapshotIdentifier="kept")
        share = self.rds.modify_db_snapshot_attribute
        self.refused(
            "InvalidParameterValue", share, DBSnapshotIdentifier="kept", AttributeName="restore", ValuesToAdd=["all"]
        )
        share(DBSnapshotIdentifier="kept", AttributeName="restore", ValuesToAdd=["444455556666"])
