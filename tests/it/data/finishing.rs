//! What a job has made becomes a result: sites moved up, nothing that leads out, nothing that stays the job's.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use offhost::data::{Finish, Owner};

use super::{as_root, files, finish, listing, new_data, rendered, renders};

/// Proves: ST2 (L)
#[test]
fn a_sites_output_becomes_the_root_and_replaces_everything_else() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    for output in ["_site", "./docs/out/"] {
        let rendering = renders(&data).begin(None).unwrap();
        files(
            rendering.path(),
            &[
                ("index.Rmd", "src"),
                (".Rprofile", "secret"),
                ("index.html", "old"),
            ],
        );
        files(
            &rendering.path().join(output),
            &[("index.html", "new"), ("css/a.css", "c")],
        );
        std::fs::set_permissions(rendering.path().join(output), PermissionsExt::from_mode(0o555)).unwrap();
        let path = rendering.path().to_owned();
        let finish = Finish {
            site_output_dir: Some(Path::new(output)),
            ..finish(1)
        };
        let record = renders(&data).finish(rendering, &finish).unwrap();
        assert_eq!(listing(&path), ["css/", "css/a.css", "index.html"]);
        assert_eq!(std::fs::read_to_string(path.join("index.html")).unwrap(), "new");
        assert_eq!(record.files, 2);
        assert!(
            listing(path.parent().unwrap())
                .iter()
                .all(|name| !name.contains("staging"))
        );
    }
}

/// Proves: ST3 (L)
#[test]
fn a_site_rendered_into_its_own_directory_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    for output in [None, Some(Path::new(".")), Some(Path::new("./"))] {
        let rendering = rendered(&renders(&data), "own");
        let path = rendering.path().to_owned();
        renders(&data)
            .finish(
                rendering,
                &Finish {
                    site_output_dir: output,
                    ..finish(1)
                },
            )
            .unwrap();
        assert_eq!(listing(&path), ["img/", "img/a.png", "index.html"]);
    }
}

/// Proves: ST2 (L), RD3 (L)
#[test]
fn an_unusable_result_is_refused_in_one_sentence_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let renders = renders(&data);
    let outside = dir.path().join("outside");
    files(&outside, &[("index.html", "secret")]);
    let refuse = |prepare: &dyn Fn(&Path), output: Option<&'static str>, part: &str| {
        let rendering = renders.begin(None).unwrap();
        prepare(rendering.path());
        let path = rendering.path().to_owned();
        let finish = Finish {
            site_output_dir: output.map(Path::new),
            ..finish(1)
        };
        let message = renders.finish(rendering, &finish).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
        assert!(!path.exists() && !path.with_extension("json").exists());
    };
    refuse(&|_| {}, None, "made no file 'index.html'");
    refuse(
        &|path| symlink("a", path.join("index.html")).unwrap(),
        None,
        "is a link, not a file",
    );
    refuse(
        &|path| symlink("/etc/passwd", path.join("index.html")).unwrap(),
        None,
        "made no file",
    );
    refuse(
        &|path| std::fs::create_dir(path.join("index.html")).unwrap(),
        None,
        "is a directory",
    );
    refuse(&|_| {}, Some("_site"), "rendered into '_site'");
    refuse(&|_| {}, Some("../2"), "leads out of the site");
    refuse(&|_| {}, Some("/etc"), "leads out of the site");
    refuse(
        &|path| symlink(&outside, path.join("_site")).unwrap(),
        Some("_site"),
        "no such directory was made",
    );
    refuse(
        &|path| symlink(&outside, path.join("docs")).unwrap(),
        Some("docs/x"),
        "no such directory was made",
    );
    assert_eq!(
        std::fs::read_to_string(outside.join("index.html")).unwrap(),
        "secret"
    );
}

/// Proves: RD3 (L)
#[test]
fn nothing_of_a_result_leads_out_or_is_anything_but_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let outside = dir.path().join("outside");
    files(&outside, &[("keep", "1")]);
    let rendering = rendered(&renders(&data), "x");
    let path = rendering.path().to_owned();
    for n in 0..30 {
        symlink(&outside, path.join(format!("img/out{n:02}"))).unwrap();
    }
    symlink("../index.html", path.join("img/in")).unwrap();
    symlink("img/../../../x", path.join("climb")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(path.join("sock")).unwrap();
    let fifo = path.join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    files(&path, &[("tool", "#!"), ("closed/x", "1")]);
    std::fs::set_permissions(path.join("tool"), PermissionsExt::from_mode(0o6777)).unwrap();
    std::fs::set_permissions(path.join("closed"), PermissionsExt::from_mode(0o000)).unwrap();
    let record = renders(&data).finish(rendering, &finish(1)).unwrap();
    let kept = [
        "closed/",
        "closed/x",
        "img/",
        "img/a.png",
        "img/in",
        "index.html",
        "tool",
    ];
    assert_eq!(listing(&path), kept);
    assert_eq!(record.notes.len(), 21);
    assert!(
        record
            .notes
            .iter()
            .any(|note| note.contains("'climb' was left out")),
        "{:?}",
        record.notes
    );
    assert!(
        record.notes.last().unwrap().starts_with("13 more"),
        "{:?}",
        record.notes
    );
    assert_eq!(path.join("tool").metadata().unwrap().mode() & 0o7777, 0o755);
    assert_eq!(path.join("closed").metadata().unwrap().mode() & 0o7777, 0o755);
    assert!(outside.join("keep").exists());
}

/// Proves: RD3 (L)
#[test]
fn a_finished_result_is_no_longer_the_jobs() {
    if !as_root("a_finished_result_is_no_longer_the_jobs") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let owner = Owner { uid: 4242, gid: 4243 };
    let rendering = renders(&data).begin(Some(owner)).unwrap();
    assert_eq!(rendering.path().metadata().unwrap().uid(), 4242);
    files(rendering.path(), &[("index.html", "x"), ("a/b", "x")]);
    symlink("b", rendering.path().join("a/link")).unwrap();
    for name in ["index.html", "a", "a/b", "a/link"] {
        std::os::unix::fs::lchown(rendering.path().join(name), Some(4242), Some(4243)).unwrap();
    }
    let path = rendering.path().to_owned();
    renders(&data).finish(rendering, &finish(1)).unwrap();
    for name in ["", "index.html", "a", "a/b", "a/link"] {
        let meta = path.join(name).symlink_metadata().unwrap();
        assert_eq!((meta.uid(), meta.gid()), (0, 0), "{name}");
        assert!(meta.is_symlink() || meta.mode() & 0o022 == 0, "{name}");
    }
}
