//! Small text helpers shared by error messages: suggestions and the reading of serde's messages.

/// The candidate closest to `given`, if one is close enough to be a likely misspelling.
#[must_use]
pub fn closest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&given, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(given.len()) / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

/// `; did you mean 'x'?` for the closest candidate, or nothing.
#[must_use]
pub fn suggestion<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    closest(given, candidates)
        .map(|name| format!("; did you mean '{name}'?"))
        .unwrap_or_default()
}

/// Adds a suggestion to serde's ``unknown field `x`, expected one of `a`, `b` `` message.
#[must_use]
pub fn suggest_in_serde_message(message: &str) -> String {
    let Some(rest) = message
        .split("unknown field `")
        .nth(1)
        .or_else(|| message.split("unknown variant `").nth(1))
    else {
        return message.to_owned();
    };
    let mut ticked = rest.split('`');
    let given = ticked.next().unwrap_or_default();
    let candidates: Vec<&str> = ticked.skip(1).step_by(2).collect();
    format!("{message}{}", suggestion(given, candidates))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_close() {
        assert_eq!(closest("RunAz", ["RunAs", "Supervisor"]), Some("RunAs"));
        assert_eq!(closest("Colour", ["RunAs", "Supervisor"]), None);
    }

    #[test]
    fn reads_candidates_from_serde_messages() {
        let message = "unknown field `entrypiont`, expected one of `content`, `entrypoint` at line 3";
        assert!(suggest_in_serde_message(message).ends_with("did you mean 'entrypoint'?"));
    }
}
