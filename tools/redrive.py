"""Sends dead letters to where they were going again, and deletes those that were handled.

    make redrive STACK=portcullis                     what a function ignores stays
    make redrive STACK=portcullis IGNORED=delete      … and is deleted

A letter is what could not be handled, as it came; its attributes say where it was going. What is waited for is the function's answer, so
that one that fails again says why, and stays. An old event does no harm: what is judged is the resource as it is now. What can't be
sent again, or needs no sending, is named with the reason. Stops at the first letter that it has seen before.
"""

import json
import sys

SECONDS = 300  # that a letter is hidden from others while its function works; a function has 60


class Stack:
    """What a stack has: `functions` by service (`s3`), `roles` by service (the ids of their roles), its two state machines."""

    def __init__(self, functions, roles, sweeps=None, reencryption=None):
        self.functions, self.roles, self.sweeps, self.reencryption = functions, roles, sweeps, reencryption

    def function(self, service):
        name = self.functions.get(service)
        return [name] if name else []


class To:
    """What is to become of a letter: handed to functions, started as an execution, deleted, or left where it is."""

    def __init__(self, functions=(), execution=None, deleted=None, left=None):
        self.functions, self.execution, self.deleted, self.left = list(functions), execution, deleted, left

    def __repr__(self):
        return f"To({self.__dict__})"

    def __eq__(self, other):
        return self.__dict__ == other.__dict__


def route(letter, stack):
    """Where a letter goes. Who put it there is in its attributes:

    * EventBridge's rules and schedules: TARGET_ARN. Source: EventBridge User Guide, "Using dead-letter queues to process undelivered
      events"; EventBridge Scheduler User Guide, "Configuring a dead-letter queue".
    * Lambda: no function's name, but the sender is the function's role. Source: Lambda Developer Guide, "Adding a dead-letter queue"; SQS
      API Reference, `ReceiveMessage`, SenderId.
    """
    try:
        event = json.loads(letter["Body"])
    except ValueError:
        event = None
    if not isinstance(event, dict):
        return To(left="expected an event as a JSON object, found none")
    if "invokingEvent" in event:
        rule = event.get("configRuleName") or "…"
        again = f"aws configservice start-config-rules-evaluation --config-rule-names {rule}"
        return To(deleted=f"AWS Config no longer takes this answer, its resultToken is too old; to be asked again: {again}")
    if event.get("force"):
        return To(left="it overwrites whatever was changed since: invoke the function with it if that is still wanted")
    target = attribute(letter, "TARGET_ARN")
    if target:
        return by_target(target, event, stack)
    sender = letter.get("Attributes", {}).get("SenderId", "").split(":")[0]
    for service, role in stack.roles.items():
        if sender and sender == role:
            return To(functions=stack.function(service))
    return by_body(event, stack)


def attribute(letter, name):
    return letter.get("MessageAttributes", {}).get(name, {}).get("StringValue", "")


def by_target(target, event, stack):
    if target == stack.sweeps:
        return To(execution=(target, json.dumps(event)))
    if target == stack.reencryption:
        volume = event.get("volume") or first_resource(event)
        start = f"aws stepfunctions start-execution --state-machine-arn {target} --input '{json.dumps({'volume': volume})}'"
        return To(left=f"it would stop the volume's instance: look at the volume, then {start}")
    if target.endswith(":aws-sdk:sns:tagResource"):
        return To(deleted="a heartbeat that did not start; the next one comes by itself")
    name = target.split(":")[6] if target.count(":") >= 6 else ""
    if name in stack.functions.values():
        return To(functions=[name])
    return To(left=f"it was for {target}, which this stack does not have")


def first_resource(event):
    detail = event.get("detail") or {}
    items = ((detail.get("requestParameters") or {}).get("resourcesSet") or {}).get("items") or [{}]
    return items[0].get("resourceId")


def by_body(event, stack):
    """By what it is about: that of its service; of what is about a whole account, or was heard by all, all of them."""
    detail = event.get("detail") or {}
    item = detail.get("configurationItem") or detail.get("configurationItemSummary") or detail
    kind = item.get("resourceType") or ""
    source = (event.get("eventSource") or detail.get("eventSource") or "").split(".")[0]
    if kind == "AWS::::Account" or source == "sns" or "waiting" in event:
        return To(functions=stack.functions.values())
    if "preflight" in event:
        return To(functions=stack.function("kms"))
    if "sweep" in event:
        sweep = event["sweep"] if isinstance(event["sweep"], dict) else {}
        if "finish" in sweep:
            return To(deleted="the next sweep tells what this one could not")
        kinds = [page.get("type", "") for page in sweep.get("pages") or []]
        kind = kinds[0] if kinds else ""
    named = event.get("scheduled") or event.get("release") or ""
    services = [
        source,
        named.split(":")[2] if named.count(":") > 2 else "",
        kind.split("::")[1].lower() if kind.count("::") == 2 else "",
    ]
    functions = [name for service, name in stack.functions.items() if service in services]
    return To(functions=functions) if functions else To(left="it does not say which function of this stack it was for: invoke that with it")


def shortcoming(answer):
    """What is wrong with an answer that is no error: the letter is not done with."""
    answer = answer if isinstance(answer, dict) else {}
    sweep = answer.get("sweep")
    if isinstance(sweep, dict) and sweep.get("more"):
        return "the sweep has more to do than one invocation can: start the state machine of the sweeps instead"
    if answer.get("heartbeat") == "unheard":
        return answer.get("why", "unheard")
    return None


def redrive(sqs, invoke, start, queue, stack, say, ignored="keep"):
    """How many were handled, how many were deleted without, how many stay.

    `invoke(name, body)` yields an error's text or nothing, and the answer; `start(state machine, input)` an error's text or nothing.
    """
    handled, deleted, stays, seen = 0, 0, 0, set()
    while True:
        asked = {"MaxNumberOfMessages": 1, "VisibilityTimeout": SECONDS, "MessageAttributeNames": ["All"], "AttributeNames": ["SenderId"]}
        letters = sqs.receive_message(QueueUrl=queue, **asked).get("Messages", [])
        if not letters or letters[0]["MessageId"] in seen:
            return handled, deleted, stays
        letter = letters[0]
        seen.add(letter["MessageId"])
        to = route(letter, stack)
        wrong, ignoring = [to.left] if to.left else [], []
        if to.execution:
            error = start(*to.execution)
            wrong += [error] if error else []
        for name in to.functions:
            error, answer = invoke(name, letter["Body"])
            error = error or shortcoming(answer)
            wrong += [f"{name}: {error}"] if error else []
            if not error and isinstance(answer, dict) and "ignored" in answer:
                ignoring.append(f"{name} ignores it: {answer['ignored']}")
        unasked = ignoring if ignoring and len(ignoring) == len(to.functions) else []
        if unasked and ignored != "delete":
            wrong += unasked
        if wrong:
            stays += 1
            say(f"stays    {letter['MessageId']}  {'; '.join(wrong)}")
            continue
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=letter["ReceiptHandle"])
        if to.deleted or unasked:
            deleted += 1
            say(f"deleted  {letter['MessageId']}  {to.deleted or '; '.join(unasked)}")
        else:
            handled += 1
            say(f"handled  {letter['MessageId']}  {', '.join(to.functions) or 'started ' + to.execution[0]}")


def main():
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError

    name, ignored = sys.argv[1], (sys.argv[2:] or ["keep"])[0]
    pages = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    resources = {one["LogicalResourceId"]: one for page in pages for one in page["StackResourceSummaries"]}

    def physical(logical):
        return resources[logical]["PhysicalResourceId"] if logical in resources else None

    functions = {
        logical.removesuffix("Function").lower(): physical(logical)
        for logical, one in resources.items()
        if one["ResourceType"] == "AWS::Lambda::Function"
    }
    iam = boto3.client("iam")
    logical_roles = {service: physical(f"{service.capitalize()}Role") for service in functions}
    roles = {service: iam.get_role(RoleName=role)["Role"]["RoleId"] for service, role in logical_roles.items() if role}
    stack = Stack(functions, roles, physical("Sweeps"), physical("Reencryption"))
    # A call that boto3 repeats by itself would be handled twice.
    client = boto3.client("lambda", config=Config(read_timeout=120, retries={"max_attempts": 0}))
    states = boto3.client("stepfunctions")

    def invoke(function, body):
        answer = client.invoke(FunctionName=function, Payload=body.encode())
        payload = json.loads(answer["Payload"].read())
        if "FunctionError" not in answer:
            return None, payload
        return f"{payload.get('errorType')}: {payload.get('errorMessage')}", None

    def start(machine, given):
        try:
            states.start_execution(stateMachineArn=machine, input=given)
        except ClientError as refused:
            return str(refused)
        return None

    handled, deleted, stays = redrive(boto3.client("sqs"), invoke, start, physical("DeadLetters"), stack, print, ignored)
    print(f"{handled} handled, {deleted} deleted, {stays} stay" + ("; they can be seen again in five minutes" if stays else ""))
    return 1 if stays else 0


if __name__ == "__main__":
    sys.exit(main())
