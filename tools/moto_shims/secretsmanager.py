"""Secrets Manager as AWS documents it: a key is changed by itself, what is to be deleted shows no policy, and a public policy is refused
where the call says so. Source: Secrets Manager API Reference, UpdateSecret, GetResourcePolicy, PutResourcePolicy.
"""

import json

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import SecretsManagerBackend

_update_secret = SecretsManagerBackend.update_secret


def update_secret(self, secret_id, secret_string=None, secret_binary=None, kms_key_id=None, **rest):
    """moto forgets a key that comes without a value."""
    secret = self.secrets.get(secret_id)
    if secret is None or secret.is_deleted() or secret_string or secret_binary or not kms_key_id:
        return _update_secret(
            self, secret_id, secret_string=secret_string, secret_binary=secret_binary, kms_key_id=kms_key_id, **rest
        )
    secret.kms_key_id = kms_key_id
    return secret.to_short_dict()


_get_resource_policy = SecretsManagerBackend.get_resource_policy


def get_resource_policy(self, secret_id):
    if secret_id in self.secrets and self.secrets[secret_id].is_deleted():
        why = "You can't perform this operation on the secret because it was marked for deletion."
        raise InvalidRequestException(why)
    return _get_resource_policy(self, secret_id)


SecretsManagerBackend.update_secret = update_secret
SecretsManagerBackend.get_resource_policy = get_resource_policy


def is_public(policy):
    statements = json.loads(policy)["Statement"]
    everybody = ("*", {"AWS": "*"})
    allowed = [one for one in statements if one["Effect"] == "Allow" and "Condition" not in one]
    return any(one.get("Principal") in everybody for one in allowed)


def refusal(call):
    if call.action != "PutResourcePolicy":
        return None
    asked = json.loads(call.body)
    if asked.get("BlockPublicPolicy") and is_public(asked["ResourcePolicy"]):
        return (400, "PublicPolicyException", "The resource policy did not pass validation: it grants public access.")
    return None
