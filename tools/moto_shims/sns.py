"""SNS refuses what moto would publish."""

import json


def refusal(call):
    if call.action != "Publish":
        return None

    def invalid(message):
        return (400, "InvalidParameter", "Invalid parameter: " + message)

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
