use proptest::prelude::*;

use super::*;

fn installed(versions: &[&str]) -> Vec<Installation> {
    versions
        .iter()
        .map(|version| Installation {
            version: (*version).to_owned(),
            path: format!("/opt/x/{version}/bin/x"),
        })
        .collect()
}

fn wanted(version: Option<&str>, requires: Option<&str>, matching: Matching) -> Wanted {
    let need = LanguageNeed {
        version: version.map(str::to_owned),
        requires: requires.map(str::to_owned),
        matching,
        off: false,
    };
    Wanted::read(LanguageName::Python, &need).unwrap()
}

fn chosen(wanted: &Wanted, versions: &[&str]) -> Option<String> {
    wanted
        .choose(&installed(versions))
        .ok()
        .map(|choice| choice.installation.version)
}

/// Proves: EX3 (L, P)
#[test]
fn nearest_takes_the_documented_order() {
    for (asked, versions, expected) in [
        ("4.3.0", &["4.2.3", "4.3.1", "4.4.0"][..], "4.3.1"),
        ("3.8.13", &["3.8.8", "3.9.5"], "3.8.8"),
        ("0.9.105", &["1.3.450", "1.4.553"], "1.3.450"),
        ("4.3.2", &["4.3.1", "4.3.2", "4.3.3"], "4.3.2"),
        ("4.3.2", &["4.3.1", "4.3.3"], "4.3.3"),
        ("4.3.2", &["4.3.1", "4.3.4"], "4.3.1"),
        ("4.1.0", &["4.10.0", "4.2.0"], "4.2.0"),
        ("4.1", &["4.10", "4.1.3"], "4.1.3"),
        ("4.10.0", &["4.1.0", "4.9.2"], "4.9.2"),
        ("5.0.0", &["3.6.3", "4.4.1", "4.0.5"], "4.4.1"),
        ("4.4", &["4.4.0", "4.4.1"], "4.4.0"),
    ] {
        let wanted = wanted(Some(asked), None, Matching::Nearest);
        assert_eq!(
            chosen(&wanted, versions).as_deref(),
            Some(expected),
            "asked {asked}"
        );
    }
}

/// Proves: EX3 (L, P)
#[test]
fn major_minor_takes_any_patch_and_nothing_else() {
    let wanted = wanted(Some("3.8.13"), None, Matching::MajorMinor);
    assert_eq!(
        chosen(&wanted, &["3.9.1", "3.8.8", "3.8.1"]).as_deref(),
        Some("3.8.8")
    );
    let refusal = wanted.choose(&installed(&["3.9.1", "3.9.18"])).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "it has Python 3.9.1 and 3.9.18, and matching 'major-minor' needs a 3.8 for 3.8.13"
    );
}

/// Proves: EX3 (L, P)
#[test]
fn exact_takes_the_very_version() {
    let wanted = wanted(Some("3.8.13"), None, Matching::Exact);
    assert_eq!(chosen(&wanted, &["3.8.14", "3.8.13"]).as_deref(), Some("3.8.13"));
    assert_eq!(
        wanted.choose(&installed(&["3.8.14"])).unwrap_err().to_string(),
        "it has Python 3.8.14, and matching 'exact' needs 3.8.13 itself"
    );
    assert_eq!(wanted.choose(&[]).unwrap_err().to_string(), "it has no Python");
}

/// Proves: EX3 (L, P)
#[test]
fn requires_wins_over_version_and_mode() {
    let versions = ["3.8.13", "3.9.5", "3.11.2", "3.12.4"];
    for (version, requires, expected) in [
        (Some("3.8.13"), ">=3.9", Some("3.9.5")),
        (Some("3.8.13"), "~=3.11.0", Some("3.11.2")),
        (Some("3.12.1"), "<3.12", Some("3.11.2")),
        (None, ">=3.9,<3.12", Some("3.11.2")),
        (Some("3.8.13"), ">=3.13", None),
    ] {
        for mode in [Matching::Nearest, Matching::MajorMinor, Matching::Exact] {
            let wanted = wanted(version, Some(requires), mode);
            assert_eq!(
                chosen(&wanted, &versions).as_deref(),
                expected,
                "{requires} {mode:?}"
            );
        }
    }
    let refusal = wanted(None, Some(">=3.13"), Matching::Nearest)
        .choose(&installed(&["3.9.5"]))
        .unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "it has Python 3.9.5, and the content requires '>=3.13'"
    );
}

/// Proves: EX3 (L, P)
#[test]
fn prereleases_are_taken_only_where_nothing_else_fits() {
    let release = wanted(Some("3.13.0"), None, Matching::Nearest);
    assert_eq!(
        chosen(&release, &["3.13.0rc1", "3.13.9"]).as_deref(),
        Some("3.13.9")
    );
    assert_eq!(
        chosen(&release, &["3.14.0rc1", "3.14.1"]).as_deref(),
        Some("3.14.1")
    );
    assert_eq!(chosen(&release, &["3.13.0rc1"]).as_deref(), Some("3.13.0rc1"));
    let prerelease = wanted(Some("3.13.0rc2"), None, Matching::Nearest);
    assert_eq!(
        chosen(&prerelease, &["3.13.0rc2", "3.13.0"]).as_deref(),
        Some("3.13.0rc2")
    );
    let any = wanted(None, Some(">=3.12"), Matching::MajorMinor);
    assert_eq!(chosen(&any, &["3.12.1", "3.14.0b1"]).as_deref(), Some("3.12.1"));
}

/// Proves: EX3 (L, P)
#[test]
fn the_choice_explains_itself() {
    for (version, requires, versions, sentence) in [
        (
            Some("3.8.13"),
            None,
            &["3.8.8"][..],
            "Python 3.8.8 is the closest 3.8 to 3.8.13",
        ),
        (
            Some("3.8"),
            None,
            &["3.8.0"],
            "Python 3.8.0 is the version asked for",
        ),
        (
            Some("3.8.1"),
            None,
            &["3.9.0"],
            "Python 3.9.0 is the next one above 3.8.1",
        ),
        (
            Some("3.8.1"),
            None,
            &["3.7.0"],
            "Python 3.7.0 is the highest one below 3.8.1",
        ),
        (
            None,
            None,
            &["3.7.0", "3.11.0"],
            "Python 3.11.0 is the highest there, as the content names no version",
        ),
        (
            Some("3.8.1"),
            Some(">=3.9"),
            &["3.9.2"],
            "Python 3.9.2 satisfies '>=3.9' and is the next one above 3.8.1",
        ),
    ] {
        let choice = wanted(version, requires, Matching::Nearest)
            .choose(&installed(versions))
            .unwrap();
        assert_eq!(choice.explanation, sentence);
    }
}

#[test]
fn an_unreadable_need_names_language_and_text() {
    let need = |version: Option<&str>, requires: Option<&str>| LanguageNeed {
        version: version.map(str::to_owned),
        requires: requires.map(str::to_owned),
        matching: Matching::Nearest,
        off: false,
    };
    let error = Wanted::read(LanguageName::R, &need(Some("devel"), None)).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the content's R version 'devel' is not"),
        "{error}"
    );
    let error = Wanted::read(LanguageName::Python, &need(None, Some("^3.9"))).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the content's 'requires' of Python '^3.9' is not"),
        "{error}"
    );
}

fn versions() -> impl Strategy<Value = Vec<String>> {
    let version =
        (0u64..5, 0u64..12, 0u64..12).prop_map(|(major, minor, patch)| format!("{major}.{minor}.{patch}"));
    proptest::collection::vec(version, 1..8)
}

proptest! {
    /// Proves: EX3 (L, P)
    #[test]
    fn nearest_always_chooses_one_of_the_installed(asked in versions(), present in versions()) {
        let present: Vec<&str> = present.iter().map(String::as_str).collect();
        let choice = chosen(&wanted(Some(&asked[0]), None, Matching::Nearest), &present);
        prop_assert!(present.contains(&choice.unwrap().as_str()));
    }

    /// Proves: EX3 (L, P)
    #[test]
    fn stricter_modes_never_leave_their_bounds(asked in versions(), present in versions()) {
        let present: Vec<&str> = present.iter().map(String::as_str).collect();
        let asked = asked[0].as_str();
        let exact = chosen(&wanted(Some(asked), None, Matching::Exact), &present);
        prop_assert_eq!(exact.as_deref(), present.contains(&asked).then_some(asked));
        let minor = Version::parse(asked).unwrap().major_minor();
        let choice = chosen(&wanted(Some(asked), None, Matching::MajorMinor), &present);
        let possible = present.iter().any(|found| Version::parse(found).unwrap().major_minor() == minor);
        prop_assert_eq!(choice.is_some(), possible);
        prop_assert!(choice.is_none_or(|found| Version::parse(&found).unwrap().major_minor() == minor));
    }

    /// Proves: EX3 (L, P)
    #[test]
    fn the_order_of_installations_does_not_matter(asked in versions(), present in versions(), turn in 0usize..8) {
        let wanted = wanted(Some(&asked[0]), None, Matching::Nearest);
        let mut present: Vec<&str> = present.iter().map(String::as_str).collect();
        let first = chosen(&wanted, &present);
        let places = present.len();
        present.rotate_left(turn % places);
        prop_assert_eq!(&chosen(&wanted, &present), &first);
        present.reverse();
        prop_assert_eq!(&chosen(&wanted, &present), &first);
    }
}
