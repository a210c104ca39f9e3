"""What a stack set gets: no transform, the code where it was uploaded, names that AWS takes.

    .tools/venv/bin/python -m unittest discover --start-directory tools
"""

import json
import re
import unittest
from pathlib import Path

from translate import LARGEST, for_stackset

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = (ROOT / "template.yaml").read_text(encoding="utf-8")
# As long as they may be. Source: the API references of EventBridge (`PutRule`), EventBridge Scheduler (`CreateSchedule`,
# `CreateScheduleGroup`), Lambda (`CreateFunction`), SQS (`CreateQueue`), Step Functions (`CreateStateMachine`), AWS Config (`ConfigRule`).
LONGEST = {
    ("AWS::Events::Rule", "Name"): 64,
    ("AWS::Scheduler::Schedule", "Name"): 64,
    ("AWS::Scheduler::ScheduleGroup", "Name"): 64,
    ("AWS::Lambda::Function", "FunctionName"): 64,
    ("AWS::SQS::Queue", "QueueName"): 80,
    ("AWS::StepFunctions::StateMachine", "StateMachineName"): 80,
    ("AWS::Config::ConfigRule", "ConfigRuleName"): 128,
}


def packaged():
    """As `sam package` writes it."""
    return re.sub(r"CodeUri: functions/(\w+)", r"CodeUri: s3://code-of-eu-west-1/portcullis/\1-0a1b2c", TEMPLATE)


def names(resources):
    for (kind, field), longest in LONGEST.items():
        found = [one["Properties"][field] for one in resources.values() if one["Type"] == kind]
        yield from ((kind, name, longest) for name in found)


class StackSet(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.document = for_stackset(packaged(), "portcullis")
        cls.template = json.loads(cls.document)

    def test_nothing_is_left_to_transform_and_it_is_small_enough_for_a_url(self):
        self.assertNotIn("Transform", self.template)
        self.assertNotIn("Fn::Transform", self.document)
        self.assertNotIn("AWS::Serverless", self.document)
        self.assertLess(51_200, len(self.document), "too large for --template-body: hence a URL")
        self.assertLess(len(self.document), LARGEST)

    def test_the_code_is_where_it_was_uploaded(self):
        functions = [one["Properties"]["Code"] for one in self.template["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]
        names = sorted(folder.name for folder in (ROOT / "functions").iterdir())
        expected = [{"S3Bucket": "code-of-eu-west-1", "S3Key": f"portcullis/{name}-0a1b2c"} for name in names]
        self.assertEqual(sorted(functions, key=lambda code: code["S3Key"]), expected)

    def test_names_are_the_given_one_and_as_long_as_aws_takes(self):
        self.assertNotIn("AWS::StackName", self.document)
        found = list(names(self.template["Resources"]))
        self.assertGreater(len(found), 12)
        for kind, name, longest in found:
            name = name["Fn::Sub"] if isinstance(name, dict) else name
            self.assertTrue(name.startswith("portcullis-"), f"{kind} {name}")
            self.assertLessEqual(len(name), longest, f"{kind} {name}")
        # What the stack set would have called the stack does not fit.
        given = "StackSet-portcullis-3f2504e0-4f89-41d3-9a0c-0305e82c3301"
        longer = names(json.loads(for_stackset(packaged(), given))["Resources"])
        self.assertTrue(any(len(str(name)) > longest for _, name, longest in longer))

    def test_parameters_and_partitions_stay_open(self):
        self.assertIn("Mode", self.template["Parameters"])
        self.assertNotIn("arn:aws:", self.document)

    def test_code_that_was_not_uploaded_is_refused(self):
        with self.assertRaisesRegex(ValueError, "expected the code of S3Function in S3"):
            for_stackset(TEMPLATE, "portcullis")


if __name__ == "__main__":
    unittest.main()
