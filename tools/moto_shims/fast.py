"""What moto does anew with each request, done once: most of the time of a run of all tests.

Each test has an account of its own. moto looks a key up in each of them, in each partition, which makes IAM's hundreds of
managed policies there; and lists its own folder to know its services.
"""

import moto.backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam import models

_accounts = {}  # by access key
_modules = tuple(moto.backends.list_of_moto_modules())


def account_of(key):
    account = _accounts.get(key)
    if account and has(account, key):
        return account
    for account in list(models.iam_backends):
        if has(account, key):
            _accounts[key] = account
            return account
    return DEFAULT_ACCOUNT_ID


def has(account, key):
    return any(key in partition.access_keys for partition in list(models.iam_backends[account].values()))


models.get_account_id_from = account_of
moto.backends.list_of_moto_modules = lambda: _modules
