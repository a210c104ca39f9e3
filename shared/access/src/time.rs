//! Dates in conditions: W3C forms of ISO 8601, or seconds since 1970.
//!
//! Source: IAM User Guide, "Condition operators", date operators.

/// Seconds since 1970, or `None` if it is no date.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        // A bare year is a date too; epoch values are far larger.
        if text.len() != 4 {
            return seconds.is_finite().then_some(seconds);
        }
    }
    let (date, clock) = text
        .split_once(['T', 't'])
        .map_or((text, None), |(date, clock)| (date, Some(clock)));
    let mut fields = date.split('-');
    let year: i64 = fields.next()?.parse().ok()?;
    let month: i64 = fields.next().map_or(Some(1), |field| field.parse().ok())?;
    let day: i64 = fields.next().map_or(Some(1), |field| field.parse().ok())?;
    if fields.next().is_some() || !(0..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day)
    {
        return None;
    }
    let seconds = days(year, month, day) * 86_400;
    #[allow(clippy::cast_precision_loss)] // years up to 9999 fit a double exactly
    Some(seconds as f64 + clock.map_or(Some(0.0), time_of_day)?)
}

fn time_of_day(clock: &str) -> Option<f64> {
    let (clock, offset) = if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        (clock, 0.0)
    } else if let Some(at) = clock.rfind(['+', '-']) {
        let (hours, minutes) = clock[at + 1..].split_once(':').unwrap_or((&clock[at + 1..], "0"));
        let offset = hours.parse::<f64>().ok()? * 3600.0 + minutes.parse::<f64>().ok()? * 60.0;
        (
            &clock[..at],
            if clock.as_bytes()[at] == b'-' { -offset } else { offset },
        )
    } else {
        (clock, 0.0)
    };
    let mut total = 0.0;
    for (field, unit) in clock.split(':').zip([3600.0, 60.0, 1.0]) {
        total += field.parse::<f64>().ok()? * unit;
    }
    Some(total - offset)
}

/// Days since 1970-01-01 in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn dates_in_every_form() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0.0)),
            ("2020-01-01T00:00:00Z", Some(1_577_836_800.0)),
            ("2020-01-01", Some(1_577_836_800.0)),
            ("2020", Some(1_577_836_800.0)),
            ("2000-03-01T01:00:00+01:00", Some(951_868_800.0)),
            ("1577836800", Some(1_577_836_800.0)),
            ("soon", None),
            ("2020-13-01", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
