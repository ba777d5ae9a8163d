use proptest::prelude::*;

use super::*;
use crate::runtimes::{ImageMatching, VolumeSource};

fn read(text: &str) -> Runtimes {
    parse(text, "runtimes.yaml").unwrap()
}

fn refused(text: &str) -> String {
    parse(text, "runtimes.yaml").unwrap_err().to_string()
}

fn versions(runtimes: &Runtimes, language: LanguageName) -> Vec<&str> {
    let found = runtimes
        .runtimes
        .iter()
        .filter_map(|runtime| runtime.installations.get(&language))
        .flatten();
    found.map(|installation| installation.version.as_str()).collect()
}

/// Proves: EX4 (P)
#[test]
fn the_file_that_comes_with_the_project_is_read() {
    let runtimes = read(include_str!("../../runtimes.yaml"));
    assert_eq!(runtimes.runtimes.len(), 3);
    assert_eq!(
        runtimes.runtimes[0].name,
        "registry.example.com/offhost/content:r4.4-py3.12"
    );
    assert_eq!(
        versions(&runtimes, LanguageName::R),
        ["4.4.3", "4.3.3", "4.2.3", "4.1.3", "4.4.3"]
    );
    let drivers = &runtimes.runtimes[2];
    assert_eq!(drivers.matching, ImageMatching::Exact);
    assert_eq!(
        drivers.supervisor,
        ["/usr/local/bin/with-drivers", "--profile", "content default"]
    );
    assert!(
        matches!(&drivers.volume_mounts[0].source, VolumeSource::Pvc { pvc_name } if pvc_name == "driver-licences")
    );
}

const MAP: &str = r#"
name: Kubernetes
images:
  - name: a/b:1
    python: {installations: [{path: /opt/python/3.10/bin/python3, version: 3.10}]}
    r: {installations: [{path: /opt/R/4.1/bin/R, version: "4.1"}, {path: /opt/R/4.10/bin/R, version: 4.10}]}
"#;

const LIST: &str = r#"
- name: a/b:1
  python: {installations: [{path: /opt/python/3.10/bin/python3, version: "3.10"}]}
  r:
    installations:
      - {path: /opt/R/4.1/bin/R, version: 4.1}
      - {path: /opt/R/4.10/bin/R, version: '4.10'}
"#;

/// Proves: EX4 (P)
#[test]
fn both_forms_and_both_spellings_of_versions_are_one() {
    assert_eq!(read(MAP), read(LIST));
    assert_eq!(versions(&read(MAP), LanguageName::R), ["4.1", "4.10"]);
    assert_eq!(versions(&read(LIST), LanguageName::Python), ["3.10"]);
}

/// Proves: EX4 (P)
#[test]
fn the_list_of_the_api_is_read() {
    let json = r#"[
      {"id": "1", "guid": "25438b83-ea6d-4839-ae8e-53c52ac5f9ce", "created_time": "2026-01-02T03:04:05Z",
       "updated_time": "2026-01-02T03:04:05Z", "title": "One", "description": null, "cluster_name": "Kubernetes",
       "name": "a/b:1", "environment_type": "Kubernetes", "matching": "none", "supervisor": null,
       "managed_by": null, "python": {"installations": []}, "nodejs": null, "quarto": {"installations": null},
       "r": {"installations": [{"version": "4.10.0", "path": "/opt/R/4.10.0/bin/R"}]},
       "tensorflow": {}, "volume_mounts": [{"source": {"volume_type": "nfs", "nfs_host": "h",
         "nfs_export_path": "/x", "pvc_name": null}, "target": {"path": "/data", "read_only": false}}],
       "permissions": []}]"#;
    let runtimes = read(json);
    let compact: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(read(&compact.to_string()), runtimes);
    let one = &runtimes.runtimes[0];
    assert_eq!(
        (one.title.as_deref(), one.description.as_deref()),
        (Some("One"), None)
    );
    assert_eq!(one.matching, ImageMatching::None);
    assert!(one.supervisor.is_empty());
    assert_eq!(one.installations.len(), 1);
    assert!(matches!(&one.volume_mounts[0].source, VolumeSource::Nfs { nfs_host, .. } if nfs_host == "h"));
}

/// Proves: EX4 (P)
#[test]
fn defaults_are_any_and_no_supervisor() {
    let runtimes = read("- name: a\n  supervisor: ''\n- name: b\n  title: t\n  matching:\n");
    assert!(
        runtimes
            .runtimes
            .iter()
            .all(|runtime| runtime.matching == ImageMatching::Any)
    );
    assert!(
        runtimes
            .runtimes
            .iter()
            .all(|runtime| runtime.supervisor.is_empty())
    );
    assert_eq!(read("[]"), Runtimes::default());
    assert_eq!(read("images: []"), Runtimes::default());
    assert_eq!(read("images:"), Runtimes::default());
}

fn is_refused_at(text: &str, place: &str, said: &str) {
    let error = refused(text);
    assert!(
        error.starts_with(&format!("runtimes.yaml:{place}: ")),
        "{text}\n{error}"
    );
    assert!(error.contains(said), "{text}\n{error}");
}

/// Proves: EX4 (P)
#[test]
fn a_wrong_key_is_refused_at_its_place() {
    for (text, place, said) in [
        (
            "images:\n  - name: a\n    pyton: {}\n",
            "3:5",
            "did you mean 'python'?",
        ),
        ("name: K\nimage: []\n", "2:1", "did you mean 'images'?"),
        ("name: K\n", "1:1", "missing field `images`"),
        ("- title: a\n", "1:3", "missing field `name`"),
        ("- name: a\n  matching: exakt\n", "2:13", "did you mean 'exact'?"),
        (
            "- name: a\n  r: {installation: []}\n",
            "2:7",
            "did you mean 'installations'?",
        ),
        ("- name: a\n  name: b\n", "1:3", "duplicate"),
    ] {
        is_refused_at(text, place, said);
    }
}

/// Proves: EX4 (P)
#[test]
fn a_wrong_value_is_refused_at_its_place() {
    let installation = "- name: a\n  r:\n    installations:\n      - ";
    for (text, place, said) in [
        (
            "- name: a b\n".to_owned(),
            "1:9",
            "'a b' is not an image reference",
        ),
        ("- name: local\n".to_owned(), "1:9", "name an image"),
        (
            "- name: a\n  supervisor: bin/x -y\n".to_owned(),
            "2:15",
            "must start with an absolute path",
        ),
        (
            "- name: a\n  supervisor: \"/x '\"\n".to_owned(),
            "2:15",
            "never closed",
        ),
        (
            format!("{installation}version: 4.x\n        path: /R\n"),
            "4:18",
            "'4.x' is not a version",
        ),
        (
            format!("{installation}version: 4.4\n        path: R\n"),
            "5:15",
            "'R' is not an absolute path",
        ),
        (
            format!("{installation}version: 4.4\n        path: /a/../R\n"),
            "5:15",
            "'/a/../R' can not be",
        ),
        (
            format!("{installation}version: 4.4\n"),
            "4:9",
            "missing field `path`",
        ),
        (
            "just a text".to_owned(),
            "1:1",
            "a map with the key 'images', or a list of images",
        ),
        (
            "- name: a\n  r: []\n".to_owned(),
            "2:6",
            "expected a map with the key 'installations'",
        ),
        (
            "- name: a\n  r: {installations: [4.4]}\n".to_owned(),
            "2:23",
            "the keys 'version' and 'path'",
        ),
        (
            "- name: \"a\n".to_owned(),
            "2:1",
            "while scanning a quoted scalar",
        ),
    ] {
        is_refused_at(&text, place, said);
    }
}

/// Proves: EX4 (P)
#[test]
fn a_missing_value_is_never_the_text_null() {
    for null in ["null", "~", ""] {
        for text in [
            format!("- name: {null}\n"),
            format!("- name: a\n  r: {{installations: [{{version: {null}, path: /R}}]}}\n"),
            format!("- name: a\n  r: {{installations: [{{version: '4.4', path: {null}}}]}}\n"),
        ] {
            let error = refused(&text);
            assert!(error.contains("a value is missing here"), "{text}\n{error}");
        }
    }
    assert!(
        refused("- name: a\n  r: {installations: [{version: 'null', path: /R}]}\n").contains("not a version")
    );
}

/// Proves: EX4 (P)
#[test]
fn one_version_declared_twice_is_refused() {
    let twice = |first: &str, second: &str| {
        format!(
            "- name: a\n  r:\n    installations:\n    - {{version: {first}, path: /a/R}}\n    \
             - {{version: {second}, path: /b/R}}\n"
        )
    };
    let error = refused(&twice("4.4.1", "'4.4.1'"));
    assert!(
        error.ends_with("version 4.4.1 is declared twice, at /a/R and at /b/R; keep one of them"),
        "{error}"
    );
    assert!(error.starts_with("runtimes.yaml:3:"), "{error}");
    assert!(refused(&twice("4.1", "4.1.0")).contains("declared twice"));
    read(&twice("4.1", "4.10"));
    let path =
        "- name: a\n  r: {installations: [{version: 4.1, path: /a/R}, {version: 4.2, path: //a/./R}]}\n";
    assert!(refused(path).contains("an executable has one version"));
}

/// Proves: EX4 (P)
#[test]
fn one_image_may_have_two_entries_with_two_titles() {
    read("- {name: a, title: x}\n- {name: a, title: y}\n- {name: a}\n");
    assert_eq!(
        refused("- {name: a, title: x}\n- {name: b}\n- {name: a, title: x}\n"),
        "runtimes.yaml: image 'a' is listed twice with the same title, as entry 1 and entry 3; merge them or give \
         each its own title"
    );
}

/// Proves: EX4 (P)
#[test]
fn an_empty_file_and_two_documents_are_refused() {
    for text in [
        "",
        "\n# only a comment\n",
        "---\n",
        "---\n---\n",
        "null\n",
        "\u{feff}",
    ] {
        assert!(
            refused(text).contains("the file is empty"),
            "{text:?}: {}",
            refused(text)
        );
    }
    for text in ["- name: a\n---\n- name: b\n", "images: []\n---\nimages: []\n"] {
        assert!(
            refused(text).contains("more than one YAML document"),
            "{text:?}: {}",
            refused(text)
        );
    }
    read("---\n- name: a\n");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[-a-z:{}\\[\\]#&*!|>'\"%@` \n0-9.~]{0,80}") {
        let _outcome = parse(&text, "runtimes.yaml");
    }

    /// Proves: EX4 (P)
    #[test]
    fn versions_are_kept_digit_for_digit(major in 0u32..30, minor in 0u32..200, quote in 0usize..3) {
        let mark = ["", "'", "\""][quote];
        let text = format!("- name: a\n  quarto: {{installations: [{{version: {mark}{major}.{minor}{mark}, path: /q}}]}}\n");
        let runtimes = read(&text);
        prop_assert_eq!(versions(&runtimes, LanguageName::Quarto), [format!("{major}.{minor}")]);
    }
}
