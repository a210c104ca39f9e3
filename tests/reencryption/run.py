"""The re-encryption of volumes: the state machine's own definition, from template.yaml, driven against the local AWS.

    .tools/venv/bin/python tests/reencryption/run.py ENDPOINT calls|steps|back|others <given.json

Plays one part of the cases: each call fails once; each step fails for good; what goes back fails again; what else may happen. Given, optionally: the `event` of a tag that the function set, and the `account`, `table` and `topic` of that: it goes through the rule's own pattern.
Prints JSON: the `cases` by name, each with how it ended, the states gone through and what was `wrong`; the `steps` of all of them, the
`actions` that they took, and what comes of a `careless` definition and of one `unlocked`. Waits take no time.
"""

import json
import random
import subprocess
import sys
from functools import partial
from pathlib import Path

import jsonschema
from machine import A_TRY, Execution, Fault, resolved
from world import World

ROOT = Path(__file__).resolve().parents[2]
RUNS = "a disk is taken out of an instance that runs"
READS = ("Volumes", "Instances", "Snapshots")
# Source: Step Functions Developer Guide, "Step Functions service quotas".
MOST_EVENTS = 25_000
# Of an execution that waits for another one for as long as it may.
LOCK_EVENTS = A_TRY * 600
SCHEMA = json.loads((ROOT / "docs/alert.schema.json").read_text())


def template():
    text = subprocess.run([sys.executable, "tools/translate.py", "template.yaml"], cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(text.stdout)["Resources"]


RESOURCES = template()
WHOLE = RESOURCES["Reencryption"]["Properties"]["Definition"]
# With fewer turns, which are enough for what does end.
TURNS, FEWER = 550, 44
MACHINE = json.loads(json.dumps(WHOLE).replace(f"$turn > {TURNS}", f"$turn > {FEWER}").replace("$turn > 450", "$turn > 26"))
assert MACHINE["States"]["Turns"] != WHOLE["States"]["Turns"]


def matches(pattern, event):
    """Whether EventBridge hands on an event. A list in the event matches if one of it does."""
    if isinstance(pattern, list):
        events = event if isinstance(event, list) else [event]
        return any(event is None if one == {"exists": False} else one in events for one in pattern)
    if isinstance(event, list):
        return any(matches(pattern, one) for one in event)
    return isinstance(event, dict) and all(matches(one, event.get(name)) for name, one in pattern.items())


def started(event, names):
    """The volume that the rule starts the machine with for an event, if it does."""
    rule = RESOURCES["ReencryptionRule"]["Properties"]
    if not matches(resolved(rule["EventPattern"], names), event):
        return None
    transformer = rule["Targets"][0]["InputTransformer"]
    assert transformer["InputPathsMap"] == {"volume": "$.detail.requestParameters.resourcesSet.items[0].resourceId"}
    volume = event["detail"]["requestParameters"]["resourcesSet"]["items"][0]["resourceId"]
    return json.loads(transformer["InputTemplate"].replace("<volume>", json.dumps(volume)))["volume"]


def root(world):
    world.instance()
    return [world.root()]


def data(world, **kind):
    world.instance()
    return [world.data(**kind)]


gp3 = partial(data, VolumeType="gp3", Iops=4000, Throughput=250)


def two(world):
    world.instance()
    return [world.data(VolumeType="gp2"), world.data("/dev/sdg", VolumeType="gp2")]


def stopped(world):
    volumes = data(world, VolumeType="gp2")
    world.ec2.stop_instances(InstanceIds=[world.id])
    world.running.clear()
    return volumes


def unattached(world):
    return [world.data(attach=False, VolumeType="gp3", Iops=3000, Throughput=125)]


def terminates(world):
    volumes = gp3(world)
    mapping = {"DeviceName": "/dev/sdf", "Ebs": {"VolumeId": volumes[0], "DeleteOnTermination": True}}
    world.ec2.modify_instance_attribute(InstanceId=world.id, BlockDeviceMappings=[mapping])
    return volumes


def scaled(world):
    volumes = gp3(world)
    world.ec2.create_tags(Resources=[world.id], Tags=[{"Key": "aws:autoscaling:groupName", "Value": "web"}])
    return volumes


def with_key(world):
    volumes = gp3(world)
    world.tagged(volumes[0], f"keep-days=7 key=arn:aws:kms:us-east-1:{world.account}:key/1234abcd-12ab-34cd-56ef-1234567890ab")
    return volumes


def kind_of(volume):
    return {name: volume.get(name) for name in ("AvailabilityZone", "VolumeType", "Size", "Iops", "Throughput")}


def wrong_with_success(world, before, execution, given_up):
    new, old = world.one(execution.variables["new"]), world.one(before["VolumeId"])
    tags, marks = world.tags(new), world.tags(old)
    told = [one for one in world.told if before["VolumeId"] in one["Subject"]]
    checks = {
        "encrypted": new["Encrypted"] is True,
        "of the same kind": kind_of(new) == kind_of(before),
        "with people's tags": tags == {"Name": "web", "portcullis:replaces": old["VolumeId"]},
        "with the key that is asked for": ("key=" not in marks["portcullis:re-encrypt"]) or marks["portcullis:re-encrypt"].endswith("key=" + new.get("KmsKeyId", "")),
        "the old one says what replaced it": marks.get("portcullis:replaced-by") == new["VolumeId"] and marks["portcullis:quarantine"] == "replaced",
        "and until when it is kept, and why": "portcullis:keep-until" in marks and "portcullis:ledger" in marks,
        "the old one is attached to nothing": old["State"] == "available",
        "told": len(told) >= 1 or "Tell" in given_up,
    }
    for one in told:
        message = json.loads(one["Message"])
        jsonschema.validate(json.loads(message["default"]), SCHEMA)
        checks["told in what SNS takes"] = len(one["Subject"]) <= 100 and one["Subject"].isascii()
    return [name for name, held in checks.items() if not held]


class Case:
    def __init__(self, endpoint, prepare, faults=(), machine=MACHINE, copies=1, people=None, starts_fail=False, **given):
        self.world = world = World(endpoint, **given)
        self.volumes = prepare(world)
        world.starts_fail = starts_fail
        self.before = {volume: world.one(volume) for volume in self.volumes}
        self.ran = bool(world.running)
        self.people = people
        definition = resolved(machine, world.names())
        self.executions = [
            Execution(definition, world, f"{volume}-{copy}", volume, [Fault(**fault) for fault in faults])
            for volume in self.volumes
            for copy in range(copies)
        ]

    def play(self, chance=None):
        """Whoever's turn it is goes one state further; who waits for somebody else rarely has it."""
        going = {execution: execution.run() for execution in self.executions}
        waits, moment = set(), 0
        while going:
            ready = [execution for execution in going if execution not in waits] or list(going)
            execution = (chance or random).choice(ready if chance is None or chance.random() < 0.9 else list(going))
            moment += 1
            if self.people:
                self.people(self.world, moment)
            try:
                (waits.add if next(going[execution]) else waits.discard)(execution)
            except StopIteration:
                del going[execution]
                waits.clear()
        self.world.write()
        return self

    def wrong(self, ends=None, given_up=(), as_before=True, place_taken=False):
        world, wrong = self.world, list(self.world.wrong)
        for execution in self.executions:
            events = execution.events * (TURNS / FEWER if execution.variables["turn"] > FEWER else 1)
            if events > MOST_EVENTS - LOCK_EVENTS:
                wrong.append(f"{events} events")
            if ends and execution.end != ends:
                wrong.append(f"it {execution.end}")
        for volume in self.volumes:
            of = [execution for execution in self.executions if execution.input["volume"] == volume]
            mark = world.tags(world.one(volume)).get("portcullis:quarantine")
            swapped = mark == "replaced"
            if swapped:
                execution = next(one for one in of if one.variables["new"] != volume and one.seen.count("Mark"))
                wrong += wrong_with_success(world, self.before[volume], execution, given_up)
            elif mark != "re-encrypt-failed" and "GiveUp" not in given_up:
                wrong.append(f"it is neither swapped nor given up: {mark}")
            if ends == "succeeded" and not swapped:
                wrong.append("it is not swapped")
            for attachment in [] if place_taken else self.before[volume]["Attachments"]:
                device = attachment["Device"]
                disk = world.disk(device)
                if disk is None or disk != world.at.get((world.id, device)):
                    wrong.append("the instance has no disk")
                    continue
                if swapped and disk == volume:
                    wrong.append("the old disk is said to be replaced")
                if world.lost(device):
                    wrong.append(f"{disk} has lost what was written")
                mapping = [one for one in world.described()["BlockDeviceMappings"] if one["DeviceName"] == device]
                if as_before and "Termination" not in given_up and mapping[0]["Ebs"]["DeleteOnTermination"] != attachment["DeleteOnTermination"]:
                    wrong.append("DeleteOnTermination is another")
        if as_before and bool(world.running) != self.ran:
            wrong.append(f"the instance runs: {bool(world.running)}, and before: {self.ran}")
        if as_before and self.before and hasattr(world, "id") and "portcullis:restart" in world.tags(world.described()):
            wrong.append("the instance still has its tag")
        if world.locks() and "Unlock" not in given_up:
            wrong.append(f"left behind: {world.locks()}")
        return wrong


def result(case, **expected):
    runs = case.executions
    return {"ends": [one.end for one in runs], "events": [one.events for one in runs], "states": [one.seen for one in runs], "wrong": case.wrong(**expected)}


def starts_it(at):
    """Somebody starts the instance in the middle of it."""

    def people(world, moment):
        if moment == at and world.described()["State"]["Name"] == "stopped" and world.id not in world.broken:
            world.call("ec2", "startInstances", {"InstanceIds": [world.id]})

    return people


def takes_its_place(world, moment):
    """Somebody puts another disk where the old one was."""
    if "/dev/sdf" not in {device for _, device in world.at} and not hasattr(world, "placed"):
        world.placed = world.ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
        world.ec2.attach_volume(VolumeId=world.placed, InstanceId=world.id, Device="/dev/sdf")


def takes_the_tag_off(world, moment):
    if moment == 60:
        world.ec2.delete_tags(Resources=[world.at[world.id, "/dev/sdf"]], Tags=[{"Key": "portcullis:quarantine"}])


def put_back(variables):
    return variables["back"]


def goes_on(variables):
    return not variables["back"]


class Played:
    def __init__(self, endpoint):
        self.endpoint, self.cases, self.executions = endpoint, {}, []

    def play(self, name, prepare, chance=None, expected=None, **how):
        case = Case(self.endpoint, prepare, **how).play(chance)
        self.executions += case.executions
        self.cases[name] = result(case, **(expected or {}))
        return case

    def whole(self):
        return self.play("gp3", gp3, expected=SUCCEEDS).executions[0]


SUCCEEDS, FAILS = {"ends": "succeeded"}, {"ends": "failed"}


def calls(played, given):
    """Each call fails once, with all its retries; of what is read in a turn, the first."""
    for visit, (step, _) in enumerate(played.whole().steps):
        for after in (False,) if step == READS[0] else () if step in READS else (False, True):
            faults = [{"visit": visit, "after": after, "times": 1}]
            played.play(f"call {visit}, {step}, fails {'after' if after else 'before'}", gp3, faults=faults, expected={"given_up": [step]})


def steps(played, given):
    """Each step fails for good."""
    whole = played.play("terminates", terminates, expected=SUCCEEDS).executions[0]
    for step in [*dict.fromkeys(step for step, _ in whole.steps), "GiveUp"]:
        for after in (False,) if step in READS else (False, True):
            faults = [{"step": step, "after": after}]
            if step == "GiveUp":
                faults.append({"step": "Create"})
            if step == "Attach":  # else nothing could bring the disk back
                faults[0]["when"] = goes_on
            # Where the instance can't be stopped, started, or its tag be taken off, nobody can do that.
            expected = {"given_up": [step], "as_before": step not in ("Stop", "Start", "Forget")}
            played.play(f"{step} always fails {'after' if after else 'before'}", terminates, faults=faults, expected=expected)


def back(played, given):
    """What goes back, and each step on the way fails, for a while."""
    for cause in ({"step": "Attach", "times": 1}, {"step": "Termination", "times": 1}, {"step": "Start", "times": 1}):
        way = played.play(f"{cause['step']} fails: it goes back", terminates, faults=[cause], expected=FAILS).executions[0]
        first = next(index for index, (step, _) in enumerate(way.steps) if step == cause["step"])
        for visit, (step, _) in enumerate(way.steps):
            if visit <= first or step in READS:
                continue
            # Once the instance is as it was, nothing is tried again: what fails then fails for what follows, too.
            given_up = [step for step, _ in way.steps[visit:]] if step == "GiveUp" else [step] if step == "Unlock" else []
            for after in (False,) if cause["step"] == "Termination" else (False, True):
                faults = [cause, {"visit": visit, "after": after, "times": 6, "when": put_back}]
                name = f"{cause['step']} fails, and then call {visit}, {step}, {'after' if after else 'before'}"
                played.play(name, terminates, faults=faults, expected={"given_up": given_up})
    played.play("the key can't be used to start", terminates, starts_fail=True, expected=FAILS)


def others(played, given):
    kinds = {
        "root": root,
        "io2": partial(data, VolumeType="io2", Iops=500),
        "stopped": stopped,
        "unattached": unattached,
        "terminates": terminates,
        "with a key": with_key,
    }
    for name, prepare in kinds.items():
        played.play(name, prepare, expected=SUCCEEDS)
    whole = played.whole()
    played.play("a member of an Auto Scaling group", scaled, expected=FAILS)
    faults = [{"step": "Attach", "times": 2}]
    played.play("another disk is put in its place", gp3, people=takes_its_place, faults=faults, expected={**FAILS, "place_taken": True})
    played.play("the tag is taken off", gp3, people=takes_the_tag_off, expected={"given_up": ["GiveUp"]})
    for at in range(64, len(whole.seen), 7):
        name = f"somebody starts it at {at}"
        played.play(name, gp3, people=starts_it(at), expected={"as_before": False})
        # Between the last look at it and the call, EC2 knows no condition: it is seen right after, and the old disk goes back.
        if played.cases[name]["ends"] == ["failed"]:
            played.cases[name]["wrong"] = [one for one in played.cases[name]["wrong"] if one != RUNS]
    for seed in range(3):
        played.play(f"two events of one volume, {seed}", gp3, copies=2, chance=random.Random(seed))
        played.play(f"two volumes of one instance, {seed}", two, chance=random.Random(seed), expected=SUCCEEDS)
        played.play(f"all of it at once, {seed}", two, copies=2, chance=random.Random(seed))
    from_the_event(played, given)


def from_the_event(played, given):
    event, place = given["event"], {name: given[name] for name in ("account", "table", "topic")}
    names = {**World(played.endpoint, **place).names(), **given["names"]}
    changes = {
        "somebody else's": lambda detail: detail["userIdentity"]["sessionContext"]["sessionIssuer"].update(arn="arn:aws:iam::111122223333:role/ana"),
        "one that failed": lambda detail: detail.update(errorCode="UnauthorizedOperation"),
        "another tag": lambda detail: detail["requestParameters"]["tagSet"]["items"][0].update(value="unencrypted"),
    }
    for name, change in changes.items():
        other = json.loads(json.dumps(event))
        change(other["detail"])
        played.cases[f"the rule leaves {name}"] = {"wrong": [] if started(other, names) is None else ["it starts"]}
    volume = started(event, names)

    def tagged_by_the_function(world):
        world.id = given["instance"]
        world.running.add(world.id)
        world.at[world.id, "/dev/sdf"] = volume
        return [volume]

    tagged = played.play("from the event", tagged_by_the_function, expected=SUCCEEDS, **place)
    record = tagged.world.tags(tagged.world.one(volume)).get("portcullis:ledger")
    if record != given["record"]:
        played.cases["from the event"]["wrong"].append(f"the ledger's record is {given['record']}, and not {record}")


def main():
    endpoint, part, given = sys.argv[1], sys.argv[2], json.loads(sys.stdin.read() or "{}")
    played = Played(endpoint)
    {"calls": calls, "steps": steps, "back": back, "others": others}[part](played, given)
    # And the test is awake: without anything that catches a failure, and without the lock.
    careless = {**MACHINE, "States": {name: {key: state[key] for key in state if key != "Catch"} for name, state in MACHINE["States"].items()}}
    unlocked = json.loads(json.dumps(MACHINE))
    unlocked["States"]["Lock"]["Arguments"]["ConditionExpression"] = "attribute_not_exists(nobody)"
    output = {
        "cases": played.cases,
        "steps": sorted({step for execution in played.executions for step, _ in execution.steps}),
        "actions": sorted({action for execution in played.executions for _, action in execution.steps}),
        "careless": Case(endpoint, gp3, [{"step": "Attach"}], careless).play().wrong(),
        "unlocked": [one for seed in range(3) for one in Case(endpoint, two, machine=unlocked).play(random.Random(seed)).wrong(**SUCCEEDS)],
    }
    print(json.dumps(output))


if __name__ == "__main__":
    main()
