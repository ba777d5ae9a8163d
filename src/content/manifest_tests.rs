use super::*;
use crate::content::files::memory::Memory;

fn parse_text(text: &str) -> Result<Manifest, ManifestError> {
    parse(text.as_bytes(), MANIFEST)
}

/// Proves: PK9 (L, P)
#[test]
fn both_clients_nodes_are_read() {
    let python = parse_text(
        r#"{"version": 1, "metadata": {"appmode": "nodejs", "entrypoint": "server.js"},
            "node": {"version": "20.1.0"}, "environment": {"environment_management": {"node": false}}}"#,
    )
    .unwrap();
    let facts = &python.languages[&LanguageName::Nodejs];
    assert_eq!(facts.version.as_deref(), Some("20.1.0"));
    assert_eq!(facts.manage_packages, Some(false));
    let r = parse_text(
        r#"{"version": 1, "metadata": {"appmode": "nodejs", "entrypoint": "server.js"}, "nodejs": {},
            "environment": {"nodejs": {"requires": ">=18"}, "environment_management": {"nodejs": true}}}"#,
    )
    .unwrap();
    let facts = &r.languages[&LanguageName::Nodejs];
    assert_eq!(facts.requires.as_deref(), Some(">=18"));
    assert_eq!(facts.manage_packages, Some(true));
}

/// Proves: PK9 (L, P)
#[test]
fn r_nulls_and_empty_lists_and_unknown_keys_are_tolerated() {
    let manifest = parse_text(
        "\u{feff}{\"version\": 1, \"locale\": \"en_US\", \"platform\": \"4.2.2\", \"users\": null, \"new\": [1],
          \"metadata\": {\"appmode\": \"static\", \"primary_rmd\": null, \"primary_html\": \"index.html\",
                         \"content_category\": null, \"has_parameters\": false},
          \"packages\": null, \"files\": [], \"quarto\": {\"version\": \"1.4.553\", \"engines\": \"knitr\"}}",
    )
    .unwrap();
    assert_eq!(manifest.entrypoint.as_deref(), Some("index.html"));
    assert_eq!(manifest.engines, ["knitr"]);
    assert!(manifest.packages.is_empty() && manifest.files.is_empty() && manifest.category.is_none());
}

/// Proves: EX3 (L, P)
#[test]
fn versions_stay_text() {
    let manifest = parse_text(
        r#"{"metadata": {"appmode": "rmd-static"}, "platform": "4.10", "python": {"version": "3.10"},
            "environment": {"r": {"requires": "~=4.1"}, "image": "base:1"}}"#,
    )
    .unwrap();
    assert_eq!(
        manifest.languages[&LanguageName::R].version.as_deref(),
        Some("4.10")
    );
    assert_eq!(
        manifest.languages[&LanguageName::R].requires.as_deref(),
        Some("~=4.1")
    );
    assert_eq!(
        manifest.languages[&LanguageName::Python].version.as_deref(),
        Some("3.10")
    );
    assert_eq!(manifest.image.as_deref(), Some("base:1"));
}

/// Proves: PK9 (L, P)
#[test]
fn a_broken_manifest_is_one_sentence_with_its_place() {
    let cases = [
        ("{\"metadata\": ", "line 1"),
        ("{}", "no 'metadata.appmode'"),
        (r#"{"metadata": {}}"#, "no 'metadata.appmode'"),
        (
            r#"{"metadata": {"appmode": "python-streamlitt"}}"#,
            "did you mean 'python-streamlit'?",
        ),
        (r#"{"metadata": {"appmode": "unknown"}}"#, "known are rmd-static"),
        (
            r#"{"metadata": {"appmode": "static"}, "python": {"version": 3.10}}"#,
            "invalid type",
        ),
        (
            r#"{"metadata": {"appmode": "static"}, "files": {"../x": {}}}"#,
            "'../x' in 'files', which has '..' in it",
        ),
        (
            r#"{"metadata": {"appmode": "static"}, "files": {"/etc/passwd": {}}}"#,
            "which is absolute",
        ),
        (
            r#"{"metadata": {"appmode": "static"}, "files": ["a"]}"#,
            "not a manifest",
        ),
    ];
    for (text, expected) in cases {
        let message = parse_text(text).unwrap_err().to_string();
        assert!(
            message.starts_with(MANIFEST) && message.contains(expected),
            "{message}"
        );
        assert!(!message.contains('\n') && !message.ends_with('.'), "{message}");
    }
}

/// Proves: PK9 (L, P)
#[test]
fn a_named_file_that_is_not_there_is_refused() {
    let manifest =
        parse_text(r#"{"metadata": {"appmode": "static"}, "files": {"index.html": {}, "./b.html": {}}}"#)
            .unwrap();
    let both = Memory::new(&[("index.html", ""), ("b.html", "")]);
    check_files(&manifest, &Bundle::new(&both).unwrap(), MANIFEST).unwrap();
    let one = Memory::new(&[("index.html", "")]);
    let message = check_files(&manifest, &Bundle::new(&one).unwrap(), MANIFEST)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("'b.html' in 'files', which is not in the bundle"),
        "{message}"
    );
}
