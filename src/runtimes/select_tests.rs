use proptest::prelude::*;

use super::*;
use crate::runtimes::{LanguageNeed, Matching, parse};

fn runtimes(yaml: &str) -> Runtimes {
    parse(yaml, "runtimes.yaml").unwrap()
}

const SERVER: &str = "
- name: img/r42
  r: {installations: [{version: 4.2.3, path: /R42}]}
- name: img/old
  r: {installations: [{version: 4.3.1, path: /R43}]}
  python: {installations: [{version: 3.8.8, path: /py38}]}
- name: img/new
  r: {installations: [{version: 4.3.3, path: /R433}, {version: 4.4.1, path: /R44}]}
  python: {installations: [{version: 3.9.18, path: /py39}, {version: 3.12.4, path: /py312}]}
- name: img/drivers
  matching: exact
  supervisor: /bin/sup -v
  r: {installations: [{version: 4.3.0, path: /R430}]}
  python: {installations: [{version: 3.8.13, path: /py3813}]}
- name: img/off
  matching: none
  r: {installations: [{version: 4.3.0, path: /R430}]}
  python: {installations: [{version: 3.8.13, path: /py3813}]}
";

fn needs(r: Option<&str>, python: Option<&str>) -> Needs {
    let need = |version: &str, matching| LanguageNeed {
        version: Some(version.to_owned()),
        requires: None,
        matching,
        off: false,
    };
    let r = r.map(|version| (LanguageName::R, need(version, Matching::Nearest)));
    let python = python.map(|version| (LanguageName::Python, need(version, Matching::MajorMinor)));
    Needs {
        languages: r.into_iter().chain(python).collect(),
        ..Needs::default()
    }
}

fn chosen(needs: &Needs) -> String {
    select(needs, &runtimes(SERVER)).unwrap().runtime
}

/// Proves: EX5 (P)
#[test]
fn the_order_is_job_manifest_default_best() {
    let mut needs = needs(Some("4.3.0"), Some("3.8.13"));
    assert_eq!(chosen(&needs), "img/old");
    needs.content_default = Some("img/drivers".to_owned());
    assert_eq!(chosen(&needs), "img/drivers");
    needs.named_by_manifest = Some("img/old".to_owned());
    assert_eq!(chosen(&needs), "img/old");
    needs.named_by_job = Some("img/drivers".to_owned());
    let choice = select(&needs, &runtimes(SERVER)).unwrap();
    assert_eq!(choice.runtime, "img/drivers");
    assert_eq!(choice.supervisor, ["/bin/sup", "-v"]);
    assert_eq!(choice.interpreters[&LanguageName::Python].path, "/py3813");
}

/// Proves: EX5 (P)
#[test]
fn every_language_must_be_there() {
    assert_eq!(chosen(&needs(Some("4.2.3"), None)), "img/r42");
    assert_eq!(chosen(&needs(Some("4.2.3"), Some("3.12.0"))), "img/new");
    assert_eq!(chosen(&needs(Some("4.4.0"), Some("3.8.0"))), "img/old");
    assert_eq!(chosen(&needs(None, None)), "img/r42");
}

/// Proves: EX5 (P)
#[test]
fn the_best_is_the_closest_and_then_the_first() {
    assert_eq!(chosen(&needs(Some("4.4.0"), None)), "img/new");
    assert_eq!(chosen(&needs(Some("4.3.2"), None)), "img/new");
    assert_eq!(chosen(&needs(Some("4.3.0"), None)), "img/old");
    assert_eq!(chosen(&needs(Some("4.0.0"), None)), "img/r42");
    let equal = "
- {name: b, r: {installations: [{version: 4.3.1, path: /R}]}}
- {name: a, r: {installations: [{version: 4.3.1, path: /R}]}}";
    assert_eq!(
        select(&needs(Some("4.3.0"), None), &runtimes(equal))
            .unwrap()
            .runtime,
        "b"
    );
    // The worst language counts first: a lower R is worse than two other patches.
    let uneven = "
- {name: lopsided, r: {installations: [{version: 4.2.0, path: /R}]}, python: {installations: [{version: 3.8.1, path: /p}]}}
- {name: even, r: {installations: [{version: 4.3.9, path: /R}]}, python: {installations: [{version: 3.8.9, path: /p}]}}";
    let choice = select(&needs(Some("4.3.0"), Some("3.8.1")), &runtimes(uneven)).unwrap();
    assert_eq!(choice.runtime, "even");
}

/// Proves: EX4 (P)
#[test]
fn exact_is_used_only_by_name_and_none_never() {
    let reports = explain(&needs(Some("4.3.0"), Some("3.8.13")), &runtimes(SERVER));
    let fits: Vec<(&str, bool)> = reports
        .iter()
        .map(|report| (report.name.as_str(), report.fits))
        .collect();
    assert_eq!(
        fits,
        [
            ("img/r42", false),
            ("img/old", true),
            ("img/new", false),
            ("img/drivers", false),
            ("img/off", false)
        ]
    );
    assert_eq!(
        reports[3].reason,
        "its matching is 'exact', so that it is used only when it is named"
    );
    let mut named = needs(Some("4.3.0"), None);
    named.named_by_manifest = Some("img/off".to_owned());
    let error = select(&named, &runtimes(SERVER)).unwrap_err().to_string();
    assert!(
        error.contains("img/off: its matching is 'none', so that it is never used"),
        "{error}"
    );
    assert!(
        error.contains("img/old: the manifest names the image 'img/off', not this one"),
        "{error}"
    );
}

/// Proves: EX5 (P)
#[test]
fn a_named_image_that_does_not_fit_is_not_replaced() {
    let mut needs = needs(Some("4.3.0"), Some("3.8.13"));
    needs.named_by_job = Some("img/r42".to_owned());
    let error = select(&needs, &runtimes(SERVER)).unwrap_err().to_string();
    assert!(error.contains("\n  img/r42: it has no Python\n"), "{error}");
}

/// Proves: EX5 (P)
#[test]
fn a_named_image_that_is_not_listed_is_told_with_a_suggestion() {
    let mut needs = needs(Some("4.3.0"), None);
    needs.named_by_manifest = Some("img/odl".to_owned());
    assert_eq!(
        select(&needs, &runtimes(SERVER)).unwrap_err().to_string(),
        "the manifest names the image 'img/odl', which runtimes.yaml does not list; add it there, or name one of: \
         img/r42, img/old, img/new, img/drivers, img/off; did you mean 'img/old'?"
    );
}

/// Proves: EX5 (P)
#[test]
fn no_candidate_lists_each_image_and_why() {
    let needs = needs(Some("4.3.0"), Some("3.10.2"));
    assert_eq!(
        select(&needs, &runtimes(SERVER)).unwrap_err().to_string(),
        "\
no image of runtimes.yaml fits content that needs R 4.3.0 (nearest) and Python 3.10.2 (major-minor); add an image \
that has them, or publish the content with versions that are there:
  img/r42: it has no Python
  img/old: it has Python 3.8.8, and matching 'major-minor' needs a 3.10 for 3.10.2
  img/new: it has Python 3.9.18 and 3.12.4, and matching 'major-minor' needs a 3.10 for 3.10.2
  img/drivers: its matching is 'exact', so that it is used only when it is named
  img/off: its matching is 'none', so that it is never used"
    );
    assert_eq!(
        select(&needs, &Runtimes::default()).unwrap_err().to_string(),
        "there is no image to run content in; add one to runtimes.yaml, with its name and the versions and paths of \
         its interpreters"
    );
}

/// Proves: EX3 (L, P)
#[test]
fn the_choice_says_why_of_every_candidate() {
    let choice = select(&needs(Some("4.3.0"), Some("3.9.1")), &runtimes(SERVER)).unwrap();
    assert_eq!(
        choice.explanation[..3],
        [
            "img/r42: it has no Python",
            "img/old: it has Python 3.8.8, and matching 'major-minor' needs a 3.9 for 3.9.1",
            "img/new: chosen: R 4.3.3 is the closest 4.3 to 4.3.0; Python 3.9.18 is the closest 3.9 to 3.9.1",
        ]
    );
}

/// Proves: EX3 (L)
#[test]
fn local_mode_does_not_look_at_names_of_images() {
    let mut local = runtimes("- {name: x, r: {installations: [{version: 4.4.1, path: /usr/bin/R}]}}");
    local.runtimes[0].name = LOCAL_RUNTIME.to_owned();
    let mut wanted = needs(Some("4.3.0"), None);
    wanted.named_by_manifest = Some("img/old".to_owned());
    let choice = select(&wanted, &local).unwrap();
    assert_eq!(choice.runtime, LOCAL_RUNTIME);
    assert_eq!(
        choice.explanation,
        [
            "local: chosen: R 4.4.1 is the next one above 4.3.0",
            "the manifest names the image 'img/old', which local mode does not use"
        ]
    );
    assert_eq!(
        select(&needs(None, Some("3.8.13")), &local)
            .unwrap_err()
            .to_string(),
        "no installation on this machine fits content that needs Python 3.8.13 (major-minor); install what is \
         missing, or name it in Python.Executable:\n  local: it has no Python"
    );
}

/// Proves: EX1 (L)
#[test]
fn a_language_that_is_off_is_told_with_its_setting() {
    let mut needs = needs(Some("4.3.0"), Some("3.8.13"));
    for need in needs.languages.values_mut().skip(1) {
        need.off = true;
    }
    let mut local = runtimes("- name: x\n  r: {installations: [{version: 4.3.0, path: /R}]}\n");
    LOCAL_RUNTIME.clone_into(&mut local.runtimes[0].name);
    assert_eq!(
        select(&needs, &local).unwrap_err().to_string(),
        "no installation on this machine fits content that needs R 4.3.0 (nearest) and Python 3.8.13 (major-minor); \
         set Python.Enabled = true in the configuration:\n  local: Python is switched off (Python.Enabled = false)"
    );
}

/// Proves: EX3 (L, P)
#[test]
fn an_unreadable_need_is_told_before_any_image() {
    let mut needs = needs(Some("4.3.0"), None);
    if let Some(need) = needs.languages.get_mut(&LanguageName::R) {
        need.requires = Some("^4.3".to_owned());
    }
    let error = select(&needs, &Runtimes::default()).unwrap_err().to_string();
    assert!(
        error.starts_with("the content's 'requires' of R '^4.3' is not"),
        "{error}"
    );
    assert!(
        explain(&needs, &runtimes(SERVER))
            .iter()
            .all(|report| !report.fits && report.reason == error)
    );
}

fn image(name: usize, versions: &[String]) -> Runtime {
    let mut runtime = runtimes("- name: x").runtimes.remove(0);
    runtime.name = format!("img/{name}");
    let installations = versions.iter().map(|version| Installation {
        version: version.clone(),
        path: format!("/opt/{version}"),
    });
    runtime
        .installations
        .insert(LanguageName::R, installations.collect());
    runtime
}

proptest! {
    /// Proves: EX5 (P)
    #[test]
    fn images_are_compared_as_if_their_interpreters_were_in_one(
        asked in "[0-4]\\.[0-5]\\.[0-5]",
        images in proptest::collection::vec(proptest::collection::vec("[0-4]\\.[0-5]\\.[0-5]", 1..4), 1..5),
    ) {
        let needs = needs(Some(&asked), None);
        let separate = Runtimes { runtimes: images.iter().enumerate().map(|(n, v)| image(n, v)).collect() };
        let pooled = Runtimes { runtimes: vec![image(0, &images.concat())] };
        let apart = select(&needs, &separate).unwrap();
        let together = select(&needs, &pooled).unwrap();
        prop_assert_eq!(&apart.interpreters, &together.interpreters);
        let first = images.iter().position(|image| image.contains(&together.interpreters[&LanguageName::R].version));
        prop_assert_eq!(apart.runtime, format!("img/{}", first.unwrap()));
    }
}
