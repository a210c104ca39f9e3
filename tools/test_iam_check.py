"""The template's policies against AWS's own list of actions, and that the check notices what it is for.

    .tools/venv/bin/python -m unittest discover --start-directory tools
"""

import unittest
from pathlib import Path

import yaml
from iam_check import Loader, Reference, findings

TEMPLATE = (Path(__file__).resolve().parent.parent / "template.yaml").read_text(encoding="utf-8")

# A slip in the template, and the offence that it is.
PLANTED = [
    ("Action: kms:PutKeyPolicy", "Action: kms:PutKeyPolice", "unknown-action"),
    ("Action: sns:TagResource", "Action: sns:TagResources", "unknown-action"),
    ("Action: kms:CreateGrant", "Action: kms:ListKeys", "unscopable"),
    ("arn:${AWS::Partition}:ec2:${AWS::Region}::snapshot/*", "arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:snapshot/*", "wrong-resource"),
    ("kms:BypassPolicyLockoutSafetyCheck", "kms:BypassPolicyLockoutCheck", "unknown-key"),
    ("ec2:CreateAction:", "ec2:Creation:", "unknown-key"),
    ("Condition: { StringEquals: { ec2:Region: !Ref AWS::Region } }", "Condition: { StringEquals: { ec2:Vpc: !Ref AWS::Region } }", "absent-key"),
]


def offences(text):
    found, _, statements = findings(yaml.load(text, Loader), Reference.pinned())
    assert statements > 50, statements
    return found


class IamCheck(unittest.TestCase):
    def test_every_statement_can_be_allowed_by_aws(self):
        self.assertEqual(sorted(offences(TEMPLATE)), [], "an action that is not pinned: tools/iam_check.py --pin")

    def test_a_planted_slip_is_found(self):
        for right, wrong, kind in PLANTED:
            with self.subTest(wrong=wrong):
                self.assertTrue(right in TEMPLATE, "the template says it in other words by now")
                self.assertIn(kind, {one for one, *_ in offences(TEMPLATE.replace(right, wrong))})


if __name__ == "__main__":
    unittest.main()
