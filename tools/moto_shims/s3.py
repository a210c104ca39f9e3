"""S3 as AWS documents it, as far as a guard of buckets and access points can see a difference.

A new bucket is encrypted with AES256, as every bucket has been since January 2023, but has neither a public access block nor
ownership controls unless they are put: it looks like a bucket made before April 2023, which is what there is to remediate.
"""

import json
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import xmltodict
from moto.s3 import models
from moto.s3.models import FakeAcl, S3Backend, s3_backends
from moto.s3.responses import S3Response
from moto.s3.utils import bucket_policy_is_public
from moto.s3control.models import s3control_backends
from moto.s3control.responses import S3ControlResponse
from moto.core.responses import ActionResult
from moto.core.serialize import RestXMLSerializer

GROUPS = "http://acs.amazonaws.com/groups/"
PUBLIC_GROUPS = (GROUPS + "global/AllUsers", GROUPS + "global/AuthenticatedUsers")
ALGORITHMS = ("AES256", "aws:kms", "aws:kms:dsse")
POLICY_LIMIT = 20 * 1024

# ---------------------------------------------------------------------------------- encryption: defaults, blocked types


def aes256():
    return {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": "false"}}


_create_bucket = S3Backend.create_bucket


def create_bucket(self, *args, **kwargs):
    bucket = _create_bucket(self, *args, **kwargs)
    bucket.encryption = bucket.encryption or aes256()
    return bucket


def delete_bucket_encryption(self, bucket_name):
    self.get_bucket(bucket_name).encryption = aes256()


def encryption_from_body(self):
    """moto's parser wants a default algorithm, and its renderer forgets the blocked types."""
    return xmltodict.parse(self.body)["ServerSideEncryptionConfiguration"]


def get_bucket_encryption(self):
    self.data["Action"] = "GetBucketEncryption"
    rule = (self.backend.get_bucket_encryption(self.bucket_name) or aes256())["Rule"]
    default = rule.get("ApplyServerSideEncryptionByDefault") or {"SSEAlgorithm": "AES256"}
    shown = {
        "ApplyServerSideEncryptionByDefault": default,
        "BucketKeyEnabled": rule.get("BucketKeyEnabled") == "true",
    }
    blocked = (rule.get("BlockedEncryptionTypes") or {}).get("EncryptionType")
    if blocked:
        shown["BlockedEncryptionTypes"] = {"EncryptionType": [blocked] if isinstance(blocked, str) else blocked}
    return self.serialized(ActionResult({"ServerSideEncryptionConfiguration": {"Rules": [shown]}}))


S3Backend.create_bucket = create_bucket
S3Backend.delete_bucket_encryption = delete_bucket_encryption
S3Response._encryption_config_from_body = encryption_from_body
S3Response.get_bucket_encryption = get_bucket_encryption

# ------------------------------------------------------------------------------ versioning: one name for all answers


def get_bucket_versioning(self):
    """moto names the answer of a bucket that was never versioned after the operation; AWS has one name for all."""
    status = self.backend.get_bucket_versioning(self.bucket_name)
    shown = f"<Status>{status}</Status>" if status else ""
    body = f'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{shown}</VersioningConfiguration>'
    return 200, {"Content-Type": "application/xml"}, body


S3Response.get_bucket_versioning = get_bucket_versioning

# ------------------------------------------------------------------------- ACLs: every grantee and permission is listed


def acl_to_dict(acl):
    def grantee(one):
        return {"Type": one.type, "URI": one.uri or None, "ID": one.id or None, "DisplayName": one.display_name or None}

    return {
        "Owner": {"ID": models.OWNER, "DisplayName": "webfile"},
        "Grants": [
            {"Grantee": grantee(one), "Permission": permission}
            for grant in (acl.grants if acl else [])
            for one in grant.grantees
            for permission in grant.permissions
        ],
    }


_set_acl = models.FakeBucket.set_acl
S3Response._acl_to_dict = staticmethod(acl_to_dict)
# An empty list of grants is an ACL too.
models.FakeBucket.set_acl = lambda self, acl: _set_acl(self, acl or FakeAcl([]))


def get_access_point_policy_status(self):
    """moto calls every access point public that has a policy."""
    policy = self.backend.get_access_point_policy(self._get_param("AccountId"), self._get_param("Name"))
    return ActionResult({"PolicyStatus": {"IsPublic": bucket_policy_is_public(policy)}})


S3ControlResponse.get_access_point_policy_status = get_access_point_policy_status

_to_response = RestXMLSerializer._serialized_result_to_response


def to_response(self, resp, result, shape, serialized_result):
    """S3 Control's answers are named after their shapes (GetAccessPointResult); moto names them after the operation."""
    s3control = self.operation_model.service_model.service_name == "s3control"
    if s3control and shape is not None and "payload" not in shape.serialization:
        shape.serialization["resultWrapper"] = shape.name
    return _to_response(self, resp, result, shape, serialized_result)


RestXMLSerializer._serialized_result_to_response = to_response

# ------------------------------------------------------------------------------------------- lists come page by page


def all_buckets(self):
    """moto cuts the list at max-buckets, and gives no token that leads on."""
    self.data["Action"] = "ListAllMyBuckets"
    self._authenticate_and_authorize_s3_action()
    found = self.backend.list_buckets(prefix=self._get_param("prefix"), bucket_region=self._get_param("bucket-region"), max_buckets=None)
    start, most = int(self._get_param("continuation-token") or 0), int(self._get_param("max-buckets") or 10_000)
    answer = {
        "Owner": {"ID": models.OWNER, "DisplayName": "webfile"},
        "Buckets": [
            {"Name": one.name, "CreationDate": one.creation_date_ISO8601, "BucketRegion": one.region_name}
            for one in found[start : start + most]
        ],
    }
    if start + most < len(found):
        answer["ContinuationToken"] = str(start + most)
    self.data["Action"] = "ListBuckets"
    return self.serialized(ActionResult(answer))


S3Response.all_buckets = all_buckets

# --------------------------------------------------------------------------------------------------- what AWS refuses

DENIED = (403, "AccessDenied", "Access Denied")


def refusal(call):
    if call.service == "s3control":
        return access_point_policy_refusal(call) if call.action == "PutAccessPointPolicy" else None
    bucket = find_bucket(unquote(call.path).lstrip("/").partition("/")[0])
    if not bucket:
        return None
    expected = call.header("x-amz-expected-bucket-owner")
    if expected and expected != bucket.account_id:
        return DENIED
    check = CHECKS.get(call.action)
    return check(call, bucket) if check else None


def find_bucket(name):
    partition, account = s3_backends.bucket_accounts.get(name, (None, None))
    return s3_backends[account][partition].buckets.get(name) if account else None


def blocks(bucket, flag):
    """Whether the bucket's own block or its account's has this flag: the more restrictive one counts."""
    account = s3control_backends[bucket.account_id][bucket.partition].public_access_block
    for block in (bucket.public_access_block, account):
        value = getattr(block, flag, False)
        if value is True or str(value).lower() == "true":
            return True
    return False


def encryption_refusal(call, bucket):
    malformed = (400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
    rule = elements(call.body, "Rule")
    if len(rule) != 1:
        return malformed
    algorithm, key = text(rule[0], "SSEAlgorithm"), text(rule[0], "KMSMasterKeyID")
    blocked = [one.text for one in elements(call.body, "EncryptionType")]
    if (algorithm is None and not blocked) or (algorithm is not None and algorithm not in ALGORITHMS):
        return malformed
    if any(one not in ("SSE-C", "NONE") for one in blocked):
        return malformed
    if algorithm == "AES256" and key:
        return (400, "InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse")
    return None


def policy_refusal(call, bucket):
    problem = policy_problem(call.body, lambda arn: re.fullmatch(rf"arn:[a-z-]+:s3:::{re.escape(bucket.name)}(/.*)?", arn, re.S))
    if problem:
        return problem
    if blocks(bucket, "block_public_policy") and bucket_policy_is_public(call.body):
        return DENIED
    return None


def access_point_policy_refusal(call):
    policy = next((one.text for one in elements(call.body, "Policy")), None) or ""
    problem = policy_problem(policy.encode(), lambda arn: ":accesspoint/" in arn)
    if problem:
        return problem
    account, name = call.header("x-amz-account-id"), unquote(call.path).split("/")[3]
    for backend in s3control_backends[account].values() if account else []:
        point = backend.access_points[account].get(name)
        if point and str(point.pubc["BlockPublicPolicy"]).lower() == "true" and bucket_policy_is_public(policy):
            return DENIED
    return None


def policy_problem(body, may_name):
    def malformed(message):
        return (400, "MalformedPolicy", message)

    if len(body) > POLICY_LIMIT:
        return (400, "PolicyTooLarge", "Policy exceeds the maximum allowed document size.")
    try:
        policy = json.loads(body)
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        return malformed("Policies must be valid JSON and the first byte must be '{'")
    if policy.get("Version", "2008-10-17") not in ("2012-10-17", "2008-10-17"):
        return malformed("The policy must contain a valid version string")
    statements = policy.get("Statement")
    statements = statements if isinstance(statements, list) else [statements]
    if not statements or not all(isinstance(statement, dict) for statement in statements):
        return malformed("Missing required field Statement")
    for statement in statements:
        if statement.get("Effect") not in ("Allow", "Deny"):
            return malformed(f"Invalid effect: {statement.get('Effect')}")
        for field in ("Principal", "Action", "Resource"):
            if not statement.get(field) and not statement.get("Not" + field):
                return malformed(f"Missing required field {field}")
        resources = statement.get("Resource", [])
        for resource in [resources] if isinstance(resources, str) else resources:
            if not may_name(resource):
                return malformed("Policy has invalid resource")
    return None


def acl_refusal(call, bucket):
    grants = granted(call)
    if bucket.ownership_rule == "BucketOwnerEnforced" and any(grants):
        return (400, "AccessControlListNotSupported", "The bucket does not allow ACLs")
    if blocks(bucket, "block_public_acls") and any(grant in PUBLIC_GROUPS for grant in grants):
        return DENIED
    return None


def granted(call):
    """Whom else than the owner the request's ACL lets in."""
    canned = {
        "public-read": [PUBLIC_GROUPS[0]],
        "public-read-write": [PUBLIC_GROUPS[0]],
        "authenticated-read": [PUBLIC_GROUPS[1]],
        "log-delivery-write": [GROUPS + "s3/LogDelivery"],
    }
    grantees = list(canned.get(call.header("x-amz-acl"), []))
    for permission in ("read", "write", "read-acp", "write-acp", "full-control"):
        grantees += re.findall(r'(?:id|uri|emailAddress)="?([^",]+)', call.header(f"x-amz-grant-{permission}") or "")
    for grantee in elements(call.body, "Grantee"):
        grantees.append(text(grantee, "URI") or text(grantee, "ID") or text(grantee, "EmailAddress"))
    return [grantee for grantee in grantees if grantee != models.OWNER]


def ownership_refusal(call, bucket):
    enforced = any(one.text == "BucketOwnerEnforced" for one in elements(call.body, "ObjectOwnership"))
    grantees = [one for grant in (bucket.acl.grants if bucket.acl else []) for one in grant.grantees]
    if enforced and any(one.uri or one.id != models.OWNER for one in grantees):
        message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"
        return (400, "InvalidBucketAclWithObjectOwnership", message)
    return None


CHECKS = {
    "PutBucketEncryption": encryption_refusal,
    "PutBucketPolicy": policy_refusal,
    "PutBucketAcl": acl_refusal,
    "PutBucketOwnershipControls": ownership_refusal,
}


def elements(xml, name):
    """The elements of this name, whatever their namespace."""
    try:
        return [one for one in ElementTree.fromstring(xml).iter() if one.tag.rpartition("}")[2] == name]
    except ElementTree.ParseError:
        return []


def text(element, name):
    return next((one.text for one in element.iter() if one.tag.rpartition("}")[2] == name), None)
