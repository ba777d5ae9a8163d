//! Masked paths: what they show, what may be missing, and what is refused.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use offhost::sandbox::MaskPath;

use super::support::{bind, in_each_mode, mask};

/// Proves: FS1 (L), FS6 (L)
#[test]
fn a_missing_path_is_an_error_where_it_is_required() {
    in_each_mode("a_missing_path_is_an_error_where_it_is_required", |rig| {
        let canary = rig.own_directory("canary");
        let mut spec = rig.sh(&format!("touch {}/ran", canary.display()));
        spec.masks.push(mask(&rig.path("missing")));
        let message = rig.run(&spec).refusal();
        assert!(
            message.contains("missing") && message.contains("No such file"),
            "{message}"
        );
        assert!(!canary.join("ran").exists(), "content ran");
        spec.masks[1].required = false;
        rig.run(&spec).good();
        assert!(canary.join("ran").exists());
        assert!(!rig.path("missing").exists());
    });
}

/// Proves: FS1 (L)
#[test]
fn masked_directories_and_files_are_empty_and_can_not_be_written() {
    let test = "masked_directories_and_files_are_empty_and_can_not_be_written";
    in_each_mode(test, |rig| {
        fs::set_permissions(rig.data(), fs::Permissions::from_mode(0o777)).unwrap();
        let file = rig.path("credentials");
        fs::write(&file, &rig.secret).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        let nested = rig.data().join("deep");
        fs::create_dir(&nested).unwrap();
        let mut spec = rig.sh(&format!(
            "ls -A {0}; wc -c <{1}; cat {1}; echo x >{1}; touch {0}/new; mkdir {0}/sub; chmod 777 {0} {1}; \
             ls -A {0}; stat -f -c %i {0} >/dev/null && echo end",
            rig.data().display(),
            file.display()
        ));
        // A mask below a mask, and the same one twice, are covered already.
        spec.masks.extend([mask(&file), mask(&nested), mask(&rig.data())]);
        let outcome = rig.run(&spec);
        assert_eq!(outcome.text(), "end\n", "{outcome:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), rig.secret);
        assert_eq!(fs::read_dir(rig.data()).unwrap().count(), 2);
    });
}

/// Proves: SB5 (L), FS1 (L)
#[test]
fn links_in_paths_are_refused() {
    in_each_mode("links_in_paths_are_refused", |rig| {
        fs::create_dir_all(rig.path("real/inner")).unwrap();
        symlink(rig.path("real"), rig.path("link")).unwrap();
        let own = rig.own_directory("own");
        symlink("/etc", own.join("to-etc")).unwrap();
        let canary = rig.own_directory("canary");
        let plain = rig.sh(&format!("touch {}/ran", canary.display()));
        let mut specs = vec![plain.clone(); 5];
        specs[0].masks.push(mask(&rig.path("link")));
        specs[1].masks.push(MaskPath {
            path: rig.path("link/inner"),
            required: false,
        });
        specs[2].binds = vec![bind(&rig.path("link/inner"), rig.path("own"), true)];
        specs[3].binds = vec![bind(&own, rig.path("link/inner"), true)];
        specs[4].binds = vec![bind(&own, own.join("to-etc/new"), true)];
        for spec in specs {
            let message = rig.run(&spec).refusal();
            assert!(message.contains("symbolic link"), "{message}");
        }
        assert!(!canary.join("ran").exists(), "content ran");
    });
}

/// Proves: SB5 (L)
#[test]
fn paths_that_climb_are_refused() {
    in_each_mode("paths_that_climb_are_refused", |rig| {
        let mut spec = rig.sh("true");
        fs::create_dir(rig.path("new")).unwrap();
        spec.binds = vec![bind(&rig.path("new"), rig.data().join("a/../../new"), true)];
        let outcome = rig.run(&spec);
        // A climbing target must never lead out of what it names; refusing it is the only safe answer.
        assert!(outcome.refusal().contains(".."), "{outcome:?}");
    });
}
