"""KMS as AWS documents it, as far as a guard of keys and aliases can see a difference: key ARNs wherever a key id goes, what
each key state refuses, rotation periods, imported material, multi-Region keys, grants, and the check against a lock-out.
"""

import copy
import json
from datetime import datetime, timezone
from fnmatch import fnmatchcase

from moto.core.exceptions import JsonRESTError
from moto.kms.exceptions import NotFoundException
from moto.kms.models import Key, KmsBackend, kms_backends
from moto.kms.responses import KmsResponse

PENDING = ("PendingDeletion", "PendingReplicaDeletion")


def invalid_state(key):
    return JsonRESTError("KMSInvalidStateException", f"{key.arn} is {describe_state(key)}.")


def describe_state(key):
    if key.moving:
        return "updating"
    return {"Disabled": "disabled", "PendingImport": "pending import"}.get(key.key_state, "pending deletion")


# ------------------------------------------------------------------------------------------ ARNs are as good as ids

_get_param = KmsResponse._get_param


def get_param(self, name, if_none=None):
    value = _get_param(self, name, if_none)
    if name in ("KeyId", "TargetKeyId") and isinstance(value, str) and value.startswith("arn:"):
        _, _, _, region, account, resource = value.split(":", 5)
        if (region, account) != (self.region, self.current_account):
            # Nothing here is shared between accounts, and no region answers for another.
            raise NotFoundException(f"Key '{value}' does not exist")
        return resource.removeprefix("key/")
    return value


KmsResponse._get_param = get_param

# ------------------------------------------------------------------------------------------------------- key states


def key_of(response, name="KeyId"):
    key_id = response._get_param(name)
    response._validate_key_id(key_id)
    return response.kms_backend.keys[response.kms_backend.any_id_to_key_id(key_id)]


def when(*states, error=invalid_state):
    def check(response, key):
        if key.key_state in states:
            raise error(key)

    return check


def disabled(key):
    return JsonRESTError("DisabledException", f"{key.arn} is disabled.")


def rotates(_, key):
    if key.key_spec != "SYMMETRIC_DEFAULT" or key.origin != "AWS_KMS":
        raise JsonRESTError("UnsupportedOperationException", f"{key.arn} origin or spec is not valid for this operation.")


def window(response, _):
    days = response._get_param("PendingWindowInDays", 30)
    if not 7 <= days <= 30:
        raise JsonRESTError("ValidationException", f"PendingWindowInDays {days} is not between 7 and 30")


def not_pending(_, key):
    if key.key_state not in PENDING:
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is not pending deletion.")


def guarded(name, *checks):
    original = getattr(KmsResponse, name)

    def method(self):
        key = key_of(self)
        for check in checks:
            check(self, key)
        return original(self)

    setattr(KmsResponse, name, method)


def being_moved(_, key):
    if key.moving:
        raise invalid_state(key)


guarded("enable_key", when(*PENDING, "PendingImport"))
guarded("disable_key", when(*PENDING, "PendingImport"))
guarded("schedule_key_deletion", when(*PENDING), window)
guarded("cancel_key_deletion", not_pending)
guarded("get_key_rotation_status", rotates)
guarded("enable_key_rotation", rotates, being_moved, when(*PENDING), when("Disabled", error=disabled))
guarded("disable_key_rotation", rotates, when(*PENDING), when("Disabled", error=disabled))
guarded("create_grant", when(*PENDING, "PendingImport"), when("Disabled", error=disabled))

_schedule_key_deletion = KmsBackend.schedule_key_deletion


def schedule_key_deletion(self, key_id, pending_window_in_days):
    date = _schedule_key_deletion(self, key_id, pending_window_in_days)
    key = self.keys[key_id]
    key.pending_window = pending_window_in_days
    if key.multi_region and is_primary(key) and key.multi_region_configuration["ReplicaKeys"]:
        key.key_state, key.deletion_date = "PendingReplicaDeletion", None
        return None
    return date


KmsBackend.schedule_key_deletion = schedule_key_deletion

# --------------------------------------------------------------------------------------------------- what a key is

_init = Key.__init__


def init(self, *args, **kwargs):
    _init(self, *args, **kwargs)
    self.rotation_period = 365
    self.key_usage = self.key_usage or "ENCRYPT_DECRYPT"  # the API's default, which moto leaves out
    self.valid_to = None
    if self.origin == "EXTERNAL":
        self.key_state, self.enabled = "PendingImport", False


Key.__init__ = init
Key.moving = 0  # how often it is still seen in the state Updating; AWS-managed keys are made past the initializer


def is_primary(key):
    return key.arn == key.multi_region_configuration["PrimaryKey"]["Arn"]


_to_dict = Key.to_dict


def to_dict(self):
    answer = _to_dict(self)
    metadata = answer["KeyMetadata"]
    if self.moving:
        metadata["KeyState"] = "Updating"
        self.moving -= 1
    if self.key_state == "PendingReplicaDeletion":
        metadata["PendingDeletionWindowInDays"] = self.pending_window
    if self.origin == "EXTERNAL" and self.key_state != "PendingImport":
        metadata["ExpirationModel"] = "KEY_MATERIAL_EXPIRES" if self.valid_to else "KEY_MATERIAL_DOES_NOT_EXPIRE"
        if self.valid_to:
            metadata["ValidTo"] = self.valid_to
    if self.multi_region:
        # moto keeps one configuration for all related keys, and its replicas turn the primary into a replica.
        configuration = copy.deepcopy(self.multi_region_configuration)
        configuration["MultiRegionKeyType"] = "PRIMARY" if is_primary(self) else "REPLICA"
        metadata["MultiRegionConfiguration"] = configuration
    return answer


Key.to_dict = to_dict

_generate_default_keys = KmsBackend._generate_default_keys


def generate_default_keys(self, alias_name):
    key_id = _generate_default_keys(self, alias_name)
    if key_id:
        self.keys[key_id].key_manager = "AWS"
    return key_id


KmsBackend._generate_default_keys = generate_default_keys


def update_primary_region(self):
    key, region = key_of(self), self._get_param("PrimaryRegion")
    configuration = key.multi_region_configuration
    old = configuration["PrimaryKey"]
    new = next((replica for replica in configuration["ReplicaKeys"] if replica["Region"] == region), None)
    if new is None:
        raise NotFoundException(f"{key.arn} has no replica in {region}")
    configuration["PrimaryKey"] = new
    configuration["ReplicaKeys"] = [old] + [replica for replica in configuration["ReplicaKeys"] if replica is not new]
    for related in (old, new):
        # Both are in the state Updating for a while: here until somebody has looked three times.
        kms_backends[self.current_account][related["Region"]].keys[key.id].moving = 3
    return "{}"


KmsResponse.update_primary_region = update_primary_region


def get_key_last_usage(self):
    key = key_of(self)
    return json.dumps({"KeyId": key.id, "KeyLastUsage": {}, "TrackingStartDate": key.creation_date})


KmsResponse.get_key_last_usage = get_key_last_usage

# --------------------------------------------------------------------------------------------------------- rotation

_enable_key_rotation = KmsResponse.enable_key_rotation


def enable_key_rotation(self):
    days = self._get_param("RotationPeriodInDays", 365)
    if not 90 <= days <= 2560:
        raise JsonRESTError("ValidationException", f"RotationPeriodInDays {days} is not between 90 and 2560")
    answer = _enable_key_rotation(self)
    key_of(self).rotation_period = days
    return answer


KmsResponse.enable_key_rotation = enable_key_rotation

_get_key_rotation_status = KmsResponse.get_key_rotation_status


def get_key_rotation_status(self):
    answer, key = json.loads(_get_key_rotation_status(self)), key_of(self)
    if answer["KeyRotationEnabled"]:
        answer["RotationPeriodInDays"] = key.rotation_period
        # While its deletion is pending a key does not rotate.
        answer["KeyRotationEnabled"] = key.key_state not in PENDING
    return json.dumps(answer)


KmsResponse.get_key_rotation_status = get_key_rotation_status

# ------------------------------------------------------------------------------------------------ imported material


def import_key_material(self):
    key = key_of(self)
    if key.origin != "EXTERNAL":
        raise JsonRESTError("UnsupportedOperationException", f"{key.arn} origin is {key.origin}")
    key.valid_to = self._get_param("ValidTo")
    key.key_state, key.enabled = "Enabled", True
    return json.dumps({"KeyId": key.arn})


def delete_imported_key_material(self):
    key = key_of(self)
    key.valid_to, key.key_state, key.enabled = None, "PendingImport", False
    return json.dumps({"KeyId": key.arn})


KmsResponse.import_key_material = import_key_material
KmsResponse.delete_imported_key_material = delete_imported_key_material

# ---------------------------------------------------------------------------------------------------------- policies


def listed(value):
    return value if isinstance(value, list) else [value]


def lets_manage(statement, account):
    principal = statement.get("Principal", {})
    names = ["*"] if principal == "*" else listed(principal.get("AWS", []))
    ours = any(name in ("*", account) or f":{account}:" in name for name in names)
    actions = [action.lower() for action in listed(statement.get("Action", []))]
    return statement.get("Effect") == "Allow" and ours and any(fnmatchcase("kms:putkeypolicy", action) for action in actions)


_put_key_policy = KmsResponse.put_key_policy


def put_key_policy(self):
    def malformed(why):
        return JsonRESTError("MalformedPolicyDocumentException", why)

    try:
        policy = json.loads(self._get_param("Policy"))
        statements = listed(policy["Statement"])
    except (ValueError, KeyError, TypeError) as error:
        raise malformed("Policy contains a statement that is not readable") from error
    safe = any(lets_manage(statement, self.current_account) for statement in statements)
    if not safe and not self._get_param("BypassPolicyLockoutSafetyCheck", False):
        raise malformed("The new key policy will not allow you to update the key policy in the future.")
    return _put_key_policy(self)


KmsResponse.put_key_policy = put_key_policy

# ------------------------------------------------------------------------------------------------------------ grants

_revoke_grant = KmsBackend.revoke_grant


def revoke_grant(self, key_id, grant_id):
    if grant_id not in self.describe_key(key_id).grants:
        raise NotFoundException(f"Grant ID {grant_id} not found")
    return _revoke_grant(self, key_id, grant_id)


KmsBackend.revoke_grant = revoke_grant

_create_grant = KmsResponse.create_grant


def create_grant(self):
    caller, name = self.current_account, str(_get_param(self, "KeyId"))
    if name.startswith("arn:"):
        # A key's policy may let other accounts make grants; who may is not looked at here.
        self.current_account = name.split(":")[4]
    answer = json.loads(_create_grant(self))
    key_of(self).grants[answer["GrantId"]].issuer = caller
    return json.dumps(answer)


KmsResponse.create_grant = create_grant

_list_grants = KmsResponse.list_grants


def list_grants(self):
    grants = key_of(self).grants
    answer = json.loads(_list_grants(self))
    for grant in answer["Grants"]:
        grant["IssuingAccount"] = f"arn:aws:iam::{grants[grant['GrantId']].issuer}:root"
        grant["CreationDate"] = datetime.now(timezone.utc).timestamp()
        for absent in [name for name, value in grant.items() if value is None]:
            del grant[absent]
    return json.dumps(answer)


KmsResponse.list_grants = list_grants

# ------------------------------------------------------------------------------------------- lists come page by page


def list_keys(self):
    keys = [{"KeyArn": key.arn, "KeyId": key.id} for key in self.kms_backend.list_keys()]
    start, limit = int(self._get_param("Marker") or 0), int(self._get_param("Limit") or 100)
    answer = {"Keys": keys[start : start + limit], "Truncated": start + limit < len(keys)}
    if answer["Truncated"]:
        answer["NextMarker"] = str(start + limit)
    return json.dumps(answer)


KmsResponse.list_keys = list_keys
