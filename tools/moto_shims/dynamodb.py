"""Calls of an account are done one after the other: moto's transactions copy whole tables and put them back, which breaks and
undoes what others write meanwhile, where DynamoDB's are serializable. UpdateTable takes a change of encryption, which moto ignores.
Streams have policies of their own, a policy of CreateTable is kept, and deleting one that is not there succeeds, unless a revision is
expected (DynamoDB API Reference, `PutResourcePolicy`, `DeleteResourcePolicy`, `CreateTable`)."""

import threading
from collections import defaultdict
from itertools import count

import moto_shims.kms  # noqa: F401: whose the AWS-managed key is
from moto.dynamodb.exceptions import PolicyNotFoundException, ResourceNotFoundException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import ResourcePolicy, Table
from moto.dynamodb.responses import DynamoHandler
from moto.kms import kms_backends

_locks = defaultdict(threading.Lock)
_call_action = DynamoHandler.call_action


def call_action(self):
    with _locks[self.current_account]:
        return _call_action(self)


DynamoHandler.call_action = call_action


def default_key(self, account_id, region):
    """The key that AWS manages, where moto makes one of the customer's."""
    return kms_backends[account_id][region].describe_key("alias/aws/dynamodb").arn


Table._get_default_encryption_key = default_key

_update_table = DynamoHandler.update_table


def update_table(self):
    wanted = self.body.get("SSESpecification")
    if wanted is not None:
        table = self.dynamodb_backend.get_table(self.body["TableName"])
        if wanted.get("Enabled"):
            key = wanted.get("KMSMasterKeyId") or table._get_default_encryption_key(self.current_account, self.region)
            table.sse_specification = {**wanted, "KMSMasterKeyId": key}
        else:
            table.sse_specification = None
    return _update_table(self)


DynamoHandler.update_table = update_table


# ------------------------------------------------------------------------------------------------------------ policies

_puts = count()


def table_of(backend, arn):
    """The table of an ARN, or of that of its stream."""
    name, *rest = arn.partition(":table/")[2].split("/", 2)
    table = backend.tables.get(name)
    if table is None or (rest and rest != ["stream", table.latest_stream_label]):
        raise ResourceNotFoundException(table_name=name)
    return table


def expect(backend, arn, expected):
    table_of(backend, arn)
    policy = backend.resource_policies.get(arn)
    found = policy.revision_id if policy else "NO_POLICY"
    if expected and expected != found:
        raise PolicyNotFoundException(f"Resource-based policy not found for the provided ResourceArn: expected the revision {expected}, found {found}.")
    return policy


def put_resource_policy(self, resource_arn, policy_doc, expected_revision_id):
    policy = expect(self, resource_arn, expected_revision_id)
    if policy is None or policy.policy_doc != policy_doc:
        policy = ResourcePolicy(resource_arn=resource_arn, policy_doc=policy_doc)
        # Two in a millisecond are two.
        policy.revision_id = f"{policy.revision_id}{next(_puts):06}"
        self.resource_policies[resource_arn] = policy
    return policy


def get_resource_policy(self, resource_arn):
    policy = expect(self, resource_arn, None)
    if policy is None:
        raise PolicyNotFoundException(f"Resource-based policy not found for the provided ResourceArn: {resource_arn}")
    return policy


def delete_resource_policy(self, resource_arn, expected_revision_id):
    expect(self, resource_arn, expected_revision_id)
    self.resource_policies.pop(resource_arn, None)


DynamoDBBackend.put_resource_policy = put_resource_policy
DynamoDBBackend.get_resource_policy = get_resource_policy
DynamoDBBackend.delete_resource_policy = delete_resource_policy

_create_table = DynamoHandler.create_table


def create_table(self):
    answer = _create_table(self)
    if self.body.get("ResourcePolicy"):
        arn = self.dynamodb_backend.get_table(self.body["TableName"]).table_arn
        self.dynamodb_backend.put_resource_policy(arn, self.body["ResourcePolicy"], None)
    return answer


DynamoHandler.create_table = create_table
