"""What is pinned of AWS's Service Authorization Reference."""

import json
import pathlib
import tempfile
import unittest

import pin_actions


class PinActions(unittest.TestCase):
    def test_only_what_the_sources_name_is_pinned_with_the_keys_of_action_and_type(self):
        with tempfile.TemporaryDirectory() as folder:
            package = pathlib.Path(folder)
            for name in ("data/actions", "data/resourceTypes"):
                (package / name).mkdir(parents=True)
            (package / "package.json").write_text(json.dumps({"version": "0.21.202609261"}))
            (package / "data/rcpSupportedServices.json").write_text(json.dumps(["sqs", "s3"]))
            kinds = [{"name": "snapshot", "conditionKeys": ["ec2:Add/group"]}]
            actions = {
                "modifysnapshotattribute": {"name": "ModifySnapshotAttribute", "conditionKeys": ["ec2:Region"], "resourceTypes": kinds},
                "describeregions": {"name": "DescribeRegions", "conditionKeys": [], "resourceTypes": []},
            }
            (package / "data/actions/ec2.json").write_text(json.dumps(actions))
            types = {
                "snapshot": {"arn": "arn:${Partition}:ec2:${Region}::snapshot/${SnapshotId}", "conditionKeys": ["ec2:Owner"]},
                "image": {"arn": "arn:${Partition}:ec2:${Region}::image/${ImageId}"},
            }
            (package / "data/resourceTypes/ec2.json").write_text(json.dumps(types))
            lines = list(pin_actions.pinned(package))
        self.assertIn("date 2026-09-26", lines)
        self.assertIn("rcp s3 sqs", lines)
        keys = {words[1]: words[2:] for words in (line.split() for line in lines) if words[0] == "keys"}
        (action,) = [line.split() for line in lines if line.startswith("action ")]
        self.assertEqual(action[1:3], ["ec2", "ModifySnapshotAttribute"])
        self.assertEqual(keys[action[3]], ["ec2:Region"])
        self.assertEqual(keys[action[4].removeprefix("snapshot=")], ["ec2:Add/group"])
        (kind,) = [line.split() for line in lines if line.startswith("type ")]
        self.assertEqual((kind[2], keys[kind[4]]), ("snapshot", ["ec2:Owner"]))

    def test_the_sources_name_actions_and_wildcards(self):
        named = pin_actions.named()
        self.assertIn("*", named["sqs"])
        self.assertIn("getobject*", named["s3"])
        self.assertIn("delete*role*", named["iam"])


if __name__ == "__main__":
    unittest.main()
