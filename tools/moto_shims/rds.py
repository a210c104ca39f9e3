"""RDS, where moto differs from AWS: the ids that never change, and what AWS refuses of a stopped database, of a member of a cluster and of
an encrypted snapshot."""

import random
import string

from moto.rds.exceptions import RDSClientError
from moto.rds.models import DBCluster, DBInstance, FilterDef, RDSBackend

# An id of its own for each, by which RDS finds it. Source: RDS API Reference, `DescribeDBInstances` and `DescribeDBClusters`, `Filters`.
DBCluster.SUPPORTED_FILTERS["db-cluster-resource-id"] = FilterDef(["db_cluster_resource_id"], "DB Cluster Resource Ids")


def resource_id(prefix):
    return prefix + "".join(random.choices(string.ascii_uppercase + string.digits, k=26))


def with_id(kind, name, prefix):
    init = kind.__init__

    def made(self, *args, **kwargs):
        init(self, *args, **kwargs)
        setattr(self, name, resource_id(prefix))

    kind.__init__ = made


with_id(DBInstance, "dbi_resource_id", "db-")
with_id(DBCluster, "db_cluster_resource_id", "cluster-")


_modify_db_instance = RDSBackend.modify_db_instance


def modify_db_instance(self, db_instance_identifier, db_kwargs):
    database = self.describe_db_instances(db_instance_identifier)[0]
    # RDS User Guide, "Stopping an Amazon RDS DB instance temporarily": "You can't modify a stopped DB instance".
    if database.status == "stopped":
        raise RDSClientError("InvalidDBInstanceState", f"Database instance {db_instance_identifier} is not in available state.")
    # RDS API Reference, `ModifyDBInstance`, `VpcSecurityGroupIds`: of Aurora, the cluster has them.
    if database.db_cluster_identifier and db_kwargs.get("vpc_security_group_ids"):
        message = f"The specified DB Instance is a member of a cluster. Modify the DB Cluster {database.db_cluster_identifier}."
        raise RDSClientError("InvalidParameterCombination", message)
    return _modify_db_instance(self, db_instance_identifier, db_kwargs)


RDSBackend.modify_db_instance = modify_db_instance

_modify_db_snapshot_attribute = RDSBackend.modify_db_snapshot_attribute


def modify_db_snapshot_attribute(self, db_snapshot_identifier, attribute_name, values_to_add=None, values_to_remove=None):
    # RDS User Guide, "Sharing a DB snapshot": "You can't share encrypted snapshots as public".
    snapshot = self.database_snapshots.get(db_snapshot_identifier)
    if snapshot is not None and snapshot.encrypted and "all" in (values_to_add or []):
        raise RDSClientError("InvalidParameterValue", "An encrypted snapshot can't be shared with all")
    return _modify_db_snapshot_attribute(self, db_snapshot_identifier, attribute_name, values_to_add, values_to_remove)


RDSBackend.modify_db_snapshot_attribute = modify_db_snapshot_attribute
