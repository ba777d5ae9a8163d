//! What is exposed: read-only throughout, in place below masks, and nothing made on the machine for it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use offhost::sandbox::Bind;

use super::support::{bind, in_each_mode, mask};

/// Proves: FS3 (L)
#[test]
fn read_only_holds_for_the_mounts_below_too() {
    in_each_mode("read_only_holds_for_the_mounts_below_too", |rig| {
        let source = rig.own_directory("source");
        let target = rig.own_directory("target");
        fs::create_dir(source.join("below")).unwrap();
        let rig = rig.around("unshare -m").before(&format!(
            "mount -t tmpfs -o mode=0777 none {0}/below; mkdir -m 777 {0}/below/deep\n\
             mount -t tmpfs -o mode=0777 none {0}/below/deep; echo kept >{0}/below/deep/file; chmod 666 {0}/below/deep/file",
            source.display()
        ));
        let script = format!(
            "cd {}; for dir in . below below/deep; do touch $dir/new && echo wrote $dir; done; \
             echo x >below/deep/file && echo overwrote; cat below/deep/file",
            target.display()
        );
        let mut spec = rig.sh(&script);
        spec.binds = vec![bind(&source, &target, true)];
        assert_eq!(rig.run(&spec).good(), "kept\n");
        spec.binds[0].read_only = false;
        let text = rig.run(&spec).good();
        assert_eq!(text, "wrote .\nwrote below\nwrote below/deep\noverwrote\nx\n");
    });
}

/// Proves: TD1 (L), FS3 (L), FS4 (L)
#[test]
fn what_lies_below_a_mask_can_be_exposed_in_its_place() {
    in_each_mode("what_lies_below_a_mask_can_be_exposed_in_its_place", |rig| {
        let workspaces = rig.path("connect-workspaces");
        fs::create_dir(&workspaces).unwrap();
        fs::create_dir(workspaces.join("other")).unwrap();
        fs::write(workspaces.join("other/file"), &rig.secret).unwrap();
        let own = rig.own_directory("connect-workspaces/mine");
        let mut spec = rig.sh(&format!(
            "ls {0}; cd {0}/mine && echo kept >file && cat file; touch {0}/new 2>/dev/null || echo read-only",
            workspaces.display()
        ));
        spec.masks.push(mask(&workspaces));
        spec.binds = vec![bind(&own, &own, false)];
        assert_eq!(rig.run(&spec).good(), "mine\nkept\nread-only\n");
        assert_eq!(fs::read_to_string(own.join("file")).unwrap(), "kept\n");
        assert_eq!(fs::read_dir(&workspaces).unwrap().count(), 2);
    });
}

/// Proves: FS3 (L), FS5 (L), PW3 (L)
#[test]
fn mount_points_are_made_in_the_sandbox_only() {
    in_each_mode("mount_points_are_made_in_the_sandbox_only", |rig| {
        let source = rig.own_directory("source");
        fs::write(source.join("file"), "shown").unwrap();
        let base = rig.path("base");
        fs::create_dir(&base).unwrap();
        fs::write(base.join("sibling"), "sibling").unwrap();
        fs::create_dir(base.join("directory")).unwrap();
        fs::write(base.join("directory/inner"), "inner").unwrap();
        std::os::unix::fs::symlink("directory/inner", base.join("link")).unwrap();
        let target = base.join("made/for/this");
        let mut spec = rig.sh(&format!(
            "cd {}; cat made/for/this/file; cat sibling directory/inner link; ls; ls made made/for; \
             touch new made/new made/for/new made/for/empty/new 2>/dev/null || echo read-only",
            base.display()
        ));
        spec.binds = vec![
            bind(&source, &target, false),
            Bind {
                source: None,
                target: base.join("made/for/empty"),
                read_only: true,
            },
        ];
        let text = rig.run(&spec).good();
        assert_eq!(
            text,
            "shownsiblinginnerinnerdirectory\nlink\nmade\nsibling\nmade:\nfor\n\nmade/for:\nempty\nthis\nread-only\n"
        );
        assert!(!base.join("made").exists(), "made on the machine");
        assert_eq!(fs::read_dir(&base).unwrap().count(), 3);
    });
}

/// A directory that is covered to make a mount point in it stays as closed as it was.
///
/// Proves: RA6 (L), FS4 (L)
#[test]
fn a_covered_directory_keeps_its_owner_and_mode() {
    in_each_mode("a_covered_directory_keeps_its_owner_and_mode", |rig| {
        let base = rig.path("base");
        fs::create_dir(&base).unwrap();
        fs::write(base.join("file"), &rig.secret).unwrap();
        // All but the group may enter, and the account is in the group.
        std::os::unix::fs::chown(&base, None, Some(rig.uid)).unwrap();
        fs::set_permissions(&base, fs::Permissions::from_mode(0o705)).unwrap();
        let source = rig.own_directory("source");
        let mut spec = rig.sh(&format!("cat {0}/file; ls {0}; exit 0", base.display()));
        spec.binds = vec![bind(&source, base.join("new"), false)];
        let outcome = rig.run(&spec);
        // Where the account may not search a directory, the ordinary user's sandbox can not be made there.
        assert!(!outcome.text().contains(&rig.secret), "{outcome:?}");
        assert_eq!(outcome.text(), "");
    });
}

/// Proves: FS3 (L)
#[test]
fn files_can_not_stand_in_for_directories() {
    in_each_mode("files_can_not_stand_in_for_directories", |rig| {
        let source = rig.own_directory("source");
        fs::write(rig.path("file"), "x").unwrap();
        let mut spec = rig.sh("true");
        spec.binds = vec![bind(&source, rig.path("file"), false)];
        assert!(rig.run(&spec).refusal().contains("not a directory"));
        spec.binds = vec![bind(&source, rig.path("file/below"), false)];
        let message = rig.run(&spec).refusal();
        assert!(message.contains("file"), "{message}");
        spec.binds = vec![bind(&rig.path("missing"), rig.path("source"), false)];
        let message = rig.run(&spec).refusal();
        assert!(message.contains("missing"), "{message}");
    });
}
