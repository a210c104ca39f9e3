"""The keys and the alias of an event, as insecure as the event says."""

import json
import re

from shown import document, plain, shown

FUNCTION = "portcullis-kms"
KEY = re.compile(r"\bmrk-[0-9a-f]{32}\b|(?<=key/)[0-9a-f-]{36}\b|(?<=eyId\": \")[0-9a-f-]{36}\b")


def make(aws, record):
    """Makes what the event names; says by which names, and how to look at it."""
    name, parameters = record["eventName"], record.get("requestParameters") or {}
    kms = aws.client("kms")
    material = "EXTERNAL" if "KeyMaterial" in name else "AWS_KMS"
    names = {}
    for key in sorted(set(KEY.findall(json.dumps(record)))):
        if name == "DeleteKey":  # it is no more
            names[key] = key
            continue
        made = kms.create_key(MultiRegion=key.startswith("mrk-"), Origin=material)
        names[key] = made["KeyMetadata"]["KeyId"]
    if not names:
        raise SystemExit(f"replay: expected the id of a key in the {name} event, found none")
    key = next(iter(names.values()))
    alias = parameters.get("aliasName")
    if name == "ScheduleKeyDeletion":
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=parameters.get("pendingWindowInDays") or 30)
    elif name == "DisableKey":
        kms.disable_key(KeyId=key)
    elif name == "PutKeyPolicy":
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=document(parameters["policy"]))
    elif name == "CreateGrant":
        kms.create_grant(KeyId=key, GranteePrincipal=parameters["granteePrincipal"], Operations=parameters["operations"])
    elif name == "EnableKeyRotation":
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=parameters.get("rotationPeriodInDays") or 365)
    elif alias and name != "DeleteAlias":
        kms.create_alias(AliasName=alias, TargetKeyId=key)
    return names, lambda: {**of_key(kms, key), **({"aliases": of_aliases(kms, alias)} if alias else {})}


def of_key(kms, key):
    return {
        "state": shown(kms.describe_key, "KeyMetadata", "KeyState", KeyId=key),
        "rotation": shown(kms.get_key_rotation_status, KeyId=key),
        "policy": shown(kms.get_key_policy, KeyId=key, PolicyName="default"),
        "grants": shown(kms.list_grants, "Grants", KeyId=key),
    }


def of_aliases(kms, alias):
    found = [one for one in kms.list_aliases()["Aliases"] if one["AliasName"] == alias]
    return plain({one["AliasName"]: one.get("TargetKeyId") for one in found})
