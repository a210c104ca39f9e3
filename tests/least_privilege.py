"""What a function did against what its role in the template lets it do, by ministack's own mapping and evaluation.

    .tools/venv/bin/python tests/least_privilege.py <input.json

Input: role (its logical id), worlds: for each account, region, physical (names that `Ref` and `Fn::GetAtt` stand for, by `Name`
or `Name.Attribute`), calls (of the local AWS); template (CloudFormation), where it is not template.yaml. Prints JSON: the actions
that were `used` in any world, the calls that are `denied`, the actions that are `unused` in all.
"""

import fnmatch
import json
import re
import sys
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from ministack.core.iam_actions import dynamodb_transaction_checks, extract_iam_action, extract_resource_arn, s3control_action
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"

ACCOUNT_BLOCK = {method: f"s3:{verb}AccountPublicAccessBlock" for method, verb in (("GET", "Get"), ("PUT", "Put"), ("DELETE", "Put"))}

SCHEDULER = {"POST": "scheduler:CreateSchedule", "PUT": "scheduler:UpdateSchedule"}


# What EC2's ids are the ids of, by their prefix, and whether its ARN names the account. Source: Service Authorization Reference.
EC2_IDS = {
    "ami": ("image", False),
    "eni": ("network-interface", True),
    "i": ("instance", True),
    "sg": ("security-group", True),
    "sgr": ("security-group-rule", True),
    "snap": ("snapshot", False),
    "vol": ("volume", True),
    "vpc": ("vpc", True),
}


def ec2_checks(call, account):
    """EC2 checks an action on each resource that the call names; on none where it only reads, or is about the region."""
    form = parse_qs(call["body"] or "", keep_blank_values=True)
    action = form["Action"][0]
    if action.startswith(("Describe", "Get")):
        return [(f"ec2:{action}", "*")]
    # A tag's value is a text, whatever it says.
    named = [values[0] for name, values in form.items() if not name.startswith("Tag.")]
    named = [re.fullmatch(r"([a-z]+)-[0-9a-f]{8,17}", value) for value in named]
    arns = []
    for id in named:
        if id and id[1] in EC2_IDS:
            kind, ours = EC2_IDS[id[1]]
            arns.append(f"arn:aws:ec2:{call['region']}:{account if ours else ''}:{kind}/{id[0]}")
    if action == "CreateSecurityGroup":
        arns.append(f"arn:aws:ec2:{call['region']}:{account}:security-group/sg-0a1b2c3d4e5f60718")
    tags = []
    if action == "CreateSnapshots":  # on its volumes and the new snapshots as well; with tags, which are permitted apart
        snapshot = f"arn:aws:ec2:{call['region']}::snapshot/snap-0a1b2c3d4e5f60718"
        arns += [snapshot, f"arn:aws:ec2:{call['region']}:{account}:volume/vol-0a1b2c3d4e5f60718"]
        tags = [("ec2:CreateTags", snapshot)]
    return [(f"ec2:{action}", arn) for arn in arns or ["*"]] + tags


# What the parameters of RDS's calls name, and what a list is of. Source: Service Authorization Reference.
RDS_NAMES = {
    "DBInstanceIdentifier": "db",
    "DBClusterIdentifier": "cluster",
    "DBSnapshotIdentifier": "snapshot",
    "DBClusterSnapshotIdentifier": "cluster-snapshot",
    "DBSubnetGroupName": "subgrp",
}
RDS_LISTS = {
    "DescribeDBInstances": "db",
    "DescribeDBClusters": "cluster",
    "DescribeDBSnapshots": "snapshot",
    "DescribeDBClusterSnapshots": "cluster-snapshot",
}


def rds_checks(call, account):
    """RDS checks an action on what the call names, and a list on all of its type."""
    form = {name: values[0] for name, values in parse_qs(call["body"] or "").items()}
    action, prefix = form["Action"], f"arn:aws:rds:{call['region']}:{account}:"
    named = [f"{prefix}{kind}:{form[name]}" for name, kind in RDS_NAMES.items() if name in form]
    named += [form["ResourceName"]] if "ResourceName" in form else []
    return [(f"rds:{action}", arn) for arn in named or [f"{prefix}{RDS_LISTS[action]}:*"]]


def tag_keys(call):
    """The keys of the tags that a call sets or takes away."""
    form = parse_qs(call["body"] or "", keep_blank_values=True) if call["service"] in ("ec2", "rds") else {}
    keys = r"Tag\.\d+\.Key|Tags\.Tag\.\d+\.Key|TagKeys\.member\.\d+"
    return [values[0] for name, values in form.items() if re.fullmatch(keys, name)]


def resolved(value, names):
    """A value of the template with its references replaced; every condition of it holds."""
    if isinstance(value, list):
        return [resolved(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    if "Ref" in value:
        return names.get(value["Ref"], f"*{value['Ref']}*")
    if "Fn::GetAtt" in value:
        name = value["Fn::GetAtt"]
        name = name if isinstance(name, str) else ".".join(name)
        return names.get(name, f"*{name}*")
    if "Fn::Sub" in value:
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(names.get(found[1], f"*{found[1]}*")), value["Fn::Sub"])
    if "Fn::If" in value:
        return resolved(value["Fn::If"][1], names)
    return {key: resolved(one, names) for key, one in value.items()}


def kms_checks(action, asked, prefix):
    """Lists have no resource; a call about an alias takes the permission for the alias and for the key that it is given."""
    if action in ("ListAliases", "ListKeys"):
        return [(f"kms:{action}", "*")]
    key = asked.get("KeyId") or asked.get("TargetKeyId")
    if key and "alias/" in key:  # AWS asks for the permission for the key that the alias stands for
        key = "the-key-of-the-alias"
    names = [asked.get("AliasName"), key if not key or key.startswith("arn:") else f"key/{key}"]
    return [(f"kms:{action}", name if name.startswith("arn:") else prefix + name) for name in names if name]


def named_checks(call, asked, prefix):
    """Calls of services that name a resource in the body, by its ARN or by a name that follows a path; those that list name none."""
    paths = {"cloudtrail": "trail/", "ecr": "repository/", "secretsmanager": "secret:"}
    parameters = ("SecretId", "Name", "TrailName", "ResourceId", "ResourceIdList", "repositoryName", "repositoryNames", "resourceArn")
    name = next((asked[one] for one in parameters if asked.get(one)), None)
    name = name[0] if isinstance(name, list) else name
    if not name and call["service"] == "ecr":  # DescribeRepositories of all repositories
        name = "*"
    path = prefix + paths[call["service"]]
    return [(f"{call['service']}:{call['action']}", name if not name or name.startswith("arn:") else path + name)]


def checks(call, account):
    """The actions that IAM would check for a call, each with its resource."""
    url = urlsplit(call["path"])
    body = (call["body"] or "").encode()
    path, query, headers = unquote(url.path), parse_qs(url.query, keep_blank_values=True), {}
    if call["service"] == "dynamodb":
        headers["x-amz-target"] = "DynamoDB_20120810." + call["action"]
        if "ResourceArn" in (asked := json.loads(body)):  # a table, or its stream
            return [("dynamodb:" + call["action"], asked["ResourceArn"])]
    if call["service"] == "elasticfilesystem":
        named = re.search(r"fs-[0-9a-f]+", call["path"])
        prefix = f"arn:aws:elasticfilesystem:{call['region']}:{account}:file-system/"
        return [("elasticfilesystem:" + call["action"], prefix + named[0] if named else "*")]
    if call["service"] == "sqs":
        asked = json.loads(body)
        name = asked.get("QueueName") or asked.get("QueueUrl", "").rpartition("/")[2]
        queue = f"arn:aws:sqs:{call['region']}:{account}:{name}"
        return [("sqs:" + call["action"].removesuffix("Batch"), queue if name else "*")]
    if call["service"] in ("cloudtrail", "ecr", "secretsmanager"):
        found = named_checks(call, json.loads(body), f"arn:aws:{call['service']}:{call['region']}:{account}:")
        return [(action, arn or "*") for action, arn in found]
    if call["service"] == "sns":
        query.update(parse_qs(body.decode(), keep_blank_values=True))
        if "ResourceArn" in query:  # what has tags
            return [("sns:" + call["action"], query["ResourceArn"][0])]
    if call["service"] == "ec2":
        return ec2_checks(call, account)
    if call["service"] == "rds":
        return rds_checks(call, account)
    if call["service"] == "elasticloadbalancing":  # it only reads, for which AWS knows no resource
        return [("elasticloadbalancing:" + call["action"], "*")]
    if call["service"] == "kms":
        return kms_checks(call["action"], json.loads(body), f"arn:aws:kms:{call['region']}:{account}:")
    if call["service"] == "s3control":
        action = s3control_action(call["method"], path) or ACCOUNT_BLOCK[call["method"]]
        point = re.match(r"/v20180820/accesspoint/([^/]+)/policy", path)
        return [(action, f"arn:aws:s3:{call['region']}:{account}:accesspoint/{point[1]}" if point else "*")]
    if call["service"] == "ssm":
        asked, prefix = json.loads(body), f"arn:aws:ssm:{call['region']}:{account}:"
        name = asked.get("Name") or asked.get("ResourceId")
        kind = "parameter" if call["action"].endswith("Parameter") else "document/"
        resource = prefix + "servicesetting" + asked["SettingId"] if "SettingId" in asked else name and prefix + kind + name
        return [("ssm:" + call["action"], resource or "*")]
    if call["service"] == "config":
        return [("config:" + call["action"], "*")]
    if call["service"] == "scheduler":
        name, group = path.removeprefix("/schedules/"), json.loads(body)["GroupName"]
        return [(SCHEDULER[call["method"]], f"arn:aws:scheduler:{call['region']}:{account}:schedule/{group}/{name}")]
    action = extract_iam_action(call["service"], call["method"], path, headers, body, query)
    within = dynamodb_transaction_checks(action, body, call["region"], account)
    arn = extract_resource_arn(call["service"], call["method"], path, headers, body, query, call["region"], account)
    if call["service"] == "dynamodb" and "IndexName" in json.loads(body):
        arn += "/index/" + json.loads(body)["IndexName"]
    return within or [(action, arn)]


class Loader(yaml.CSafeLoader):
    """CloudFormation's short forms as what they stand for."""


def long_form(loader, suffix, node):
    value = {"scalar": loader.construct_scalar, "sequence": loader.construct_sequence, "mapping": loader.construct_mapping}
    value = value[node.id](node) if node.id == "scalar" else value[node.id](node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", long_form)


def documents_of(resources, role, names):
    """The documents of a role's policies, those that it shares with other roles included."""
    properties = resources[role]["Properties"]
    policies = [policy for policy in resolved(properties["Policies"], names) if isinstance(policy, dict)]
    shared = [resources[one["Ref"]]["Properties"] for one in properties.get("ManagedPolicyArns", [])]
    return [policy["PolicyDocument"] for policy in policies + resolved(shared, names)]


def judge(world, role, documents, used, denied):
    """Adds what a function used in an account, and what was denied to it."""
    account, region = world["account"], world["region"]
    policies = [parse_policy_document(document) for document in documents]
    for call in world["calls"]:
        for action, arn in checks(call, account):
            context = EvalContext(
                principal_arn=f"arn:aws:sts::{account}:assumed-role/{role}/function",
                principal_type="AssumedRole",
                principal_account=account,
                action=action,
                resource_arn=arn,
                region=region,
                service_context={
                    "s3:ResourceAccount": account,
                    "aws:ResourceAccount": account,
                    "ec2:region": call["region"],
                    "aws:tagkeys": tag_keys(call),
                    **({"ec2:createaction": call["action"]} if call["action"].startswith("Create") and action == "ec2:CreateTags" else {}),
                    # KMS takes a request that does not name it for one that says no.
                    "kms:bypasspolicylockoutsafetycheck": str('"BypassPolicyLockoutSafetyCheck":true' in (call["body"] or "")).lower(),
                },
            )
            used.add(action)
            if evaluate(context, policies).decision != "Allow":
                denied.add(f"{action} on {arn}")


def main():
    given = json.load(sys.stdin)
    template = given.get("template") or yaml.load(TEMPLATE.read_text(), Loader)
    role, used, denied, granted = given["role"], set(), set(), set()
    for world in given["worlds"]:
        names = {
            "AWS::Partition": "aws",
            "AWS::Region": world["region"],
            "AWS::AccountId": world["account"],
            "AWS::StackName": "portcullis",
            **world["physical"],
        }
        documents = documents_of(template["Resources"], role, names)
        judge(world, role, documents, used, denied)
        for statement in (statement for document in documents for statement in document["Statement"]):
            actions = statement["Action"]
            granted.update([actions] if isinstance(actions, str) else actions)
    unused = [action for action in granted if not any(fnmatch.fnmatchcase(one, action) for one in used)]
    json.dump({"used": sorted(used), "denied": sorted(denied), "unused": sorted(unused)}, sys.stdout)


if __name__ == "__main__":
    main()
