"""AWS's list as tables: what becomes of a release, and whether the committed tables are of the one that is pinned.

    python -m unittest discover --start-directory tools
"""

import hashlib
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import service_reference as reference


def release(folder: Path, files: dict[str, object]) -> Path:
    """A release with these files; the others that are read are empty."""
    for kind in ("actions", "resourceTypes", "conditionKeys"):
        (folder / "data" / kind).mkdir(parents=True)
    for prefix in reference.PREFIXES:
        (folder / "data/actions" / f"{prefix}.json").write_text("{}")
    for name, content in files.items():
        (folder / "data" / name).write_text(json.dumps(content))
    (folder / "dist/esm").mkdir(parents=True)
    (folder / "dist/esm/globalConditionKeys.js").write_text(
        "[{\n key: 'aws:PrincipalTag/tag-key',\n category: 'principal',\n type: 'String',\n description: ''\n}]"
    )
    return folder


class Tables(unittest.TestCase):
    def made(self, files: dict[str, object]) -> dict[str, list[str]]:
        with tempfile.TemporaryDirectory() as folder:
            found = reference.tables(release(Path(folder), files))
        return {name: text.splitlines()[1:] for name, text in found.items()}

    def test_actions_have_the_types_that_they_are_on(self) -> None:
        get = {"name": "GetIt", "resourceTypes": [{"name": "queue"}, {"name": "dead letter"}]}
        files = {"actions/sqs.json": {"getit": get, "list": {"name": "List", "resourceTypes": []}}}
        self.assertEqual(self.made(files)["actions.txt"], ["sqs GetIt dead-letter,queue"])

    def test_arns_that_a_name_does_not_describe(self) -> None:
        arns = {
            "logs": "arn:${Partition}:logs:${Region}:${Account}:log-group:${LogGroupName}",
            "queue": "arn:${Partition}:sqs:${Region}:${Account}:${QueueName}",
            "bucket": "arn:${Partition}:s3:::${BucketName}",
            "own": "arn:${Partition}:eks::aws:cluster-access-policy/${Name}",
            "two": "arn:${Partition}:a:${Region}::/x/${Id}, arn:${Partition}:a:${Region}::/y/${Id}",
        }
        files = {"resourceTypes/all.json": {name: {"key": name, "arn": arn} for name, arn in arns.items()}}
        self.assertEqual(self.made(files)["arns.txt"], ["a - /x/*", "a - /y/*", "logs + log-group:*", "s3 - *"])

    def test_keys_have_a_kind_and_families_a_star(self) -> None:
        keys = {
            "s3:prefix": "String",
            "s3:ExistingObjectTag/<key>": "String",
            "kms:GrantIsForAWSResource": "Bool",
            "kms:EncryptionContext:${EncryptionContextKey}": "String",
            "aws:TagKeys": "ArrayOfString",
            "gitlab.com:sub": "String",
            "saml:aud": "String",
        }
        files = {"conditionKeys/all.json": {key.lower(): {"key": key, "type": kind} for key, kind in keys.items()}}
        expected = [
            "aws:principaltag/* s",
            "aws:tagkeys s",
            "kms:encryptioncontext:* s",
            "kms:grantisforawsresource b",
            "s3:existingobjecttag/* s",
            "s3:prefix s",
        ]
        self.assertEqual(self.made(files)["keys.txt"], expected)

    def test_committed_tables_are_of_the_pinned_release_and_untouched(self) -> None:
        for name in ("actions.txt", "arns.txt", "keys.txt"):
            head, _, body = (reference.TABLES / name).read_text().partition("\n")
            mark, package, version, digest, _ = head.split(" ", 4)
            self.assertEqual((mark, package), ("#", reference.PACKAGE), name)
            stale = f"{name} is of {version}, not of {reference.RELEASE}: run tools/service_reference.py"
            self.assertEqual(version, reference.RELEASE, stale)
            self.assertEqual(digest, hashlib.sha256(body.encode()).hexdigest(), f"{name} was edited by hand")
            lines = body.splitlines()
            self.assertEqual(lines, sorted(lines, key=str.encode), name)


if __name__ == "__main__":
    unittest.main()
