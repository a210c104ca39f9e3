"""ECR as AWS documents it: a policy is written anew and names no resource, and a repository's scanning is what its setting or a rule of
the registry says. Source: ECR API Reference, SetRepositoryPolicy, BatchGetRepositoryScanningConfiguration.
"""

import json

from moto.ecr.models import ECRBackend

_set_repository_policy = ECRBackend.set_repository_policy


def set_repository_policy(self, registry_id, repository_name, policy_text):
    return _set_repository_policy(self, registry_id, repository_name, json.dumps(json.loads(policy_text), indent=2))


_batch_get = ECRBackend.batch_get_repository_scanning_configuration


def batch_get_repository_scanning_configuration(self, names):
    found, failures = _batch_get(self, names)
    shown = []
    for one in found:
        own = bool(self.repositories[one["repositoryName"]].image_scanning_configuration.get("scanOnPush"))
        manual = one["scanFrequency"] == "MANUAL"
        shown.append({**one, "scanOnPush": own, "scanFrequency": "SCAN_ON_PUSH" if own and manual else one["scanFrequency"]})
    return shown, failures


_put_scanning = ECRBackend.put_image_scanning_configuration


def put_image_scanning_configuration(self, registry_id, repository_name, image_scan_config):
    """What is not said is off. Source: ECR API Reference, ImageScanningConfiguration."""
    return _put_scanning(self, registry_id, repository_name, {"scanOnPush": False, **(image_scan_config or {})})


ECRBackend.set_repository_policy = set_repository_policy
ECRBackend.put_image_scanning_configuration = put_image_scanning_configuration
ECRBackend.batch_get_repository_scanning_configuration = batch_get_repository_scanning_configuration


def refusal(call):
    if call.action != "SetRepositoryPolicy":
        return None
    statements = json.loads(json.loads(call.body)["policyText"]).get("Statement", [])
    if any("Resource" in one for one in ([statements] if isinstance(statements, dict) else statements)):
        why = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'"
        return (400, "InvalidParameterException", why)
    return None
