//! Each violation, and each sample event, of each service is a test of its own: `round_trip::s3-bucket-website`,
//! `sample::s3::PutBucketAcl`. A round trip goes under the permissions of the function's own role.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use portcullis_testkit::{Answered as _, Sample, ServiceUnderTest, World, controls_in, samples};
use portcullis_tests::privileges::{all_ways, judged};
use portcullis_tests::{SERVICES, template};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for service in SERVICES {
        for &violation in service.violations {
            trials.push(trial(format!("round_trip::{}", violation.control), async move {
                let arranged = (violation.arrange)(World::new().await).await;
                service.round_trip(violation.control, &arranged).await;
                let verdict = judged(service, &[arranged.world().clone()], None).await;
                assert_eq!(
                    verdict.denied, [""; 0],
                    "calls that the role in the template does not allow"
                );
            }));
        }
        for &sample in service.samples {
            trials.push(trial(
                format!("sample::{}::{}", service.name(), sample.call),
                answered(service, sample),
            ));
        }
        trials.push(trial(format!("complete::{}", service.name()), async {
            complete(service);
        }));
        trials.push(trial(
            format!("least_privilege::{}", service.name()),
            least_privilege(service),
        ));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test with a runtime of its own; it fails by a panic.
fn trial(name: String, test: impl Future<Output = ()> + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(test);
        Ok(())
    })
}

/// Every control has a violation, and every call a sample event that says what it comes to. The Lambda has none of it.
fn complete(service: &'static ServiceUnderTest) {
    let controls: Vec<_> = service.controls().into_iter().map(|meta| meta.id).collect();
    let mut violated: Vec<_> = service.violations.iter().map(|one| one.control).collect();
    violated.sort_unstable();
    let mut sorted = controls.clone();
    sorted.sort_unstable();
    assert_eq!(violated, sorted, "one violation for each control of {}", service.name());

    let listings = (service.service)().types;
    let calls: BTreeSet<_> = listings.iter().flat_map(|listing| listing.calls()).collect();
    let files = samples::in_folder(service.name());
    assert_eq!(
        calls,
        files.keys().map(String::as_str).collect(),
        "events/{}",
        service.name()
    );
    assert_eq!(calls, service.samples.iter().map(|sample| sample.call).collect());
    assert_eq!(calls.len(), service.samples.len(), "no call twice");

    let manifest = template::root()
        .join("functions")
        .join(service.name())
        .join("Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    assert!(manifest.contains("\ndefault = [\"aws\"]\n") && manifest.contains("\nviolations = [\"aws\", "));
}

/// A sample event is answered as its call deserves, by the packed settings in enforce mode.
async fn answered(service: &'static ServiceUnderTest, sample: Sample) {
    let world = World::new().await;
    let text = &samples::in_folder(service.name())[sample.call];
    let event = serde_json::from_str(text).expect("a sample is JSON");
    let (_, event) = service
        .staged(&world, &event)
        .await
        .expect("a sample names what it is about");
    let function = service.function(&world).start().await;
    let done = function.invoke(event).await;
    let mut outcomes = BTreeMap::new();
    let answer = done.answer();
    let resources = answer["resources"]
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![answer.clone()]);
    for resource in &resources {
        outcomes.extend(controls_in(resource));
    }
    // What is told only, and what AWS takes its time for, has two words each; the violations' own tests know which.
    let common = |outcome: &str| match outcome {
        "needs-action" => "would-remediate".to_owned(),
        "remediating" => "remediated".to_owned(),
        other => other.to_owned(),
    };
    for outcome in outcomes.values_mut() {
        *outcome = common(outcome);
    }
    let expected = sample.comes_to.into_iter().flat_map(|(outcome, ids)| {
        let full = |id: &str| (format!("{}-{id}", service.prefix()), common(outcome));
        ids.split_whitespace().map(full).collect::<Vec<_>>()
    });
    assert_eq!(outcomes, expected.collect(), "{answer}");
}

/// All that the role allows is needed by something that the function does, and the judge is awake.
async fn least_privilege(service: &'static ServiceUnderTest) {
    let worlds = all_ways(service).await;
    let verdict = judged(service, &worlds, None).await;
    assert_eq!(
        verdict.denied, [""; 0],
        "calls that the role in the template does not allow"
    );
    assert_eq!(
        verdict.unneeded, [""; 0],
        "actions that the role allows and nothing needs"
    );
    assert!(verdict.used.len() > 10, "{verdict:?}");

    // An action taken away is missed, one too many is seen.
    let taken = &verdict.used[verdict.used.len() / 2];
    let weakened = template::translated().to_string();
    let weakened = weakened.replace(&format!("\"{taken}\""), "\"s3:PutObject\"");
    let weakened = serde_json::from_str(&weakened).expect("still JSON");
    let verdict = judged(service, &worlds, Some(&weakened)).await;
    assert!(
        verdict.denied.iter().any(|one| one.starts_with(taken)),
        "{taken}: {verdict:?}"
    );
    assert!(verdict.unneeded.contains(&"s3:PutObject".to_owned()), "{verdict:?}");
}
