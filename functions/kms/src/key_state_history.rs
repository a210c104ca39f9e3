//! Whether a key was disabled before its deletion was scheduled: AWS does not tell, so the calls that said so are remembered.
//! They may arrive in any order; what counts is when they were made.

use portcullis_core::settings::Switch;
use portcullis_core::{JudgeContext, Meta, RememberedCall};

use crate::key::{DISABLE, ENABLE, KeyState};

/// Whether a key was disabled before its deletion was scheduled, as far as is known. Where no call tells, it was enabled. `control`
/// tells of disabled keys.
pub fn was_disabled(context: &JudgeContext<'_>, control: &Meta) -> bool {
    let memory = context.history;
    let enabled = memory.calls.get(ENABLE);
    let disabled = memory.calls.get(DISABLE);
    // What was told of a control that is off now is not kept up to date.
    let told = memory.violated.get(control.id);
    let told = told.filter(|_| context.settings.switch(control) != Switch::Off);
    if let Some(told) = told {
        let ended = |enabled: &RememberedCall| {
            let after_it = disabled.is_some_and(|disabled| disabled.made < enabled.made);
            enabled.heard > *told && (enabled.made > *told || after_it)
        };
        return !enabled.is_some_and(ended);
    }
    disabled.is_some_and(|disabled| {
        let since = |moment| moment > disabled.made;
        !enabled.is_some_and(|enabled| since(enabled.made))
            && !memory.remedied.get(control.id).is_some_and(|at| since(*at))
    })
}

/// What a key whose deletion was cancelled should have come back to, where the event that says so arrived only afterwards. Not
/// where settings have each disabled key enabled, by `control`. `cancels` is the control that cancels deletions.
pub fn known_too_late(context: &JudgeContext<'_>, control: &Meta, cancels: &str) -> Option<KeyState> {
    let memory = context.history;
    let cancelled = memory.remedied.get(cancels)?;
    let disabled = memory.calls.get(DISABLE)?;
    let (last, state) = if was_disabled(context, control) {
        (disabled, KeyState::Disabled)
    } else if disabled.heard < *cancelled {
        (memory.calls.get(ENABLE)?, KeyState::Enabled)
    } else {
        // Then it was enabled at the cancellation: if it is disabled now, somebody did that since.
        return None;
    };
    let late = last.made < *cancelled && *cancelled < last.heard;
    (late && context.settings.switch(control) != Switch::Enforce).then_some(state)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use portcullis_core::{History, Settings};

    use super::*;
    use crate::controls::{DISABLED, SCHEDULED};
    use crate::key::tests::{remembering, scoped};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Calls as the moments at which they were made and heard of; then when a disabled key was told, when one was enabled by
    /// its control, and when a deletion was cancelled.
    fn knowing(calls: &[(&str, i64, i64)], told: Option<i64>, enabled: Option<i64>, cancelled: Option<i64>) -> History {
        let heard = |&(call, made, heard): &(&str, i64, i64)| {
            let (made, heard) = (at(made), at(heard));
            (call.to_owned(), RememberedCall { made, heard })
        };
        let of = |id: &str, moment: Option<i64>| moment.map(|second| (id.to_owned(), at(second)));
        History {
            calls: calls.iter().map(heard).collect(),
            violated: of(DISABLED.id, told).into_iter().collect(),
            remedied: of(DISABLED.id, enabled)
                .into_iter()
                .chain(of(SCHEDULED.id, cancelled))
                .collect(),
            ..History::default()
        }
    }

    #[test]
    fn the_last_call_before_the_deletion_says_what_the_key_was() {
        let cases = [
            ("nothing is known", knowing(&[], None, None, None), false),
            ("disabled", knowing(&[(DISABLE, 1, 9)], None, None, None), true),
            ("enabled", knowing(&[(ENABLE, 1, 9)], None, None, None), false),
            (
                "enabled again",
                knowing(&[(DISABLE, 1, 9), (ENABLE, 2, 10)], None, None, None),
                false,
            ),
            (
                "the same, out of order",
                knowing(&[(DISABLE, 1, 10), (ENABLE, 2, 9)], None, None, None),
                false,
            ),
            (
                "disabled again",
                knowing(&[(ENABLE, 1, 10), (DISABLE, 2, 9)], None, None, None),
                true,
            ),
            (
                "within one second",
                knowing(&[(ENABLE, 1, 9), (DISABLE, 1, 9)], None, None, None),
                true,
            ),
            (
                "enabled by its control",
                knowing(&[(DISABLE, 1, 3)], None, Some(4), None),
                false,
            ),
            (
                "disabled after that",
                knowing(&[(DISABLE, 5, 6)], None, Some(4), None),
                true,
            ),
            ("found disabled", knowing(&[], Some(5), None, None), true),
            (
                "found disabled, whatever was before",
                knowing(&[(DISABLE, 1, 2), (ENABLE, 3, 4)], Some(5), None, None),
                true,
            ),
            (
                "found disabled, then enabled",
                knowing(&[(ENABLE, 6, 7)], Some(5), None, None),
                false,
            ),
            (
                "told while pending, then the enabling arrived",
                knowing(&[(DISABLE, 1, 5), (ENABLE, 2, 6)], Some(5), None, None),
                false,
            ),
            (
                "told, then the enabling before it arrived",
                knowing(&[(DISABLE, 2, 5), (ENABLE, 1, 6)], Some(5), None, None),
                true,
            ),
        ];
        for (what, memory, expected) in cases {
            assert_eq!(
                remembering(&memory, |context| was_disabled(context, DISABLED)),
                expected,
                "{what}"
            );
        }
    }

    #[test]
    fn what_is_not_judged_any_more_is_not_believed() {
        let mut settings = Settings::default();
        settings.controls.entry(DISABLED.id.into()).or_default().mode = Some(Switch::Off);
        let old = knowing(&[], Some(5), None, None);
        assert!(!scoped(&settings, &old, |context| was_disabled(context, DISABLED)));
        let disabled = knowing(&[(DISABLE, 1, 9)], None, None, None);
        assert!(
            scoped(&settings, &disabled, |context| was_disabled(context, DISABLED)),
            "calls are remembered all the same"
        );
    }

    #[test]
    fn only_what_was_heard_too_late_makes_the_state_wrong() {
        let late = |calls: &[(&str, i64, i64)], cancelled: Option<i64>| knowing(calls, None, None, cancelled);
        let (disabled, enabled) = (Some(KeyState::Disabled), Some(KeyState::Enabled));
        let cases = [
            (
                "heard after the cancellation",
                late(&[(DISABLE, 1, 9)], Some(5)),
                disabled,
            ),
            ("heard before", late(&[(DISABLE, 1, 4)], Some(5)), None),
            ("made after", late(&[(DISABLE, 6, 9)], Some(5)), None),
            ("nothing was cancelled", late(&[(DISABLE, 1, 9)], None), None),
            (
                "enabled again, heard too late",
                late(&[(DISABLE, 1, 4), (ENABLE, 2, 9)], Some(5)),
                enabled,
            ),
            (
                "enabled, and nobody disabled it",
                late(&[(ENABLE, 2, 9)], Some(5)),
                None,
            ),
            (
                "enabled since, by a person",
                late(&[(DISABLE, 1, 9), (ENABLE, 7, 10)], Some(5)),
                None,
            ),
        ];
        for (what, memory, expected) in cases {
            assert_eq!(
                remembering(&memory, |context| known_too_late(context, DISABLED, SCHEDULED.id)),
                expected,
                "{what}"
            );
        }
        let mut settings = Settings::default();
        settings.mode = portcullis_core::settings::Mode::Enforce;
        settings.controls.entry(DISABLED.id.into()).or_default().mode = Some(Switch::Enforce);
        let known = late(&[(DISABLE, 1, 9)], Some(5));
        assert_eq!(
            scoped(&settings, &known, |context| known_too_late(
                context,
                DISABLED,
                SCHEDULED.id
            )),
            None,
            "it would be enabled at once"
        );
    }
}
