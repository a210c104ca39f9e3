"""EFS as AWS documents it, as far as a guard of file systems can see a difference: a policy can be deleted, one of
no file system is not found, and what is encrypted has a key, that of `alias/aws/elasticfilesystem` unless another one was named.

Sources: EFS API Reference, `DeleteFileSystemPolicy`, `DescribeFileSystemPolicy`, `CreateFileSystem` (`KmsKeyId`).
"""

import moto_shims.kms  # noqa: F401: whose the AWS-managed key is
from moto.efs.exceptions import FileSystemNotFound
from moto.efs.models import EFSBackend, FileSystem
from moto.efs.responses import EFSResponse
from moto.kms import kms_backends

def file_system(backend, file_system_id):
    if file_system_id not in backend.file_systems_by_id:
        raise FileSystemNotFound(file_system_id)
    return backend.file_systems_by_id[file_system_id]


_describe_file_system_policy = EFSBackend.describe_file_system_policy


def describe_file_system_policy(self, file_system_id):
    file_system(self, file_system_id)
    return _describe_file_system_policy(self, file_system_id)


EFSBackend.describe_file_system_policy = describe_file_system_policy


def delete_file_system_policy(self):
    file_system(self.efs_backend, self._get_param("FileSystemId")).file_system_policy = None
    return "{}", {"Content-Type": "application/json"}


EFSResponse.delete_file_system_policy = delete_file_system_policy

_init = FileSystem.__init__


def init(self, account_id, region_name, *args, **kwargs):
    _init(self, account_id, region_name, *args, **kwargs)
    if self.encrypted and not self.kms_key_id:
        self.kms_key_id = kms_backends[account_id][region_name].describe_key("alias/aws/elasticfilesystem").arn


FileSystem.__init__ = init
