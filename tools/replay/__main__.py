"""Replays one event into the real function under cargo-lambda, against a local AWS, and shows what it did.

    make replay EVENT=events/s3/CreateBucket.json

The resource that the event names is made first, as insecure as the event says; where the local AWS gives it another id, the
event names that. Everything listens on loopback.
"""

import io
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import boto3
import ec2
import kms
import s3
import yaml
from botocore.config import Config

ROOT = Path(__file__).resolve().parent.parent.parent
ENDPOINT = os.environ.get("PORTCULLIS_LOCAL_AWS", "")
SERVICES = {"s3.amazonaws.com": s3, "kms.amazonaws.com": kms, "ec2.amazonaws.com": ec2}
COMPILING = 600  # seconds that the first build may take

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def title(text):
    print(f"\n\033[1m{text}\033[0m" if COLOUR else f"\n{text}")


# S3 Control puts the account id in front of the endpoint's host, and no resolver knows 111122223333.127.0.0.1.
_getaddrinfo = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: _getaddrinfo(
    "127.0.0.1" if str(host).endswith(".127.0.0.1") else host, *rest, **more
)


class Account:
    """The event's account in the local AWS: a person's keys, and those of the function's role."""

    def __init__(self, account, region):
        self.id, self.region = account, region
        self.role = f"arn:aws:iam::{account}:role/portcullis"
        self.person = self.assume(f"arn:aws:iam::{account}:role/person")
        self.function = self.assume(self.role)

    def assume(self, role):
        keys = {"aws_access_key_id": "replay", "aws_secret_access_key": "replay"}
        sts = boto3.client("sts", endpoint_url=ENDPOINT, region_name=self.region, **keys)
        return sts.assume_role(RoleArn=role, RoleSessionName="replay")["Credentials"]

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=ENDPOINT,
            region_name=self.region,
            aws_access_key_id=self.person["AccessKeyId"],
            aws_secret_access_key=self.person["SecretAccessKey"],
            aws_session_token=self.person["SessionToken"],
            config=Config(retries={"max_attempts": 1}),
        )

    def deploy(self):
        """What the stack makes for a function: the ledger as template.yaml has it, and the topic."""
        loader = type("Loader", (yaml.SafeLoader,), {})
        loader.add_multi_constructor("!", lambda *_: None)
        with open(ROOT / "template.yaml", encoding="utf-8") as file:
            ledger = yaml.load(file, loader)["Resources"]["Ledger"]["Properties"]
        names = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        self.client("dynamodb").create_table(TableName="ledger", **{name: ledger[name] for name in names})
        self.topic = self.client("sns").create_topic(Name="alerts")["TopicArn"]


def control(method, path):
    with urllib.request.urlopen(urllib.request.Request(ENDPOINT + path, method=method)) as answer:
        return json.load(answer)


# ------------------------------------------------------------------------------------------------------ the function


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Watch:
    """`cargo lambda watch`, with the function in the event's account."""

    def __init__(self, aws, mode):
        self.port = str(free_port())
        self.log = tempfile.TemporaryFile()
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": ENDPOINT,
            "AWS_REGION": aws.region,
            "AWS_ACCESS_KEY_ID": aws.function["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": aws.function["SecretAccessKey"],
            "AWS_SESSION_TOKEN": aws.function["SessionToken"],
            "PORTCULLIS_MODE": mode,
            "PORTCULLIS_LEDGER_TABLE": "ledger",
            "PORTCULLIS_TOPIC_ARN": aws.topic,
            "PORTCULLIS_ROLE_ARN": aws.role,
            "PORTCULLIS_SCHEDULE_GROUP": "default",
            "PORTCULLIS_SCHEDULE_ROLE_ARN": aws.role,
            "PORTCULLIS_DEAD_LETTERS_ARN": f"arn:aws:sqs:{aws.region}:{aws.id}:dead-letters",
        }
        command = ["cargo", "lambda", "watch", "--quiet", "--ignore-changes", "--wait", "--invoke-address", "127.0.0.1"]
        self.process = subprocess.Popen(
            [*command, "--invoke-port", self.port], cwd=ROOT, env=environment, stdout=self.log, stderr=subprocess.STDOUT
        )

    def __enter__(self):
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(self.port))) == 0:
                    return self
            time.sleep(0.05)
        raise SystemExit(f"cargo lambda watch did not start:\n{self.said()}")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def said(self):
        self.log.seek(0)
        return io.TextIOWrapper(self.log, errors="replace").read()

    def invoke(self, function, event):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write(event)
            file.flush()
            command = ["cargo", "lambda", "invoke", function, "--data-file", file.name]
            command += ["--invoke-address", "127.0.0.1", "--invoke-port", self.port]
            return subprocess.run(command, cwd=ROOT, timeout=COMPILING, capture_output=True, text=True)


def main():
    if len(sys.argv) != 2 or not sys.argv[1]:
        sys.exit(__doc__)
    if not re.fullmatch(r"http://127\.0\.0\.1:\d+", ENDPOINT):
        sys.exit(f"replay: PORTCULLIS_LOCAL_AWS is {ENDPOINT!r}, no loopback address: `make replay` starts a local AWS")
    path = Path(sys.argv[1]).resolve()
    event = json.loads(path.read_text())
    record = event.get("detail", event)
    service = SERVICES.get(record.get("eventSource"))
    if not service:
        sys.exit(f"replay: expected an event of {', '.join(SERVICES)}, found one of {record.get('eventSource')!r}")

    title(f"{record['eventName']} ({path.name})")
    account = event.get("account") or record["recipientAccountId"]
    aws = Account(account, record["awsRegion"])
    aws.deploy()
    names, describe = service.make(aws, record)
    text = json.dumps(event)
    for there, here in names.items():
        text = text.replace(there, here)
    before = describe()
    for name, value in before.items():
        print(f"  {name:24} {value}")

    # The same selection of packages, and so of features, as `cargo lambda watch` builds: it will find nothing left to do.
    subprocess.run(["cargo", "build", "--quiet", "--bin", service.FUNCTION], cwd=ROOT, check=True)
    with Watch(aws, os.environ.get("MODE", "enforce")) as watch:
        answer = watch.invoke(service.FUNCTION, text)
        title("The function answered")
        print(answer.stdout.strip() or answer.stderr.strip())
        if answer.returncode:
            sys.exit(watch.said())

        title("What changed")
        after = describe()
        changed = {name: value for name, value in after.items() if value != before[name]}
        for name, value in changed.items():
            print(f"  {name:24} {value}")
        if not changed:
            print("  nothing")

        title("AWS calls")
        for call in control("GET", f"/_calls?key={aws.function['AccessKeyId']}"):
            print(f"  {call['service'] + ':' + call['action']:38} {call['status']}  {call['ended_ms'] - call['started_ms']:5.1f} ms")

        for message in control("GET", f"/_sns?topic={aws.topic}"):
            title("Alert: " + (message["subject"] or ""))
            text = message["message"]
            if message["message_structure"] == "json":
                parts = json.loads(text)
                text = parts.get("email") or parts["default"]
            print("  " + text.replace("\n", "\n  "))


if __name__ == "__main__":
    main()
