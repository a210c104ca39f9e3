//! A short tour: insecure buckets, snapshots and security groups become safe. `make demo` runs it on a local AWS; it refuses to run against any other.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

use std::io::IsTerminal;
use std::process::ExitCode;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, Filter, IpPermission, IpRange, PermissionGroup,
    SnapshotAttributeName,
};
use portcullis_testkit::{Endpoint, Function, Invocation, Message};
use portcullis_tests::{Bucket, Snapshot, Subject, World, samples};
use serde_json::{Value, json};

/// What a scene came to, for the table at the end.
struct Row {
    event: String,
    finding: String,
    action: String,
    verified: bool,
    calls: usize,
    milliseconds: u128,
}

/// Colours, where somebody looks who wants them.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// What happens in a scene, and who handles it.
struct Scene<'a> {
    function: &'a Function,
    call: &'a str,
    wrong: &'a str,
    event: Value,
    whole_alert: bool,
}

struct Tour {
    world: World,
    ec2: Client,
    paint: Paint,
    rows: Vec<Row>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let endpoint = match std::env::var("PORTCULLIS_LOCAL_AWS") {
        Ok(url) => url.parse::<Endpoint>().map_err(|refused| refused.to_string()),
        Err(_) => Err("it runs on a local AWS, which `make demo` starts".to_owned()),
    };
    let endpoint = match endpoint {
        Ok(endpoint) => endpoint,
        Err(why) => {
            eprintln!("demo: {why}");
            return ExitCode::from(2);
        }
    };
    let world = World::in_region(samples::REGION).await;
    let function = world.function().start().await;
    let of_ec2 = Function::new("portcullis-ec2", &world.aws).deployment(&world.stack);
    let of_ec2 = of_ec2.region(&world.region).mode("enforce").start().await;
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let mut tour = Tour {
        ec2: Client::new(&world.aws.sdk_config_in(&world.region)),
        world,
        paint: Paint(colours),
        rows: Vec::new(),
    };
    println!("{}", tour.paint.bold("Portcullis: what was left open becomes safe"));
    println!(
        "A local AWS at {endpoint}; the real Lambda binaries, in enforce mode; CloudTrail events as EventBridge delivers them."
    );

    tour.bare(&function).await;
    let undo = tour.public_policy(&function).await;
    tour.public_acl(&function).await;
    tour.weak_encryption(&function).await;
    tour.quarantine(&function).await;
    tour.public_snapshot(&of_ec2).await;
    tour.open_group(&of_ec2).await;
    tour.plain_volumes(&of_ec2).await;
    tour.restore(&function, undo).await;
    tour.summary()
}

impl Tour {
    async fn bare(&mut self, function: &Function) {
        let bucket = self.world.bucket("bare").await;
        let wrong =
            "a bucket without a public access block, open to uploads under keys that only the uploader has (SSE-C)";
        self.scene(function, "CreateBucket", (wrong, false), &bucket, |after| {
            after["block"] == "all four" && after["encryption"].contains("blocks SSE-C")
        })
        .await;
    }

    async fn public_policy(&mut self, function: &Function) -> (Bucket, String) {
        let bucket = self.world.bucket("policy").await;
        let (arn, account) = (bucket.arn(), self.world.aws.account().to_owned());
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Sid": "Partner", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:role/Partner")},
             "Action": "s3:GetObject", "Resource": format!("{arn}/partner/*")},
            {"Sid": "Everybody", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{arn}/*")},
        ]});
        bucket.put_policy(policy.to_string()).await;
        let wrong = "one statement for a partner, as it should be, and one that lets everybody read";
        let alert = self
            .scene(function, "PutBucketPolicy", (wrong, false), &bucket, |after| {
                after["policy"].contains("Partner") && !after["policy"].contains("Everybody")
            })
            .await;
        let record = alert.json["ledger_id"].as_str().unwrap_or_default().to_owned();
        (bucket, record)
    }

    async fn public_acl(&mut self, function: &Function) {
        let bucket = self.world.bucket("acl").await;
        bucket.put_ownership("ObjectWriter").await;
        bucket.put_canned_acl("public-read").await;
        let wrong = "an access control list that lets everybody list the bucket";
        self.scene(function, "PutBucketAcl", (wrong, false), &bucket, |after| {
            !after["acl"].contains("AllUsers")
        })
        .await;
    }

    async fn weak_encryption(&mut self, function: &Function) {
        let bucket = self.world.bucket("payroll").await;
        bucket.classify("confidential").await;
        bucket.put_encryption("AES256", None, false, &[]).await;
        let wrong = "tagged DataClassification=confidential, encrypted with less than the settings ask for that";
        self.scene(function, "PutBucketEncryption", (wrong, true), &bucket, |after| {
            after["encryption"] == "aws:kms bucket-key blocks SSE-C"
        })
        .await;
    }

    async fn quarantine(&mut self, function: &Function) {
        let bucket = self.world.bucket("medical").await;
        bucket.classify("restricted").await;
        bucket.put_block([false; 4]).await;
        bucket.put_policy(everybody(&bucket)).await;
        let wrong = "restricted data, open to everybody: closed off at once, for people to look at";
        self.scene(
            function,
            "PutBucketPublicAccessBlock",
            (wrong, false),
            &bucket,
            |after| after["block"] == "all four" && after["policy"].contains("PortcullisQuarantine"),
        )
        .await;
    }

    /// Undoes the second scene, and shows that its event does not redo it.
    async fn restore(&mut self, function: &Function, (bucket, record): (Bucket, String)) {
        let before = bucket.snapshot().await;
        let invocation = function.invoke(json!({"restore": record, "by": "ana"})).await;
        let after = bucket.snapshot().await;
        let wrong = "somebody needs the public statement of scene 2 back, and answers for it";
        self.show("restore", wrong, &before, &after);
        let alert = self.told().await;
        let samples = samples::in_folder("s3");
        let event = samples::moved(
            &samples["PutBucketPolicy"],
            &self.world,
            &[("quarterly-reports", &bucket.name)],
        );
        let again = function.invoke(event).await;
        let held = bucket.snapshot().await == after;
        println!(
            "  {:<11} the same event again: {}",
            "then",
            self.paint.green(if held {
                "held for 7 days, nothing changed"
            } else {
                "changed again"
            })
        );
        self.row(
            "restore",
            &invocation,
            &alert,
            held && again.result.is_ok() && after["policy"].contains("Everybody"),
        );
    }

    async fn public_snapshot(&mut self, function: &Function) {
        let zone = format!("{}a", self.world.region);
        let volume = expected(self.ec2.create_volume().availability_zone(zone).size(1).send().await);
        let copy = self.ec2.create_snapshot().set_volume_id(volume.volume_id);
        let id = expected(copy.send().await).snapshot_id.unwrap_or_default();
        let partner = CreateVolumePermission::builder().user_id("444455556666").build();
        let everybody = CreateVolumePermission::builder().group(PermissionGroup::All).build();
        let with = CreateVolumePermissionModifications::builder()
            .add(partner)
            .add(everybody);
        let share = self.ec2.modify_snapshot_attribute().snapshot_id(&id);
        let share = share.attribute(SnapshotAttributeName::CreateVolumePermission);
        expected(share.create_volume_permission(with.build()).send().await);
        let scene = Scene {
            function,
            call: "ModifySnapshotAttribute",
            wrong: "a copy of a disk, shared with a partner and then with everybody",
            event: self.of_ec2("ModifySnapshotAttribute", ("snap-0d9f3a5e7c414b8e9", &id)),
            whole_alert: false,
        };
        let ec2 = self.ec2.clone();
        let shared = async || {
            let attribute = SnapshotAttributeName::CreateVolumePermission;
            let of = ec2.describe_snapshot_attribute().snapshot_id(&id).attribute(attribute);
            let entries = expected(of.send().await).create_volume_permissions.unwrap_or_default();
            let all = |one: &CreateVolumePermission| one.group.as_ref().map(|_| "everybody".to_owned());
            let names = entries
                .iter()
                .filter_map(|one| all(one).or_else(|| one.user_id.clone()));
            Snapshot([("shared with", sorted(names))].into())
        };
        self.play(scene, shared, |after| after["shared with"] == "444455556666")
            .await;
    }

    async fn open_group(&mut self, function: &Function) {
        let vpc = expected(self.ec2.create_vpc().cidr_block("10.0.0.0/16").send().await).vpc;
        let vpc = vpc.and_then(|vpc| vpc.vpc_id).unwrap_or_default();
        let create = self.ec2.create_security_group().group_name("web").description("web");
        let id = expected(create.vpc_id(vpc).send().await).group_id.unwrap_or_default();
        for (port, from) in [(443, "0.0.0.0/0"), (22, "10.0.0.0/8"), (22, "0.0.0.0/0")] {
            let range = IpRange::builder().cidr_ip(from).build();
            let rule = IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port);
            let call = self.ec2.authorize_security_group_ingress().group_id(&id);
            expected(call.ip_permissions(rule.ip_ranges(range).build()).send().await);
        }
        let scene = Scene {
            function,
            call: "AuthorizeSecurityGroupIngress",
            wrong: "HTTPS for everybody and SSH for the office, as it should be, and SSH for everybody",
            event: self.of_ec2("AuthorizeSecurityGroupIngress", ("sg-0c4d1e709f162a6b8", &id)),
            whole_alert: false,
        };
        let ec2 = self.ec2.clone();
        let let_in = async || {
            let of = Filter::builder().name("group-id").values(&id).build();
            let rules = expected(ec2.describe_security_group_rules().filters(of).send().await);
            let rules = rules.security_group_rules.unwrap_or_default().into_iter();
            let rules = rules.filter(|rule| rule.is_egress != Some(true)).map(|rule| {
                let (port, from) = (rule.from_port.unwrap_or(-1), rule.cidr_ipv4.unwrap_or_default());
                format!("{port} from {from}")
            });
            Snapshot([("lets in", sorted(rules))].into())
        };
        self.play(scene, let_in, |after| {
            after["lets in"] == "22 from 10.0.0.0/8, 443 from 0.0.0.0/0"
        })
        .await;
    }

    async fn plain_volumes(&mut self, function: &Function) {
        let scene = Scene {
            function,
            call: "DisableEbsEncryptionByDefault",
            wrong: "new volumes of the whole region would be unencrypted",
            event: self.of_ec2("DisableEbsEncryptionByDefault", ("", "")),
            whole_alert: false,
        };
        let ec2 = self.ec2.clone();
        let by_default = async || {
            let on = expected(ec2.get_ebs_encryption_by_default().send().await).ebs_encryption_by_default;
            let text = if on == Some(true) { "encrypted" } else { "unencrypted" };
            Snapshot([("new volumes", text.to_owned())].into())
        };
        self.play(scene, by_default, |after| after["new volumes"] == "encrypted")
            .await;
    }

    /// The sample event of a call of EC2, about a resource of the tour.
    fn of_ec2(&self, call: &str, (sample, own): (&str, &str)) -> Value {
        let text = &samples::in_folder("ec2")[call];
        let text = if sample.is_empty() {
            text.clone()
        } else {
            text.replace(sample, own)
        };
        samples::moved(&text, &self.world, &[])
    }

    /// Sends the sample event of a call about a bucket, and shows what came of it.
    async fn scene(
        &mut self,
        function: &Function,
        call: &str,
        (wrong, whole_alert): (&str, bool),
        bucket: &Bucket,
        is_safe: impl FnOnce(&Snapshot) -> bool,
    ) -> Message {
        let samples = samples::in_folder("s3");
        let scene = Scene {
            function,
            call,
            wrong,
            event: samples::moved(&samples[call], &self.world, &[("quarterly-reports", &bucket.name)]),
            whole_alert,
        };
        self.play(scene, async || bucket.snapshot().await, is_safe).await
    }

    /// Sends an event, and shows what came of it.
    async fn play(
        &mut self,
        scene: Scene<'_>,
        look: impl AsyncFn() -> Snapshot,
        is_safe: impl FnOnce(&Snapshot) -> bool,
    ) -> Message {
        let before = look().await;
        let invocation = scene.function.invoke(scene.event).await;
        let after = look().await;
        self.show(scene.call, scene.wrong, &before, &after);
        let alert = self.told().await;
        if scene.whole_alert {
            for line in alert.text.lines().filter(|line| !line.is_empty()) {
                println!("    {} {line}", self.paint.dim("|"));
            }
        }
        self.row(scene.call, &invocation, &alert, is_safe(&after));
        alert
    }

    fn show(&self, call: &str, wrong: &str, before: &Snapshot, after: &Snapshot) {
        let title = format!("{}. {call}", self.rows.len() + 1);
        println!("{}: {wrong}", self.paint.bold(&title));
        for (fact, now) in after.0.iter().filter(|(fact, now)| before[fact] != **now) {
            let (was, is) = (shown(fact, &before[fact]), shown(fact, now));
            println!("  {fact:<11} {} -> {}", self.paint.red(&was), self.paint.green(&is));
        }
    }

    /// The newest alert, with its subject printed.
    async fn told(&self) -> Message {
        let alert = self.world.alerts().await.pop().unwrap_or_else(nothing_told);
        println!("  {:<11} {}", "alert", alert.subject);
        alert
    }

    fn row(&mut self, event: &str, invocation: &Invocation, alert: &Message, verified: bool) {
        // The worst of it, as in the subject.
        let told = alert.json["controls"].as_array().map(Vec::as_slice).unwrap_or_default();
        let severity = |one: &Value| {
            ["LOW", "MEDIUM", "HIGH", "CRITICAL"]
                .iter()
                .position(|&name| one["severity"] == name)
        };
        let worst = told
            .iter()
            .rev()
            .max_by_key(|one| severity(one))
            .cloned()
            .unwrap_or_default();
        let finding = worst["summary"]
            .as_str()
            .and_then(|text| text.split(':').next())
            .unwrap_or_default();
        let more = match told.len() {
            0 | 1 => String::new(),
            all => format!(" (+{})", all - 1),
        };
        self.rows.push(Row {
            event: event.to_owned(),
            finding: format!("{finding}{more}"),
            action: worst["outcome"].as_str().unwrap_or_default().to_owned(),
            verified: verified && invocation.result.is_ok(),
            calls: invocation.calls.len(),
            milliseconds: invocation.duration.as_millis(),
        });
    }

    fn summary(&self) -> ExitCode {
        let head = format!(
            "\n{:<29} {:<52} {:<12} {:<8} {:>9} {:>5}",
            "event", "finding", "action", "verified", "AWS calls", "ms"
        );
        println!("{}", self.paint.bold(&head));
        for row in &self.rows {
            let verified = format!("{:<8}", if row.verified { "yes" } else { "NO" });
            let verified = if row.verified {
                self.paint.green(&verified)
            } else {
                self.paint.red(&verified)
            };
            let finding: String = row.finding.chars().take(52).collect();
            println!(
                "{:<29} {finding:<52} {:<12} {verified} {:>9} {:>5}",
                row.event, row.action, row.calls, row.milliseconds
            );
        }
        if self.rows.iter().all(|row| row.verified) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Lets everybody read.
fn everybody(bucket: &Bucket) -> String {
    let statement = json!({
        "Sid": "Everybody", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": format!("{}/*", bucket.arn()),
    });
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

/// A fact in a few words: of a policy, the names of its statements.
fn shown(fact: &str, text: &str) -> String {
    let policy: Option<Value> = (fact == "policy").then(|| serde_json::from_str(text).ok()).flatten();
    let Some(policy) = policy else {
        return text.to_owned();
    };
    let name = |statement: &Value| {
        let (effect, sid) = (statement["Effect"].as_str(), statement["Sid"].as_str());
        format!("{} {}", effect.unwrap_or_default(), sid.unwrap_or("(unnamed)"))
    };
    let names: Vec<_> = policy["Statement"].as_array().into_iter().flatten().map(name).collect();
    names.join(", ")
}

/// In a fixed order, as one text.
fn sorted(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.join(", ")
}

/// What the local AWS answered, or the end of the demo.
fn expected<T, E: std::fmt::Debug>(answer: Result<T, E>) -> T {
    answer.unwrap_or_else(|error| {
        eprintln!("demo: expected the local AWS to do this, found {error:?}");
        std::process::exit(1)
    })
}

fn nothing_told() -> Message {
    eprintln!("demo: expected an alert, and none came");
    std::process::exit(1)
}
