//! When an event whose handling failed is looked at again.

use std::time::Duration;

use jiff::Timestamp;

use crate::error::Failure;

/// The longest wait between two tries: an outage is over at most so long before the last event of it is handled.
const LONGEST: Duration = Duration::from_mins(15);

/// What could not be put right, though AWS answered, is tried so often: a person was told at the first.
const TRIES: u32 = 3;

/// How long until a message that was received so often is looked at again; none where looking again can't help.
pub fn again(failure: &Failure, receives: u32, now: Timestamp) -> Option<Duration> {
    let each = |seconds: u64| Duration::from_secs(seconds * u64::from(receives)).min(Duration::from_mins(1));
    match failure {
        Failure::Event(_) | Failure::NotFromQueue | Failure::ForeignAccount { .. } | Failure::ForeignRegion { .. } => {
            None
        }
        Failure::Busy { until, .. } => {
            let left = u64::try_from(until - now.as_millisecond()).unwrap_or_default();
            Some(Duration::from_millis(left).clamp(Duration::from_secs(1), Duration::from_mins(1)))
        }
        Failure::NotVisibleYet { .. } | Failure::LostRace(_) => Some(each(5)),
        Failure::Unverified { .. } => Some(each(10)),
        Failure::NotRemediated { .. } => (receives < TRIES).then(|| Duration::from_mins(u64::from(receives))),
        _ => Some(LONGEST.min(Duration::from_secs(10 << receives.saturating_sub(1).min(10)))),
    }
}

#[cfg(test)]
mod tests {
    use portcullis_core::EventError;

    use super::*;
    use crate::error::{AwsError, Kind};

    fn outage() -> Failure {
        Failure::Ledger(AwsError {
            operation: "Query",
            code: "InternalServerError".into(),
            message: String::new(),
            kind: Kind::Transient,
        })
    }

    #[test]
    fn an_outage_is_asked_about_ever_more_seldom() {
        let now = Timestamp::now();
        let waits: Vec<_> = (1..=9).filter_map(|receives| again(&outage(), receives, now)).collect();
        let seconds: Vec<_> = waits.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(again(&outage(), u32::MAX, now), Some(LONGEST));
    }

    /// Each message waits by itself, so that how many there are changes nothing but the load.
    #[test]
    fn of_an_outage_of_six_hours_nothing_comes_near_its_last_try() {
        const OUTAGE: u64 = 6 * 60 * 60;
        const MOST_RECEIVES: u32 = 48; // deploy/function.yaml
        for event in 0..200 {
            let mut now = event * OUTAGE / 200;
            let mut receives = 1;
            while now < OUTAGE {
                now += again(&outage(), receives, Timestamp::now()).unwrap().as_secs();
                receives += 1;
            }
            assert!(receives < MOST_RECEIVES * 2 / 3, "{receives}");
            assert!(now - OUTAGE <= LONGEST.as_secs());
        }
    }

    #[test]
    fn who_is_busy_says_until_when() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let busy = |until: i64| Failure::Busy {
            resource: "arn".into(),
            until: now.as_millisecond() + until,
        };
        let seconds = |until| again(&busy(until), 1, now).map(|wait| wait.as_millis());
        assert_eq!(seconds(20_000), Some(20_000));
        assert_eq!(seconds(-5), Some(1000));
        assert_eq!(seconds(600_000), Some(60_000));
    }

    #[test]
    fn what_can_t_help_is_not_tried_again() {
        let now = Timestamp::now();
        let refused = Failure::Event(EventError::Missing("detail".into()));
        assert_eq!(again(&refused, 1, now), None);
        assert_eq!(again(&Failure::NotFromQueue, 1, now), None);
        let told = Failure::NotRemediated {
            outcomes: Vec::new(),
            resource: "arn".into(),
            controls: Vec::new(),
            why: String::new(),
        };
        let tries: Vec<_> = (1..=3).map(|receives| again(&told, receives, now).is_some()).collect();
        assert_eq!(tries, [true, true, false]);
    }
}
