"""The re-encryption of volumes: the state machine's own definition, from template.yaml, driven against the local AWS.

    .tools/venv/bin/python tests/reencryption/run.py ENDPOINT

Each kind of volume is re-encrypted once. Then, for an instance that runs, each step that calls AWS fails in turn, for good: once
before the call reaches AWS, once after it was done there. Prints JSON: the `cases` by name, each with the states gone through
and what was `wrong`, the `steps`, and what comes of a `careless` definition. Waits take no time; retries are not played, since a step that fails here fails every time.
"""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROOT = Path(__file__).resolve().parents[2]
REGION = "us-east-1"
# A loop that goes on for longer than this never ends.
STEPS = 200


def definition():
    text = subprocess.run([sys.executable, "tools/translate.py", "template.yaml"], cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(text.stdout)["Resources"]["Reencryption"]["Properties"]["Definition"]


class StepFailed(Exception):
    pass


class Machine:
    """As much of the Amazon States Language as the definition uses; what it does not know is refused."""

    def __init__(self, ec2, fails=None, after=False):
        self.ec2, self.fails, self.after, self.seen, self.wrong = ec2, fails, after, [], []

    def run(self, machine, data):
        name = machine["StartAt"]
        while True:
            self.seen.append(name)
            if len(self.seen) > STEPS:
                raise SystemExit(f"it does not end: {self.seen[-6:]}")
            state = machine["States"][name]
            try:
                name, data = getattr(self, "do_" + state["Type"].lower())(name, state, data)
            except StepFailed:
                if "Catch" not in state:
                    return "failed", data
                (catch,) = state["Catch"]
                assert catch["ErrorEquals"] == ["States.ALL"]
                name, data = catch["Next"], put(data, catch["ResultPath"], {"Error": "by the test"})
                continue
            if name is None:
                return ("failed" if state["Type"] == "Fail" else "succeeded"), data

    def do_task(self, name, state, data):
        action = state["Resource"]["Fn::Sub"].removeprefix("arn:${AWS::Partition}:states:::aws-sdk:ec2:")
        call = getattr(self.ec2, re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower())
        parameters = filled(state["Parameters"], data)
        if name == self.fails and not self.after:
            raise StepFailed
        if action == "detachVolume":
            self.is_stopped(name, parameters["VolumeId"])
        try:
            result = call(**parameters)
        except ClientError as error:
            raise StepFailed from error
        if name == self.fails:
            raise StepFailed
        if "ResultSelector" in state:
            result = filled(state["ResultSelector"], json.loads(json.dumps(result, default=str)))
        return state.get("Next"), put(data, state["ResultPath"], result) if "ResultPath" in state else result

    def is_stopped(self, step, volume):
        """A disk that is pulled out of an instance that runs may lose what was written."""
        for attachment in self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]:
            instance = self.ec2.describe_instances(InstanceIds=[attachment["InstanceId"]])["Reservations"][0]["Instances"][0]
            if instance["State"]["Name"] != "stopped":
                self.wrong.append(f"{step} takes a disk out of an instance that is {instance['State']['Name']}")

    def do_pass(self, name, state, data):
        result = state.get("Result", look(data, state.get("InputPath", "$")))
        if "Parameters" in state:
            result = filled(state["Parameters"], data)
        return state.get("Next"), put(data, state["ResultPath"], result) if "ResultPath" in state else result

    def do_wait(self, name, state, data):
        return state["Next"], data

    def do_choice(self, name, state, data):
        for choice in state["Choices"]:
            if holds(choice, data):
                return choice["Next"], data
        return state["Default"], data

    def do_map(self, name, state, data):
        for item in look(data, state["ItemsPath"]):
            selected = filled(state["ItemSelector"], {**data, "$$": {"Map": {"Item": {"Value": item}}}})
            end, _ = self.run(state["ItemProcessor"], selected)
            if end == "failed":
                raise StepFailed
        return state["Next"], put(data, state["ResultPath"], None)

    def do_succeed(self, name, state, data):
        return None, data

    do_fail = do_succeed


def holds(choice, data):
    if "And" in choice:
        return all(holds(one, data) for one in choice["And"])
    try:
        value = look(data, choice["Variable"])
    except (KeyError, IndexError, TypeError):
        if "IsPresent" in choice:
            return not choice["IsPresent"]
        raise
    (operator,) = set(choice) - {"Variable", "Next"}
    wanted = choice[operator]
    if operator == "IsPresent":
        return wanted
    if operator == "StringMatches":
        return re.fullmatch(re.escape(wanted).replace(r"\*", ".*"), value) is not None
    assert operator in ("StringEquals", "BooleanEquals"), operator
    return value == wanted


def look(data, path):
    if path.startswith("$$."):
        data, path = data["$$"], path[1:]
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        data = data[name] if name else data[int(index)]
    return data


def put(data, path, value):
    (name,) = re.fullmatch(r"\$\.(\w+)", path).groups()
    return {**data, name: value}


def filled(template, data):
    if isinstance(template, list):
        return [filled(one, data) for one in template]
    if not isinstance(template, dict):
        return template
    return {
        name.removesuffix(".$"): intrinsic(value, data) if name.endswith(".$") else filled(value, data)
        for name, value in template.items()
    }


def intrinsic(text, data):
    if array := re.fullmatch(r"States\.Array\((\$[^,]*)\)", text):
        return [look(data, array[1])]
    if formatted := re.fullmatch(r"States\.Format\('([^']*)', (\$[^,]*)\)", text):
        return formatted[1].replace("{}", str(look(data, formatted[2])))
    assert text.startswith("$"), text
    return look(data, text)


class World:
    """An account with an instance, and a volume of a kind."""

    def __init__(self, endpoint):
        def client(service, **keys):
            config = Config(retries={"total_max_attempts": 1})
            return boto3.client(service, endpoint_url=endpoint, region_name=REGION, config=config, **keys)

        account = "".join(random.choice("123456789") for _ in range(12))
        sts = client("sts", aws_access_key_id="test", aws_secret_access_key="test")
        keys = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/tester", RoleSessionName="tester")["Credentials"]
        self.ec2 = client(
            "ec2",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    def instance(self):
        made = self.ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]
        self.id = made["InstanceId"]

    def root(self):
        """The volume that the instance started from, as people tag them."""
        instance = self.described()
        self.device = instance["RootDeviceName"]
        (mapping,) = [one for one in instance["BlockDeviceMappings"] if one["DeviceName"] == self.device]
        self.volume = mapping["Ebs"]["VolumeId"]
        self.tagged()

    def data(self, **kind):
        self.volume = self.ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=8, Encrypted=False, **kind)["VolumeId"]
        self.device = "/dev/sdf"
        self.tagged()

    def tagged(self):
        tags = [{"Key": "Name", "Value": "web"}, {"Key": "portcullis:quarantine", "Value": "re-encrypt"}]
        self.ec2.create_tags(Resources=[self.volume], Tags=tags)

    def attach(self):
        self.ec2.attach_volume(VolumeId=self.volume, InstanceId=self.id, Device=self.device)

    def described(self):
        return self.ec2.describe_instances(InstanceIds=[self.id])["Reservations"][0]["Instances"][0]

    def one(self, volume):
        return self.ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]

    def disk(self):
        """The volume at the device, if there is one; both the instance and the volume have to say so."""
        instance = self.described()
        at = [one["Ebs"]["VolumeId"] for one in instance["BlockDeviceMappings"] if one["DeviceName"] == self.device]
        attached = [one for volume in at for one in self.one(volume)["Attachments"] if one["InstanceId"] == self.id]
        everywhere = [
            one
            for volume in self.ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [self.id]}])["Volumes"]
            for one in volume["Attachments"]
            if one["Device"] == self.device
        ]
        return at[0] if len(at) == len(attached) == len(everywhere) == 1 else None


def kind_of(volume):
    names = ("AvailabilityZone", "VolumeType", "Size", "Iops", "Throughput")
    return {name: volume.get(name) for name in names}


def wrong_with_success(world, before, data):
    new, old = world.one(data["new"]["id"]), world.one(world.volume)
    tags = {tag["Key"]: tag["Value"] for tag in new.get("Tags", [])}
    marks = {tag["Key"]: tag["Value"] for tag in old["Tags"]}
    checks = {
        "encrypted": new["Encrypted"] is True,
        "of the same kind": kind_of(new) == kind_of(before),
        "with the tags of people only": tags == {"Name": "web"},
        "the old one is kept and says what replaced it": marks["portcullis:replaced-by"] == new["VolumeId"],
        "the old one is attached to nothing": old["State"] == "available",
    }
    return [name for name, held in checks.items() if not held]


def play(endpoint, machine, prepare, fails=None, after=False):
    world = World(endpoint)
    prepare(world)
    attached, ran = hasattr(world, "id"), hasattr(world, "id") and world.described()["State"]["Name"] == "running"
    before = world.one(world.volume)
    runner = Machine(world.ec2, fails, after)
    end, data = runner.run(machine, {"volume": world.volume})
    wrong = runner.wrong
    if end == "succeeded":
        wrong += wrong_with_success(world, before, data)
    if fails is None and end != "succeeded":
        wrong.append("it failed")
    if fails and end != "failed":
        wrong.append("the failure went unnoticed")
    if attached:
        disk, runs = world.disk(), world.described()["State"]["Name"] == "running"
        new = data.get("new", {}).get("id")
        # The last step only tags the old volume: the swap is done by then.
        expected = new if end == "succeeded" or fails == "Mark" else world.volume
        if disk is None:
            wrong.append("the instance has no disk")
        elif disk != expected:
            wrong.append(f"the instance has {disk}, not {expected}")
        if runs != ran:
            wrong.append(f"the instance runs: {runs}, and before: {ran}")
        mapping = [one for one in world.described()["BlockDeviceMappings"] if one["DeviceName"] == world.device]
        if end == "succeeded" and mapping[0]["Ebs"]["DeleteOnTermination"] != before["Attachments"][0]["DeleteOnTermination"]:
            wrong.append("DeleteOnTermination is another")
    return {"end": end, "states": runner.seen, "wrong": wrong}


def root(world):
    world.instance()
    world.root()


def data_of(**kind):
    def prepare(world):
        world.instance()
        world.data(**kind)
        world.attach()

    return prepare


def stopped(world):
    data_of(VolumeType="gp2")(world)
    world.ec2.stop_instances(InstanceIds=[world.id])


def main():
    endpoint, machine = sys.argv[1], definition()
    gp3 = data_of(VolumeType="gp3", Iops=4000, Throughput=250)
    kinds = {
        "root": root,
        "gp3": gp3,
        "io2": data_of(VolumeType="io2", Iops=500),
        "stopped": stopped,
        "unattached": lambda world: world.data(VolumeType="gp3", Iops=3000, Throughput=125),
    }
    cases = {name: play(endpoint, machine, prepare) for name, prepare in kinds.items()}
    steps = [name for name in dict.fromkeys(cases["gp3"]["states"]) if machine["States"].get(name, {}).get("Type") == "Task"]
    for step in [*steps, "Tag"]:
        for after in (False, True):
            cases[f"{step} fails {'after' if after else 'before'} its call"] = play(endpoint, machine, gp3, step, after)
    # And the test is awake: without anything that catches a failure, an instance is left without its disk.
    careless = {**machine, "States": {name: {key: state[key] for key in state if key != "Catch"} for name, state in machine["States"].items()}}
    print(json.dumps({"cases": cases, "steps": steps, "careless": play(endpoint, careless, gp3, "Attach")}))


main()
