"""As much of the Amazon States Language as the state machine of the re-encryption uses; what is not known here is refused."""

import json
import re
from functools import lru_cache

from botocore.exceptions import ClientError
from jsonata import Jsonata

# Events that a state leaves in the history of an execution, and a try that failed. Source: Step Functions Developer Guide,
# "Step Functions service quotas" and API Reference, "HistoryEvent".
EVENTS = {"Task": 5, "Pass": 2, "Choice": 2, "Wait": 2, "Succeed": 2, "Fail": 1}
A_TRY = 3
TO_AWS = "arn:aws:states:::aws-sdk:"


class StepFailed(Exception):
    pass


class Fault:
    """Fails calls: of a step, or of the execution's calls from the n-th on; before the call reaches AWS, or after it was done."""

    def __init__(self, step=None, visit=None, after=False, times=None, when=lambda variables: True):
        self.step, self.visit, self.after, self.times, self.when = step, visit, after, times, when

    def strikes(self, step, visit, variables):
        if self.times == 0 or (self.step and self.step != step) or (self.visit is not None and visit < self.visit) or not self.when(variables):
            return False
        self.times = None if self.times is None else self.times - 1
        return True


def resolved(value, names):
    """A value of the template with its references replaced."""
    if isinstance(value, list):
        return [resolved(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    if "Ref" in value:
        return names[value["Ref"]]
    if "Fn::GetAtt" in value:
        return names[".".join(value["Fn::GetAtt"])]
    if "Fn::Sub" in value:
        return re.sub(r"\$\{([^}]+)\}", lambda found: names[found[1]], value["Fn::Sub"])
    return {key: resolved(one, names) for key, one in value.items()}


@lru_cache(maxsize=None)
def parsed(expression):
    return Jsonata(expression)


def assigned_in(value):
    if isinstance(value, list):
        return set().union(*map(assigned_in, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    return set(value.get("Assign", {})).union(*map(assigned_in, value.values()))


class Execution:
    def __init__(self, definition, aws, name, volume, faults=()):
        assert definition["QueryLanguage"] == "JSONata"
        self.states, self.aws, self.faults = definition["States"], aws, list(faults)
        self.input = {"volume": volume}
        self.context = {
            "Execution": {"Id": f"arn:aws:states:us-east-1:{aws.account}:execution:reencryption:{name}", "Name": name, "StartTime": "2026-11-25T12:00:00Z"},
            "StateMachine": {"Id": f"arn:aws:states:us-east-1:{aws.account}:stateMachine:reencryption"},
        }
        self.variables, self.seen, self.steps, self.events, self.end = {}, [], [], 2, None
        self.known = assigned_in(definition)
        self.name = definition["StartAt"]

    def run(self):
        """Goes through the states; yields after each, and says whether it waits for somebody else."""
        while self.name:
            state = self.states[self.name]
            self.seen.append(self.name)
            self.events += EVENTS[state["Type"]]
            try:
                following = yield from getattr(self, "do_" + state["Type"].lower())(state)
            except StepFailed as failed:
                if "Catch" not in state:
                    self.end = "failed"
                    return
                (catch,) = state["Catch"]
                assert catch["ErrorEquals"] == ["States.ALL"]
                self.assign(catch, errorOutput={"Error": str(failed), "Cause": "by the test"})
                following = catch["Next"]
            self.name = following
            yield False

    def filled(self, value, **more):
        if isinstance(value, list):
            return [self.filled(one, **more) for one in value]
        if isinstance(value, dict):
            return {name: self.filled(one, **more) for name, one in value.items()}
        if not (isinstance(value, str) and value.startswith("{%")):
            return value
        text = value.removeprefix("{%").removesuffix("%}").strip()
        unset = (set(re.findall(r"\$([a-z]\w*)", text)) & self.known) - set(self.variables)
        assert not unset, f"{self.name}: {unset} is not set"
        expression = parsed(text)
        frame = expression.create_frame()
        for name, bound in self.variables.items():
            frame.bind(name, bound)
        frame.bind("states", {"input": self.input, "context": self.context, **more})
        answer = expression.evaluate(None, frame)
        # Step Functions takes what is undefined for an error.
        assert answer is not None, f"{self.name}: {text} is undefined for {self.variables}, {more}"
        return json.loads(json.dumps(answer))

    def assign(self, of, **more):
        """All at once: none sees what another one sets."""
        self.variables |= self.filled(of.get("Assign", {}), **more)

    def do_task(self, state):
        service, action = state["Resource"].removeprefix(TO_AWS).split(":")
        arguments = self.filled(state["Arguments"])
        left = {}
        while True:
            visit = len(self.steps)
            try:
                fault = next((one for one in self.faults if one.strikes(self.name, visit, self.variables)), None)
                self.steps.append((self.name, f"{service}:{action}"))
                if fault and not fault.after:
                    raise StepFailed("Broken")
                try:
                    result = self.aws.call(service, action, arguments)
                except ClientError as error:
                    raise StepFailed({"dynamodb": "DynamoDb", "ec2": "Ec2", "sns": "Sns"}[service] + "." + error.response["Error"]["Code"]) from error
                if fault:
                    raise StepFailed("Broken")
            except StepFailed as failed:
                # The other retries are not played: what fails here fails as often as it is tried.
                retry = next(one for one in state["Retry"] if str(failed) in one["ErrorEquals"] or one["ErrorEquals"] == ["States.ALL"])
                key = retry["ErrorEquals"][0]
                left[key] = left.get(key, retry["MaxAttempts"]) - 1
                if left[key] < 0 or key == "States.ALL":
                    self.events += A_TRY * retry["MaxAttempts"] * (key == "States.ALL")
                    raise
                self.events += A_TRY
                yield True
                continue
            self.assign(state, result=result)
            return state["Next"]

    def do_pass(self, state):
        self.assign(state)
        return state["Next"]
        yield

    def do_wait(self, state):
        seconds = self.filled(state["Seconds"])
        assert 15 <= seconds <= 240, seconds
        self.assign(state)
        return state["Next"]
        yield

    def do_choice(self, state):
        for choice in state["Choices"]:
            holds = self.filled(choice["Condition"])
            assert isinstance(holds, bool), choice
            if holds:
                self.assign(choice)
                return choice["Next"]
        return state["Default"]
        yield

    def do_succeed(self, state):
        self.end = "succeeded"
        return None
        yield

    def do_fail(self, state):
        self.filled(state["Error"])
        self.end = "failed"
        return None
        yield
