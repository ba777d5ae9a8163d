//! Packages that attack: what the code in them can see, reach and leave behind (GB3, GB4).

use std::process::Stdio;

use super::place::{HIDDEN, Place, good, names, said, wait_for};
use crate::support::needs;

const ROOT: &str = "it becomes an account without rights";

/// Writes what it finds into the package, as `cleanup` of `R CMD build` and as `configure` of `R CMD INSTALL`.
const PROBE: &str = r#"#!/bin/bash
mkdir -p inst
exec >inst/seen.txt 2>&1
echo "uid $(id -u)"
for path in PATHS; do
    ls -A "$path" 2>/dev/null | sed "s|^|LISTED $path |"
    cat "$path"/* 2>/dev/null | sed "s|^|READ $path |"
done
for pid in /proc/[0-9]*; do
    for path in PATHS; do
        cat "$pid/root$path"/* "$pid/cwd/../$path"/* 2>/dev/null | sed "s|^|READ $pid $path |"
    done
    grep -qs SECRET "$pid/environ" && echo "READ $pid environ"
    tr '\0' '\n' <"$pid/cmdline" 2>/dev/null | grep -qx builder && echo "SEEN $pid"
done 2>/dev/null
env | grep -F SECRET | sed 's|^|READ environment |'
grep CapEff /proc/self/status
unshare -Ur true 2>/dev/null && echo "NAMESPACE"
mount -t tmpfs none /mnt 2>/dev/null && echo "MOUNTED"
touch /opt/offhost/here /usr/here /var/lib/here 2>/dev/null && echo "WRITTEN"
(setsid sleep 3600 >/dev/null 2>&1 &)
touch "$TMPDIR/mine" && echo "own temporary directory"
echo "home $HOME"
"#;

fn probe(place: &Place) -> String {
    let mut paths: Vec<String> = HIDDEN
        .iter()
        .map(|(section, key)| place.text(&format!("hidden/{}-{key}", section.replace([' ', '"'], ""))))
        .collect();
    paths.extend(["home/.ssh", "temp/rspm-workspaces"].map(|name| place.text(name)));
    PROBE
        .replace("PATHS", &paths.join(" "))
        .replace("SECRET", &place.secret)
}

/// Proves: GB1 (B), GB3 (B), GB4 (B), TD1 (B), TD2 (B)
#[test]
fn a_package_sees_nothing_of_the_servers_and_leaves_nothing_behind() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let probe = probe(&place);
    place.package("repos/r", "1.0", &[("cleanup", &probe), ("configure", &probe)]);
    place.commit("repos/r");
    let url = format!("file://{}", place.text("repos/r"));
    let output = place.build(&["--binary", &url]);
    good(&output);
    let archives = place.out();
    assert_eq!(archives.len(), 2, "{archives:?}");
    for archive in archives {
        let file = if archive.contains("_R_") {
            "praise/seen.txt"
        } else {
            "praise/inst/seen.txt"
        };
        let seen = place.read(&place.path("out").join(&archive), file);
        for bad in [
            "LISTED",
            "READ",
            "SEEN",
            "NAMESPACE",
            "MOUNTED",
            "WRITTEN",
            place.secret.as_str(),
        ] {
            assert!(!seen.contains(bad), "{bad} in {archive}:\n{seen}");
        }
        let good = [
            format!("uid {}\n", place.uid),
            "own temporary directory\n".to_owned(),
            "home /tmp\n".to_owned(),
            "CapEff:\t0000000000000000\n".to_owned(),
        ];
        for word in good {
            assert!(seen.contains(&word), "{word} in {archive}:\n{seen}");
        }
    }
    assert!(names(&place.path("temp/rspm-workspaces")).is_empty());
    let left = std::process::Command::new("ps")
        .args(["-o", "args=", "-U", &place.uid.to_string()])
        .output()
        .unwrap();
    assert!(!said(&left).contains("sleep 3600"), "{}", said(&left));
}

/// Proves: GB4 (B)
#[test]
fn two_builds_at_a_time_do_not_see_each_other() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let meet = place.text("meet");
    // Each leaves a mark wherever it can write, waits for the other, and looks for the other's marks and processes.
    let cleanup = format!(
        r#"#!/bin/bash
me=$(sed -n 's/^Version: //p' DESCRIPTION)
mkdir -p inst
for place in "$TMPDIR" /tmp /var/tmp /dev/shm /opt/offhost/build/source /opt/offhost/build/output; do
    touch "$place/mark-$me" || echo "not written: $place" >>inst/seen.txt
done
touch {meet}/$me
for n in $(seq 600); do [ "$(ls {meet} | wc -l)" -ge 2 ] && break; sleep 0.1; done
find /tmp /var/tmp /dev/shm /opt/offhost {temp} -name 'mark-*' ! -name "mark-$me" >>inst/seen.txt 2>/dev/null
ls /proc/[0-9]*/root/tmp 2>/dev/null | grep mark- | grep -v "mark-$me" >>inst/seen.txt
ls {meet} | wc -l >>inst/seen.txt
touch {meet}/done-$me
for n in $(seq 600); do [ "$(ls {meet}/done-* | wc -l)" -ge 2 ] && break; sleep 0.1; done
"#,
        temp = place.text("temp")
    );
    for version in ["1.0", "2.0"] {
        place.package(&format!("repos/r{version}"), version, &[("cleanup", &cleanup)]);
        place.commit(&format!("repos/r{version}"));
    }
    let out = place.text("out");
    let start = |version| {
        let url = format!("file://{}", place.text(&format!("repos/r{version}")));
        let mut command = place.offhost(&["build", "--output", &out, &url]);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    for child in [start("1.0"), start("2.0")] {
        good(&child.wait_with_output().unwrap());
    }
    wait_for("both archives", || place.out().len() == 2);
    for archive in place.out() {
        let seen = place.read(&place.path("out").join(&archive), "praise/inst/seen.txt");
        assert!(
            matches!(seen.trim().parse::<u32>(), Ok(2..)),
            "{archive} has seen:\n{seen}"
        );
    }
}
