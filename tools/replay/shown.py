"""What AWS answers, in one line."""

import json

from botocore.exceptions import ClientError


def shown(call, *path, **arguments):
    """An answer, or what is in it at the path, without what every answer has; where there is none, why."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    answer.pop("ResponseMetadata")
    for name in path:
        answer = answer[name]
    return plain(answer)


def plain(value):
    """What is in it, without the names of things that hold but one."""
    while isinstance(value, dict) and len(value) == 1:
        name, only = next(iter(value.items()))
        if name == "Policy" or isinstance(only, dict):
            value = only
        else:
            break
    return value if isinstance(value, str) else json.dumps(value, default=str)


def document(value):
    """A policy as text, which an event may have as text or as JSON."""
    return value if isinstance(value, str) else json.dumps(value)
