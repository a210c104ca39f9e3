"""UpdateTable takes a change of encryption, which moto ignores."""

from moto.dynamodb.responses import DynamoHandler

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
