"""Whether the commands of the guide are commands: what is asked of them is what they take."""

import argparse
import contextlib
import io
import json
import re
import shlex
import subprocess
import unittest
from unittest import mock

import deploy
import ops

try:
    import botocore.session
    from botocore import xform_name
except ImportError:  # the tests' environment has it; a bare Python has not
    botocore = None

ROOT = deploy.ROOT
GUIDE = (ROOT / "docs/operations.md").read_text()
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
# What stands for something of the reader's.
STANDS_FOR = {"ARN": "arn:aws:s3:::invoices", "LEDGER-ID": "019ab000-0000-7000-8000-000000000001", "LETTER-ID": "m-1"}
# What the AWS CLI has besides the calls' own options.
OF_THE_CLI = {
    "--query",
    "--output",
    "--region",
    "--profile",
    "--max-items",
    "--cli-binary-format",
    "--cli-input-json",
    "--only-show-errors",
    "--call-as",
}


def blocks(text):
    return re.findall(r"(?ms)^```sh\n(.*?)^```", text)


def commands(text):
    """The commands of the blocks and of the text, each in its words: what a shell would run, without what it is piped into."""
    found = [line for block in blocks(text) for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"(?ms)^```.*?^```", "", text).replace("\n", " ")
    found += [code for code in re.findall(r"`([^`]+)`", prose) if re.match(r"(aws|make|tools/portcullis-ops|portcullis) ", code)]
    for line in found:
        line = re.sub(r"\s#\s.*$", "", re.sub(r"#.*$", "", line) if re.match(r"\s*#", line) else line)
        for inner in re.findall(r"\$\((aws [^()]*(?:\([^()]*\)[^()]*)*)\)", line):
            yield inner
        yield from (part.strip() for part in re.split(r"\s(?:\|\||&&|\||;)\s|;\s", re.sub(r"\$\(.*?\)(?=[\"\s]|$)", "X", line)))


def words(command):
    try:
        split = shlex.split(command.split(" >")[0])
    except ValueError:
        return []
    while split and re.match(r"\w+=", split[0]):
        split.pop(0)
    return [STANDS_FOR.get(word, word) for word in split]


def of(program, text=GUIDE + README):
    return [split for split in map(words, commands(text)) if split[:1] == [program]]


class Guide(unittest.TestCase):
    def test_each_block_is_shell(self):
        self.assertGreater(len(blocks(GUIDE)), 15)
        for block in blocks(GUIDE) + blocks(README):
            done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
            self.assertEqual(done.stderr, "", block)

    def test_the_operators_command_takes_what_it_is_given(self):
        found = of("tools/portcullis-ops")
        self.assertGreater(len(found), 15)
        for _, *arguments in found:
            # Options alone are spoken of, not run.
            if "…" in arguments or not arguments or arguments[0].startswith("--"):
                continue
            with contextlib.redirect_stderr(io.StringIO()) as errors, mock.patch.object(ops, "user", lambda: "ana"):
                try:
                    ops.parser().parse_args(arguments)
                except SystemExit:
                    self.fail(f"{' '.join(arguments)}: {errors.getvalue()}")
        named = {arguments[0] for _, *arguments in found if arguments}
        known = next(one for one in ops.parser()._actions if isinstance(one, argparse._SubParsersAction)).choices
        self.assertLessEqual(set(known) - named, {"stop", "go"}, "which make calls")

    def test_make_has_the_targets_and_takes_the_variables(self):
        targets = set(re.findall(r"(?m)^([a-z-]+):.*## ", MAKEFILE))
        for _, *arguments in of("make"):
            target, given = arguments[0], [one.split("=", 1)[0] for one in arguments[1:] if "=" in one]
            self.assertIn(target, targets)
            if target == "deploy":
                taken = re.search(r"(?m)^DEPLOY := ((?:.*\\\n)*.*)$", MAKEFILE)[1].replace("\\\n", " ").split()
                self.assertLessEqual(set(given), {*taken, "STACK"})

    @unittest.skipUnless(botocore, "the tests' environment has botocore")
    def test_aws_has_the_calls_and_takes_the_options(self):
        session, seen = botocore.session.get_session(), 0
        for _, *arguments in of("aws"):
            service, operation, *rest = arguments
            if service == "s3" or operation == "wait":
                continue  # the CLI's own
            model = session.get_service_model({"configservice": "config"}.get(service, service))
            names = {xform_name(name, "-"): name for name in model.operation_names}
            self.assertIn(operation, names, arguments)
            members = model.operation_model(names[operation]).input_shape.members
            known = {"--" + xform_name(name, "-") for name in members} | OF_THE_CLI
            for option in (one.replace("--no-", "--") for one in rest if one.startswith("--")):
                self.assertIn(option, known, f"{service} {operation}")
            seen += 1
        self.assertGreater(seen, 20)

    def test_the_rights_are_those_of_the_calls_and_no_others(self):
        policy = json.loads(re.search(r"(?ms)^```json\n(.*?)^```", GUIDE)[1])
        given = {action for statement in policy["Statement"] for action in statement["Action"]}
        source = (ROOT / "tools/ops.py").read_text()
        prefix = {"stepfunctions": "states", "configservice": "config", "resourcegroupstaggingapi": "tag", "lambda": "lambda"}
        calls = set(re.findall(r'\(\s*"([a-z0-9]+)",\s*"([a-z]+-[a-z-]+)"', source))
        calls |= {("sns", "publish"), ("lambda", "invoke"), ("events", "enable-rule"), ("events", "disable-rule")}
        calls |= {("dynamodb", one) for one in ("query", "scan", "get-item")}
        self.assertGreater(len(calls), 20)
        camel = lambda name: "".join(part.capitalize() for part in name.split("-"))
        needed = {f"{prefix.get(service, service)}:{camel(operation)}" for service, operation in calls}
        needed = {one.replace("lambda:Invoke", "lambda:InvokeFunction") if one == "lambda:Invoke" else one for one in needed}
        # An encrypted ledger and topic, the roles of schedules, and the guide's own commands.
        besides = {"kms:Decrypt", "kms:GenerateDataKey", "iam:PassRole", "sqs:GetQueueUrl", "sqs:SendMessage", "sqs:StartMessageMoveTask"}
        besides |= {"ssm:GetParameterHistory", "ssm:PutParameter"}
        self.assertEqual(given, needed | besides)

    def test_each_failure_is_in_the_table(self):
        source = (ROOT / "shared/runtime/src/error.rs").read_text()
        names = set(re.findall(r'=> "([A-Z]\w+)",', source[source.index("fn name(") :].split("#[cfg(test)]")[0]))
        self.assertGreater(len(names), 15)
        self.assertLessEqual(names, set(re.findall(r"(?m)^\| `(\w+)` \|", GUIDE)))

    def test_links_within_the_guide_lead_somewhere(self):
        headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", GUIDE))
        anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        self.assertLessEqual(set(re.findall(r"\]\(#([^)]+)\)", GUIDE)), anchors)
        self.assertLessEqual(set(re.findall(r"operations\.md#([^)]+)\)", README)), anchors)


if __name__ == "__main__":
    unittest.main()
