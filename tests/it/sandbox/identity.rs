//! The account is complete: user, group and every supplementary group, also where one denies access.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use offhost::sandbox::SandboxMode;

use super::support::{in_each_mode, in_modes};

/// Proves: RA6 (L)
#[test]
fn every_group_is_there_and_no_other() {
    let modes = [SandboxMode::RootUserns, SandboxMode::Root];
    in_modes("every_group_is_there_and_no_other", &modes, |rig| {
        let mut spec = rig.spec(&["/usr/bin/id", "-G"]);
        spec.groups = vec![rig.uid, 71_001, 71_002, 65_000];
        let text = rig.run(&spec).good();
        let mut seen: Vec<u32> = text
            .split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect();
        let mut wanted = spec.groups.clone();
        seen.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(seen, wanted);
    });
}

/// Proves: RA6 (L), SB9 (L)
#[test]
fn a_file_that_denies_a_group_stays_denied_to_its_members() {
    let test = "a_file_that_denies_a_group_stays_denied_to_its_members";
    in_each_mode(test, |rig| {
        const DENIED: u32 = 71_003;
        let file = rig.path("denied");
        fs::write(&file, &rig.secret).unwrap();
        chown(&file, Some(0), Some(DENIED)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o704)).unwrap();
        let mut spec = rig.sh(&format!("cat {} || echo denied", file.display()));
        // All others can read it.
        assert_eq!(rig.run(&spec).good(), rig.secret);
        spec.groups.push(DENIED);
        let rig = match rig.mode {
            SandboxMode::Unprivileged => {
                let uid = rig.uid;
                rig.in_groups(&[uid, DENIED])
            }
            _ => rig,
        };
        let script = "import os\n\
            try: os.setgroups([]); print('gave up its groups')\n\
            except OSError: pass\n\
            try: print(open(os.sys.argv[1]).read())\n\
            except OSError as error: print(error.strerror)";
        assert_eq!(rig.run(&spec).good(), "denied\n");
        let mut tries = rig.python(script, &[file.to_str().unwrap()]);
        tries.groups.push(DENIED);
        assert_eq!(rig.run(&tries).good(), "Permission denied\n");
    });
}
