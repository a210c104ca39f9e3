"""What a deploy keeps, changes and refuses."""

import contextlib
import io
import os
import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import deploy
import ops

TEMPLATE = (deploy.ROOT / "template.yaml").read_text()
# As AWS has them, of a stack that was deployed with some.
RUNNING = {
    "Mode": "enforce",
    "AlertEmail": "ops@example.com",
    "SettingsParameter": "",
    "Kms": "off",
    "Architecture": "x86_64",
    "SweepSchedule": "rate(12 hours)",
    "WasThere": "x",
}


class Fake(ops.Aws):
    def __init__(self, parameters=RUNNING, present=(), executions=()):
        super().__init__()
        self.parameters, self.present, self.executions = parameters, present, executions

    def run(self, service, operation, *arguments):
        if operation == "describe-stacks":
            if self.parameters is None:
                raise ops.Refused("aws cloudformation describe-stacks: Stack with id portcullis does not exist", 1)
            listed = [{"ParameterKey": key, "ParameterValue": value} for key, value in self.parameters.items()]
            outputs = [{"OutputKey": "S3Function", "OutputValue": "portcullis-s3"}, {"OutputKey": "LedgerTable", "OutputValue": "t"}]
            return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Parameters": listed, "Outputs": outputs}]}
        if operation == "get-parameter":
            if arguments[1] not in self.present:
                raise ops.Refused("aws ssm get-parameter: An error occurred (ParameterNotFound)", 1)
            return {"Parameter": {"Value": "modus: enforce"}}
        if operation == "list-state-machines":
            return {
                "stateMachines": [
                    {
                        "name": "portcullis-reencryption",
                        "stateMachineArn": "arn:aws:states:eu-west-1:1:stateMachine:portcullis-reencryption",
                    }
                ]
            }
        empty = {"list-event-source-mappings": "EventSourceMappings", "list-schedules": "Schedules", "list-rules": "Rules"}
        return (
            {empty[operation]: []}
            if operation in empty
            else {"executions": [{"executionArn": one, "startDate": "2026-11-30T12:00:00Z"} for one in self.executions]}
        )


def planned(aws=None, **given):
    overrides, said, mistakes = deploy.plan(aws or Fake(), "portcullis", given, TEMPLATE)
    return dict(one.split("=", 1) for one in overrides), "\n".join(said), mistakes


class Deploy(unittest.TestCase):
    def test_what_is_not_named_stays_as_the_running_stack_has_it(self):
        overrides, said, mistakes = planned()
        self.assertEqual(mistakes, [])
        expected = {
            "Mode": "enforce",
            "AlertEmail": "ops@example.com",
            "SettingsParameter": "",
            "Kms": "off",
            "Architecture": "x86_64",
            "SweepSchedule": "rate(12 hours)",
            "MaxConcurrency": "5",
        }
        self.assertEqual({name: overrides[name] for name in expected}, {name: f'"{value}"' for name, value in expected.items()})
        self.assertNotIn("WasThere", overrides)
        self.assertIn("Mode: 'enforce'\n", said)

    def test_a_new_stack_has_the_template_s_defaults(self):
        overrides, said, _ = planned(Fake(None), EMAIL="ops@example.com")
        self.assertEqual((overrides["Mode"], overrides["AlertEmail"], overrides["Kms"]), ('"notify"', '"ops@example.com"', '"on"'))
        self.assertIn("portcullis is new here", said)

    def test_what_is_named_is_changed_also_to_nothing(self):
        overrides, said, _ = planned(EMAIL="", MODE="notify", OFF="s3 ec2", SWEEP_SCHEDULE="cron(0 1 * * ? *)")
        self.assertEqual(
            [overrides[name] for name in ("AlertEmail", "S3", "Kms", "Ec2", "SweepSchedule")],
            ['""', '"off"', '"on"', '"off"', '"cron(0 1 * * ? *)"'],
        )
        self.assertIn("Mode: 'notify' instead of 'enforce'", said)
        self.assertIn("nothing is changed any more, restores included", said)
        self.assertEqual(planned(OFF="")[0]["Kms"], '"on"')

    def test_all_that_is_wrong_is_said_at_once_before_anything_is_built(self):
        given = {
            "MODE": ("enforced", "did you mean enforce?"),
            "EMAIL": ("ops", "expected what fits"),
            "ARCH": ("arm", "did you mean arm64?"),
            "OFF": ("s3 redshift", "there is no function redshift"),
            "SWEEP_MISSED_HOURS": ("200", "from 0 to 168"),
            "MAX_CONCURRENCY": ("1", "from 2 to 1000"),
            "SETTINGS": ("portcullis", "beginning with a slash"),
            "LOG_LEVEL": ("WARN", "one of TRACE, DEBUG, INFO"),
            "LOG_RETENTION_DAYS": ("8", "one of 7, 14"),
        }
        _, _, mistakes = planned(**{name: value for name, (value, _) in given.items()})
        self.assertEqual(len(mistakes), len(given), mistakes)
        for (name, (_, why)), mistake in zip(given.items(), mistakes):
            self.assertTrue(mistake.startswith(f"{name}: ") and why in mistake, mistake)

    def test_a_settings_parameter_that_is_not_there_yet_is_said_with_how_to_make_it(self):
        _, _, mistakes = planned(SETTINGS="/portcullis/settings")
        self.assertIn("aws ssm put-parameter --name /portcullis/settings", mistakes[0])
        with mock.patch.object(ops, "desk", lambda: None):
            overrides, _, mistakes = planned(Fake(present=["/portcullis/settings"]), SETTINGS="/portcullis/settings")
        self.assertEqual((overrides["SettingsParameter"], mistakes), ('"/portcullis/settings"', []))

    def test_settings_that_the_new_version_refuses_are_said_before_they_fail_each_event(self):
        refusing = "#!/bin/sh\n[ \"$(cat)\" = 'modus: enforce' ] && echo 'portcullis: -: line 1: no such setting' >&2\nexit $CODE\n"
        with tempfile.TemporaryDirectory() as folder:
            command = Path(folder, "portcullis")
            command.write_text(refusing)
            command.chmod(0o755)
            for code, count in (("2", 1), ("3", 0), ("0", 0)):
                with mock.patch.object(ops, "desk", lambda: str(command)), mock.patch.dict(os.environ, {"CODE": code}):
                    _, _, mistakes = planned(Fake(present=["/p"]), SETTINGS="/p")
                self.assertEqual(mistakes, ["SETTINGS: what /p holds is refused by this version: -: line 1: no such setting"][:count])

    def test_the_machine_of_a_re_encryption_is_not_taken_from_under_it(self):
        for given in ({"MODE": "notify"}, {"OFF": "ec2"}):
            self.assertIn("a re-encryption is running", planned(Fake(executions=["arn:x"]), **given)[2][0])
            self.assertEqual(planned(**given)[2], [])
        self.assertEqual(planned(Fake(executions=["arn:x"]))[2], [])

    def test_the_makefile_gives_each_parameter_of_the_template(self):
        makefile = (deploy.ROOT / "Makefile").read_text()
        listed = re.search(r"(?m)^DEPLOY := ((?:.*\\\n)*.*)$", makefile)[1].replace("\\\n", " ").split()
        known = deploy.parameters(TEMPLATE)
        functions = {name for name in known if name.lower() in deploy.folders()}
        of = {alias: name for name, alias in deploy.ALIASES.items()}
        self.assertEqual(set(listed), {of.get(name, deploy.snake(name)) for name in known if name not in functions} | {"OFF"})
        self.assertEqual({name.lower() for name in functions}, deploy.folders())

    def test_the_template_is_read_as_yaml_reads_it(self):
        try:
            from samtranslator.yaml_helper import yaml_parse
        except ImportError:
            self.skipTest("the tests' environment has it")
        for name, one in yaml_parse(TEMPLATE)["Parameters"].items():
            read = deploy.parameters(TEMPLATE)[name]
            for key in ("Type", "Default", "AllowedPattern", "MinValue", "MaxValue"):
                self.assertEqual(read.get(key), None if key not in one else str(one[key]), f"{name}.{key}")
            self.assertEqual(
                read.get("AllowedValues"), [str(value) for value in one["AllowedValues"]] if "AllowedValues" in one else None, name
            )

    def test_the_command_prints_the_overrides_alone_and_refuses_with_a_status(self):
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors), mock.patch.dict(os.environ, {"MODE": "notify"}):
            self.assertEqual(deploy.main(["portcullis", "MODE"], Fake()), 0)
        self.assertTrue(all(re.fullmatch(r'\w+=".*"', line) for line in out.getvalue().splitlines()))
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors), mock.patch.dict(os.environ, {"MODE": "off"}):
            self.assertEqual(deploy.main(["portcullis", "MODE"], Fake()), 2)
        self.assertEqual(out.getvalue(), "")


if __name__ == "__main__":
    unittest.main()
