//! One package from each kind of source (GB1).

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use super::place::{Place, good, names, refused, said};
use crate::support::needs;

const ROOT: &str = "it becomes an account without rights";
const ARCHIVE: &str = "praise_1.0.tar.gz";

/// Proves: GB1 (B), GB4 (B)
#[test]
fn a_directory_is_built_and_not_written_in() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    // It tries to leave something beside the package, and in it.
    let cleanup = "#!/bin/sh\ntouch /opt/offhost/build/source/written || exit 0\n";
    let package = place.package("work/praise", "1.0", &[("cleanup", cleanup)]);
    let output = place.build(&["--binary", package.to_str().unwrap()]);
    let printed = good(&output);
    let [source, binary] = &place.out()[..] else {
        panic!("{:?}", place.out())
    };
    assert!(
        binary.starts_with("praise_1.0_R_") && source == ARCHIVE,
        "{:?}",
        place.out()
    );
    assert_eq!(
        printed,
        format!(
            "{}\n{}\n",
            place.text(&format!("out/{ARCHIVE}")),
            place.text(&format!("out/{binary}"))
        )
    );
    assert!(
        said(&output).contains("attempting to detect") && said(&output).contains("detected R version"),
        "{}",
        said(&output)
    );
    assert!(!package.join("written").exists());
    let description = place.read(&place.path("out").join(ARCHIVE), "praise/DESCRIPTION");
    assert!(
        description.contains("Version: 1.0") && description.contains("NeedsCompilation: yes"),
        "{description}"
    );
    assert!(names(&place.path("temp/rspm-workspaces")).is_empty());
}

/// Proves: GB1 (B)
#[test]
fn a_repository_of_files_is_built_by_tag_branch_commit_and_subdirectory() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.package("repos/r/pkg", "1.0", &[]);
    let first = place.commit("repos/r");
    place.git("repos/r", &["tag", "--annotate", "--message=x", "v1"]);
    place.package("repos/r/pkg", "1.1", &[]);
    place.commit("repos/r");
    place.git("repos/r", &["branch", "next"]);
    place.package("repos/r/pkg", "1.2", &[]);
    place.commit("repos/r");
    let url = format!("file://{}", place.text("repos/r"));
    for (reference, version) in [
        (Some("v1"), "1.0"),
        (Some("next"), "1.1"),
        (Some(first.as_str()), "1.0"),
        (None, "1.2"),
    ] {
        let reference: Vec<&str> = reference.map(|name| vec!["--ref", name]).unwrap_or_default();
        let output = place.build(&[&reference[..], &["--subdir", "pkg", &url]].concat());
        assert!(
            good(&output).ends_with(&format!("praise_{version}.tar.gz\n")),
            "{}",
            said(&output)
        );
        fs::remove_file(place.path(&format!("out/praise_{version}.tar.gz"))).unwrap();
    }
    refused(
        &place.build(&["--ref", "nxet", &url]),
        65,
        &["no branch or tag 'nxet'", "did you mean 'next'?"],
    );
    refused(&place.build(&[&url]), 65, &["no file DESCRIPTION", "--subdir"]);
    assert!(place.out().is_empty(), "{:?}", place.out());
}

/// Proves: GB1 (B)
#[test]
fn a_repository_is_built_over_http_with_a_password_that_nobody_sees() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.package("repos/r", "1.0", &[]);
    place.commit("repos/r");
    let url = format!("{}/r/.git", place.serve("ada:h1dden", "smart"));
    let file = place.write_own("credentials", "username=ada\npassword=h1dden\n");
    let file = file.to_str().unwrap();
    refused(
        &place.build(&["--credentials", file, &url]),
        65,
        &["other accounts can read it", "chmod 600"],
    );
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    let output = place.build(&["--credentials", file, &url]);
    good(&output);
    assert!(!said(&output).contains("h1dden"), "{}", said(&output));
    let output = place.build(&[&url]);
    refused(&output, 65, &["ls-remote failed"]);
    let with_password = url.replace("127.0.0.1", "ada:h1dden@127.0.0.1");
    let output = place.build(&[&with_password]);
    refused(&output, 65, &["a password stands in the address"]);
    assert!(!said(&output).contains("h1dden"), "{}", said(&output));
}

/// Proves: GB1 (B)
#[test]
fn a_repository_is_built_from_a_server_of_plain_files() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.package("repos/r", "1.0", &[]);
    place.commit("repos/r");
    place.git("repos/r", &["update-server-info"]);
    let url = format!("{}/r/.git", place.serve("", "plain"));
    good(&place.build(&[&url]));
    assert_eq!(place.out(), [ARCHIVE]);
}

/// Proves: GB1 (B), GB4 (B)
#[test]
fn what_is_wrong_is_told_and_nothing_appears() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.package(
        "repos/r",
        "1.0",
        &[
            ("R/wrong.R", "this is no R (\n"),
            (".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = ext::sh\n"),
        ],
    );
    place.commit("repos/r");
    let url = format!("file://{}", place.text("repos/r"));
    // The source archive is made, the binary one is not: then neither appears.
    refused(
        &place.build(&["--binary", &url]),
        1,
        &["R CMD INSTALL --build ended with exit code"],
    );
    let slow = place.package("work/slow", "1.0", &[("cleanup", "#!/bin/sh\nsleep 600\n")]);
    for (words, code, said) in [
        (
            &["--timeout", "5s", slow.to_str().unwrap()][..],
            124,
            "did not end within 5 s",
        ),
        (&["--", "--upload-pack=id"], 65, "begins with a dash"),
        (&["ext::sh -c id"], 65, "'ext' is not allowed"),
        (&["file:///nonexistent/r"], 65, "ls-remote failed"),
        (&["--subdir", "../x", &url], 65, "not below the source"),
        (&["--ref", "--exec=id", &url], 2, ""),
        (&["--ref=--exec=id", &url], 65, "can not be the name of a branch"),
        (&["/nonexistent"], 74, "/nonexistent"),
        (&["--ref", "main", "/srv"], 65, "--ref is of Git repositories"),
    ] {
        let output = place.build(words);
        refused(
            &output,
            code,
            if said.is_empty() {
                &[]
            } else {
                std::slice::from_ref(&said)
            },
        );
    }
    let repository = place.path("repos/r");
    chown(repository.join(".git"), Some(0), Some(0)).unwrap();
    chown(&repository, Some(0), Some(0)).unwrap();
    refused(
        &place.build(&[&url]),
        65,
        &["another account's", "serve it by http or ssh"],
    );
    assert!(place.out().is_empty(), "{:?}", place.out());
}
