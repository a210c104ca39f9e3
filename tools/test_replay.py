"""What a replay makes: for each sample event what it names, in the state of which it tells.

    .tools/venv/bin/python -m unittest discover --start-directory tools
"""

import json
import sys
import unittest
from pathlib import Path

import test_moto

sys.path.insert(0, str(Path(__file__).with_name("replay")))
import ec2  # noqa: E402
import kms  # noqa: E402
import s3  # noqa: E402

EVENTS = Path(__file__).resolve().parent.parent / "events"


def setUpModule():
    test_moto.setUpModule()


def tearDownModule():
    test_moto.tearDownModule()


class Account:
    """An account of its own for each event."""

    made = 0

    def __init__(self):
        Account.made += 1
        self.id, self.region = str(500000000000 + Account.made), "us-east-1"
        self.keys = test_moto.account(self.id)

    def client(self, service):
        return test_moto.client(service, self.keys)


# What the state before the event's remediation shows, by the event's file; of the others, whatever can be read.
SAID = {
    "PutBucketAcl": "AllUsers",
    "PutBucketPolicy": '"Principal": "*"',
    "ScheduleKeyDeletion": "PendingDeletion",
    "DisableKey": "Disabled",
    "DeleteKey": "NotFoundException",
    "CreateGrant": "444455556666",
    "UpdateAlias": "alias/reports",
    "AuthorizeSecurityGroupIngress": "22 from 0.0.0.0/0",
    "ModifySnapshotAttribute": '"Group": "all"',
    "ModifyImageAttribute": '"Group": "all"',
    "RunInstances": '"HttpTokens": "optional"',
    "DisableEbsEncryptionByDefault": "false",
}


class Replay(unittest.TestCase):
    def test_what_a_sample_event_names_is_there_and_as_insecure_as_it_says(self):
        missed = set(SAID)
        for service, folder in ((s3, "s3"), (kms, "kms"), (ec2, "ec2")):
            for path in sorted((EVENTS / folder).glob("*.json")):
                with self.subTest(path.name):
                    account = Account()
                    event = path.read_text().replace("111122223333", account.id)
                    # The names of buckets are everybody's.
                    event = event.replace("reports", f"reports-{account.id}")
                    _, describe = service.make(account, json.loads(event)["detail"])
                    found = describe()
                    self.assertTrue(found)
                    self.assertIn(SAID.get(path.stem, ""), " ".join(found.values()))
                missed.discard(path.stem)
        self.assertEqual(missed, set())


if __name__ == "__main__":
    unittest.main()
