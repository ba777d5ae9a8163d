//! Where packages are not built (GB1, GB2), and what `doctor` says about it (GB5).

use std::process::Command;

use super::place::{Place, good, refused, said};
use crate::support::needs;

const ROOT: &str = "it becomes an account without rights";

/// The program where no user namespace can be made.
fn limited(place: &Place, words: &[&str]) -> Command {
    let script = place.write_own("limited.py", include_str!("../sandbox/attacks/limited.py"));
    let inner = place.offhost(words);
    let mut command = Command::new("/usr/bin/python3");
    command
        .arg(script)
        .arg(inner.get_program())
        .args(inner.get_args());
    command.env_clear().current_dir("/");
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command
}

/// Proves: GB1 (B)
#[test]
fn root_builds_nothing() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let package = place.package("work/praise", "1.0", &[]);
    let mut command = Command::new(place.path("bin/offhost"));
    command
        .arg("--config")
        .arg(place.path("hidden/-etc/rstudio-pm.gcfg"))
        .args(["build", "--output"]);
    command.arg(place.path("out")).arg(package);
    refused(&command.output().unwrap(), 77, &["not built by root", "setpriv"]);
    place.configure("[Git]\nAllowUnsandboxedGitBuilds = true");
    refused(&command.output().unwrap(), 77, &["not built by root"]);
    assert!(place.out().is_empty());
}

/// Proves: GB2 (B)
#[test]
fn without_a_sandbox_nothing_is_built_unless_that_is_allowed() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let package = place.package("work/praise", "1.0", &[]);
    let out = place.text("out");
    let words = ["build", "--output", &out, package.to_str().unwrap()];
    let output = limited(&place, &words).output().unwrap();
    refused(
        &output,
        71,
        &[
            "building packages is off",
            "user.max_user_namespaces is 0",
            "sysctl --system",
        ],
    );
    assert!(place.out().is_empty());
    place.configure("[Git]\nAllowUnsandboxedGitBuilds = true");
    let output = limited(&place, &words).output().unwrap();
    good(&output);
    let text = said(&output);
    assert!(
        text.contains("WITHOUT a sandbox") && text.contains("Git.AllowUnsandboxedGitBuilds is true"),
        "{text}"
    );
    // Where there is a sandbox, it is used all the same.
    let output = place.build(&[package.to_str().unwrap()]);
    good(&output);
    assert!(!said(&output).contains("WITHOUT"), "{}", said(&output));
}

/// Proves: GB2 (B), GB5 (B)
#[test]
fn doctor_counts_namespaces_and_names_causes() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let url = "url: 'file:///srv/r'";
    let builders = format!("builders:\n- {{name: a, {url}, buildTrigger: tags}}\n- {{name: b, {url}}}\n");
    place.write_own("hidden/-etc/builders.yaml", &builders);
    let output = place.offhost(&["doctor", "--builder"]).output().unwrap();
    let text = good(&output);
    assert!(
        text.contains("((1 of tags × 25) + 1 of commits) × 2 = 52 are needed"),
        "{text}"
    );
    assert!(
        text.contains("R in the sandbox") && text.contains("This builder is ready."),
        "{text}"
    );
    let output = limited(&place, &["doctor", "--builder"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let text = said(&output);
    for word in [
        "user.max_user_namespaces allows 0",
        "likely cause",
        "building packages is off",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    place.write_own(
        "hidden/-etc/builders.yaml",
        &builders.replace("buildTrigger", "buildTriger"),
    );
    let output = place.offhost(&["doctor", "--builder"]).output().unwrap();
    assert!(
        said(&output).contains("did you mean 'buildTrigger'?"),
        "{}",
        said(&output)
    );
    place.configure("[Git]\nBuildConcurency = 3");
    refused(
        &place.offhost(&["doctor", "--builder"]).output().unwrap(),
        65,
        &["did you mean 'BuildConcurrency'?"],
    );
}
