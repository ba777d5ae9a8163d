use super::*;
use crate::content::RLock;
use crate::content::files::memory::Memory;

fn facts(files: &[(&str, &str)], spec: &ContentJobSpec) -> Result<BundleFacts, FactsError> {
    gather(&Memory::new(files), spec)
}

const RMD: &str = r#"{"version": 1, "platform": "4.2.2",
  "metadata": {"appmode": "rmd-static", "primary_rmd": "a.Rmd"},
  "packages": {"rmarkdown": {"Source": "CRAN", "description": {"Version": "2.20"}}},
  "files": {"a.Rmd": {"checksum": "0"}, "b.Rmd": {"checksum": "0"}}}"#;

/// Proves: PK9 (L, P)
#[test]
fn the_manifest_decides_and_the_job_overrides_it() {
    let files = [
        ("manifest.json", RMD),
        ("a.Rmd", ""),
        ("b.Rmd", ""),
        ("run.sh", ""),
    ];
    let own = facts(&files, &ContentJobSpec::default()).unwrap();
    assert_eq!(
        (own.app_mode, own.entrypoint.as_deref()),
        (AppMode::RmdStatic, Some("a.Rmd"))
    );
    assert!(own.inferred.is_empty());
    let spec = ContentJobSpec {
        entrypoint: Some("b.Rmd".to_owned()),
        ..ContentJobSpec::default()
    };
    assert_eq!(facts(&files, &spec).unwrap().entrypoint.as_deref(), Some("b.Rmd"));
    let spec = ContentJobSpec {
        app_mode: Some("script".to_owned()),
        ..ContentJobSpec::default()
    };
    let script = facts(&files, &spec).unwrap();
    assert_eq!((script.app_mode, script.entrypoint), (AppMode::Script, None));
    let spec = ContentJobSpec {
        app_mode: Some("rmd-statc".to_owned()),
        ..ContentJobSpec::default()
    };
    let message = facts(&files, &spec).unwrap_err().to_string();
    assert!(
        message.starts_with("the job's appMode: unknown kind of content 'rmd-statc'; did you mean"),
        "{message}"
    );
    let spec = ContentJobSpec {
        entrypoint: Some("c.Rmd".to_owned()),
        ..ContentJobSpec::default()
    };
    assert!(facts(&files, &spec).is_err());
}

/// Proves: EN6 (L, P)
#[test]
fn the_version_of_a_package_is_found_in_the_lock() {
    let files = [("manifest.json", RMD), ("a.Rmd", ""), ("b.Rmd", "")];
    let facts = facts(&files, &ContentJobSpec::default()).unwrap();
    assert_eq!(r_package_version(&facts, "rmarkdown"), Some("2.20"));
    assert_eq!(r_package_version(&facts, "knitr"), None);
    assert_eq!(facts.r.unwrap().source, RLock::Manifest);
    assert_eq!(
        facts.languages[&LanguageName::R].version.as_deref(),
        Some("4.2.2")
    );
}

/// Proves: PK9 (L, P)
#[test]
fn only_the_languages_the_content_needs_are_asked_for() {
    let languages = |files: &[(&str, &str)]| -> Vec<LanguageName> {
        facts(files, &ContentJobSpec::default())
            .unwrap()
            .languages
            .into_keys()
            .collect()
    };
    let page = r#"{"platform": "4.2.2", "metadata": {"appmode": "static", "primary_html": "i.html"}}"#;
    assert_eq!(
        languages(&[("manifest.json", page), ("i.html", ""), ("requirements.txt", "x")]),
        []
    );
    let quarto = r#"{"platform": "4.2.2", "metadata": {"appmode": "quarto-static", "primary_rmd": "a.qmd"},
                     "quarto": {"version": "1.4", "engines": ["markdown"]}}"#;
    assert_eq!(
        languages(&[("manifest.json", quarto), ("a.qmd", "")]),
        [LanguageName::Quarto]
    );
    let chunk = "```{python}\n1\n```\n";
    assert_eq!(
        languages(&[("a.qmd", chunk)]),
        [LanguageName::Python, LanguageName::Quarto]
    );
    let both = [("a.Rmd", ""), ("requirements.txt", "pandas")];
    assert_eq!(languages(&both), [LanguageName::R, LanguageName::Python]);
}

/// Proves: PK8 (L, P)
#[test]
fn a_directory_with_a_command_needs_no_kind() {
    let files = [("run.sh", ""), ("requirements.txt", "x\n")];
    let spec = ContentJobSpec {
        command: vec!["./run.sh".to_owned()],
        ..ContentJobSpec::default()
    };
    let script = facts(&files, &spec).unwrap();
    assert_eq!(script.app_mode, AppMode::Script);
    assert!(script.python.is_some() && script.languages.contains_key(&LanguageName::Python));
    assert_eq!(script.inferred.len(), 1);
    assert!(facts(&files, &ContentJobSpec::default()).is_err());
}

/// Proves: PK4 (L, P)
#[test]
fn a_site_is_told_from_a_document() {
    let is_site = |files: &[(&str, &str)]| facts(files, &ContentJobSpec::default()).unwrap().is_site;
    assert!(!is_site(&[("a.Rmd", "")]));
    assert!(is_site(&[("index.Rmd", ""), ("_site.yml", "")]));
}
