"""Sends dead letters to their functions again, and deletes those that were handled.

    make redrive STACK=portcullis

A letter is an event as it came. Its function is called and waited for, so that one that fails again says why and stays. An old event
does no harm: what is judged is the resource as it is now. Stops at the first letter that it has seen before.
"""

import json
import sys

SECONDS = 300  # that a letter is hidden from others while its function works; a function has 60


def functions_of(event, stack, names):
    """The functions that an event is for: that of its service; of what AWS Config says of a whole account, all of them."""
    if not isinstance(event, dict):
        return []
    detail = event.get("detail") or {}
    item = detail.get("configurationItem") or detail.get("configurationItemSummary") or detail
    kind = item.get("resourceType") or ""
    if kind == "AWS::::Account":
        return names
    scheduled = event.get("scheduled") or ""
    candidates = [
        (event.get("eventSource") or detail.get("eventSource") or "").split(".")[0],
        scheduled.split(":")[2] if scheduled.count(":") > 2 else "",
        kind.split("::")[1].lower() if kind.count("::") == 2 else "",
    ]
    return [name for name in names if name.removeprefix(f"{stack}-") in candidates]


def redrive(sqs, invoke, queue, stack, names, say):
    """Yields how many were handled and how many stay. `invoke(name, body)` yields nothing, or what went wrong."""
    handled, stays, seen = 0, 0, set()
    while True:
        letters = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1, VisibilityTimeout=SECONDS).get("Messages", [])
        if not letters or letters[0]["MessageId"] in seen:
            return handled, stays
        letter = letters[0]
        seen.add(letter["MessageId"])
        try:
            event = json.loads(letter["Body"])
        except ValueError:
            event = None
        functions = functions_of(event, stack, names)
        wrong = [] if functions else [f"no function of {stack} takes it"]
        for name in functions:
            error = invoke(name, letter["Body"])
            wrong += [f"{name}: {error}"] if error else []
        if wrong:
            stays += 1
            say(f"stays    {letter['MessageId']}  {'; '.join(wrong)}")
        else:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=letter["ReceiptHandle"])
            handled += 1
            say(f"handled  {letter['MessageId']}  {', '.join(functions)}")


def main():
    import boto3
    from botocore.config import Config

    stack = sys.argv[1]
    resources = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    resources = [one for page in resources for one in page["StackResourceSummaries"]]
    queue = next(one["PhysicalResourceId"] for one in resources if one["LogicalResourceId"] == "DeadLetters")
    names = [one["PhysicalResourceId"] for one in resources if one["ResourceType"] == "AWS::Lambda::Function"]
    # A call that boto3 repeats by itself would be handled twice.
    client = boto3.client("lambda", config=Config(read_timeout=120, retries={"max_attempts": 0}))

    def invoke(name, body):
        answer = client.invoke(FunctionName=name, Payload=body.encode())
        if "FunctionError" not in answer:
            return None
        error = json.loads(answer["Payload"].read())
        return f"{error.get('errorType')}: {error.get('errorMessage')}"

    handled, stays = redrive(boto3.client("sqs"), invoke, queue, stack, names, print)
    print(f"{handled} handled, {stays} stay" + ("; they can be seen again in five minutes" if stays else ""))
    return 1 if stays else 0


if __name__ == "__main__":
    sys.exit(main())
