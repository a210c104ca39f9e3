"""What a deploy changes of a stack's parameters: checked before anything is built, and said.

    python3 tools/deploy.py STACK NAME…

`make deploy` calls it with the names of the variables that were given; their values are in the environment. What was not given stays as the
running stack has it. Prints what `sam deploy` takes for --parameter-overrides, one a line; on standard error what changes. Exit status: 0, or 2
where a value is refused, or 1 where AWS can't be asked.
"""

import difflib
import os
import re
import subprocess
import sys
from pathlib import Path

import ops

ROOT = Path(__file__).resolve().parent.parent
# What is called otherwise at the command line than in the template.
ALIASES = {"EMAIL": "AlertEmail", "SETTINGS": "SettingsParameter", "ARCH": "Architecture"}


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def value_of(text):
    """A scalar as the template writes it."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def parameters(template):
    """The parameters of template.yaml, which is generated: a name a block, a property a line."""
    block = re.search(r"(?ms)^Parameters:\n(.*?)^\S", template)[1]
    found, name = {}, None
    for line in block.splitlines():
        if named := re.fullmatch(r"  (\w+):", line):
            name = named[1]
            found[name] = {}
        elif (written := re.fullmatch(r"    (\w+): (.+)", line)) and not line.strip().startswith("#"):
            key, text = written.groups()
            found[name][key] = [value_of(one) for one in text.strip("[]").split(",")] if key == "AllowedValues" else value_of(text)
    return found


def wrong(name, value, known):
    """What keeps a value from being one of a parameter."""
    allowed = known.get("AllowedValues")
    if allowed and value not in allowed:
        meant = difflib.get_close_matches(value.lower(), allowed, 1)
        return f"expected one of {', '.join(allowed)}, found {value!r}{f'; did you mean {meant[0]}?' if meant else ''}"
    if "AllowedPattern" in known and not re.search(known["AllowedPattern"], value):
        return f"expected what fits {known['AllowedPattern']}, found {value!r}. {known.get('Description', '')}".strip()
    if known.get("Type") == "Number" and "AllowedValues" not in known:
        least, most = int(known.get("MinValue", 0)), int(known.get("MaxValue", 2**31))
        if not re.fullmatch(r"\d+", value) or not least <= int(value) <= most:
            return f"expected a whole number from {least} to {most}, found {value!r}"
    return None


def asked_for(given, known, functions):
    """Parameters by what was given, and what is wrong with it."""
    wanted, mistakes = {}, []
    names = {snake(name): name for name in known} | {**{snake(name): None for name in functions}, **ALIASES}
    for variable, value in given.items():
        if variable == "OFF":
            off = value.split()
            by_name = {name.lower(): name for name in functions}
            for one in off:
                if one not in by_name:
                    mistakes.append(f"OFF: there is no function {one}: there are {', '.join(sorted(by_name))}")
            wanted |= {name: "off" if name.lower() in off else "on" for name in functions}
            continue
        name = names[variable]
        why = wrong(name, value, known[name])
        if why:
            mistakes.append(f"{variable}: {why}")
        else:
            wanted[name] = value
    return wanted, mistakes


def override(name, value):
    """As SAM reads it: in quotes, which an empty value needs."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'


def running(aws, stack):
    """The parameters of the running stack; none where there is no such stack."""
    try:
        found = aws.run("cloudformation", "describe-stacks", "--stack-name", stack)["Stacks"][0]
    except ops.Refused as error:
        if "does not exist" in str(error):
            return None
        raise
    if found["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    return {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}


def settings_refused(text):
    """Why this version's `portcullis settings check` refuses settings; nothing where they are good, or it is not built."""
    command = ops.desk()
    if not command:
        return []
    done = subprocess.run([command, "settings", "check", "-"], input=text, capture_output=True, text=True, check=False)
    return [ops.clean(line.removeprefix("portcullis: ")) for line in done.stderr.splitlines()] if done.returncode == 2 else []


def refusals(aws, stack, before, after):
    """What a deploy would break, though each value is right by itself."""
    found = []
    name = after.get("SettingsParameter")
    if name:
        try:
            text = aws.run("ssm", "get-parameter", "--name", name, "--with-decryption")["Parameter"]["Value"]
        except ops.Refused as error:
            if "ParameterNotFound" in str(error):
                found.append(
                    f"SETTINGS: there is no parameter {name} in this account and region yet, and until there is each event fails. Make it "
                    f"first: aws ssm put-parameter --name {name} --type String --tier Intelligent-Tiering --value '{{}}'"
                )
            else:
                print(f"make deploy: whether {name} holds good settings is not known: {error}", file=sys.stderr)
        else:
            found += [f"SETTINGS: what {name} holds is refused by this version: {why}" for why in settings_refused(text)]
    ends = (
        before
        and before.get("Mode") == "enforce"
        and before.get("Ec2", "on") == "on"
        and (after.get("Mode") != "enforce" or after.get("Ec2", "on") != "on")
    )
    if ends:
        for one in ops.brake(ops.Stack(aws, stack))["running"]:
            if one["machine"].endswith("-reencryption"):
                found.append(
                    f"a re-encryption is running, and its instance may be stopped: {one['execution']}. Without enforce mode and EC2 its machine goes; deploy when it has ended"
                )
    return found


def plan(aws, stack, given, template):
    """The overrides, what is to be said, and what is wrong."""
    known = parameters(template)
    functions = [name for name, one in known.items() if one.get("AllowedValues") == ["on", "off"] and name.lower() in folders()]
    wanted, mistakes = asked_for(given, known, functions)
    if mistakes:
        return [], [], mistakes
    before = running(aws, stack)
    # A parameter that is new with this version has its default.
    after = (
        {name: one.get("Default", "") for name, one in known.items()}
        | {name: value for name, value in (before or {}).items() if name in known}
        | wanted
    )
    for name, value in after.items():
        why = wrong(name, value, known[name])
        if why:
            mistakes.append(
                f"{name}, as the running stack has it: {why}; say {next((alias for alias, of in ALIASES.items() if of == name), snake(name))}=…"
            )
    mistakes += refusals(aws, stack, before, after) if not mistakes else []
    said = [f"{stack} is new here" if before is None else f"{stack} is running; what is not named stays as it is"]
    for name in known:
        was = (before or {}).get(name)
        change = f"{after[name]!r}" if was in (None, after[name]) else f"{after[name]!r} instead of {was!r}"
        said.append(f"  {name}: {change}")
    if before and before.get("Mode") == "enforce" and after["Mode"] == "notify":
        said.append("  From enforce to notify: nothing is changed any more, restores included, and what is deferred is not done.")
    # What CloudFormation has is named as well, for SAM reads the architecture from here.
    return [override(name, value) for name, value in after.items()], said, mistakes


def folders():
    return {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()}


def main(arguments, aws=None):
    stack, *names = arguments
    try:
        overrides, said, mistakes = plan(
            aws or ops.Aws(), stack, {name: os.environ[name] for name in names}, (ROOT / "template.yaml").read_text()
        )
    except ops.Refused as error:
        print(f"make deploy: {error}", file=sys.stderr)
        return 1
    for line in said if not mistakes else []:
        print(line, file=sys.stderr)
    for mistake in mistakes:
        print(f"make deploy: {mistake}", file=sys.stderr)
    if mistakes:
        return 2
    print("\n".join(overrides))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
