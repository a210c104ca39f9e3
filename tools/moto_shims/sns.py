"""SNS refuses what moto would publish or take for a policy, and writes a policy anew."""

import json

from moto.sns.models import Topic


def rewritten(policy):
    """As SNS keeps a policy: an account by its ARN, the operators of a condition in another order."""
    for statement in policy.get("Statement", []):
        principal = statement.get("Principal")
        if isinstance(principal, dict) and str(principal.get("AWS")).isdigit():
            principal["AWS"] = f"arn:aws:iam::{principal['AWS']}:root"
        if "Condition" in statement:
            statement["Condition"] = dict(sorted(statement["Condition"].items(), reverse=True))
    return policy


def set_policy(self, policy):
    self._policy_json = rewritten(json.loads(policy))


Topic.policy = Topic.policy.setter(set_policy)


def invalid(message):
    return (400, "InvalidParameter", "Invalid parameter: " + message)


def policy_refusal(text):
    """SNS API Reference, SetTopicAttributes: a policy is a document, with actions of SNS that are named whole."""
    try:
        statements = json.loads(text)["Statement"]
    except (ValueError, TypeError, KeyError):
        return invalid("Policy Error: null")
    for statement in [statements] if isinstance(statements, dict) else statements:
        actions = statement.get("Action", [])
        if any("*" in action for action in ([actions] if isinstance(actions, str) else actions)):
            return invalid("Policy statement action out of service scope!")
    return None if statements else invalid("Policy Error: null")


def refusal(call):
    if call.action == "SetTopicAttributes" and call.form.get("AttributeName") == "Policy":
        return policy_refusal(call.form.get("AttributeValue", ""))
    if call.action != "Publish":
        return None

    subject, message = call.form.get("Subject"), call.form.get("Message", "")
    # ASCII, begins with a letter, digit or punctuation mark, no line breaks or control characters, at most 100 long.
    if subject is not None:
        if not subject or len(subject) > 100 or not subject.isascii() or not subject.isprintable() or subject[0] == " ":
            return invalid("Subject")
    if not message:
        return invalid("Empty message")
    if len(message.encode()) > 256 * 1024:
        return invalid("Message too long")
    if call.form.get("MessageStructure") == "json":
        try:
            parts = json.loads(message)
        except ValueError:
            return invalid("Message Structure - JSON message body failed to parse")
        if not isinstance(parts, dict) or not isinstance(parts.get("default"), str):
            return invalid("Message Structure - No default entry in JSON message body")
    return None
