//! `portcullis guardrails --explain`: per control what prevents, what stays, what may break.

use std::io::Write;
use std::process::ExitCode;

use portcullis_guardrails::{PreventedBy, Prevention, Tier, prevention};

use crate::controls::table;
use crate::error::Error;

pub fn run(json: bool, out: &mut impl Write) -> Result<ExitCode, Error> {
    let all = all()?;
    if json {
        serde_json::to_writer_pretty(&mut *out, &all)?;
        writeln!(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![["ID", "", "PREVENTED BY", "STAYS WITH THE FUNCTION"].map(str::to_owned)];
    for found in &all {
        let by: Vec<_> = found.prevented_by.iter().map(name).collect();
        let by = if by.is_empty() { "–".to_owned() } else { by.join(", ") };
        let stays = if found.stays.is_empty() { "–" } else { found.stays };
        rows.push([
            found.control.clone(),
            found.verdict.name().to_owned(),
            by,
            stays.to_owned(),
        ]);
    }
    table(out, &rows)?;
    writeln!(out, "\nWhat they may break:")?;
    let mut told = Vec::new();
    let by = all.iter().flat_map(|found| &found.prevented_by);
    for by in by.filter(|by| !by.breaks.is_empty()) {
        if !told.contains(&by.name) {
            told.push(by.name);
            writeln!(out, "  {}: {}", name(by), by.breaks)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn all() -> Result<Vec<Prevention>, Error> {
    let controls = portcullis_catalog::controls().into_iter();
    controls.map(|meta| of(meta.id)).collect()
}

/// What is prevented of a control that exists.
fn of(control: &str) -> Result<Prevention, Error> {
    prevention(control).ok_or_else(|| {
        Error::Refused(format!(
            "{control}: expected what stays with its function, in shared/guardrails/src/prevention.rs, found nothing"
        ))
    })
}

fn name(by: &PreventedBy) -> String {
    match by.tier {
        Tier::Default => by.name.to_owned(),
        tier => format!("{} ({})", by.name, tier.name()),
    }
}

/// The line of a control's page.
pub fn line(control: &str) -> Result<String, Error> {
    let found = of(control)?;
    let by: Vec<_> = found
        .prevented_by
        .iter()
        .map(|by| {
            let tier = match by.tier {
                Tier::Default => String::new(),
                tier => format!(", `--tier {}`", tier.name()),
            };
            format!("`{}` ({}{tier})", by.name, by.policy)
        })
        .collect();
    let stays = found.stays;
    let text = match (by.is_empty(), stays.is_empty()) {
        (true, _) => format!("Repaired only. What nothing prevents: {stays}."),
        (false, true) => format!("Prevented by {}.", by.join(", ")),
        (false, false) => format!(
            "Prevented by {}, and repaired. What nothing prevents: {stays}.",
            by.join(", ")
        ),
    };
    let breaking = found.prevented_by.iter().filter(|by| !by.breaks.is_empty());
    let breaks: Vec<_> = breaking.map(|by| format!("{} ({})", by.breaks, by.name)).collect();
    Ok(if breaks.is_empty() {
        text
    } else {
        format!("{text} That may break {}.", breaks.join("; "))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use portcullis_core::Service;
    use portcullis_guardrails::{EC2_POLICY, Exempt, Kind, S3_POLICY, controls_with_a_line, guardrails};

    #[test]
    fn each_control_has_its_line_and_no_line_is_of_a_control_that_is_gone() {
        let controls: BTreeSet<_> = portcullis_catalog::controls().iter().map(|meta| meta.id).collect();
        let lines: BTreeSet<_> = controls_with_a_line().collect();
        assert_eq!(controls, lines, "shared/guardrails/src/prevention.rs");
    }

    #[test]
    fn a_statement_names_controls_that_exist_or_whose_service_does_not_yet() {
        let controls: BTreeSet<_> = portcullis_catalog::controls().iter().map(|meta| meta.id).collect();
        let services: Vec<_> = portcullis_catalog::services()
            .iter()
            .map(|service| service.name)
            .collect();
        let of_statements = guardrails().flat_map(|guardrail| guardrail.controls);
        for control in of_statements.chain(EC2_POLICY.controls).chain(S3_POLICY.controls) {
            let exists = services.iter().any(|name| control.starts_with(&format!("{name}-")));
            assert!(controls.contains(control) || !exists, "{control}");
        }
    }

    #[test]
    fn what_portcullis_does_itself_is_stopped_by_no_service_control_policy() {
        let writes: BTreeSet<_> = portcullis_catalog::services()
            .iter()
            .flat_map(Service::writes)
            .collect();
        let bound = guardrails()
            .filter(|guardrail| guardrail.kind == Kind::ServiceControl && guardrail.exempt != Exempt::Exempt);
        let stopped: BTreeSet<_> = bound
            .flat_map(|guardrail| guardrail.actions.iter().map(|action| (guardrail.sid, *action)))
            .filter(|(_, action)| {
                let (start, _) = action.split_once('*').unwrap_or((action, ""));
                writes.iter().any(|write| {
                    if action.contains('*') {
                        write.starts_with(start)
                    } else {
                        write == action
                    }
                })
            })
            .collect();
        // Of its calls only a restore could share a snapshot with everybody again, which nobody may.
        assert_eq!(stopped, [("SnapshotPublic", "ec2:ModifySnapshotAttribute")].into());
    }
}
