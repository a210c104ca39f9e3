//! A short tour: insecure buckets become safe. `make demo` runs it on a local AWS; it refuses to run against any other.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

use std::io::IsTerminal;
use std::process::ExitCode;

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

struct Tour {
    world: World,
    function: Function,
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
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let mut tour = Tour {
        world,
        function,
        paint: Paint(colours),
        rows: Vec::new(),
    };
    println!("{}", tour.paint.bold("Portcullis: insecure buckets become safe"));
    println!(
        "A local AWS at {endpoint}; the real Lambda binary, in enforce mode; CloudTrail events as EventBridge delivers them."
    );

    tour.bare().await;
    let undo = tour.public_policy().await;
    tour.public_acl().await;
    tour.weak_encryption().await;
    tour.quarantine().await;
    tour.restore(undo).await;
    tour.summary()
}

impl Tour {
    async fn bare(&mut self) {
        let bucket = self.world.bucket("bare").await;
        let wrong =
            "a bucket without a public access block, open to uploads under keys that only the uploader has (SSE-C)";
        self.scene("CreateBucket", wrong, &bucket, false, |after| {
            after["block"] == "all four" && after["encryption"].contains("blocks SSE-C")
        })
        .await;
    }

    async fn public_policy(&mut self) -> (Bucket, String) {
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
            .scene("PutBucketPolicy", wrong, &bucket, false, |after| {
                after["policy"].contains("Partner") && !after["policy"].contains("Everybody")
            })
            .await;
        let record = alert.json["ledger_id"].as_str().unwrap_or_default().to_owned();
        (bucket, record)
    }

    async fn public_acl(&mut self) {
        let bucket = self.world.bucket("acl").await;
        bucket.put_ownership("ObjectWriter").await;
        bucket.put_canned_acl("public-read").await;
        let wrong = "an access control list that lets everybody list the bucket";
        self.scene("PutBucketAcl", wrong, &bucket, false, |after| {
            !after["acl"].contains("AllUsers")
        })
        .await;
    }

    async fn weak_encryption(&mut self) {
        let bucket = self.world.bucket("payroll").await;
        bucket.classify("confidential").await;
        bucket.put_encryption("AES256", None, false, &[]).await;
        let wrong = "tagged DataClassification=confidential, encrypted with less than the settings ask for that";
        self.scene("PutBucketEncryption", wrong, &bucket, true, |after| {
            after["encryption"] == "aws:kms bucket-key blocks SSE-C"
        })
        .await;
    }

    async fn quarantine(&mut self) {
        let bucket = self.world.bucket("medical").await;
        bucket.classify("restricted").await;
        bucket.put_block([false; 4]).await;
        bucket.put_policy(everybody(&bucket)).await;
        let wrong = "restricted data, open to everybody: closed off at once, for people to look at";
        self.scene("PutBucketPublicAccessBlock", wrong, &bucket, false, |after| {
            after["block"] == "all four" && after["policy"].contains("PortcullisQuarantine")
        })
        .await;
    }

    /// Undoes the second scene, and shows that its event does not redo it.
    async fn restore(&mut self, (bucket, record): (Bucket, String)) {
        let before = bucket.snapshot().await;
        let invocation = self.function.invoke(json!({"restore": record, "by": "ana"})).await;
        let after = bucket.snapshot().await;
        let wrong = "somebody needs the public statement of scene 2 back, and answers for it";
        self.show("restore", wrong, &before, &after);
        let alert = self.told().await;
        let samples = samples::in_folder("s3");
        let event = samples::moved(&samples["PutBucketPolicy"], &self.world, &bucket.name, "");
        let again = self.function.invoke(event).await;
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

    /// Sends the sample event of a call about a bucket, and shows what came of it.
    async fn scene(
        &mut self,
        call: &str,
        wrong: &str,
        bucket: &Bucket,
        whole_alert: bool,
        is_safe: impl FnOnce(&Snapshot) -> bool,
    ) -> Message {
        let samples = samples::in_folder("s3");
        let event: Value = samples::moved(&samples[call], &self.world, &bucket.name, "");
        let before = bucket.snapshot().await;
        let invocation = self.function.invoke(event).await;
        let after = bucket.snapshot().await;
        self.show(call, wrong, &before, &after);
        let alert = self.told().await;
        if whole_alert {
            for line in alert.text.lines().filter(|line| !line.is_empty()) {
                println!("    {} {line}", self.paint.dim("|"));
            }
        }
        self.row(call, &invocation, &alert, is_safe(&after));
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
            "\n{:<27} {:<52} {:<12} {:<8} {:>9} {:>5}",
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
                "{:<27} {finding:<52} {:<12} {verified} {:>9} {:>5}",
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

fn nothing_told() -> Message {
    eprintln!("demo: expected an alert, and none came");
    std::process::exit(1)
}
