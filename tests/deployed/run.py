"""Deploys template.yaml into a local AWS with IAM enforced, and sends a CloudTrail event through its own rule.

    BOOTSTRAP=target/release/portcullis-s3 .tools/venv/bin/python tests/deployed/run.py [--mode notify] [--restore]

What is checked: the real binary, under its own role and nobody else's keys, closes an insecure bucket, writes the ledger and
tells the topic. Prints one line of JSON and ends with 0 if all of that holds, else 1; its log is on standard error.

The template is deployed as it is, but for what ADAPTATIONS lists.
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parent.parent.parent
STACK = "portcullis"
PATIENCE = 30  # seconds for anything that takes its time


def adapt(template, endpoint, code, timeout=None):
    """The template's text for the local AWS, and what was changed in it. `timeout` is in place of the functions' own, in seconds."""
    adaptations = []

    def replace(pattern, by, why):
        nonlocal template
        template, count = re.subn(pattern, by, template)
        if not count:
            raise SystemExit(f"tests/deployed: nothing in template.yaml to adapt for: {why}")
        adaptations.append(why)

    why = "the code is a zip in a bucket, as after `sam package`; every function gets the one binary, and only S3's an event"
    replace(r"CodeUri: functions/\w+", f"CodeUri: {code}", why)
    replace(
        r"SSL_CERT_FILE: \S+",
        f"AWS_ENDPOINT_URL: {endpoint}",
        "the function calls the local AWS; it needs no certificates, and Amazon Linux's are not here",
    )
    why = "the local AWS takes the number of a parameter for a text, where it counts how many batches are out"
    replace(r"MaximumConcurrency: !Ref MaxConcurrency", "MaximumConcurrency: 5", why)
    named = r"(?m)^  (?:%s):\n(?:(?:    .*)?\n)*"
    replace(named % r"\w+EventsLost|SchedulesDropped", "", "the local AWS has no alarms on metric math")
    replace(named % r"\w+ConfigRule", "", "the local AWS makes no rules of AWS Config: the function is asked as they would ask")
    if timeout:
        replace(r"    Timeout: 60", f"    Timeout: {timeout}", "a function has little time, so that a sweep needs several invocations")
    return template, adaptations


def zipped(bootstrap):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16  # Lambda executes it
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, Path(bootstrap).read_bytes())
    return buffer.getvalue()


class Deployed:
    """A local AWS with the stack in it."""

    def __init__(self, account, region):
        self.region = region
        self.launcher = subprocess.Popen(
            [sys.executable, ROOT / "tools/ministack_launch.py", "0", "--with-stdin", "--account", account],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        word, _, port = self.launcher.stdout.readline().partition(" ")
        if word != "ready":
            raise SystemExit("tests/deployed: the local AWS did not start")
        self.endpoint = f"http://127.0.0.1:{port.strip()}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.launcher.stdin.close()
        self.launcher.wait(timeout=10)

    def client(self, service):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.endpoint, region_name=self.region, **keys)

    def deploy(self, bootstrap, parameters, timeout=None):
        s3, cloudformation = self.client("s3"), self.client("cloudformation")
        s3.create_bucket(Bucket="portcullis-code", **location(self.region))
        s3.put_object(Bucket="portcullis-code", Key="s3.zip", Body=zipped(bootstrap))
        given = (ROOT / "template.yaml").read_text()
        template, adaptations = adapt(given, self.endpoint, "s3://portcullis-code/s3.zip", timeout)
        # From S3, as SAM does it: inline, CloudFormation takes 51,200 bytes.
        s3.put_object(Bucket="portcullis-code", Key="template.yaml", Body=template.encode())
        cloudformation.create_stack(
            StackName=STACK,
            TemplateURL=f"{self.endpoint}/portcullis-code/template.yaml",
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        )

        def settled():
            stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
            return stack if not stack["StackStatus"].endswith("IN_PROGRESS") else None

        stack = until(settled)
        if not stack or stack["StackStatus"] != "CREATE_COMPLETE":
            for event in cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]:
                if "FAILED" in event["ResourceStatus"]:
                    print(event["LogicalResourceId"], event.get("ResourceStatusReason"), file=sys.stderr)
            raise SystemExit(f"tests/deployed: the stack is {stack and stack['StackStatus']}")
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}, adaptations

    def invoke(self, event):
        """What the function answers; nothing if it failed."""
        answer = self.client("lambda").invoke(FunctionName=f"{STACK}-s3", Payload=json.dumps(event))
        payload = answer["Payload"].read().decode()
        if "FunctionError" in answer:
            print(payload, file=sys.stderr)
            return None
        return json.loads(payload)

    def letters(self, queue, seconds=PATIENCE):
        """The dead letters, once there are some; they stay hidden for a moment."""
        read = {"QueueUrl": queue, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "VisibilityTimeout": 5}
        return until(lambda: self.client("sqs").receive_message(**read).get("Messages"), seconds) or []

    def redrive(self, source, target):
        """What `StartMessageMoveTask` does, which the local AWS does not have."""
        sqs = self.client("sqs")
        for letter in self.letters(source):
            sqs.send_message(QueueUrl=target, MessageBody=letter["Body"])
            sqs.delete_message(QueueUrl=source, ReceiptHandle=letter["ReceiptHandle"])

    def log(self):
        """What the function logged, in order."""
        logs = self.client("logs")
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{STACK}-s3")["events"]
        except ClientError as missing:
            return [str(missing)]
        return [event["message"].rstrip() for event in events]


def until(read, seconds=PATIENCE):
    """The first value that is not empty, or the last one read."""
    end, value = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            value = read()
        except ClientError as absent:
            value = None
            if absent.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"):
                raise
        if value:
            return value
        time.sleep(0.1)
    return value


def is_there(read):
    """Whether a read finds something, rather than an error that says there is nothing."""
    try:
        return bool(read())
    except ClientError:
        return False


def location(region):
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}


class Sample:
    """A sample event about one bucket, as EventBridge delivers it. The stack is deployed where it happened."""

    def __init__(self, path, same=None):
        """`same` is the sample whose bucket an event without parameters is about."""
        event = json.loads(path.read_text())
        self.account, self.region = event["account"], event["region"]
        self.bucket = same.bucket if same else event["detail"]["requestParameters"]["bucketName"]
        self.entry = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}

    def make_insecure(self, s3):
        """As a bucket was before April 2023, or as somebody leaves it who wants it public."""
        s3.create_bucket(Bucket=self.bucket, **location(self.region))
        s3.delete_public_access_block(Bucket=self.bucket)
        s3.delete_bucket_ownership_controls(Bucket=self.bucket)


def main():
    parser = argparse.ArgumentParser(description="Deploys template.yaml locally and sends an event through it.")
    parser.add_argument("--event", type=Path, default=ROOT / "events/s3/CreateBucket.json")
    parser.add_argument("--mode", choices=["notify", "enforce"], default="enforce")
    parser.add_argument("--restore", action="store_true", help="then ask the function to bring the bucket back")
    parser.add_argument("--redrive", action="store_true", help="then open the bucket again, redrive the event as a dead letter, and forge a restore")
    parser.add_argument("--config", action="store_true", help="the event comes from AWS Config, and then it asks as a rule does")
    parser.add_argument("--map", type=int, default=0, metavar="BUCKETS", help="sweep so many that the stack's distributed map is needed")
    parser.add_argument("--sweep", action="store_true", help="then start the stack's own sweep of the function")
    options = parser.parse_args()
    sample = Sample(options.event)
    bucket = sample.bucket

    with Deployed(sample.account, sample.region) as aws:
        began = time.monotonic()
        parameters = {"Mode": options.mode}
        if options.config:
            parameters.update(ConfigEvents="on", ConfigRules="evaluate")
            sample = Sample(ROOT / "events/config/ComplianceChange.json", sample)
        # What a function keeps for the last resource, and a second.
        outputs, adaptations = aws.deploy(os.environ["BOOTSTRAP"], parameters, 16 if options.map else None)
        deployed = time.monotonic()

        sqs, sns, s3 = aws.client("sqs"), aws.client("sns"), aws.client("s3")
        arn = f"arn:aws:sqs:{sample.region}:{sample.account}:subscriber"
        lets_in = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [lets_in]})
        queue = sqs.create_queue(QueueName="subscriber", Attributes={"Policy": policy})["QueueUrl"]
        sns.subscribe(TopicArn=outputs["AlertsTopic"], Protocol="sqs", Endpoint=arn)
        sample.make_insecure(s3)

        sent = time.monotonic()
        answer = aws.client("events").put_events(Entries=[sample.entry])
        if answer["FailedEntryCount"]:
            raise SystemExit(f"tests/deployed: {answer['Entries']}")

        def message():
            found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages")
            if found:  # else it comes again, in place of the next
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=found[0]["ReceiptHandle"])
            return found and json.loads(found[0]["Body"])

        def closed():
            block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
            return all(block.values()) and len(block) == 4

        def records():
            items = aws.client("dynamodb").scan(TableName=outputs["LedgerTable"])["Items"]
            # The event is over when no record is open any more.
            return [] if any("todo" in item for item in items) else items

        alert = until(message)
        told = time.monotonic()
        block = until(closed, 2 if options.mode == "notify" else PATIENCE)
        ledger = until(records, 5)
        def left(queue):
            named = sqs.get_queue_attributes(QueueUrl=outputs[queue], AttributeNames=["ApproximateNumberOfMessages"])
            return named["Attributes"]["ApproximateNumberOfMessages"]

        dead = [left(queue) for queue in ("DeadLetterQueue", "S3DeadLetterQueue")]

        checks = {
            "bucket closed" if options.mode == "enforce" else "bucket untouched": bool(block) == (options.mode == "enforce"),
            "ledger record": any(f"s3:::{bucket}" in item["pk"]["S"] for item in ledger or []),
            "alert": bool(alert) and bucket in alert.get("Subject", "") + alert["Message"],
            "no dead letter": dead == ["0", "0"],
        }
        if options.redrive:
            s3.delete_public_access_block(Bucket=bucket)
            envelope = json.loads(options.event.read_text())
            sqs.send_message(QueueUrl=outputs["S3DeadLetterQueue"], MessageBody=json.dumps(envelope))
            aws.redrive(outputs["S3DeadLetterQueue"], outputs["S3Queue"])
            checks["redriven"] = bool(until(closed))
            # Whoever may write to the queue can ask for nothing in the operator's name.
            record = next((item["id"]["S"] for item in ledger or [] if "id" in item), None)
            sqs.send_message(QueueUrl=outputs["S3Queue"], MessageBody=json.dumps({"restore": record, "by": "somebody"}))
            letters = aws.letters(outputs["S3DeadLetterQueue"])
            failures = [letter.get("MessageAttributes", {}).get("Failure", {}).get("StringValue") for letter in letters]
            checks["forged letter kept, nothing restored"] = failures == ["NotFromQueue"] and closed()
        if options.restore:
            record = next((item["id"]["S"] for item in ledger or [] if "id" in item), None)
            answer = aws.invoke({"restore": record, "by": "tests/deployed"})
            checks["restored"] = answer is not None and until(lambda: not is_there(closed), 5)
        if options.config:
            asked = json.loads((ROOT / "events/config/RuleItem.json").read_text())
            answer = aws.invoke({**asked, "resultToken": "of-the-rule"})
            details = aws.client("config").get_compliance_details_by_resource(ResourceType="AWS::S3::Bucket", ResourceId=bucket)
            put = [one["ComplianceType"] for one in details["EvaluationResults"]]
            checks["evaluated"] = bool(answer) and answer["evaluations"] == {"NON_COMPLIANT": 1} and put == ["NON_COMPLIANT"]
        for number in range(options.map):
            s3.create_bucket(Bucket=f"one-of-many-{number}", **location(sample.region))
        if options.sweep or options.map:
            function = aws.client("lambda").get_function(FunctionName=outputs["S3Function"])["Configuration"]["FunctionArn"]
            states = aws.client("stepfunctions")
            started = states.start_execution(stateMachineArn=outputs["Sweeps"], input=json.dumps({"function": function}))

            def ended():
                execution = states.describe_execution(executionArn=started["executionArn"])
                return execution if execution["status"] != "RUNNING" else None

            end = until(ended, 300 if options.map else PATIENCE) or {}
            print(end.get("output"), end.get("cause"), file=sys.stderr)
            checks["swept"] = end.get("status") == "SUCCEEDED"
            if options.map:
                runs = states.list_map_runs(executionArn=started["executionArn"])["mapRuns"]
                counts = json.loads(end.get("output") or "{}").get("sweep", {}).get("counts", {})
                # The sample's bucket, that of the code, and the account.
                checks["mapped"] = len(runs) == 1 and counts.get("resources") == options.map + 3 and not counts["unseen"] and not counts["lost"]
            told_by_sweep = until(message)
            checks["sweep told"] = bool(told_by_sweep) and "sweep by" in told_by_sweep.get("Subject", "")
        passed = all(checks.values())
        if not passed:
            print("\n".join(aws.log()), file=sys.stderr)
        summary = {
            "passed": passed,
            "mode": options.mode,
            "checks": checks,
            "subject": alert and alert.get("Subject"),
            "records": len(ledger or []),
            "deploy_ms": round((deployed - began) * 1000),
            "event_to_alert_ms": round((told - sent) * 1000) if alert else None,
            "adaptations": adaptations,
        }
        print(json.dumps(summary), flush=True)
        sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
