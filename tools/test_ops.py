"""What the operators' command says and asks of AWS, over answers as the AWS CLI prints them."""

import contextlib
import io
import json
import os
import stat
import tempfile
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest import mock

import ops

try:
    import botocore.session
    from botocore import xform_name
except ImportError:  # the tests' environment has it; a bare Python has not
    botocore = None
SESSION = botocore and botocore.session.get_session()

ACCOUNT, REGION = "111122223333", "eu-west-1"
BUCKET = "arn:aws:s3:::invoices"
QUEUE = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}"
# Of 30 November 2026, 12:00, and of an hour later: UUIDs of version 7.
NOON = datetime(2026, 11, 30, 12, tzinfo=timezone.utc)


def uuid(when, last="1"):
    digits = f"{int(when.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-00000000000{last}"


CLOSED, RESTORED = uuid(NOON), uuid(NOON + timedelta(hours=1), "2")
ACTOR = {
    "kind": "AssumedRole",
    "arn": "arn:aws:sts::111122223333:assumed-role/dev/bob",
    "human": "bob",
    "service": "",
    "address": "198.51.100.7",
    "agent": "aws-cli",
}


def record(ledger_id=CLOSED, outcome="remediated", restores=None, actor=ACTOR, arn=BUCKET, **result):
    told = {
        "control": "s3-bucket-public-policy",
        "severity": "CRITICAL",
        "outcome": outcome,
        "summary": "is public by its policy",
        "change": "take out statement 1",
        **result,
    }
    report = {
        "ledger_id": ledger_id,
        "resource": {"type": "AWS::S3::Bucket", "arn": arn, "id": "invoices", "account": ACCOUNT, "region": REGION},
        "event": "PutBucketPolicy" if not restores else "restore",
        "event_id": "e-1",
        "event_time": "2026-11-30T11:59:58Z",
        "actor": actor,
        "told": [told],
        "before": {},
        "after": {},
        "managed_by": None,
    }
    document = {"report": report, "prior": {}, "remedies": [{"policy": None}], "drawn": False, "opened": "2026-11-30T12:00:00Z"}
    return document | ({"restores": restores} if restores else {})


def item(sort, document, arn=BUCKET, **more):
    texts = {"pk": arn, "sk": sort, "document": json.dumps(document), **more}
    return {name: {"S": value} for name, value in texts.items()}


HOLD = {
    "control": "s3-bucket-public-policy",
    "since": "2026-11-30T13:00:00Z",
    "until": "2026-12-07T13:00:00.5Z",
    "by": "ana",
    "record": CLOSED,
}
STATUS = {
    "told": {
        "s3-bucket-versioning": {
            "summary": "is not versioned",
            "outcome": "would-remediate",
            "at": "2026-11-30T12:00:00Z",
            "record": CLOSED,
        }
    },
    "holds": [HOLD],
    "deferred": {},
}


def options(arguments):
    """The options of a call by their names."""
    found, rest = {}, list(arguments)
    while rest:
        name = rest.pop(0)
        values = []
        while rest and not rest[0].startswith("--"):
            values.append(rest.pop(0))
        found[name] = values
    return found


def check(service, operation, asked):
    """Whether AWS has such a call, with such options, by botocore's own model of it."""
    if not botocore:
        return
    model = SESSION.get_service_model({"configservice": "config"}.get(service, service))
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, f"{service} has no {operation}"
    members = model.operation_model(names[operation]).input_shape.members
    known = {"--" + xform_name(name, "-") for name in members} | {"--max-items"}
    unknown = {name.replace("--no-", "--") for name in asked} - known - {"--cli-input-json"}
    assert not unknown, f"{service} {operation} has no {unknown}"
    given = set(json.loads(asked["--cli-input-json"][0])) if "--cli-input-json" in asked else set()
    assert given <= set(members), f"{service} {operation} takes no {given - set(members)}"


class Recorded(ops.Aws):
    """The AWS CLI as a table of answers; what is asked is kept."""

    def __init__(self, **answers):
        super().__init__()
        self.asked = []
        self.invoked = []
        now = datetime.now(timezone.utc)
        outputs = {
            "LedgerTable": "ledger",
            "AlertsTopic": f"arn:aws:sns:{REGION}:{ACCOUNT}:portcullis-alerts",
            "DeadLetterQueue": f"{QUEUE}/portcullis-dead-letters",
            "Sweeps": "arn",
        }
        for name, key in (("s3", "S3"), ("kms", "Kms")):
            outputs |= {
                f"{key}Function": f"portcullis-{name}",
                f"{key}Queue": f"{QUEUE}/portcullis-{name}",
                f"{key}DeadLetterQueue": f"{QUEUE}/portcullis-{name}-dead-letters",
            }
        stack = {
            "StackStatus": "UPDATE_COMPLETE",
            "Parameters": [
                {"ParameterKey": "Mode", "ParameterValue": "enforce"},
                {"ParameterKey": "SettingsParameter", "ParameterValue": ""},
            ],
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
        }
        self.state, self.schedules, self.rule = "Enabled", "ENABLED", "ENABLED"
        self.beat = ops.shown(now)
        self.answers = {
            "describe-stacks": {"Stacks": [stack]},
            "describe-alarms": {"MetricAlarms": [], "CompositeAlarms": []},
            "list-event-source-mappings": lambda asked: {
                "EventSourceMappings": [{"UUID": f"uuid-{asked['--function-name'][0]}", "State": self.state}]
            },
            "update-event-source-mapping": self.map,
            "list-schedules": lambda asked: {
                "Schedules": [
                    {"Name": f"{asked['--group-name'][0]}-s3-sweep", "State": self.schedules},
                    {"Name": "portcullis-heartbeat", "State": "ENABLED"},
                ]
            },
            "get-schedule": {
                "Name": "s",
                "GroupName": "g",
                "Arn": "arn",
                "State": "ENABLED",
                "ScheduleExpression": "at(2020-01-01T00:00:00)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": "a", "RoleArn": "r"},
                "CreationDate": "2026-01-01T00:00:00Z",
            },
            "update-schedule": {},
            "list-rules": lambda asked: {"Rules": [{"Name": "portcullis-reencryption", "State": self.rule}]},
            "disable-rule": {},
            "enable-rule": {},
            "list-state-machines": {
                "stateMachines": [
                    {"name": "portcullis-sweeps", "stateMachineArn": "arn:aws:states:eu-west-1:1:stateMachine:portcullis-sweeps"},
                    {"name": "other", "stateMachineArn": "arn:other"},
                ]
            },
            "list-executions": {"executions": []},
            "stop-execution": {},
            "describe-volumes": {"Volumes": [{"VolumeId": "vol-1"}]},
            "get-queue-attributes": {"Attributes": {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}},
            "get-item": lambda asked: {"Item": {"pk": {"S": "heartbeat"}, "at": {"S": self.beat}, "swept": {"S": self.beat}}},
            "query": {"Items": []},
            "scan": {"Items": []},
            "publish": {"MessageId": "m"},
            "lookup-events": {"Events": []},
            "filter-log-events": {"events": []},
            "get-resources": {"ResourceTagMappingList": []},
            **answers,
        }

    def map(self, asked):
        self.state = "Enabled" if "--enabled" in asked else "Disabled"
        return {}

    def run(self, *arguments):
        service, operation, *rest = arguments
        asked = options(rest)
        for name, values in asked.items():
            for value in values:
                if value.startswith("file://"):
                    asked[name] = [Path(value.removeprefix("file://")).read_text()]
        check(service, operation, asked)
        self.asked.append((service, operation, asked))
        answer = self.answers[operation]
        answer = answer(asked) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        return json.loads(json.dumps(answer))

    def invoke(self, function, payload):
        self.invoked.append((function, payload))
        answer = self.answers["invoke"]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def calls(self, operation):
        return [asked for _, name, asked in self.asked if name == operation]


def said(aws, *arguments):
    """What the command prints, its exit status, and what it says of errors."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(errors), mock.patch.object(ops, "desk", lambda: None):
        code = ops.main(list(arguments), aws, out)
    return out.getvalue(), code, errors.getvalue()


class Status(unittest.TestCase):
    def test_where_all_is_well_there_is_nothing_to_look_at(self):
        text, code, _ = said(Recorded(), "status")
        self.assertEqual(code, 0, text)
        self.assertIn("portcullis: mode enforce, settings packed with the functions", text)
        self.assertIn("Nothing to look at.", text)

    def test_whatever_waits_for_somebody_is_said_with_a_status_of_its_own(self):
        alarm = {"AlarmName": "portcullis-errors", "StateUpdatedTimestamp": "2026-11-30T12:00:00Z", "StateReason": "Threshold Crossed"}
        waiting = lambda asked: {
            "Attributes": {
                "ApproximateNumberOfMessages": "2" if "dead" in asked["--queue-url"][0] else "7",
                "ApproximateNumberOfMessagesNotVisible": "0",
            }
        }
        deferred = {"deferred": {"s3-bucket-tls-only": {"until": "2026-12-01T00:00:00Z", "reason": "budget", "event": "PutBucketPolicy"}}}
        items = {
            "open": item("~open", record(), id="r-9", since="2020-01-01T00:00:00Z"),
            "deferred": item("~status", deferred, since="2026-12-01T00:00:00Z"),
        }
        todo = lambda asked: {"Items": [items[json.loads(asked["--expression-attribute-values"][0])[":todo"]["S"]]]}
        aws = Recorded(**{"describe-alarms": {"MetricAlarms": [alarm]}, "get-queue-attributes": waiting, "query": todo})
        aws.beat, aws.state = "2020-01-01T00:00:00.123456789Z", "Disabled"
        text, code, _ = said(aws, "status")
        self.assertEqual(code, 3)
        for line in (
            "LOOK: the alarm portcullis-errors is on since 2026-11-30T12:00:00Z: Threshold Crossed",
            "LOOK: stopped: events of portcullis-s3 (disabled)",
            "LOOK: portcullis-kms-dead-letters has 2 dead letters",
            "LOOK: portcullis-s3 has heard no heartbeat since 2020-01-01T00:00:00Z",
            "LOOK: 1 records are open for more than an hour",
            "open since 2020-01-01T00:00:00Z: arn:aws:s3:::invoices, record r-9",
            "deferred until 2026-12-01T00:00:00Z: arn:aws:s3:::invoices s3-bucket-tls-only (budget; PutBucketPolicy)",
            "queue portcullis-s3: 7 events wait",
        ):
            self.assertIn(line, text)

    def test_json_has_the_same(self):
        text, code, _ = said(Recorded(), "--json", "status")
        told = json.loads(text)
        self.assertEqual((told["mode"], told["look"], code), ("enforce", [], 0))
        self.assertEqual(json.loads(said(Recorded(), "status", "--json")[0])["stack"], "portcullis")

    def test_a_stack_that_is_not_there_or_no_aws_is_one_line(self):
        gone = ops.Refused("aws cloudformation describe-stacks: Stack with id typo does not exist", 1)
        _, code, errors = said(Recorded(**{"describe-stacks": gone}), "--stack", "typo", "status")
        self.assertEqual((code, errors.count("\n")), (2, 1))
        self.assertIn("there is no stack typo in this account and region", errors)
        _, code, errors = said(Recorded(**{"describe-stacks": ops.Refused("aws …: Unable to locate credentials", 1)}), "status")
        self.assertEqual((code, errors), (1, "portcullis-ops: aws …: Unable to locate credentials\n"))

    def test_what_can_not_be_asked_hides_nothing_else(self):
        denied = ops.Refused("aws scheduler list-schedules: AccessDenied", 1)
        text, code, _ = said(Recorded(**{"list-schedules": denied, "describe-alarms": denied}), "status")
        self.assertEqual(code, 3)
        self.assertIn("LOOK: not known: the schedules of the sweeps: aws scheduler list-schedules: AccessDenied", text)
        self.assertIn("LOOK: not known: the alarms: ", text)
        self.assertIn("queue portcullis-s3: 0 events wait", text)
        text, code, _ = said(Recorded(**{"list-schedules": denied}), "stop", "--by", "ana")
        self.assertEqual(code, 1)
        self.assertIn("not stopped: the schedules of the sweeps: ", text)


class Why(unittest.TestCase):
    def test_it_says_what_was_decided_held_called_and_logged(self):
        call = {"eventTime": "2026-11-30T11:59:58Z", "eventName": "PutBucketPolicy", "userIdentity": {"arn": "arn:bob"}}
        read = {"eventTime": "2026-11-30T11:59:59Z", "eventName": "GetBucketPolicy", "readOnly": True}
        line = {
            "fields": {
                "message": "is not versioned",
                "control": "s3-bucket-versioning",
                "outcome": "would-remediate",
                "why": "notify",
                "resource": BUCKET,
            }
        }
        aws = Recorded(
            **{
                "query": {
                    "Items": [
                        item("~status", STATUS),
                        item("~open", record(), id="r-2", since="2026-11-30T13:00:00Z"),
                        item(f"record#{CLOSED}", record(why="because\x1b[2J")),
                    ]
                },
                "lookup-events": {
                    "Events": [{"EventId": str(at), "CloudTrailEvent": json.dumps(one)} for at, one in enumerate((call, read))]
                },
                "filter-log-events": {"events": [{"timestamp": 1796040000000, "message": json.dumps(line)}]},
            }
        )
        text, code, _ = said(aws, "why", BUCKET)
        self.assertEqual(code, 0)
        for part in (
            "looked after by portcullis-s3; mode enforce",
            "s3-bucket-public-policy is held until 2026-12-07T13:00:00.5Z by ana",
            "the record r-2 is open since 2026-11-30T13:00:00Z",
            "2026-11-30T12:00:00Z PutBucketPolicy by bob as arn:aws:sts::111122223333:assumed-role/dev/bob, from 198.51.100.7",
            "CRITICAL remediated s3-bucket-public-policy: is public by its policy. Because: because [2J",
            "2026-11-30T11:59:58Z PutBucketPolicy by arn:bob",
            "would-remediate s3-bucket-versioning: is not versioned. Because: notify",
            "not known: build it",
        ):
            self.assertIn(part, text)
        self.assertNotIn("GetBucketPolicy", text)
        asked = aws.calls("lookup-events")
        self.assertEqual(
            [one["--lookup-attributes"] for one in asked],
            [[f"AttributeKey=ResourceName,AttributeValue={name}"] for name in ("invoices", BUCKET)],
        )

    def test_a_source_that_is_closed_closes_no_other(self):
        aws = Recorded(**{"lookup-events": ops.Refused("aws cloudtrail lookup-events: AccessDenied", 1)})
        text, code, _ = said(aws, "why", BUCKET, "--json")
        told = json.loads(text)
        self.assertEqual((code, told["no_calls"], told["records"]), (0, "aws cloudtrail lookup-events: AccessDenied", []))

    def test_what_no_function_looks_after_is_refused(self):
        _, code, errors = said(Recorded(), "why", "arn:aws:rds:eu-west-1:111122223333:db:a")
        self.assertEqual((code, errors), (2, "portcullis-ops: no function of portcullis looks after rds: it has kms, s3\n"))
        with self.assertRaises(SystemExit) as refused:
            said(Recorded(), "why", "invoices")
        self.assertEqual(refused.exception.code, 2)

    def test_settings_of_a_parameter_are_named_by_version_and_hash(self):
        aws = Recorded()
        aws.answers["describe-stacks"]["Stacks"][0]["Parameters"][1]["ParameterValue"] = "/portcullis/settings"
        aws.answers["get-parameter"] = {"Parameter": {"Value": "mode: notify", "Version": 3, "LastModifiedDate": 1796040000.1}}
        told = json.loads(said(aws, "why", BUCKET, "--json")[0])
        self.assertRegex(told["settings"], r"^/portcullis/settings, version 3 of 2026-11-30T12:00:00Z \(sha256 [0-9a-f]{12}…\)$")


class Report(unittest.TestCase):
    ITEMS = {
        "Items": [
            item(f"record#{CLOSED}", record(was="was public by its policy")),
            item(f"record#{RESTORED}", record(RESTORED, "restored", restores=CLOSED, actor={"arn": "ana"})),
            item(f"record#{uuid(NOON, '3')}", record(uuid(NOON, "3"), "would-remediate") | {"remedies": []}),
            item(f"record#{uuid(NOON - timedelta(days=9))}", record(uuid(NOON - timedelta(days=9)))),
        ]
    }

    def rows(self, *more):
        aws = Recorded(scan=self.ITEMS)
        text, code, _ = said(aws, "report", "--since", "2026-11-30", "--until", "2026-11-30T12:30:00Z", *more)
        self.assertEqual(code, 0)
        return text, aws

    def test_it_has_what_was_changed_by_whom_and_who_undid_it_though_later(self):
        text, aws = self.rows("--json")
        rows = json.loads(text)
        self.assertEqual(
            [(row["record"], row["finding"], row["undone_by"], row["undone_at"]) for row in rows],
            [(CLOSED, "was public by its policy", "ana", "2026-11-30T13:00:00Z")],
        )
        values = json.loads(aws.calls("scan")[0]["--expression-attribute-values"][0])
        self.assertLessEqual(values[":since"]["S"], f"record#{CLOSED}")
        self.assertGreater(values[":since"]["S"], f"record#{uuid(NOON - timedelta(days=1))}")
        self.assertEqual(len(json.loads(self.rows("--json", "--all")[0])), 2)

    def test_they_are_counted_by_whatever_is_asked_for(self):
        self.assertEqual(self.rows("--all", "--count", "outcome")[0], "     1 remediated\n     1 would-remediate\n")
        self.assertEqual(json.loads(self.rows("--count", "by", "--json")[0])[0]["count"], 1)
        self.assertEqual(self.rows("--count", "event", "--csv")[0], "event,count\nPutBucketPolicy,1\n")

    def test_a_spreadsheet_takes_no_cell_for_a_formula(self):
        evil = record(change='=HYPERLINK("http://x")', actor={"arn": "+1\r\n2"})
        aws = Recorded(scan={"Items": [item(f"record#{CLOSED}", evil)]})
        text, _, _ = said(aws, "report", "--since", "2026-11-01", "--csv")
        head, line = text.splitlines()
        self.assertEqual(head, ",".join(ops.COLUMNS))
        self.assertIn('"\'=HYPERLINK(""http://x"")"', line)
        self.assertIn("'+1  2", line)

    def test_a_time_is_a_moment_or_so_long_ago(self):
        self.assertEqual(ops.since("2026-07-01"), datetime(2026, 7, 1, tzinfo=timezone.utc))
        self.assertEqual(ops.since("2026-07-01T06:00:00Z").hour, 6)
        self.assertLess(datetime.now(timezone.utc) - ops.since("90d") - timedelta(days=90), timedelta(seconds=5))
        for wrong in ("yesterday", "0d", "7", "2026-13-01"):
            with self.assertRaises(ops.argparse.ArgumentTypeError, msg=wrong):
                ops.since(wrong)

    def test_moments_are_read_as_the_ledger_cloudwatch_and_the_cli_write_them(self):
        for text in (
            "2026-11-30T12:00:00Z",
            "2026-11-30T12:00:00.000000000Z",
            "2026-11-30T13:00:00.0+01:00",
            "2026-11-30T12:00:00",
            1796040000,
        ):
            self.assertEqual(ops.moment(text), NOON, text)
        self.assertEqual(ops.moment("2026-11-30T12:00:00.5Z").microsecond, 500000)
        self.assertIsNone(ops.moment(""))

    def test_a_record_says_when_it_was_made_and_sorts_by_it(self):
        self.assertEqual(ops.made(CLOSED), NOON)
        self.assertIsNone(ops.made("no id"))
        self.assertTrue(ops.prefix_of(NOON) <= f"record#{CLOSED}" < ops.prefix_of(NOON + timedelta(minutes=2)))


class WrongAndHolds(unittest.TestCase):
    def aws(self):
        now = ops.shown(datetime.now(timezone.utc))
        told = {
            "s3-bucket-tls-only": {"summary": "takes plain HTTP", "outcome": "would-remediate", "at": now, "record": CLOSED},
            "s3-bucket-public-acl": {"summary": "is public", "outcome": "would-remediate", "at": now, "record": CLOSED},
            "s3-bucket-website": {"summary": "is a website", "outcome": "exempt", "at": now, "record": CLOSED},
            "s3-bucket-versioning": {"summary": "was long ago", "outcome": "failed", "at": "2020-01-01T00:00:00Z", "record": CLOSED},
        }
        later = HOLD | {"until": "2999-01-01T00:00:00Z"}
        return Recorded(scan={"Items": [item("~status", {"told": told, "holds": [HOLD | {"until": "2020-01-01T00:00:00Z"}, later]})]})

    def by_desk(self, *arguments, text=None):
        controls = [{"id": "s3-bucket-tls-only", "severity": "MEDIUM"}, {"id": "s3-bucket-public-acl", "severity": "CRITICAL"}]
        modes = {"s3-bucket-tls-only": "notify", "s3-bucket-public-acl": "enforce"}
        return controls if arguments[0] == "controls" else {"modes": modes}

    def test_what_is_still_wrong_is_listed_the_worst_first_with_what_enforce_would_do(self):
        with mock.patch.object(ops, "told_by_desk", self.by_desk):
            text, code, _ = said(self.aws(), "wrong", "--outcome", "would-remediate")
            self.assertEqual(code, 0)
            self.assertEqual(
                text.splitlines(),
                [
                    f"CRITICAL would-remediate s3-bucket-public-acl {BUCKET}: is public (in enforce mode: changed, within the budget)",
                    f"MEDIUM would-remediate s3-bucket-tls-only {BUCKET}: takes plain HTTP (in enforce mode: only told)",
                    "2 in all",
                ],
            )
            self.assertEqual(said(self.aws(), "wrong", "--count", "outcome")[0], "     2 would-remediate\n     1 exempt\n")
        text = said(self.aws(), "wrong", "--csv")[0]
        self.assertEqual(text.splitlines()[0], "severity,outcome,control,in_enforce,resource,finding,told_at,record")
        self.assertNotIn("was long ago", text)

    def test_holds_that_last_are_listed(self):
        text, _, _ = said(self.aws(), "holds")
        self.assertEqual(text, f"2999-01-01T00:00:00Z {BUCKET} s3-bucket-public-policy by ana (record {CLOSED})\n1 in all\n")


class UndoAndRelease(unittest.TestCase):
    ANSWER = {
        "resource": BUCKET,
        "outcome": "restored",
        "controls": {"s3-bucket-public-policy": "restored"},
        "findings": {"s3-bucket-public-policy": "is again as before"},
        "record": RESTORED,
    }

    def test_undo_finds_the_function_says_who_and_until_when_it_is_held(self):
        key = lambda asked: {
            "Items": [item("~status", STATUS)] if "--index-name" not in asked else [{"pk": {"S": BUCKET}, "sk": {"S": f"record#{CLOSED}"}}]
        }
        aws = Recorded(invoke=self.ANSWER, query=key)
        text, code, _ = said(aws, "undo", CLOSED, "--by", "ana")
        self.assertEqual((code, aws.invoked), (0, [("portcullis-s3", {"restore": CLOSED, "by": "ana"})]))
        self.assertIn("restored: arn:aws:s3:::invoices", text)
        self.assertIn("held until 2026-12-07T13:00:00.5Z: s3-bucket-public-policy", text)
        said(aws, "undo", CLOSED, "--by", "ana", "--force")
        self.assertTrue(aws.invoked[-1][1]["force"])
        said(aws, "undo", CLOSED, "--by", "ana", "--for", "2h")
        self.assertEqual(aws.invoked[-1][1]["for"], "120m")

    def test_look_has_one_resource_judged_now(self):
        aws = Recorded(invoke=self.ANSWER | {"outcome": "compliant", "controls": {}, "findings": {}, "record": None})
        text, code, _ = said(aws, "look", BUCKET, "--by", "ana")
        self.assertEqual(
            (text, code, aws.invoked), ("compliant: arn:aws:s3:::invoices\n", 0, [("portcullis-s3", {"look": BUCKET, "by": "ana"})])
        )
        text, _, _ = said(Recorded(invoke=self.ANSWER), "look", BUCKET, "--by", "ana")
        self.assertIn(f", by record {RESTORED}\n  restored s3-bucket-public-policy: is again as before\n", text)

    def test_what_the_function_refuses_is_one_line_and_a_failure(self):
        aws = Recorded(invoke=ops.Refused("portcullis-s3 refused: somebody changed it since", 1), query={"Items": [{"pk": {"S": BUCKET}}]})
        self.assertEqual(
            said(aws, "undo", CLOSED, "--by", "ana")[1:], (1, "portcullis-ops: portcullis-s3 refused: somebody changed it since\n")
        )

    def test_a_record_that_is_not_there_is_refused_before_anything_is_asked(self):
        aws = Recorded()
        _, code, errors = said(aws, "undo", "typo", "--by", "ana")
        self.assertEqual((code, errors, aws.invoked), (2, "portcullis-ops: the ledger of portcullis has no record typo\n", []))

    def test_release_by_arn_or_record(self):
        answer = {
            "outcome": "released",
            "resource": BUCKET,
            "record": RESTORED,
            "now": {"outcome": "remediated", "controls": {"c": "remediated"}, "findings": {"c": "was public"}},
        }
        aws = Recorded(invoke=answer, query={"Items": [{"pk": {"S": BUCKET}}]})
        text, code, _ = said(aws, "release", BUCKET, "--by", "ana", "--control", "c")
        self.assertEqual((code, aws.invoked), (0, [("portcullis-s3", {"release": BUCKET, "by": "ana", "control": "c"})]))
        self.assertIn("now remediated\n  remediated c: was public", text.replace("\n  now", "now"))
        said(aws, "release", CLOSED, "--by", "ana")
        self.assertEqual(aws.invoked[-1], ("portcullis-s3", {"release": CLOSED, "by": "ana"}))


class Letters(unittest.TestCase):
    CALL = {
        "detail-type": "AWS API Call via CloudTrail",
        "detail": {
            "eventName": "PutBucketPolicy",
            "eventTime": "2026-11-30T12:00:00Z",
            "requestParameters": {"bucketName": "invoices", "policy": {}},
            "userIdentity": {"arn": "arn:bob"},
        },
    }

    def aws(self):
        letter = {
            "MessageId": "m-1",
            "ReceiptHandle": "h-1",
            "Body": json.dumps(self.CALL),
            "Attributes": {"SentTimestamp": "1796040000000"},
            "MessageAttributes": {"Failure": {"StringValue": "EventRefused"}, "Error": {"StringValue": "no field"}},
        }
        return Recorded(
            **{
                "receive-message": lambda asked: {"Messages": [letter]} if "s3-dead" in asked["--queue-url"][0] else {},
                "delete-message": {},
            }
        )

    def test_each_has_its_event_its_resource_and_its_reason(self):
        text, code, _ = said(self.aws(), "letters")
        self.assertEqual(code, 0)
        self.assertIn(
            "portcullis-s3-dead-letters: m-1\n  PutBucketPolicy of 2026-11-30T12:00:00Z by arn:bob: bucketName=invoices\n  EventRefused: no field\n",
            text,
        )
        self.assertIn("1 letters in", text)

    def test_one_is_taken_away_by_its_id_and_shown_a_last_time(self):
        aws = self.aws()
        text, code, _ = said(aws, "letters", "--delete", "m-1")
        self.assertEqual((code, aws.calls("delete-message")[0]["--receipt-handle"]), (0, ["h-1"]))
        self.assertIn('"eventName": "PutBucketPolicy"', text)
        with mock.patch.object(ops, "SHOWN", -5):
            _, code, errors = said(self.aws(), "letters", "--delete", "m-2")
        self.assertEqual(code, 2)
        self.assertIn("there is no letter m-2", errors)
        aws = self.aws()
        said(aws, "letters", "--function", "kms")
        self.assertTrue(all("kms" in one["--queue-url"][0] for one in aws.calls("receive-message")))

    def test_whatever_a_letter_holds_it_is_named(self):
        for body, event, resources in (
            ("<html>", "no JSON", []),
            ("[]", "no event", []),
            ('{"restore": "r-1", "by": "ana"}', "restore", ["r-1"]),
            ('{"sweep": {}}', "sweep", []),
            ('{"scheduled": "arn:a", "control": "c"}', "scheduled", ["arn:a"]),
            ('{"eventName": "RunInstances", "resources": [{"ARN": "arn:i"}, {}]}', "RunInstances", ["arn:i"]),
            ('{"detail-type": "Config", "detail": {"configurationItem": {"resourceId": "b"}}}', "Config", ["b"]),
            ('{"detail-type": "x", "detail": "y"}', "x", []),
        ):
            found = ops.named(body)
            self.assertEqual((found["event"], found["resources"]), (event, resources), body)


class SweepAndPreflight(unittest.TestCase):
    def test_each_function_or_one_is_swept_by_its_arn(self):
        machine = "arn:aws-cn:states:cn-north-1:111122223333:stateMachine:portcullis-sweeps"
        aws = Recorded(**{"start-execution": {"executionArn": "arn:x"}})
        outputs = aws.answers["describe-stacks"]["Stacks"][0]["Outputs"]
        next(one for one in outputs if one["OutputKey"] == "Sweeps")["OutputValue"] = machine
        text, code, _ = said(aws, "sweep", "s3")
        self.assertEqual((code, text.splitlines()[0]), (0, "portcullis-s3: arn:x"))
        self.assertEqual(
            json.loads(aws.calls("start-execution")[0]["--input"][0]),
            {"function": "arn:aws-cn:lambda:cn-north-1:111122223333:function:portcullis-s3"},
        )
        said(aws, "sweep")
        self.assertEqual(len(aws.calls("start-execution")), 3)
        self.assertEqual(said(aws, "sweep", "rds")[1], 2)

    def test_a_key_that_is_wrong_is_a_status_of_its_own(self):
        wrong = {"resource": "arn:key", "outcome": "told-before", "findings": {"kms-key-required": "is disabled"}}
        aws = Recorded(
            invoke={
                "preflight": {"right": 1, "wrong": 1, "unchecked": 0},
                "resources": [wrong, {"resource": "arn:other", "outcome": "unchecked", "why": "another account's"}],
            }
        )
        text, code, _ = said(aws, "preflight", "--by", "ana")
        self.assertEqual((code, aws.invoked), (3, [("portcullis-kms", {"preflight": {"by": "ana"}})]))
        self.assertIn("  told-before arn:key kms-key-required: is disabled\n  unchecked arn:other : another account's\n", text)
        aws.answers["invoke"] = {"preflight": {"right": 1, "wrong": 0, "unchecked": 0}, "resources": []}
        self.assertEqual(said(aws, "preflight", "--by", "ana")[1], 0)


class Brake(unittest.TestCase):
    RUNNING = {
        "executions": [{"executionArn": "arn:aws:states:eu-west-1:1:execution:portcullis-sweeps:x", "startDate": "2026-11-30T12:00:00Z"}]
    }

    def test_stop_disables_all_that_leads_to_a_change_and_says_what_ran(self):
        aws = Recorded(**{"list-executions": self.RUNNING})
        text, code, _ = said(aws, "stop", "--by", "ana")
        self.assertEqual(code, 0, text)
        self.assertEqual(
            sorted(one["--uuid"][0] for one in aws.calls("update-event-source-mapping") if "--no-enabled" in one),
            ["uuid-portcullis-kms", "uuid-portcullis-s3"],
        )
        stopped = [json.loads(one["--cli-input-json"][0]) for one in aws.calls("update-schedule")]
        self.assertEqual([one["State"] for one in stopped], ["DISABLED"] * 3)
        self.assertNotIn("CreationDate", stopped[0])
        self.assertEqual(stopped[0]["ScheduleExpression"], "at(2020-01-01T00:00:00)")
        # The heartbeat of the regular schedules is left; the group of what was deferred has no such thing.
        asked = [one["--name"][0] for one in aws.calls("get-schedule")]
        self.assertEqual(sorted(asked), ["portcullis-heartbeat", "portcullis-later-s3-sweep", "portcullis-regular-s3-sweep"])
        self.assertEqual(aws.calls("disable-rule"), [{"--name": ["portcullis-reencryption"]}])
        self.assertIn("portcullis-sweeps:x", aws.calls("stop-execution")[0]["--execution-arn"][0])
        self.assertIn("Stopped: portcullis, by ana\n  ran, and is stopped: the events of portcullis-kms\n", text)
        self.assertIn("ended: arn:aws:states:eu-west-1:1:execution:portcullis-sweeps:x", text)
        self.assertIn("stopped: portcullis", aws.calls("publish")[0]["--subject"][0])

    def test_a_re_encryption_is_not_ended_since_that_would_leave_the_instance_stopped(self):
        machine = {"name": "portcullis-reencryption", "stateMachineArn": "arn:aws:states:eu-west-1:1:stateMachine:portcullis-reencryption"}
        aws = Recorded(**{"list-executions": self.RUNNING, "list-state-machines": {"stateMachines": [machine]}})
        text, _, _ = said(aws, "stop", "--by", "ana")
        self.assertEqual(aws.calls("stop-execution"), [])
        self.assertIn("still running, and brings the instance back by itself", text)

    def test_what_can_not_be_stopped_is_said_and_the_rest_is_stopped(self):
        aws = Recorded(
            **{
                "disable-rule": ops.Refused("aws events disable-rule: AccessDenied", 1),
                "publish": ops.Refused("aws sns publish: AccessDenied", 1),
            }
        )
        text, code, errors = said(aws, "stop", "--by", "ana")
        self.assertEqual(code, 1)
        self.assertIn("NOT ALL IS STOPPED", text)
        self.assertIn("not stopped: the rule portcullis-reencryption: aws events disable-rule: AccessDenied", text)
        self.assertEqual((len(aws.calls("update-event-source-mapping")), errors.count("nobody was told")), (2, 1))

    def test_a_mapping_that_is_still_at_work_is_said_to_be(self):
        aws = Recorded(**{"update-event-source-mapping": {}})
        text, code, _ = said(aws, "stop", "--by", "ana", "--wait", "0")
        self.assertEqual(code, 1)
        self.assertIn("still stopping: portcullis-kms (Enabled)", text)

    def test_go_starts_it_again_and_what_was_due_meanwhile_comes_soon(self):
        aws = Recorded()
        aws.state, aws.schedules, aws.rule = "Disabled", "DISABLED", "DISABLED"
        text, code, _ = said(aws, "go", "--by", "ana")
        self.assertEqual(code, 0, text)
        started = [json.loads(one["--cli-input-json"][0]) for one in aws.calls("update-schedule")]
        self.assertEqual([one["State"] for one in started], ["ENABLED"] * 2)
        soon = ops.moment(started[0]["ScheduleExpression"][3:-1]) - datetime.now(timezone.utc)
        self.assertTrue(timedelta(minutes=3) < soon < timedelta(minutes=6), soon)
        self.assertEqual(len(aws.calls("enable-rule")), 1)
        self.assertIn("  started: the rule portcullis-reencryption\n", text)
        self.assertIn("nothing stood still", said(Recorded(), "go", "--by", "ana")[0])
        self.assertIn("tagged for re-encryption, and perhaps not begun: vol-1", text)

    def test_a_config_rule_that_puts_right_only_evaluates_meanwhile(self):
        rule = {
            "ConfigRuleName": "portcullis-s3",
            "ConfigRuleArn": "arn",
            "ConfigRuleState": "ACTIVE",
            "InputParameters": '{"remediate":"true"}',
            "Source": {"Owner": "CUSTOM_LAMBDA"},
        }
        aws = Recorded(**{"describe-config-rules": {"ConfigRules": [rule, rule | {"ConfigRuleName": "other"}]}, "put-config-rule": {}})
        aws.answers["describe-stacks"]["Stacks"][0]["Parameters"].append({"ParameterKey": "ConfigRules", "ParameterValue": "remediate"})
        said(aws, "stop", "--by", "ana")
        (put,) = [json.loads(one["--cli-input-json"][0])["ConfigRule"] for one in aws.calls("put-config-rule")]
        self.assertEqual(
            (put["ConfigRuleName"], put["InputParameters"], "ConfigRuleArn" in put), ("portcullis-s3", '{"remediate": "false"}', False)
        )


class Cli(unittest.TestCase):
    """The AWS CLI itself, by a script in its place."""

    def with_cli(self, script, call):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "aws")
            path.write_text(f"#!/usr/bin/env python3\nimport json, sys\n{script}\n")
            path.chmod(path.stat().st_mode | stat.S_IEXEC)
            with mock.patch.dict(os.environ, {"PATH": f"{folder}:{os.environ['PATH']}"}):
                return call(ops.Aws("eu-west-1", "ops"))

    def test_region_and_profile_are_the_cli_s_and_nothing_is_an_empty_answer(self):
        said = self.with_cli("print(json.dumps(sys.argv[1:]))", lambda aws: aws.run("sqs", "list-queues"))
        self.assertEqual(said, ["--region", "eu-west-1", "--profile", "ops", "--output", "json", "sqs", "list-queues"])
        self.assertEqual(self.with_cli("pass", lambda aws: aws.run("sqs", "list-queues")), {})

    def test_a_refusal_is_its_last_line(self):
        with self.assertRaisesRegex(ops.Refused, "^aws sqs list-queues: An error occurred .AccessDenied.$"):
            self.with_cli("sys.exit('\\nAn error occurred (AccessDenied)\\n')", lambda aws: aws.run("sqs", "list-queues"))

    def test_an_invoke_answers_what_the_function_answers(self):
        answer = 'request = open(sys.argv[sys.argv.index("--payload") + 1].removeprefix("fileb://")).read(); open(sys.argv[-1], "w").write(%s); print(%s)'
        said = self.with_cli(answer % ("request", "'{\"StatusCode\": 200}'"), lambda aws: aws.invoke("portcullis-s3", {"restore": "r"}))
        self.assertEqual(said, {"restore": "r"})
        refusal = answer % ('\'{"errorMessage": "no such record"}\'', '\'{"StatusCode": 200, "FunctionError": "Unhandled"}\'')
        with self.assertRaisesRegex(ops.Refused, "^portcullis-s3 refused: no such record$"):
            self.with_cli(refusal, lambda aws: aws.invoke("portcullis-s3", {}))

    def test_no_cli_is_said(self):
        with mock.patch.dict(os.environ, {"PATH": "/nowhere"}), self.assertRaisesRegex(ops.Refused, "not installed"):
            ops.Aws().run("sqs", "list-queues")


if __name__ == "__main__":
    unittest.main()
