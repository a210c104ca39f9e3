"""What the scaffolds write where, and what they refuse; `make scaffolds` compiles it."""

import shutil
import tempfile
import unittest
from pathlib import Path

import scaffold


class Scaffolds(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for path in ("functions/s3", "functions/ec2", "shared/catalog"):
            shutil.copytree(scaffold.ROOT / path, self.root / path, ignore=shutil.ignore_patterns("target"))
        (self.root / "events").mkdir()

    def run_with(self, *arguments):
        return scaffold.main(list(arguments), self.root)

    def text(self, path):
        return (self.root / path).read_text()

    def test_a_service_is_in_the_catalog_and_nothing_is_left_unfilled(self):
        self.assertIsNone(self.run_with("service", "scheduler", "ScheduleGroup"))
        self.assertIn("    portcullis_scheduler,\n}", self.text("shared/catalog/src/lib.rs"))
        cargo = self.text("shared/catalog/Cargo.toml")
        self.assertIn('    "portcullis-scheduler/violations",\n]', cargo)
        self.assertIn('portcullis-scheduler = { path = "../../functions/scheduler", default-features = false }\n', cargo)
        for file in (self.root / "functions/scheduler").rglob("*.*"):
            if file.name != "stack.yaml":
                self.assertNotRegex(file.read_text(), "<<[A-Za-z]+>>", file)

    def test_a_control_is_listed_with_its_type_and_has_a_violation(self):
        self.assertIsNone(self.run_with("control", "ec2-instance-profile", "Instance"))
        controls = self.text("functions/ec2/src/controls/mod.rs")
        self.assertIn("ec2_instance_imdsv2::CONTROL,ec2_instance_profile::CONTROL,];", controls)
        self.assertIn("mod ec2_instance_metadata_defaults;\nmod ec2_instance_profile;\n", controls)
        self.assertIn('violation!("ec2-instance-profile"', self.text("functions/ec2/src/violations.rs"))

    def test_the_first_control_of_a_service_needs_no_type(self):
        self.run_with("service", "scheduler", "Schedule")
        self.assertIsNone(self.run_with("control", "scheduler-schedule-public"))
        self.assertIn("use crate::schedule::Schedule;", self.text("functions/scheduler/src/controls/scheduler_schedule_public.rs"))

    def test_what_is_refused_writes_nothing(self):
        before = sorted(self.root.rglob("*"))
        for arguments in (
            ("service", "S3", "Bucket"),
            ("service", "s3", "Bucket"),
            ("service", "sns", "topic"),
            ("control", "s3_bucket_logging", "Bucket"),
            ("control", "rds-instance-public"),
            ("control", "s3-bucket-logging"),
            ("control", "s3-bucket-logging", "Topic"),
            ("control", "s3-bucket-tls-only", "Bucket"),
            ("other",),
        ):
            self.assertIsNotNone(self.run_with(*arguments), arguments)
        self.assertEqual(before, sorted(self.root.rglob("*")))


if __name__ == "__main__":
    unittest.main()
