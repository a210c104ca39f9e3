"""Packages a Cloud Custodian policy for Lambda with its own builder, and unpacks it as Lambda does.

    .tools/bench/bin/python tools/bench_package.py FOLDER <policy.json

The folder then holds what /var/task would: Cloud Custodian's sources, `config.json` with the policy, `custodian_policy.py`.
Prints the size of the archive in bytes.
"""

import json
import sys
import zipfile

from c7n.config import Config
from c7n.mu import PolicyLambda
from c7n.policy import PolicyCollection
from c7n.resources import load_resources


def main(folder):
    policy = json.load(sys.stdin)
    load_resources([f"aws.{policy['resource']}"])
    options = Config.empty(region="us-east-1", output_dir="")
    (loaded,) = PolicyCollection.from_data({"policies": [policy]}, options)
    loaded.validate()
    archive = PolicyLambda(loaded).get_archive()
    with zipfile.ZipFile(archive.path) as packed:
        packed.extractall(folder)
    print(archive.size)


if __name__ == "__main__":
    main(*sys.argv[1:])
