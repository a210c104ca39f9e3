"""Prints the CloudFormation template that SAM makes of ours, as JSON: what cfn-lint can check, and what tests read.

    .tools/venv/bin/python tools/translate.py template.yaml
"""

import json
import os
import sys

os.environ["AWS_DEFAULT_REGION"] = "us-east-1"  # the translator asks for one, and calls nobody

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The translator would ask IAM for the ARNs of managed policies that are named without one; we name none."""

    def load(self):
        return {}


def translate(text):
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # A folder, until `sam package` uploads what was built of it.
            resource["Properties"]["CodeUri"] = "s3://built/function.zip"
    return transform(template, {}, NoManagedPolicies())


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        json.dump(translate(file.read()), sys.stdout, indent=2, default=str)
    print()
