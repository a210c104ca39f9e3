//! What settings may say and hardly mean.

use jiff::{SignedDuration, Timestamp};
use portcullis_core::Settings;
use portcullis_core::settings::{Place, SettingsError, locate};
use serde::Serialize;

/// An exemption is looked at again after so long, at the latest.
const LONGEST: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);
/// For fewer days than these nothing can be looked up, nor undone, after a holiday.
const SHORTEST_RETENTION: u16 = 30;

/// What is to be said of one setting.
#[derive(Debug, Serialize)]
pub struct Note {
    #[serde(flatten)]
    pub place: Place,
    /// None where it is about the text as a whole.
    pub setting: Option<String>,
    pub message: String,
}

impl From<&SettingsError> for Note {
    fn from(error: &SettingsError) -> Self {
        Self {
            place: error.place(),
            setting: error.path().map(ToOwned::to_owned),
            message: error.what().to_owned(),
        }
    }
}

pub fn of(yaml: &str, settings: &Settings, now: Timestamp) -> Vec<Note> {
    let mut notes: Vec<Note> = said_of(settings, now)
        .into_iter()
        .map(|(path, message)| Note {
            place: locate(yaml, &path),
            setting: Some(path),
            message,
        })
        .collect();
    notes.sort_by_key(|note| note.place);
    notes
}

fn said_of(settings: &Settings, now: Timestamp) -> Vec<(String, String)> {
    let mut said = Vec::new();
    let mut say = |path: String, message: &str| said.push((path, message.to_owned()));
    for (at, exemption) in settings.exemptions.iter().enumerate() {
        let path = |field: &str| format!("exemptions[{at}].{field}");
        if exemption.until <= now {
            say(
                path("until"),
                "it has ended, so nothing is exempt by it; take the exemption out or renew it",
            );
        } else if exemption.until.duration_since(now) > LONGEST {
            say(
                path("until"),
                "it holds for more than two years, in which nobody is asked whether its reason still does; choose an earlier end",
            );
        }
        for (field, text) in [("reason", &exemption.reason), ("owner", &exemption.owner)] {
            if is_placeholder(text) {
                say(
                    path(field),
                    "it is a placeholder; say who answers for it, and why, in words that will do in a year",
                );
            }
        }
        if exemption.control == "*" && exemption.i_mean_everything {
            say(
                path("i-mean-everything"),
                "it exempts from all controls whatever its pattern matches",
            );
        }
    }
    if settings.restore.hold_days == 0 {
        say(
            "restore.hold-days".into(),
            "a restore leaves no hold: the next event, or the nightly sweep, puts right again what it brought back",
        );
    }
    if settings.notifications.reminder_days == 0 {
        say(
            "notifications.reminder-days".into(),
            "each event and each sweep tells again what is known and still open",
        );
    }
    if settings.ledger.retention_days < SHORTEST_RETENTION {
        say(
            "ledger.retention-days".into(),
            "what was changed can be looked up, and undone, for so few days only; 400 is the default",
        );
    }
    match settings.budget.disruptive_per_hour {
        None => say(
            "budget.disruptive-per-hour".into(),
            "there is no limit to how much may be disturbed in an hour",
        ),
        Some(0) => say(
            "budget.disruptive-per-hour".into(),
            "nothing that may disturb anybody is ever put right",
        ),
        Some(_) => {}
    }
    said
}

/// What alerts and examples have where somebody is to write something.
fn is_placeholder(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    text.chars().all(|letter| !letter.is_alphanumeric())
        || ["todo", "tbd", "xxx", "reason", "owner", "why"].contains(&text.as_str())
}
