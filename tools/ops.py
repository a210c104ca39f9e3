"""What a person on call asks of a running stack, over the AWS CLI: is it alive, why was nothing done, undo this, stop everything.

    tools/portcullis-ops [--stack NAME] [--region REGION] [--profile PROFILE] [--json] COMMAND …

It needs Python 3.10 and the AWS CLI, which finds account and region as ever; `portcullis` on the PATH, or built in this checkout, adds what
settings say. Exit status: 0; 1 if AWS or the function refused; 2 if the command was not understood, or nothing fits it; 3 if `status` or
`preflight` found something to look at.
"""

import argparse
import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 8  # calls of the AWS CLI beside each other; each is a process
ATTENTION = 3
CHANGED = ("remediated", "quarantined", "remediating", "restored", "failed")
DEAF = timedelta(hours=12)  # as the alarm of the heartbeat has it
MANY = 100  # letters of a queue that are looked at at once
FEW = 20  # lines of one kind that a person reads
SHOWN = 20  # seconds in which a letter that was shown is not had again
FORGOTTEN = timedelta(days=9)  # a finding that is open is told again after seven days
STUCK = timedelta(hours=1)  # an open record that is older belongs to a dead letter


class Refused(Exception):
    """What was asked can't be answered; `status` is the exit status."""

    def __init__(self, message, status=2):
        super().__init__(message)
        self.status = status


def clean(text):
    """Without what moves a terminal's cursor: much of it was written by whoever made the call."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))


def moment(text):
    """A moment as the ledger, CloudWatch and CloudTrail write it; None for none."""
    if text in (None, ""):
        return None
    if isinstance(text, (int, float)):
        return datetime.fromtimestamp(text, timezone.utc)
    # Python 3.10 takes parts of a second in six digits alone.
    text = re.sub(r"\.(\d+)", lambda parts: f".{parts[1][:6]:0<6}", text.strip()).replace("Z", "+00:00")
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def shown(when):
    return when.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if when else ""


def made(record):
    """When a record was begun: its id is a UUID of version 7."""
    try:
        return datetime.fromtimestamp(int(record.replace("-", "")[:12], 16) / 1000, timezone.utc)
    except ValueError:
        return None


def span(text):
    """`90m`, `2h`, `7d` as a time span."""
    found = re.fullmatch(r"(\d+)([mhd])", text.strip())
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(f"expected a time as in 90m, 2h or 7d, found {text!r}")
    return timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[found[2]]: int(found[1])})


def since(text):
    """A moment, or a time span before now."""
    if re.fullmatch(r"\d+[mhd]", text.strip()):
        return datetime.now(timezone.utc) - span(text)
    try:
        return moment(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a moment as in 2026-07-01 or 2026-07-01T06:00:00Z, or a time as in 7d, found {text!r}"
        ) from None


def an_arn(text):
    if not re.fullmatch(r"arn:[a-z-]+:[a-z0-9-]+:[^:]*:[^:]*:.+", text):
        raise argparse.ArgumentTypeError(f"expected an ARN (arn:partition:service:region:account:resource), found {text!r}")
    return text


class Aws:
    """The AWS CLI, of either version."""

    def __init__(self, region=None, profile=None):
        self.options = [*(["--region", region] if region else []), *(["--profile", profile] if profile else [])]

    def run(self, *arguments):
        """What a call answers; a refusal is the CLI's own line."""
        # What is long is not for the pager; retries are the CLI's.
        environment = os.environ | {"AWS_PAGER": ""}
        command = ["aws", *self.options, "--output", "json", *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        except FileNotFoundError:
            raise Refused("the AWS CLI is not installed: there is no `aws` on the PATH", 1) from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise Refused(f"aws {arguments[0]} {arguments[1]}: {clean(lines[-1] if lines else 'it failed')}", 1)
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def invoke(self, function, payload):
        """What a function answers to a request."""
        with tempfile.TemporaryDirectory() as folder:
            request, answer = Path(folder, "request.json"), Path(folder, "answer.json")
            request.write_text(json.dumps(payload))
            # As a file, both versions of the CLI take it for what it is.
            told = self.run("lambda", "invoke", "--function-name", function, "--payload", f"fileb://{request}", str(answer))
            said = json.loads(answer.read_text() or "null")
        if told.get("FunctionError"):
            why = said.get("errorMessage") if isinstance(said, dict) else said
            raise Refused(f"{function} refused: {clean(why)}", 1)
        return said


def at_once(*calls):
    """What several calls answer, beside each other."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def each_of(calls, unknown):
    """What calls answer, by the same names: one that is refused is said in `unknown`, and closes none of the others."""

    def tried(name, call):
        try:
            return call()
        except Refused as error:
            unknown.append(f"{name}: {error}")
            return None

    return dict(zip(calls, at_once(*[lambda name=name, call=call: tried(name, call) for name, call in calls.items()])))


class Stack:
    """What CloudFormation knows of the stack."""

    def __init__(self, aws, name):
        self.aws, self.name = aws, name
        try:
            found = aws.run("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"][0]
        except Refused as error:
            if "does not exist" not in str(error):
                raise
            where = "in this account and region; --stack, --region and --profile say which is meant"
            raise Refused(f"there is no stack {name} {where}") from None
        self.state = found["StackStatus"]
        self.parameters = {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
        self.functions = {key.removesuffix("Function").lower(): value for key, value in self.outputs.items() if key.endswith("Function")}
        if "LedgerTable" not in self.outputs or not self.functions:
            raise Refused(f"the stack {name} is none of Portcullis, or is not complete: it has no ledger or no function among its outputs")
        self.table = self.outputs["LedgerTable"]
        # Stack sets name things by a name of their own.
        service, function = next(iter(self.functions.items()))
        self.prefix = function.removesuffix(f"-{service}")

    def function_of(self, arn):
        service = arn.split(":")[2]
        if service not in self.functions:
            raise Refused(f"no function of {self.name} looks after {service}: it has {', '.join(sorted(self.functions))}")
        return self.functions[service]

    def function_named(self, name):
        found = self.functions.get(name) or (name if name in self.functions.values() else None)
        if not found:
            raise Refused(f"the stack {self.name} has no function {name}: it has {', '.join(sorted(self.functions))}")
        return found

    def queues(self):
        """URL by name: those of events, and those of dead letters."""
        events = {
            value.rsplit("/", 1)[-1]: value
            for key, value in self.outputs.items()
            if key.endswith("Queue") and not key.endswith("DeadLetterQueue")
        }
        letters = {value.rsplit("/", 1)[-1]: value for key, value in self.outputs.items() if key.endswith("DeadLetterQueue")}
        return events, letters

    def items(self, *arguments, **values):
        """Items of the ledger: its texts, and its document as JSON."""
        if values:
            given = {f":{name}": {"S": value} for name, value in values.items()}
            arguments = (*arguments, "--expression-attribute-values", json.dumps(given))
        operation, *arguments = arguments
        found = self.aws.run("dynamodb", operation, "--table-name", self.table, *arguments)
        items = found.get("Items", [found["Item"]] if found.get("Item") else [])
        return [self.whole(plain(item)) for item in items]

    def whole(self, item):
        """The item with its document, which is in parts where it is larger than an item."""
        if item.get("parts"):
            condition = "pk = :pk AND begins_with(sk, :part)"
            parts = self.items("query", "--consistent-read", "--key-condition-expression", condition, pk=item["pk"], part=f"part#{item['id']}#")
            item["document"] = json.loads("".join(one["part"] for one in parts[: int(item["parts"])]))
        return item

    def of_resource(self, arn, limit=None):
        """The latest items of a resource: open record and status come first."""
        some = ["--max-items", str(limit)] if limit else []
        return self.items("query", "--no-scan-index-forward", *some, "--key-condition-expression", "pk = :pk", pk=arn)

    def todo(self, word):
        return self.items("query", "--index-name", "todo", "--key-condition-expression", "todo = :todo", todo=word)

    def record(self, record):
        keys = self.items("query", "--index-name", "by-id", "--key-condition-expression", "id = :id", id=record)
        if not keys:
            raise Refused(f"the ledger of {self.name} has no record {record}")
        return keys[0]


def plain(item):
    found = {name: value.get("S", value.get("N")) for name, value in item.items()}
    if found.get("document"):
        found["document"] = json.loads(found["document"])
    return found


def who(actor):
    """As alerts say it."""
    name = next((actor[key] for key in ("arn", "service", "kind") if actor.get(key)), "unknown")
    name = f"{actor['human']} as {name}" if actor.get("human") else name
    return f"{name}, from {actor['address']}" if actor.get("address") else name


# ---------------------------------------------------------------------------------------------------------------- status


def brake(stack):
    """What of the stack runs, and what somebody has stopped."""
    aws = stack.aws

    def mapping(function):
        found = aws.run("lambda", "list-event-source-mappings", "--function-name", function)["EventSourceMappings"]
        return [{"function": function, "id": one["UUID"], "state": one["State"]} for one in found]

    def schedules(group):
        found = aws.run("scheduler", "list-schedules", "--group-name", f"{stack.prefix}-{group}")["Schedules"]
        return [{"group": f"{stack.prefix}-{group}", "name": one["Name"], "state": one["State"]} for one in found]

    def rules():
        found = aws.run("events", "list-rules", "--name-prefix", f"{stack.prefix}-reencryption")["Rules"]
        return [{"name": one["Name"], "state": one["State"]} for one in found]

    def machines():
        found = aws.run("stepfunctions", "list-state-machines")["stateMachines"]
        ours = [one["stateMachineArn"] for one in found if one["name"] in (f"{stack.prefix}-sweeps", f"{stack.prefix}-reencryption")]
        running = []
        for machine in ours:
            executions = aws.run("stepfunctions", "list-executions", "--state-machine-arn", machine, "--status-filter", "RUNNING")[
                "executions"
            ]
            running += [
                {"machine": machine.rsplit(":", 1)[-1], "execution": one["executionArn"], "since": one["startDate"]} for one in executions
            ]
        return running

    def config_rules():
        if stack.parameters.get("ConfigRules") != "remediate":
            return []
        found = aws.run("configservice", "describe-config-rules")["ConfigRules"]
        ours = [one for one in found if one["ConfigRuleName"] in stack.functions.values()]
        return [{"name": one["ConfigRuleName"], "remediates": '"true"' in one.get("InputParameters", ""), "rule": one} for one in ours]

    unknown = []
    calls = {f"the events of {one}": lambda one=one: mapping(one) for one in sorted(stack.functions.values())}
    functions = list(calls)
    calls |= {
        "the schedules of the sweeps": lambda: schedules("regular"),
        "the schedules of what was deferred": lambda: schedules("later"),
        "the rule of the re-encryption": rules,
        "what the state machines run": machines,
        "the rules of AWS Config": config_rules,
    }
    sweeps, deferred, reencryption, running, config = list(calls)[-5:]
    found = {name: answer or [] for name, answer in each_of(calls, unknown).items()}
    return {
        "events": [one for name in functions for one in found[name]],
        # The heartbeat changes nothing, and what it proves is asked for after a stop as well.
        "sweeps": [one for one in found[sweeps] if one["name"].endswith("-sweep")],
        "deferred": found[deferred],
        "reencryption": found[reencryption],
        "running": found[running],
        "config_rules": found[config],
        "unknown": unknown,
    }


def stopped(braked):
    """What of it stands still."""
    still = [
        f"events of {one['function']} ({one['state'].lower()})"
        for one in braked["events"]
        if one["state"] not in ("Enabled", "Enabling", "Creating", "Updating")
    ]
    still += [f"the schedule {one['name']}" for one in braked["sweeps"] if one["state"] != "ENABLED"]
    later = sum(one["state"] != "ENABLED" for one in braked["deferred"])
    still += [f"{later} schedules of what was deferred"] if later else []
    still += [f"the rule {one['name']}" for one in braked["reencryption"] if one["state"] != "ENABLED"]
    return still + [f"the AWS Config rule {one['name']} only evaluates" for one in braked["config_rules"] if not one["remediates"]]


def status(stack, _):
    """Whether it is alive, and what waits for somebody."""
    aws, now = stack.aws, datetime.now(timezone.utc)
    events, letters = stack.queues()

    def depth(url):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = aws.run("sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", *names)["Attributes"]
        return {"waiting": int(found[names[0]]), "handled": int(found[names[1]])}

    def beat(function):
        key = json.dumps({"pk": {"S": f"heartbeat#{function}"}, "sk": {"S": "last"}})
        found = stack.items("get-item", "--key", key)
        return {"heartbeat": found[0].get("at") if found else None, "swept": found[0].get("swept") if found else None}

    def alarms():
        found = aws.run("cloudwatch", "describe-alarms", "--alarm-name-prefix", f"{stack.prefix}-", "--state-value", "ALARM")
        both = found.get("MetricAlarms", []) + found.get("CompositeAlarms", [])
        return [{"name": one["AlarmName"], "since": one.get("StateUpdatedTimestamp"), "why": one.get("StateReason", "")} for one in both]

    unknown, functions, queues = [], sorted(stack.functions.values()), {**events, **letters}
    calls = {
        "the alarms": alarms,
        "the brake": lambda: brake(stack),
        "the open records": lambda: stack.todo("open"),
        "what is deferred": lambda: stack.todo("deferred"),
        **{f"the heartbeat of {one}": lambda one=one: beat(one) for one in functions},
        **{f"the queue {name}": lambda url=url: depth(url) for name, url in queues.items()},
    }
    answers = each_of(calls, unknown)
    on, is_open, deferred = (answers[name] or [] for name in ("the alarms", "the open records", "what is deferred"))
    braked = answers["the brake"]
    unknown += braked["unknown"]
    beats = {one: answers[f"the heartbeat of {one}"] for one in functions if answers[f"the heartbeat of {one}"]}
    depths = {name: answers[f"the queue {name}"] for name in queues if answers[f"the queue {name}"]}
    waits = sorted(
        (
            {"until": one["until"], "reason": one["reason"], "resource": item["pk"], "control": control, "event": one.get("event", "")}
            for item in deferred
            for control, one in (item["document"].get("deferred") or {}).items()
        ),
        key=lambda one: one["until"],
    )
    opened = sorted(
        ({"since": one["since"], "resource": one["pk"], "record": one.get("id", "")} for one in is_open), key=lambda one: one["since"]
    )
    told = {
        "stack": stack.name,
        "state": stack.state,
        "mode": stack.parameters.get("Mode"),
        "settings": stack.parameters.get("SettingsParameter") or "packed with the functions",
        "alarms": on,
        "stopped": stopped(braked),
        "running": braked["running"],
        "functions": beats,
        "events": {name: depths[name] for name in sorted(events) if name in depths},
        "letters": {name: depths[name]["waiting"] + depths[name]["handled"] for name in sorted(letters) if name in depths},
        "open": opened,
        "deferred": waits,
        "unknown": unknown,
    }
    look = [f"the alarm {one['name']} is on since {shown(moment(one['since']))}: {one['why']}" for one in on]
    look += [f"stopped: {what}" for what in told["stopped"]]
    look += [f"{name} has {count} dead letters: tools/portcullis-ops letters" for name, count in told["letters"].items() if count]
    for name, one in beats.items():
        heard = moment(one["heartbeat"])
        if not heard or now - heard > DEAF:
            look.append(f"{name} has heard no heartbeat {'since ' + shown(heard) if heard else 'yet'}")
    stuck = [one for one in opened if now - moment(one["since"]) > STUCK]
    if stuck:
        look.append(
            f"{len(stuck)} records are open for more than an hour: each belongs to an event that is tried again, or to a dead letter"
        )
    if not stack.state.endswith("_COMPLETE") or "ROLLBACK" in stack.state:
        look.append(f"the stack is {stack.state}")
    look += [f"not known: {what}" for what in unknown]
    told["look"] = look
    lines = [f"{stack.name}: mode {told['mode']}, settings {told['settings']}"]
    for name, one in beats.items():
        lines.append(
            f"  {name}: heartbeat {shown(moment(one['heartbeat'])) or 'none yet'}, last sweep {shown(moment(one['swept'])) or 'none yet'}"
        )
    for name, one in told["events"].items():
        lines.append(f"  queue {name}: {one['waiting']} events wait, {one['handled']} are being handled")
    lines.append(f"  open records: {len(opened)}; deferred findings: {len(waits)}")
    lines += [f"    open since {one['since']}: {one['resource']}, record {one['record']}" for one in opened[:FEW]]
    lines += [
        f"    deferred until {one['until']}: {one['resource']} {one['control']} ({one['reason']}; {one['event']})" for one in waits[:FEW]
    ]
    lines += ["    … --json has all of them"] if max(len(opened), len(waits)) > FEW else []
    lines += [f"  running: {one['execution']} since {shown(moment(one['since']))}" for one in braked["running"]]
    lines += ["", *(f"LOOK: {what}" for what in look)] if look else ["", "Nothing to look at."]
    return told, lines, ATTENTION if look else 0


# ------------------------------------------------------------------------------------------------------------------- why


def desk():
    """The command `portcullis`, where there is one."""
    built = [ROOT / "target" / profile / "portcullis" for profile in ("release", "debug")]
    found = os.environ.get("PORTCULLIS") or shutil.which("portcullis") or next((str(path) for path in built if path.is_file()), None)
    return found


def settings_of(stack):
    """The settings in force, as far as they can be had: those packed with a function are in its code."""
    name = stack.parameters.get("SettingsParameter")
    if not name:
        return {"source": "packed with the functions"}, None
    found = stack.aws.run("ssm", "get-parameter", "--name", name, "--with-decryption")["Parameter"]
    digest = hashlib.sha256(found["Value"].encode()).hexdigest()[:12]
    changed = shown(moment(found["LastModifiedDate"]))
    return {"source": f"{name}, version {found['Version']} of {changed} (sha256 {digest}…)"}, found["Value"]


def explained(stack, arn, text):
    """What settings say of a resource, by `portcullis settings explain`; why not, where they can't be asked."""
    command = desk()
    if not command:
        return None, "build it (cargo build -p portcullis-cli) or put it on the PATH to see what settings say of it"
    tags = []
    try:
        found = stack.aws.run("resourcegroupstaggingapi", "get-resources", "--resource-arn-list", arn)["ResourceTagMappingList"]
        tags = [part for one in found for tag in one.get("Tags", []) for part in ("--tag", f"{tag['Key']}={tag['Value']}")]
    except Refused as error:
        tags = []
        print(f"portcullis-ops: its tags can't be read, so it counts as untagged: {error}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "settings.yaml")
        path.write_text(text or "{}")
        # Those packed with the functions are the checkout's, if it is what was deployed.
        packed = ROOT / "portcullis.yaml"
        file = packed if text is None and packed.is_file() else path
        mode = stack.parameters.get("Mode") or "notify"
        done = subprocess.run(
            [command, "settings", "explain", "--json", "--resource", arn, "--settings", str(file), "--mode", mode, *tags],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        return None, clean(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "it failed")
    return json.loads(done.stdout), None


def led_to(record):
    """Where a call leads, by `portcullis triage`."""
    command = desk()
    if not command:
        return None
    done = subprocess.run([command, "triage", "-"], input=record, capture_output=True, text=True, check=False)
    try:
        said = json.loads(done.stdout)
    except ValueError:
        return None
    return said.get("refused") or said.get("ignored") or ", ".join(said.get("controls") or [])


def history(stack, arn, days):
    """The calls that CloudTrail has of a resource, the latest first."""
    name = arn.split(":", 5)[5].rsplit("/", 1)[-1]
    start = shown(datetime.now(timezone.utc) - timedelta(days=days))
    found = {}
    for value in dict.fromkeys((name, arn)):
        attribute = f"AttributeKey=ResourceName,AttributeValue={value}"
        calls = stack.aws.run("cloudtrail", "lookup-events", "--lookup-attributes", attribute, "--start-time", start, "--max-items", "50")[
            "Events"
        ]
        found |= {one["EventId"]: one for one in calls}
    calls = []
    for one in found.values():
        record = json.loads(one["CloudTrailEvent"])
        if record.get("readOnly"):
            continue
        calls.append(
            {
                "time": record.get("eventTime", ""),
                "call": record.get("eventName", ""),
                "by": (record.get("userIdentity") or {}).get("arn") or one.get("Username") or "",
                "error": record.get("errorCode"),
                "event": one["EventId"],
                "leads_to": led_to(one["CloudTrailEvent"]),
            }
        )
    return sorted(calls, key=lambda one: one["time"], reverse=True)


def logged(stack, function, arn, days):
    """What the function's log says of a resource."""
    start = str(int((datetime.now(timezone.utc) - timedelta(days=days)).timestamp() * 1000))
    pattern = '{ $.fields.resource = "%s" }' % arn.replace('"', "")
    group = f"/aws/lambda/{function}"
    found = stack.aws.run(
        "logs", "filter-log-events", "--log-group-name", group, "--start-time", start, "--filter-pattern", pattern, "--max-items", "50"
    )["events"]
    lines = []
    for one in found:
        fields = json.loads(one["message"]).get("fields", {})
        lines.append(
            {
                "time": shown(moment(one["timestamp"] / 1000)),
                **{key: fields[key] for key in ("message", "control", "outcome", "why", "record") if fields.get(key)},
            }
        )
    return lines


def why(stack, asked):
    """What is known of a resource: calls, decisions, exemption, holds, what waits, the settings in force."""
    arn, function = asked.arn, stack.function_of(asked.arn)
    source, text = settings_of(stack)

    refused = []
    answers = each_of(
        {
            "items": lambda: stack.of_resource(arn, asked.records + 2),
            "brake": lambda: brake(stack),
            "calls": lambda: history(stack, arn, asked.days),
            "log": lambda: logged(stack, function, arn, asked.days),
            "settings": lambda: explained(stack, arn, text),
        },
        refused,
    )
    unread = dict(one.split(": ", 1) for one in refused)
    items, braked, (said, unsaid) = answers["items"] or [], answers["brake"], answers["settings"]
    calls, lines_of_log, no_calls, no_log = answers["calls"], answers["log"], unread.get("calls"), unread.get("log")
    state = next((one["document"] for one in items if one["sk"] == "~status"), {})
    is_open = next((one for one in items if one["sk"] == "~open"), None)
    records = [one["document"] for one in items if one["sk"].startswith("record#")][: asked.records]
    still = stopped(braked)
    told = {
        "resource": arn,
        "function": function,
        "mode": stack.parameters.get("Mode"),
        "settings": source["source"],
        "stopped": still,
        "told": state.get("told", {}),
        "holds": state.get("holds", []),
        "deferred": {
            control: {key: one[key] for key in ("until", "reason", "event")} for control, one in (state.get("deferred") or {}).items()
        },
        "open": is_open and {"record": is_open.get("id"), "since": is_open.get("since")},
        "records": [
            {
                "record": one["report"]["ledger_id"],
                "time": shown(made(one["report"]["ledger_id"])),
                "event": one["report"]["event"],
                "by": who(one["report"]["actor"]),
                "results": [
                    {key: result.get(key, "") for key in ("control", "severity", "outcome", "summary", "why")}
                    for result in one["report"]["told"]
                ],
            }
            for one in records
        ],
        "controls": said and said["controls"],
        "classification": said and said["classification"],
        "not_explained": unsaid,
        "calls": calls,
        "no_calls": no_calls,
        "log": lines_of_log,
        "no_log": no_log,
        "no_ledger": unread.get("items"),
    }
    lines = [arn, f"  looked after by {function}; mode {told['mode']}, settings {told['settings']}"]
    lines += [f"  STOPPED: {what}" for what in still]
    lines += ["", "SETTINGS"]
    if said:
        lines.append(f"  {said['classification']['level']}: {said['classification']['why']}")
        lines += [f"  {'exempt' if one['exempt'] else one['mode']:8} {one['control']}: {one['why']}" for one in said["controls"]]
    else:
        lines.append(f"  not known: {unsaid}")
    lines += ["", "HELD AND DEFERRED"]
    lines += [f"  {one['control']} is held until {one['until']} by {one['by']} (record {one['record']})" for one in told["holds"]]
    lines += [f"  {control} is deferred until {one['until']}: {one['reason']}" for control, one in told["deferred"].items()]
    lines += (
        [f"  the record {told['open']['record']} is open since {told['open']['since']}: it is being handled, or waits for a retry"]
        if is_open
        else []
    )
    lines += [] if lines[-1] != "HELD AND DEFERRED" else ["  nothing"]
    lines += ["", f"DECISIONS (the last {asked.records} records)"]
    for one in told["records"]:
        lines.append(f"  {one['time']} {one['event']} by {one['by']}: record {one['record']}")
        lines += [
            f"    {result['severity']} {result['outcome']} {result['control']}: {result['summary']}{'. Because: ' + result['why'] if result['why'] else ''}"
            for result in one["results"]
        ]
    lines += [f"  not known: {unread['items']}"] if "items" in unread else []
    lines += [] if records or "items" in unread else ["  none: nothing was found wrong with it, or nothing was heard of it"]
    lines += ["", f"CALLS (CloudTrail, {asked.days} days; what they lead to)"]
    lines += [
        f"  {one['time']} {one['call']} by {one['by']}{', failed: ' + one['error'] if one['error'] else ''}{' -> ' + one['leads_to'] if one['leads_to'] else ''}"
        for one in calls or []
    ]
    lines += [f"  not known: {no_calls}"] if no_calls else ([] if calls else ["  none that changed anything"])
    lines += ["", f"LOG ({asked.days} days)"]
    lines += [
        f"  {one['time']} {one.get('outcome', '')} {one.get('control', '')}: {one.get('message', '')}{'. Because: ' + one['why'] if one.get('why') else ''}"
        for one in lines_of_log or []
    ]
    lines += [f"  not known: {no_log}"] if no_log else ([] if lines_of_log else ["  nothing"])
    return told, lines, 0


# ---------------------------------------------------------------------------------------------------------------- report

COLUMNS = (
    "time",
    "record",
    "resource",
    "type",
    "control",
    "severity",
    "outcome",
    "finding",
    "change",
    "why",
    "by",
    "event",
    "event_id",
    "managed_by",
    "undone_at",
    "undone_by",
    "undone_record",
)


def prefix_of(when):
    """How the sort keys of the records of a moment begin: 65 seconds have one in common."""
    return f"record#{int(when.timestamp() * 1000) >> 16:08x}"


def report(stack, asked):
    """What was changed, by whom it was made necessary, and what of it was undone."""
    items = stack.items(
        "scan",
        "--projection-expression",
        "pk, sk, id, parts, document",
        "--filter-expression",
        "sk BETWEEN :since AND :end",
        since=prefix_of(asked.since),
        end="record#~",
    )
    records = [one["document"] for one in items]
    undone = {
        one["restores"]: one["report"]
        for one in records
        if one.get("restores") and any(result["outcome"] == "restored" for result in one["report"]["told"])
    }
    rows = []
    for record in records:
        done = record["report"]
        when = made(done["ledger_id"])
        if when is None or not asked.since <= when < asked.until:
            continue
        restore = undone.get(done["ledger_id"])
        for result in done["told"]:
            if not asked.all and (result["outcome"] not in CHANGED or not record.get("remedies")):
                continue
            rows.append(
                {
                    "time": shown(when),
                    "record": done["ledger_id"],
                    "resource": done["resource"]["arn"],
                    "type": done["resource"]["type"],
                    "control": result["control"],
                    "severity": result["severity"],
                    "outcome": result["outcome"],
                    "finding": result.get("was") or result["summary"],
                    "change": result["change"],
                    "why": result.get("why", ""),
                    "by": who(done["actor"]),
                    "event": done["event"],
                    "event_id": done["event_id"],
                    "managed_by": done.get("managed_by") or "",
                    "undone_at": shown(made(restore["ledger_id"])) if restore else "",
                    "undone_by": restore["actor"]["arn"] if restore else "",
                    "undone_record": restore["ledger_id"] if restore else "",
                }
            )
    rows.sort(key=lambda row: (row["time"], row["record"], row["control"]))

    def line(row):
        undone = f", undone {row['undone_at']} by {row['undone_by']}" if row["undone_at"] else ""
        what = f"{row['time']} {row['severity']} {row['outcome']} {row['control']} {row['resource']}: {row['change']}"
        return f"{what} ({row['event']} by {row['by']}; {row['record']}){undone}"

    return listed(rows, COLUMNS, asked, line)


def csv_of(rows, columns=COLUMNS):
    """Lines that a spreadsheet takes for texts: whoever names a resource could write a formula."""
    held = []

    class Lines:
        def write(self, line):
            held.append(line.rstrip("\r\n"))

    writer = csv.writer(Lines(), lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = [clean(row[name]) for name in columns]
        writer.writerow([f"'{cell}" if cell[:1] in "=+-@" and cell else cell for cell in cells])
    return held


# ------------------------------------------------------------------------------------------------------ still wrong, and held

SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "")
FINDINGS = ("severity", "outcome", "control", "in_enforce", "resource", "finding", "told_at", "record")
HOLDS = ("until", "resource", "control", "by", "record")


def told_by_desk(*arguments, text=None):
    """What `portcullis` answers in JSON; None where it is not to be had."""
    command = desk()
    if not command:
        return None
    done = subprocess.run([command, *arguments], input=text, capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return None


def statuses(stack):
    return stack.items("scan", "--projection-expression", "pk, document", "--filter-expression", "sk = :status", status="~status")


def wrong(stack, asked):
    """What was reported and is still open, over all resources; in notify mode with what enforce mode would do about it."""
    _, text = settings_of(stack)
    packed = ROOT / "portcullis.yaml"
    text = text if text is not None else packed.read_text() if packed.is_file() else "{}"
    severities = {one["id"]: one["severity"] for one in told_by_desk("controls", "--json") or []}
    modes = (told_by_desk("settings", "check", "--json", "-", text=text) or {}).get("modes") or {}
    enforced = {"enforce": "changed, within the budget", "notify": "only told", "off": "not looked at"}
    # What is still wrong is told again by the week: what was not is of a resource that is no more.
    recently = datetime.now(timezone.utc) - FORGOTTEN
    rows = []
    for item in statuses(stack):
        for control, last in (item["document"].get("told") or {}).items():
            if moment(last["at"]) < recently or asked.outcome not in (None, last["outcome"]):
                continue
            rows.append(
                {
                    "severity": severities.get(control, ""),
                    "outcome": last["outcome"],
                    "control": control,
                    "in_enforce": enforced.get(modes.get(control), "") if last["outcome"] == "would-remediate" else "",
                    "resource": item["pk"],
                    "finding": last["summary"],
                    "told_at": last["at"],
                    "record": last["record"],
                }
            )
    rows.sort(key=lambda row: (SEVERITIES.index(row["severity"]), row["control"], row["resource"]))
    return listed(
        rows,
        FINDINGS,
        asked,
        lambda row: (
            " ".join(filter(None, [*[row[name] for name in FINDINGS[:3]], row["resource"]]))
            + f": {row['finding']}"
            + (f" (in enforce mode: {row['in_enforce']})" if row["in_enforce"] else "")
        ),
    )


def holds(stack, asked):
    """What restores left as it was: until when, and by whom."""
    now = datetime.now(timezone.utc)
    rows = [
        {"until": one["until"], "resource": item["pk"], "control": one["control"], "by": one["by"], "record": one["record"]}
        for item in statuses(stack)
        for one in item["document"].get("holds") or []
        if moment(one["until"]) > now
    ]
    rows.sort(key=lambda row: row["until"])
    return listed(
        rows, HOLDS, asked, lambda row: f"{row['until']} {row['resource']} {row['control']} by {row['by']} (record {row['record']})"
    )


def listed(rows, columns, asked, line):
    """Rows as they are asked for: counted, as CSV, or a line each."""
    if getattr(asked, "count", None):
        counts = sorted(Counter(row[asked.count] for row in rows).items(), key=lambda one: (-one[1], one[0]))
        told = [{asked.count: value, "count": count} for value, count in counts]
        return told, csv_of(told, (asked.count, "count")) if asked.csv else [f"{count:6} {value}" for value, count in counts], 0
    return rows, csv_of(rows, columns) if asked.csv else [*map(line, rows), f"{len(rows)} in all"], 0


# -------------------------------------------------------------------------------------------------------- undo, release, look


def undo(stack, asked):
    """Puts back what a record says was there before; it leaves a hold."""
    arn = stack.record(asked.record)["pk"]
    request = {"restore": asked.record, "by": asked.by}
    request |= {"force": True} if asked.force else {}
    request |= {"for": f"{asked.span // timedelta(minutes=1)}m"} if asked.span else {}
    answer = stack.aws.invoke(stack.function_of(arn), request)
    lines = [f"{answer['outcome']}: {arn}, by record {answer.get('record')}"]
    lines += [f"  {control}: {finding}" for control, finding in (answer.get("findings") or {}).items()]
    state = next((one["document"] for one in stack.of_resource(arn, 2) if one["sk"] == "~status"), {})
    holds = [one for one in state.get("holds", []) if one.get("record") == asked.record]
    lines += [
        f"  held until {one['until']}: {one['control']}; to end it: tools/portcullis-ops release {asked.record} --by {asked.by}"
        for one in holds
    ]
    return answer | {"holds": holds}, lines, 0


def release(stack, asked):
    """Ends the hold that a restore left, and looks at the resource at once."""
    arn = asked.target if asked.target.startswith("arn:") else stack.record(asked.target)["pk"]
    request = {"release": asked.target, "by": asked.by}
    request |= {"control": asked.control} if asked.control else {}
    answer = stack.aws.invoke(stack.function_of(arn), request)
    now = answer.get("now") or {}
    lines = [f"{answer['outcome']}: {answer['resource']}, by record {answer.get('record')}", f"  now {now.get('outcome')}"]
    lines += [
        f"  {outcome} {control}: {(now.get('findings') or {}).get(control, '')}" for control, outcome in (now.get("controls") or {}).items()
    ]
    return answer, lines, 0


def look(stack, asked):
    """Has a resource looked at now, as for an event: judged by all its controls, and put right where the settings say so."""
    answer = stack.aws.invoke(stack.function_of(asked.arn), {"look": asked.arn, "by": asked.by})
    lines = [f"{answer['outcome']}: {answer['resource']}" + (f", by record {answer['record']}" if answer.get("record") else "")]
    findings = answer.get("findings") or {}
    lines += [f"  {outcome} {control}: {findings.get(control, '')}" for control, outcome in (answer.get("controls") or {}).items()]
    return answer, lines, 0


def sweep(stack, asked):
    """Has a function, or each, look at all its resources now."""
    machine = stack.outputs["Sweeps"]
    region_and_account = machine.split(":")[1:5]
    functions = [stack.function_named(asked.function)] if asked.function else sorted(stack.functions.values())

    def start(function):
        arn = f"arn:{region_and_account[0]}:lambda:{region_and_account[2]}:{region_and_account[3]}:function:{function}"
        found = stack.aws.run("stepfunctions", "start-execution", "--state-machine-arn", machine, "--input", json.dumps({"function": arn}))
        return {"function": function, "execution": found["executionArn"]}

    told = at_once(*[lambda one=one: start(one) for one in functions])
    return (
        told,
        [f"{one['function']}: {one['execution']}" for one in told]
        + ["Each tells its summary when it ends: tools/portcullis-ops status says what runs."],
        0,
    )


def preflight(stack, asked):
    """Whether the keys that settings name exist, are enabled, here, and let the required services in."""
    answer = stack.aws.invoke(stack.function_named("kms"), {"preflight": {"by": asked.by}})
    counts = answer["preflight"]
    lines = [f"{counts['right']} right, {counts['wrong']} wrong, {counts['unchecked']} unchecked"]
    for one in answer["resources"]:
        findings = one.get("findings") or ({"": one["why"]} if one.get("why") else {})
        lines += [f"  {one['outcome']} {one['resource']} {control}: {finding}" for control, finding in findings.items()]
    return answer, lines, ATTENTION if counts["wrong"] else 0


# --------------------------------------------------------------------------------------------------------------- letters


def named(body):
    """The event of a letter, when it was, and what it names."""
    try:
        event = json.loads(body)
    except ValueError:
        return {"event": "no JSON", "time": "", "by": "", "resources": []}
    if not isinstance(event, dict):
        return {"event": "no event", "time": "", "by": "", "resources": []}
    asked = next(
        (key for key in ("restore", "release", "preflight", "sweep", "scheduled", "waiting", "function", "volume") if key in event), None
    )
    if asked:
        value = event[asked]
        return {"event": asked, "time": "", "by": event.get("by") or "", "resources": [value] if isinstance(value, str) else []}
    record = event.get("detail") if isinstance(event.get("detail"), dict) else event
    arns = [one.get("ARN") or one.get("arn") for one in record.get("resources") or [] if isinstance(one, dict)]
    names = [
        f"{key}={value}"
        for key, value in (record.get("requestParameters") or {}).items()
        if isinstance(value, (str, int)) and re.search(r"(?i)(name|id|arn|url)$", key)
    ]
    item = record.get("configurationItem") or record.get("configurationItemSummary") or {}
    names += [item.get("ARN") or item.get("resourceId")] if item else []
    return {
        "event": record.get("eventName") or event.get("detail-type") or "unknown",
        "time": record.get("eventTime") or event.get("time") or "",
        "by": (record.get("userIdentity") or {}).get("arn") or "",
        "resources": [one for one in arns if one] or names,
    }


def receive(stack, url, seconds):
    """The letters of a queue that can be had now, or a good many of them; they are seen again after so many seconds."""
    found = {}
    while True:
        arguments = ("--max-number-of-messages", "10", "--visibility-timeout", str(seconds), "--wait-time-seconds", "2")
        answer = stack.aws.run(
            "sqs",
            "receive-message",
            "--queue-url",
            url,
            *arguments,
            "--message-attribute-names",
            "All",
            "--attribute-names",
            "SentTimestamp",
        )
        new = [one for one in answer.get("Messages", []) if one["MessageId"] not in found]
        found |= {one["MessageId"]: one for one in new}
        if not new or len(found) >= MANY:
            return list(found.values())


def letters(stack, asked):
    """What could not be handled: which event, about which resource, and why; or takes one away."""
    _, queues = stack.queues()
    if asked.function:
        ours = f"{stack.function_named(asked.function)}-dead-letters"
        queues = {name: url for name, url in queues.items() if name == ours}
    if asked.delete:
        # One that was shown a moment ago is had again when nobody can be at it any more.
        deadline = time.monotonic() + SHOWN + 5
        while True:
            for name, url in queues.items():
                for one in receive(stack, url, SHOWN):
                    if one["MessageId"] == asked.delete:
                        stack.aws.run("sqs", "delete-message", "--queue-url", url, "--receipt-handle", one["ReceiptHandle"])
                        return (
                            {"deleted": asked.delete, "queue": name, "body": one["Body"]},
                            [f"deleted from {name}: {asked.delete}", f"  it was: {one['Body']}"],
                            0,
                        )
            if time.monotonic() >= deadline:
                raise Refused(f"there is no letter {asked.delete} in {', '.join(sorted(queues))}")
            time.sleep(5)
    told = []
    for name, found in zip(queues, at_once(*[lambda url=url: receive(stack, url, SHOWN) for url in queues.values()])):
        for one in found:
            said = {key: value.get("StringValue", "") for key, value in (one.get("MessageAttributes") or {}).items()}
            first = lambda *keys, said=said: next((said[key] for key in keys if said.get(key)), "")
            told.append(
                {
                    "queue": name,
                    "letter": one["MessageId"],
                    "sent": shown(moment(int((one.get("Attributes") or {}).get("SentTimestamp", 0)) / 1000)),
                    **named(one["Body"]),
                    "failure": first("Failure", "ErrorCode", "ERROR_CODE"),
                    "error": first("Error", "ErrorMessage", "ERROR_MESSAGE"),
                }
            )
    lines = []
    for one in sorted(told, key=lambda one: (one["queue"], one["sent"])):
        lines.append(f"{one['queue']}: {one['letter']}")
        lines.append(
            f"  {one['event']}{' of ' + one['time'] if one['time'] else ''}{' by ' + one['by'] if one['by'] else ''}: {', '.join(one['resources']) or 'names no resource'}"
        )
        lines.append(f"  {one['failure'] or 'its tries were used up'}: {one['error'] or 'the log of the function says why'}")
    lines.append(f"{len(told)} letters in {', '.join(sorted(queues))}" if told else f"No letters in {', '.join(sorted(queues))}.")
    if told:
        lines.append(
            "Back into the queue, once the cause is gone: make redrive FUNCTION=…; one that can't be handled at all: letters --delete LETTER"
        )
    return told, lines, 0


# ----------------------------------------------------------------------------------------------------------- stop and go


def tell(stack, subject, text):
    """Says it to whoever gets the alerts; that nobody may is no reason not to stop."""
    try:
        stack.aws.run("sns", "publish", "--topic-arn", stack.outputs["AlertsTopic"], "--subject", subject[:100], "--message", text)
    except Refused as error:
        print(f"portcullis-ops: nobody was told: {error}", file=sys.stderr)


def set_schedule(stack, one, enabled):
    """Switches a schedule; Scheduler takes only the whole of it. One whose moment is over comes in a few minutes."""
    found = stack.aws.run("scheduler", "get-schedule", "--group-name", one["group"], "--name", one["name"])
    keep = (
        "Name",
        "GroupName",
        "ScheduleExpression",
        "ScheduleExpressionTimezone",
        "StartDate",
        "EndDate",
        "Description",
        "KmsKeyArn",
        "Target",
        "FlexibleTimeWindow",
        "ActionAfterCompletion",
    )
    whole = {key: found[key] for key in keep if found.get(key) is not None} | {"State": "ENABLED" if enabled else "DISABLED"}
    once = re.fullmatch(r"at\((.+)\)", whole["ScheduleExpression"])
    if enabled and once and moment(once[1]) <= datetime.now(timezone.utc) + timedelta(minutes=1):
        soon = datetime.now(timezone.utc) + timedelta(minutes=5)
        whole["ScheduleExpression"] = f"at({soon.strftime('%Y-%m-%dT%H:%M:%S')})"
    with_input(stack, ("scheduler", "update-schedule"), whole)


def with_input(stack, call, whole):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "input.json")
        path.write_text(json.dumps(whole))
        stack.aws.run(*call, "--cli-input-json", f"file://{path}")


def set_config_rule(stack, one, remediates):
    keep = ("ConfigRuleName", "Description", "Scope", "Source", "MaximumExecutionFrequency", "EvaluationModes")
    rule = {key: one["rule"][key] for key in keep if one["rule"].get(key)}
    rule["InputParameters"] = json.dumps({"remediate": "true" if remediates else "false"})
    with_input(stack, ("configservice", "put-config-rule"), {"ConfigRule": rule})


def settle(stack, asked, wanted):
    """Waits until the mappings of the queues are as they are to be: what is being handled is handled to its end."""
    deadline = time.monotonic() + asked.wait
    while True:
        states = {one["function"]: one["state"] for one in brake(stack)["events"]}
        if all(state == wanted for state in states.values()) or time.monotonic() >= deadline:
            return states
        time.sleep(5)


def switch(stack, braked, enabled):
    """Switches all that leads to a change; each by itself, so that one that can't be leaves no other as it was. Says what was switched, and
    what could not be."""
    aws, switched, failed = stack.aws, [], []

    def each(what, call):
        def tried():
            try:
                call()
                switched.append(what)
            except Refused as error:
                failed.append(f"{what}: {error}")

        return tried

    word, verb, option = ("ENABLED", "enable", "--enabled") if enabled else ("DISABLED", "disable", "--no-enabled")
    calls = []
    for one in braked["events"]:
        if (one["state"] in ("Enabled", "Enabling")) != enabled:
            mapping = ("lambda", "update-event-source-mapping", "--uuid", one["id"], option)
            calls.append(each(f"the events of {one['function']}", lambda mapping=mapping: aws.run(*mapping)))
    for one in braked["sweeps"] + braked["deferred"]:
        if one["state"] != word:
            calls.append(each(f"the schedule {one['name']}", lambda one=one: set_schedule(stack, one, enabled)))
    for one in braked["reencryption"]:
        if one["state"] != word:
            rule = ("events", f"{verb}-rule", "--name", one["name"])
            calls.append(each(f"the rule {one['name']}", lambda rule=rule: aws.run(*rule)))
    for one in braked["config_rules"]:
        if one["remediates"] != enabled:
            calls.append(each(f"the AWS Config rule {one['name']}", lambda one=one: set_config_rule(stack, one, enabled)))
    at_once(*calls)
    return sorted(switched), sorted(failed)


def stop(stack, asked):
    """Stops all that changes anything: events wait in their queues. Restores and releases still work."""
    braked = brake(stack)
    switched, failed = switch(stack, braked, False)
    failed += braked["unknown"]
    ended, left = [], []
    for one in braked["running"]:
        # A sweep that is ended leaves nothing half done; a re-encryption would leave an instance stopped.
        if one["machine"].endswith("-sweeps"):
            try:
                stack.aws.run("stepfunctions", "stop-execution", "--execution-arn", one["execution"], "--cause", f"stopped by {asked.by}")
                ended.append(one["execution"])
            except Refused as error:
                failed.append(f"the sweep {one['execution']}: {error}")
        else:
            left.append(one["execution"])
    states = settle(stack, asked, "Disabled")
    moving = [f"{name} ({state})" for name, state in states.items() if state != "Disabled"]
    told = {
        "stopped": not failed and not moving,
        "by": asked.by,
        "ran": switched,
        "sweeps_ended": ended,
        "reencryptions_running": left,
        "not_stopped": failed,
        "still_stopping": moving,
    }
    lines = [f"{'NOT ALL IS STOPPED' if failed else 'Stopped'}: {stack.name}, by {asked.by}"]
    lines += [f"  not stopped: {what}" for what in failed]
    lines += [f"  ran, and is stopped: {what}" for what in switched] or ["  nothing ran: it was stopped before"]
    lines += [f"  still stopping: {what}" for what in moving]
    lines += [f"  ended: {what}" for what in ended]
    lines += [
        f"  still running, and brings the instance back by itself: {what}; to have it put the old volume back, remove the volume's tag portcullis:quarantine"
        for what in left
    ]
    lines += [
        "  Events wait in their queues, for up to 14 days. Nothing else is changed or told until: make go",
        f"  After twelve hours {stack.prefix}-CRITICAL-silent reminds of it. Restores and releases still work.",
    ]
    tell(stack, f"[portcullis] stopped: {stack.name}", "\n".join(lines))
    return told, lines, 1 if failed or moving else 0


def go(stack, asked):
    """Lets it run again: what waited is handled now, the oldest first."""
    events, _ = stack.queues()
    braked = brake(stack)
    switched, failed = switch(stack, braked, True)
    failed += braked["unknown"]
    volumes = []
    if braked["reencryption"]:
        found = stack.aws.run("ec2", "describe-volumes", "--filters", "Name=tag:portcullis:quarantine,Values=re-encrypt")["Volumes"]
        volumes = [one["VolumeId"] for one in found]
    states = settle(stack, asked, "Enabled")
    moving = [f"{name} ({state})" for name, state in states.items() if state != "Enabled"]
    told = {
        "running": not failed and not moving,
        "by": asked.by,
        "started": switched,
        "not_started": failed,
        "still_starting": moving,
        "volumes_tagged": volumes,
    }
    lines = [f"{'NOT ALL RUNS' if failed else 'Running'}: {stack.name}, by {asked.by}"]
    lines += [f"  not started: {what}" for what in failed]
    lines += [f"  started: {what}" for what in switched] or ["  nothing stood still"]
    lines += [f"  still starting: {what}" for what in moving]
    lines += [
        f"  tagged for re-encryption, and perhaps not begun: {volume} (docs/operations.md, Re-encryption of volumes, says how to start it)"
        for volume in volumes
    ]
    lines += [
        f"  What waited in {', '.join(sorted(events))} is handled now. What AWS lost meanwhile the next sweep finds; to have it now: docs/operations.md, Sweep"
    ]
    tell(stack, f"[portcullis] running again: {stack.name}", "\n".join(lines))
    return told, lines, 1 if failed or moving else 0


# ---------------------------------------------------------------------------------------------------------- command line


def user():
    return os.environ.get("USER") or os.environ.get("LOGNAME") or None


def parser():
    main = argparse.ArgumentParser(
        prog="portcullis-ops",
        description=__doc__.split("\n\n")[0],
        epilog=__doc__.split("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    for one in (main, shared):
        one.add_argument("--stack", help="the stack's name; $STACK, or portcullis")
        one.add_argument("--region", help="as the AWS CLI takes it")
        one.add_argument("--profile", help="as the AWS CLI takes it")
        one.add_argument("--json", action="store_true", help="as JSON")
    main.set_defaults(stack=os.environ.get("STACK") or "portcullis", region=None, profile=None, json=False)
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, call):
        one = commands.add_parser(name, parents=[shared], help=call.__doc__.strip(), description=call.__doc__.strip())
        one.set_defaults(call=call)
        return one

    def asks_who(one):
        one.add_argument(
            "--by", default=user(), required=user() is None, help="who asks, for the record and the alert; your login name by default"
        )

    def as_rows(one, columns):
        one.add_argument("--csv", action="store_true", help="as CSV, with a head line")
        names = ", ".join(columns)
        one.add_argument(
            "--count", choices=columns, metavar="COLUMN", help=f"how many there are of each, the most first: by one of {names}"
        )

    command("status", status)
    one = command("why", why)
    one.add_argument("arn", type=an_arn, metavar="ARN")
    one.add_argument(
        "--days",
        type=int,
        default=7,
        choices=range(1, 91),
        metavar="DAYS",
        help="how far back calls and logs are looked up, 1 to 90; 7 by default",
    )
    one.add_argument("--records", type=int, default=5, choices=range(1, 101), metavar="COUNT", help="how many decisions; 5 by default")
    one = command("report", report)
    one.add_argument("--since", type=since, required=True, metavar="WHEN", help="2026-07-01, 2026-07-01T06:00:00Z, or 90d ago")
    one.add_argument("--until", type=since, default=datetime.now(timezone.utc), metavar="WHEN", help="now, by default")
    one.add_argument("--all", action="store_true", help="what was only told, as well")
    as_rows(one, COLUMNS)
    one = command("wrong", wrong)
    one.add_argument("--outcome", metavar="OUTCOME", help="of this outcome alone, as in would-remediate")
    as_rows(one, FINDINGS)
    as_rows(command("holds", holds), HOLDS)
    one = command("undo", undo)
    one.add_argument("record", metavar="ID", help="the ledger's id, which is in the alert")
    one.add_argument("--force", action="store_true", help="overwrite what somebody changed since")
    asks_who(one)
    one.add_argument(
        "--for", dest="span", type=span, metavar="TIME", help="how long it is held, as in 1h; what the settings say by default"
    )
    one = command("look", look)
    one.add_argument("arn", type=an_arn, metavar="ARN")
    asks_who(one)
    one = command("release", release)
    one.add_argument("target", metavar="ARN|ID", help="the resource, or a record of it")
    one.add_argument("--control", metavar="ID", help="the hold of this control alone")
    asks_who(one)
    one = command("letters", letters)
    one.add_argument("--function", metavar="NAME", help="those of one function, as in s3")
    one.add_argument("--delete", metavar="LETTER", help="take this one away: it is shown a last time")
    one = command("sweep", sweep)
    one.add_argument("function", nargs="?", metavar="FUNCTION", help="as in s3; each, where none is named")
    asks_who(command("preflight", preflight))
    for name, call in (("stop", stop), ("go", go)):
        one = command(name, call)
        one.add_argument("--wait", type=int, default=90, metavar="SECONDS", help="how long to wait until it is so; 90 by default")
        asks_who(one)
    return main


def main(arguments, aws=None, out=None):
    out = out or sys.stdout
    asked = parser().parse_args(arguments)
    try:
        stack = Stack(aws or Aws(asked.region, asked.profile), asked.stack)
        told, lines, code = asked.call(stack, asked)
        if asked.json:
            print(json.dumps(told, indent=2, default=str), file=out)
        else:
            for line in lines:
                print(clean(line), file=out)
        out.flush()
        return code
    except Refused as error:
        print(f"portcullis-ops: {error}", file=sys.stderr)
        return error.status
    except BrokenPipeError:
        # Whoever reads has read enough, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
