"""Writes what a new service or a new control begins with; it compiles at once, and `Fill in` says what is left to do.

    tools/scaffold.py service sns Topic
    tools/scaffold.py control sns-topic-public-policy [Topic]

`make service` and `make control` call it; CONTRIBUTING.md says what follows.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Refused(Exception):
    """Why nothing was written."""


def fill(text: str, **words: str) -> str:
    """A template with `<<word>>` in place: braces are Rust's."""
    for word, value in words.items():
        text = text.replace(f"<<{word}>>", value)
    return text


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def plural(name: str) -> str:
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


CARGO = """\
[package]
name = "portcullis-<<name>>"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true

[lints]
workspace = true

[dependencies]
aws-sdk-<<name>> = { version = "1", default-features = false, features = ["default-https-client", "rt-tokio"], optional = true }
portcullis-controls.workspace = true
portcullis-core.workspace = true
portcullis-derive.workspace = true
portcullis-runtime = { workspace = true, optional = true }
portcullis-testkit = { workspace = true, optional = true }
serde.workspace = true
tokio = { workspace = true, optional = true }

[features]
default = ["aws"]
# What talks to AWS: the Lambda has it, the command line and the docs do without.
aws = ["dep:aws-sdk-<<name>>", "dep:portcullis-runtime", "dep:tokio"]
# A violation of each control, for the tests, the demo and the benchmarks: never part of the Lambda.
violations = ["aws", "dep:portcullis-testkit"]

[[bin]]
name = "portcullis-<<name>>"
path = "src/main.rs"
required-features = ["aws"]
"""

MAIN = """\
//! The Lambda function for Amazon <<NAME>>.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), portcullis_runtime::Error> {
    let settings = include_str!("../../../portcullis.yaml");
    portcullis_runtime::run(portcullis_<<name>>::service, settings, portcullis_<<name>>::serve).await
}
"""

LIB = """\
//! Amazon <<NAME>>: <<nouns>>.
//!
//! [`service`] is what the command line, the docs and the template see. With the feature `aws`, [`serve`] joins the type with the
//! file that talks to AWS.

#[cfg(feature = "aws")]
mod aws;
pub mod controls;
pub mod <<noun>>;
#[cfg(feature = "violations")]
pub mod violations;

use portcullis_core::Service;

#[cfg(feature = "aws")]
pub use aws::serve;

/// The service, as the catalog lists it.
pub fn service() -> Service {
    Service {
        name: "<<name>>",
        title: "Amazon <<NAME>>",
        source: <<noun>>::SOURCE,
        types: vec![Box::new(controls::<<NOUNS>>)],
        settings: None,
    }
}
"""

TYPE = """\
//! <<Nouns>>: what is read and changed of them, and which events name them.

use portcullis_core::event::{Call, EventError};
use portcullis_core::{Observed, Resource, ResourceType, Tags};
use portcullis_derive::Facts;

/// The event source of the service's calls.
pub const SOURCE: &str = "<<name>>.amazonaws.com";

/// A <<noun>> as read. Fill in: a field for each fact, with the IAM actions that read and write it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Facts)]
pub struct <<Noun>> {
    /// Its policy, byte for byte.
    #[fact(read("<<name>>:Get<<Noun>>Policy"), write("<<name>>:Put<<Noun>>Policy"))]
    pub policy: Observed<String>,
    /// Its tags; none reads as an empty map.
    #[fact(tags, read("<<name>>:ListTagsForResource"))]
    pub tags: Observed<Tags>,
}

/// <<Nouns>>. The classification of the data is in their tags. Fill in: CloudFormation's name of the type, the calls that make and
/// delete one.
pub const TYPE: ResourceType<<<Noun>>> = ResourceType {
    name: "AWS::<<NAME>>::<<Noun>>",
    arn_form: "<<name>>:{r}:{a}:{n}",
    source: SOURCE,
    always: &[<<Noun>>Fact::Tags],
    list_actions: &["<<name>>:List<<Nouns>>"],
    creates: &["Create<<Noun>>"],
    deletes: &["Delete<<Noun>>"],
    named,
    identified: |id, location| Resource::named(TYPE.name, "<<name>>", "", id, location),
    ..ResourceType::REGIONAL
};

/// Fill in: the parameters by which calls name one.
fn named(call: &Call) -> Result<Vec<Resource>, EventError> {
    let name = call.parameter("<<noun>>Name")?.or_else(|| call.resources.first().cloned());
    let name = name.ok_or_else(|| EventError::Missing("requestParameters.<<noun>>Name".into()))?;
    let found = (TYPE.identified)(&name, &call.place());
    found
        .map(|found| vec![found])
        .ok_or_else(|| EventError::parameter("<<noun>>Name", "a <<noun>>'s name", &name.into()))
}
"""

AWS = """\
//! Talking to AWS: the only file of this function that does.

use std::collections::BTreeSet;

use aws_sdk_<<name>>::Client;
use portcullis_core::{Location, Resource};
use portcullis_runtime::{Adapter, AwsError, Handler, Page, Regional, SdkConfig};

use crate::controls::<<NOUNS>>;
use crate::<<noun>>::{<<Noun>>, <<Noun>>Change, <<Noun>>Fact};

/// The resource types of this function, with the SDK behind them.
pub async fn serve(config: SdkConfig) -> Vec<Box<dyn Handler>> {
    let client = Regional::new(&config, Client::new);
    vec![portcullis_runtime::serve(<<NOUNS>>, Aws { client })]
}

struct Aws {
    client: Regional<Client>,
}

impl Adapter for Aws {
    type State = <<Noun>>;

    async fn observe(&self, resource: &Resource, facts: &BTreeSet<<<Noun>>Fact>) -> Result<Option<<<Noun>>>, AwsError> {
        // Fill in: read the facts that are asked for, each by its call; `None` where there is no such resource.
        let _ = (self.client.of(&resource.region), facts);
        Ok(None)
    }

    async fn list(&self, location: &Location, from: Option<String>) -> Result<Page, AwsError> {
        // Fill in: a page of all <<nouns>> of the location.
        let _ = (self.client.of(&location.region), from);
        Ok(Page {
            resources: Vec::new(),
            next: None,
        })
    }

    async fn execute(&self, resource: &Resource, change: &<<Noun>>Change) -> Result<(), AwsError> {
        // Fill in: the call that makes each change.
        let _ = self.client.of(&resource.region);
        match change {
            <<Noun>>Change::Policy(_) => Ok(()),
        }
    }
}
"""

CONTROLS = """\
//! One file a control, named after it. A new one is another line here.

use portcullis_core::{Control, Typed};

use crate::<<noun>>::{<<Noun>>, TYPE};

/// <<Nouns>> with their controls.
pub const <<NOUNS>>: Typed<<<Noun>>> = Typed::new(&TYPE, <<NOUN>>);

/// The controls of <<nouns>>, in the order in which their remedies build on each other.
const <<NOUN>>: &[Control<<<Noun>>>] = &[
];
"""

VIOLATIONS = """\
//! A violation of each control of <<NAME>>, and what its sample events come to.
//!
//! What is right afterwards is what AWS documents. Fill in: the pages of AWS's documentation.
#![allow(clippy::unwrap_used, clippy::panic, reason = "this is test support: a panic is how a test fails")]

use portcullis_testkit::ServiceUnderTest;

/// <<NAME>> as the tests know it. Fill in: a sample for each event in `events/<<name>>`.
pub const SERVICE: ServiceUnderTest = ServiceUnderTest {
    service: crate::service,
    violations: &[
    ],
    samples: &[],
    ways: &[],
};
"""

STACK = """\
# What the function of <<NAME>> has of its own in template.yaml, whose other parts are in deploy/. <<reads>> and <<writes>> are the
# actions that the controls need and no other statement here names. `make docs` writes the template anew.

Description: Keeps <<NAME>> <<nouns>> closed and encrypted

# The types of which AWS Config has configuration items.
RecordedTypes: ["AWS::<<NAME>>::<<Noun>>"]

Observe:
  - Sid: Observe
    Effect: Allow
    Action:
      # <<reads>>
    Resource: !Sub arn:${AWS::Partition}:<<name>>:${AWS::Region}:${AWS::AccountId}:*

Remediate:
  - Sid: Remediate
    Effect: Allow
    Action:
      # <<writes>>
    Resource: !Sub arn:${AWS::Partition}:<<name>>:${AWS::Region}:${AWS::AccountId}:*
"""

CONTROL = """\
//! # What it requires
//! Fill in.
//!
//! # Why
//! Fill in.
//!
//! # What it changes
//! Fill in.
//!
//! # What may break
//! Fill in.
//!
//! # References
//! Fill in.

use portcullis_controls::prelude::*;

use crate::<<module>>::<<Noun>>;

pub const CONTROL: Control<<<Noun>>> = Control {
    meta: Meta {
        id: "<<id>>",
        title: "Fill in",
        severity: Severity::Medium,
        impact: Impact::Nothing,
        default: Switch::Notify,
        standards: &[],
        calls: &[],
    },
    reads: &[],
    changes: &[],
    judge: &|_<<noun>>, _context| Judgement::Compliant,
};
"""

VIOLATION = """\
violation!("<<id>>", |world: portcullis_testkit::World| {
    let fill_in = |_| -> portcullis_testkit::Arranged { panic!("make a resource, leave it insecure, say what is right then") };
    fill_in(world)
}),
"""


def insert(text: str, before: int, addition: str) -> str:
    return text[:before] + addition + text[before:]


def new_service(root: Path, name: str, noun: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]+", name):
        raise Refused(f"expected a service's name in small letters, as in sns, found {name!r}")
    if not re.fullmatch(r"([A-Z][a-z0-9]+)+", noun):
        raise Refused(f"expected a resource type's name, as in Topic, found {noun!r}")
    folder = root / "functions" / name
    if folder.exists():
        raise Refused(f"functions/{name} is there already")
    words = {
        "name": name,
        "NAME": name.upper(),
        "Noun": noun,
        "Nouns": plural(noun),
        "noun": snake(noun),
        "nouns": plural(snake(noun)).replace("_", " "),
        "NOUN": snake(noun).upper(),
        "NOUNS": plural(snake(noun)).upper(),
    }
    files = {
        "Cargo.toml": CARGO,
        "stack.yaml": STACK,
        "src/main.rs": MAIN,
        "src/lib.rs": LIB,
        "src/aws.rs": AWS,
        "src/violations.rs": VIOLATIONS,
        "src/controls/mod.rs": CONTROLS,
        f"src/{words['noun']}.rs": TYPE,
    }
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(fill(text, **words))
    (root / "events" / name).mkdir(parents=True, exist_ok=True)
    catalog = root / "shared/catalog"
    source = (catalog / "src/lib.rs").read_text()
    (catalog / "src/lib.rs").write_text(insert(source, source.index("}\n", source.index("\nservices! {")), f"    portcullis_{name},\n"))
    cargo = (catalog / "Cargo.toml").read_text()
    dependency = f'portcullis-{name} = {{ path = "../../functions/{name}", default-features = false }}\n'
    cargo = insert(cargo, cargo.index("\n[features]"), dependency)
    cargo = insert(cargo, cargo.index("]\n", cargo.index("violations = [")), f'    "portcullis-{name}/violations",\n')
    (catalog / "Cargo.toml").write_text(cargo)


def new_control(root: Path, identifier: str, noun: str | None) -> None:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", identifier):
        raise Refused(f"expected a control's id, as in sqs-queue-encrypted, found {identifier!r}")
    folder = root / "functions" / identifier.split("-")[0] / "src"
    if not folder.exists():
        raise Refused(f"{identifier!r} begins with no service in functions/")
    name = identifier.replace("-", "_")
    file = folder / "controls" / f"{name}.rs"
    if file.exists():
        raise Refused(f"{file.relative_to(root)} is there already")
    path = folder / "controls/mod.rs"
    text = path.read_text()
    lists = {found[1]: found for found in re.finditer(r"const \w+: &\[Control<(\w+)>\] = &\[(.*?)\];", text, re.DOTALL)}
    if noun is None and len(lists) == 1:
        noun = next(iter(lists))
    if noun not in lists:
        raise Refused(f"expected TYPE=… with one of {', '.join(sorted(lists))}, found {noun}")
    module = re.search(rf"use crate::(\w+)::[^;]*\b{noun}\b", text)
    if module is None:
        raise Refused(f"{path.relative_to(root)} says nowhere where {noun} is from")
    listed = lists[noun][2].rstrip()
    comma = "" if not listed or listed.endswith(",") else ","
    text = insert(text, lists[noun].end(2), f"{comma}{name}::CONTROL,")
    modules = [found for found in re.finditer(r"^mod (\w+);\n", text, re.MULTILINE)]
    after = [found for found in modules if found[1] > name]
    where = after[0].start() if after else modules[-1].end() if modules else text.index("use ")
    controls = insert(text, where, f"mod {name};\n" + ("" if modules else "\n"))
    violations = folder / "violations.rs"
    text = violations.read_text()
    found = re.search(r"violations: &\[|const VIOLATIONS: &\[Violation\] = &\[", text)
    if found is None:
        raise Refused(f"{violations.relative_to(root)} has no list of violations")
    text = insert(text, found.end(), "\n" + fill(VIOLATION, id=identifier))
    if not re.search(r"\bviolation\b[,}]", text):
        text = text.replace("use portcullis_testkit::ServiceUnderTest;", "use portcullis_testkit::{ServiceUnderTest, violation};")
    path.write_text(controls)
    file.write_text(fill(CONTROL, id=identifier, Noun=noun, noun=snake(noun), module=module[1]))
    violations.write_text(text)


def main(arguments: list[str], root: Path = ROOT) -> str | None:
    """What went wrong, if anything did."""
    try:
        match arguments:
            case ["service", name, noun]:
                new_service(root, name, noun)
            case ["control", identifier, *noun] if len(noun) < 2:
                new_control(root, identifier, noun[0] if noun else None)
            case _:
                return __doc__
    except Refused as why:
        return f"{why}; nothing was written"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
