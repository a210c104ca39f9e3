"""Calls of an account are done one after the other: moto's transactions copy whole tables and put them back, which breaks and
undoes what others write meanwhile, where DynamoDB's are serializable. UpdateTable takes a change of encryption, which moto ignores."""

import threading
from collections import defaultdict

from moto.dynamodb.responses import DynamoHandler

_locks = defaultdict(threading.Lock)
_call_action = DynamoHandler.call_action


def call_action(self):
    with _locks[self.current_account]:
        return _call_action(self)


DynamoHandler.call_action = call_action

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
