"""Dead letters: each goes to where it was going once, and stays where that fails.

    .tools/venv/bin/python -m unittest discover --start-directory tools
"""

import json
import unittest

import test_moto
from redrive import Stack, To, redrive, route

S3, KMS, EC2 = "portcullis-s3", "portcullis-kms", "portcullis-ec2"
ALL = [S3, KMS, EC2]
MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:portcullis-"
STACK = Stack({"s3": S3, "kms": KMS, "ec2": EC2}, {"s3": "AROAS3", "kms": "AROAKMS"}, MACHINE + "sweeps", MACHINE + "reencryption")
HEARTBEAT = {"source": "aws.sns", "detail": {"eventSource": "sns.amazonaws.com", "eventName": "TagResource"}}


def setUpModule():
    test_moto.setUpModule()


def tearDownModule():
    test_moto.tearDownModule()


def letter(body, sender="", **attributes):
    """As SQS hands it over."""
    given = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    return {"Body": body if isinstance(body, str) else json.dumps(body), "MessageAttributes": given, "Attributes": {"SenderId": sender}}


def by_lambda(body, sender):
    return letter(body, sender, RequestID="6f0c", ErrorCode="200", ErrorMessage="ObserveFailed: denied")


def by_rule(body, rule, target):
    rule = f"arn:aws:events:eu-west-1:111122223333:rule/portcullis-{rule}"
    return letter(body, RULE_ARN=rule, TARGET_ARN=target, ERROR_CODE="NO_PERMISSIONS", RETRY_ATTEMPTS="0")


def by_schedule(body, target):
    schedule = "arn:aws:scheduler:eu-west-1:111122223333:schedule/portcullis-later/x"
    return letter(body, SCHEDULE_ARN=schedule, TARGET_ARN=target, EXHAUSTED_RETRY_CONDITION="MaximumRetryAttempts")


class Routes(unittest.TestCase):
    def test_what_a_function_failed_at_goes_to_that_function(self):
        for body in [
            HEARTBEAT,
            {"sweep": {}},
            {"restore": "019ab000-0000-7000-8000-000000000001", "by": "ana"},
            {"release": "019ab000-0000-7000-8000-000000000001"},
            {"eventSource": "s3.amazonaws.com", "eventName": "CreateBucket"},
        ]:
            self.assertEqual(route(by_lambda(body, "AROAKMS:session"), STACK), To([KMS]), body)

    def test_what_could_not_be_delivered_goes_to_its_target(self):
        function = f"arn:aws:lambda:eu-west-1:111122223333:function:{EC2}"
        self.assertEqual(route(by_rule(HEARTBEAT, "ec2-api-calls", function), STACK), To([EC2]))
        waited = {"scheduled": "arn:aws:ec2:eu-west-1:111122223333:volume/vol-1", "control": "x"}
        self.assertEqual(route(by_schedule(waited, function), STACK), To([EC2]))
        self.assertEqual(route(by_schedule({"waiting": {}}, function), STACK), To([EC2]))
        sweep = {"function": function}
        self.assertEqual(route(by_schedule(sweep, MACHINE + "sweeps"), STACK), To(execution=(MACHINE + "sweeps", json.dumps(sweep))))
        foreign = route(by_rule(HEARTBEAT, "x", "arn:aws:lambda:eu-west-1:111122223333:function:other"), STACK)
        self.assertIn("which this stack does not have", foreign.left)

    def test_a_re_encryption_is_left_to_a_person(self):
        tagged = {"detail": {"requestParameters": {"resourcesSet": {"items": [{"resourceId": "vol-1"}]}}}}
        to = route(by_rule({"source": "aws.ec2", **tagged}, "reencryption", MACHINE + "reencryption"), STACK)
        self.assertIn(f"--state-machine-arn {MACHINE}reencryption --input '{{\"volume\": \"vol-1\"}}'", to.left)
        self.assertFalse(to.functions or to.execution)

    def test_what_needs_no_sending_is_deleted_with_a_reason(self):
        asked = {"invokingEvent": "{}", "resultToken": "t", "configRuleName": "portcullis-s3"}
        to = route(by_lambda(asked, "AROAS3:session"), STACK)
        self.assertIn("start-config-rules-evaluation --config-rule-names portcullis-s3", to.deleted)
        beat = {"ResourceArn": "arn:aws:sns:eu-west-1:111122223333:portcullis-alerts", "Tags": []}
        self.assertIn("next one", route(by_schedule(beat, "arn:aws:scheduler:::aws-sdk:sns:tagResource"), STACK).deleted)
        self.assertIn("next sweep", route(letter({"sweep": {"finish": []}}), STACK).deleted)

    def test_what_could_do_harm_or_is_no_event_stays(self):
        forced = {"restore": "019ab000-0000-7000-8000-000000000001", "force": True}
        for body in [forced, "no JSON", "[]", {"detail": None}, {"restore": "x"}, {"sweep": {}}, {"source": "aws.rds", "detail": {"eventSource": "rds.amazonaws.com"}}]:
            to = route(letter(body), STACK)
            self.assertTrue(to.left and not to.functions, (body, to))
        self.assertIn("overwrites", route(by_lambda(forced, "AROAS3:session"), STACK).left)

    def test_a_letter_without_attributes_goes_to_the_function_of_its_service(self):
        for event, named in [
            ({"source": "aws.s3", "detail": {"eventSource": "s3.amazonaws.com"}}, [S3]),
            ({"eventSource": "kms.amazonaws.com", "eventName": "PutKeyPolicy"}, [KMS]),
            ({"scheduled": "arn:aws:ec2:eu-west-1:111122223333:volume/vol-1", "control": "x"}, [EC2]),
            ({"release": "arn:aws:kms:eu-west-1:111122223333:key/k"}, [KMS]),
            ({"preflight": {}}, [KMS]),
            ({"waiting": {}}, ALL),
            ({"sweep": {"pages": [{"type": "AWS::S3::Bucket"}]}}, [S3]),
            ({"source": "aws.config", "detail": {"resourceType": "AWS::EC2::SecurityGroup"}}, [EC2]),
            ({"source": "aws.config", "detail": {"configurationItem": {"resourceType": "AWS::KMS::Key"}}}, [KMS]),
            ({"source": "aws.config", "detail": {"resourceType": "AWS::::Account"}}, ALL),
            (HEARTBEAT, ALL),
        ]:
            self.assertEqual(route(letter(event), STACK), To(named), event)


class Redrive(unittest.TestCase):
    def queue(self, account, letters):
        sqs = test_moto.client("sqs", test_moto.account(account))
        queue = sqs.create_queue(QueueName="portcullis-dead-letters")["QueueUrl"]
        for one in letters:
            one = one if isinstance(one, dict) else letter(one)
            sqs.send_message(QueueUrl=queue, MessageBody=one["Body"], MessageAttributes=one["MessageAttributes"])
        return sqs, queue

    def left(self, sqs, queue):
        left = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        return int(left["ApproximateNumberOfMessages"]) + int(left["ApproximateNumberOfMessagesNotVisible"])

    def test_what_is_handled_goes_and_what_fails_stays_and_says_why(self):
        good = json.dumps({"eventSource": "s3.amazonaws.com", "eventName": "CreateBucket"})
        bad = json.dumps({"eventSource": "kms.amazonaws.com", "eventName": "PutKeyPolicy"})
        sweep, asked = {"function": "f"}, {"invokingEvent": "{}", "resultToken": "t"}
        letters = [good, bad, "no JSON", good, by_schedule(sweep, MACHINE + "sweeps"), letter(asked)]
        sqs, queue = self.queue("333344445555", letters)
        calls, started, said = [], [], []

        def invoke(name, body):
            calls.append((name, body))
            return ("ObserveFailed: it was denied", None) if name == KMS else (None, {"resources": []})

        def start(machine, given):
            started.append((machine, given))

        self.assertEqual(redrive(sqs, invoke, start, queue, STACK, said.append), (3, 1, 2))
        self.assertEqual(sorted(calls), sorted([(S3, good), (S3, good), (KMS, bad)]))
        self.assertEqual(started, [(MACHINE + "sweeps", json.dumps(sweep))])
        self.assertTrue(any("ObserveFailed: it was denied" in line for line in said), said)
        self.assertTrue(any("found none" in line for line in said), said)
        self.assertTrue(any(line.startswith("deleted") and "resultToken" in line for line in said), said)
        self.assertEqual(self.left(sqs, queue), 2)

    def test_what_is_ignored_or_not_done_stays_unless_asked(self):
        event = json.dumps({"eventSource": "s3.amazonaws.com", "eventName": "CreateBucket"})
        part, beat = json.dumps({"sweep": {"pages": [{"type": "AWS::KMS::Key"}]}}), json.dumps(HEARTBEAT)
        answers = {event: {"ignored": "the function's own call"}, part: {"sweep": {"more": [{}]}}, beat: {"heartbeat": "unheard", "why": "nobody"}}
        for account, ignored, came in [("333344445556", "keep", (0, 0, 3)), ("333344445557", "delete", (0, 1, 2))]:
            sqs, queue = self.queue(account, [event, part, beat])
            said = []
            done = redrive(sqs, lambda name, body: (None, answers[body]), None, queue, STACK, said.append, ignored)
            self.assertEqual(done, came, said)
            self.assertTrue(any("the function's own call" in line for line in said), said)
            self.assertEqual(self.left(sqs, queue), came[2])


if __name__ == "__main__":
    unittest.main()
