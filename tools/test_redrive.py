"""Dead letters: each goes to its function once, and stays where that fails.

    .tools/venv/bin/python -m unittest discover --start-directory tools
"""

import json
import unittest

import test_moto
from redrive import functions_of, redrive

NAMES = ["portcullis-s3", "portcullis-kms", "portcullis-ec2"]


def setUpModule():
    test_moto.setUpModule()


def tearDownModule():
    test_moto.tearDownModule()


class Functions(unittest.TestCase):
    def test_an_event_leads_to_the_function_of_its_service(self):
        config = {"source": "aws.config", "detail": {"resourceType": "AWS::EC2::SecurityGroup"}}
        item = {"source": "aws.config", "detail": {"configurationItem": {"resourceType": "AWS::KMS::Key"}}}
        whole = {"source": "aws.config", "detail": {"resourceType": "AWS::::Account"}}
        for event, named in [
            ({"source": "aws.s3", "detail": {"eventSource": "s3.amazonaws.com"}}, NAMES[:1]),
            ({"eventSource": "kms.amazonaws.com", "eventName": "PutKeyPolicy"}, NAMES[1:2]),
            ({"scheduled": "arn:aws:ec2:eu-west-1:111122223333:volume/vol-1", "control": "x"}, NAMES[2:]),
            (config, NAMES[2:]),
            (item, NAMES[1:2]),
            (whole, NAMES),
            ({"source": "aws.rds", "detail": {"eventSource": "rds.amazonaws.com"}}, []),
            ({"detail": None}, []),
            ([], []),
        ]:
            self.assertEqual(functions_of(event, "portcullis", NAMES), named, event)


class Redrive(unittest.TestCase):
    def test_what_is_handled_goes_and_what_fails_stays_and_says_why(self):
        sqs = test_moto.client("sqs", test_moto.account("333344445555"))
        queue = sqs.create_queue(QueueName="portcullis-dead-letters")["QueueUrl"]
        good = json.dumps({"eventSource": "s3.amazonaws.com", "eventName": "CreateBucket"})
        bad = json.dumps({"eventSource": "kms.amazonaws.com", "eventName": "PutKeyPolicy"})
        for body in [good, bad, "no JSON", good]:
            sqs.send_message(QueueUrl=queue, MessageBody=body)
        calls, said = [], []

        def invoke(name, body):
            calls.append((name, body))
            return "ObserveFailed: it was denied" if name.endswith("kms") else None

        self.assertEqual(redrive(sqs, invoke, queue, "portcullis", NAMES, said.append), (2, 2))
        self.assertEqual(sorted(calls), sorted([(NAMES[0], good), (NAMES[0], good), (NAMES[1], bad)]))
        self.assertTrue(any("ObserveFailed: it was denied" in line for line in said), said)
        self.assertTrue(any("no function of portcullis takes it" in line for line in said), said)
        left = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        self.assertEqual(int(left["ApproximateNumberOfMessages"]) + int(left["ApproximateNumberOfMessagesNotVisible"]), 2)


if __name__ == "__main__":
    unittest.main()
