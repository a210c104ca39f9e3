"""Prints the CloudFormation template that SAM makes of ours, as JSON.

    .tools/venv/bin/python tools/translate.py template.yaml                            what cfn-lint can check, and what tests read
    .tools/lambda/bin/python tools/translate.py --stackset portcullis packaged.yaml    what a stack set can deploy, see below

StackSets with service-managed permissions refuse transforms, and name each stack `StackSet-<its name>-<UUID>`: with what the template
puts behind that, a rule's name gets longer than the 64 characters that EventBridge takes. So with --stackset the code is where
`sam package` put it, nothing is left to transform, and all is named after the given name. Source: CloudFormation API Reference,
`CreateStackSet`; EventBridge API Reference, `PutRule`.
"""

import argparse
import json
import os
import sys

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"  # the translator asks for one, and calls nobody

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

LARGEST = 1_000_000  # bytes of a template by URL, taken as the smaller megabyte. Source: CloudFormation API Reference, `CreateStackSet`


class NoManagedPolicies:
    """The translator would ask IAM for the ARNs of managed policies that are named without one; we name none."""

    def load(self):
        return {}


def functions(template):
    return {name: one["Properties"] for name, one in template["Resources"].items() if one["Type"] == "AWS::Serverless::Function"}


def translate(text):
    template = yaml_parse(text)
    for properties in functions(template).values():
        # A folder, until `sam package` uploads what was built of it.
        properties["CodeUri"] = "s3://built/function.zip"
    return transform(template, {}, NoManagedPolicies())


def for_stackset(text, name):
    """The packaged template as a stack set takes it, in as few bytes as JSON needs."""
    template = yaml_parse(text)
    for function, properties in functions(template).items():
        if not str(properties["CodeUri"]).startswith("s3://"):
            raise ValueError(f"expected the code of {function} in S3, as after `sam package`, found {properties['CodeUri']}")
    translated = named(transform(template, {}, NoManagedPolicies()), name)
    if "Transform" in translated or "Fn::Transform" in json.dumps(translated):
        raise ValueError("expected a template without transforms, found one")
    document = json.dumps(translated, separators=(",", ":"), default=str)
    if len(document.encode()) > LARGEST:
        raise ValueError(f"expected at most {LARGEST} bytes, found {len(document.encode())}")
    return document


def named(value, name):
    """The same with this in place of the stack's name."""
    if value == {"Ref": "AWS::StackName"}:
        return name
    if isinstance(value, dict):
        return {key: named(one, name) for key, one in value.items()}
    if isinstance(value, list):
        return [named(one, name) for one in value]
    return value.replace("${AWS::StackName}", name) if isinstance(value, str) else value


def main():
    parser = argparse.ArgumentParser(description="Prints the template as plain CloudFormation.")
    parser.add_argument("template")
    parser.add_argument("--stackset", metavar="NAME", help="the template is packaged, and a stack set is to deploy it under this name")
    options = parser.parse_args()
    with open(options.template, encoding="utf-8") as file:
        text = file.read()
    if options.stackset:
        try:
            print(for_stackset(text, options.stackset))
        except ValueError as error:
            sys.exit(f"tools/translate: {error}")
    else:
        json.dump(translate(text), sys.stdout, indent=2, default=str)
        print()


if __name__ == "__main__":
    main()
