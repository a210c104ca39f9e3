"""What moto gets wrong or lacks, put right as AWS documents it: one module a service.

A module is loaded with the first call of its service, so that nobody waits for services that are not used. Loading it
patches moto; it may define `refusal(call)`, which answers (status, code, message) for a request that AWS refuses and moto
does not, and `reset()`.
"""

import importlib
import threading

MODULES = {
    "s3": "s3",
    "s3control": "s3",
    "ecr": "ecr",
    "sns": "sns",
    "ssm": "ssm",
    "secretsmanager": "secretsmanager",
    "kms": "kms",
    "dynamodb": "dynamodb",
    "elasticfilesystem": "efs",
    "ec2": "ec2",
    "events": "events",
    "config": "config",
    "rds": "rds",
}

_loaded = {}
_lock = threading.Lock()


def install(service):
    name = MODULES.get(service)
    if name and name not in _loaded:
        with _lock:
            if name not in _loaded:
                _loaded[name] = importlib.import_module(f"moto_shims.{name}")


def refusal(call):
    check = getattr(_loaded.get(MODULES.get(call.service)), "refusal", None)
    return check(call) if check else None


def reset():
    for module in list(_loaded.values()):
        getattr(module, "reset", lambda: None)()
