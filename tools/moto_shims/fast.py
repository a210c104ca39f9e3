"""What moto does anew with each request, done once: most of the time of a run of all tests.

Each test has an account of its own. moto goes through the list of them for whatever it wants of one; looks a key up in each, in
each partition, which makes IAM's hundreds of managed policies there; and lists its own folder to know its services.
"""

import moto.backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.base_backend import BackendDict
from moto.iam import models

_accounts = {}  # by access key
_modules = tuple(moto.backends.list_of_moto_modules())
_make = BackendDict.__getitem__


def backends_of(self, account):
    return dict.__getitem__(self, account) if dict.__contains__(self, account) else _make(self, account)


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


BackendDict.__getitem__ = backends_of
models.get_account_id_from = account_of
moto.backends.list_of_moto_modules = lambda: _modules
