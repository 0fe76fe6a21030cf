//! How many verifiers reject a key.

words! {
    only_of_this_server = "Only verifiers that report to this server are counted.";
}

/// How many of the verifiers reject a key, and for how long. `since`: microseconds.
pub fn refused_by(reached: usize, all: usize, since: Option<i64>) -> String {
    let verifiers = if all == 1 { "verifier" } else { "verifiers" };
    match since.filter(|_| reached > 0) {
        None => format!("Rejected by {reached} of {all} {verifiers}."),
        Some(since) => format!("Rejected by {reached} of {all} {verifiers} for {}.", duration(since)),
    }
}

/// Says that some verifiers don't report.
pub fn silent(verifiers: usize) -> String {
    match verifiers {
        1 => "1 verifier has stopped reporting; it asks Latchkey about every request, or rejects it.".to_owned(),
        _ => format!(
            "{verifiers} verifiers have stopped reporting; they ask Latchkey about every request, or reject it."
        ),
    }
}

/// Returns a duration in its largest unit, to a tenth of a second below a minute.
fn duration(micros: i64) -> String {
    let tenths = micros.max(0) / 100_000;
    match tenths / 10 {
        0..60 => format!("{}.{} s", tenths / 10, tenths % 10),
        seconds @ 60..3_600 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_how_many_and_since_when() {
        for (reached, all, since, sentence) in [
            (3, 3, Some(240_000), "Rejected by 3 of 3 verifiers for 0.2 s."),
            (1, 1, Some(59_999_999), "Rejected by 1 of 1 verifier for 59.9 s."),
            (2, 3, Some(125_000_000), "Rejected by 2 of 3 verifiers for 2 min."),
            (2, 3, Some(7_300_000_000), "Rejected by 2 of 3 verifiers for 2 h."),
            (0, 2, None, "Rejected by 0 of 2 verifiers."),
        ] {
            assert_eq!(refused_by(reached, all, since), sentence);
        }
    }
}
