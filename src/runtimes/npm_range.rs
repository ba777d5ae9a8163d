//! Ranges of versions as `package.json` writes them, in the words of PEP 440: `^20.1 || >=22 <25` (EX3).

/// The alternatives of a range, each a PEP 440 specifier; `None` where it is no range.
pub(super) fn alternatives(range: &str) -> Option<Vec<String>> {
    range.split("||").map(alternative).collect()
}

fn alternative(text: &str) -> Option<String> {
    let mut bounds = Vec::new();
    if let Some((low, high)) = text.split_once(" - ") {
        comparator(">=", low.trim(), &mut bounds)?;
        comparator("<=", high.trim(), &mut bounds)?;
        return Some(bounds.join(","));
    }
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        let version = word.trim_start_matches(['<', '>', '=', '~', '^']);
        let operator = &word[..word.len() - version.len()];
        // `>= 20` is written as well as `>=20`.
        let version = if version.is_empty() {
            words.next()?
        } else {
            version
        };
        comparator(operator, version, &mut bounds)?;
    }
    Some(bounds.join(","))
}

/// A version of which only the first numbers may be given: `20`, `20.x`, `v20.1.2`.
struct Partial {
    given: usize,
    numbers: [u64; 3],
}

impl Partial {
    fn parse(text: &str) -> Option<Self> {
        let release = text.trim_start_matches('v').split(['-', '+']).next()?;
        let mut partial = Self {
            given: 0,
            numbers: [0; 3],
        };
        for part in release.split('.') {
            if matches!(part, "x" | "X" | "*") {
                break;
            }
            *partial.numbers.get_mut(partial.given)? = part.parse().ok()?;
            partial.given += 1;
        }
        Some(partial)
    }

    fn lowest(&self) -> String {
        let [major, minor, patch] = self.numbers;
        format!("{major}.{minor}.{patch}")
    }

    /// The first version in which the number at `place` is another one.
    fn next(&self, place: usize) -> String {
        let mut numbers = [0; 3];
        numbers[..=place].copy_from_slice(&self.numbers[..=place]);
        numbers[place] += 1;
        let [major, minor, patch] = numbers;
        format!("{major}.{minor}.{patch}")
    }

    /// The place that `^` lets stay as it is: the first that is not 0.
    fn caret(&self) -> usize {
        let place = self.numbers.iter().position(|number| *number > 0);
        place.unwrap_or(2).min(self.given - 1)
    }
}

fn comparator(operator: &str, version: &str, bounds: &mut Vec<String>) -> Option<()> {
    let partial = Partial::parse(version)?;
    if partial.given == 0 {
        return Some(());
    }
    let (last, lowest) = (partial.given - 1, partial.lowest());
    let whole = partial.given == 3;
    let between = |place: usize| vec![format!(">={lowest}"), format!("<{}", partial.next(place))];
    bounds.extend(match operator {
        ">=" => vec![format!(">={lowest}")],
        "<" => vec![format!("<{lowest}")],
        ">" if whole => vec![format!(">{lowest}")],
        ">" => vec![format!(">={}", partial.next(last))],
        "<=" if whole => vec![format!("<={lowest}")],
        "<=" => vec![format!("<{}", partial.next(last))],
        "~" | "~>" => between(last.min(1)),
        "^" => between(partial.caret()),
        "" | "=" if whole => vec![format!("=={lowest}")],
        "" | "=" => between(last),
        _ => return None,
    });
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: EX3 (L, P)
    #[test]
    fn every_form_of_a_range_is_understood() {
        for (range, wanted) in [
            ("20", ">=20.0.0,<21.0.0"),
            ("20.x", ">=20.0.0,<21.0.0"),
            ("v20.1.2", "==20.1.2"),
            ("=20.1", ">=20.1.0,<20.2.0"),
            (">=18 <21", ">=18.0.0,<21.0.0"),
            (">= 18.3", ">=18.3.0"),
            (">20.1", ">=20.2.0"),
            ("<=20", "<21.0.0"),
            ("~20.1.3", ">=20.1.3,<20.2.0"),
            ("~20", ">=20.0.0,<21.0.0"),
            ("^20.1.3", ">=20.1.3,<21.0.0"),
            ("^0.12.3", ">=0.12.3,<0.13.0"),
            ("18.1 - 20", ">=18.1.0,<21.0.0"),
            ("*", ""),
            ("20.0.0-rc.1", "==20.0.0"),
        ] {
            assert_eq!(
                alternatives(range).as_deref(),
                Some(&[wanted.to_owned()][..]),
                "{range}"
            );
        }
        let either = alternatives("^20.0.0 || >=22").unwrap();
        assert_eq!(either, [">=20.0.0,<21.0.0", ">=22.0.0"]);
    }

    /// Proves: EX3 (L, P)
    #[test]
    fn what_is_no_range_is_none() {
        for text in ["lts/*", "latest", ">=", "20.1.2.3", "!=20", ">=18,<21"] {
            assert_eq!(alternatives(text), None, "{text}");
        }
    }
}
