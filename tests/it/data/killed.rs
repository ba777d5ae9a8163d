//! A process that deploys, renders and activates is killed -9 at any time, again and again.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use offhost::data::{DataDir, Finish, ResultState, SourceCopy, Store, Workspace, sweep};

use crate::support::wait_until_unlocked;

use super::{at, content, deploy, files, listing, new_data, renders};

const CHILD: &str = "OFFHOST_TEST_KILLED_CHILD";
const FILES: u64 = 12;

/// Not a test of its own: what the killed process does, until it is killed.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let dir = Path::new(&dir);
    let data = DataDir::open(&dir.join("data")).unwrap();
    let renders = renders(&data);
    let process = std::process::id();
    for n in 0.. {
        let tree = dir.join(format!("src-{process}"));
        let text = format!("{process}-{n}");
        for file in 0..FILES {
            files(&tree, &[(&format!("f{file}"), &text)]);
        }
        let bundle = deploy(&data, &tree, true).record.bundle;
        let key = format!("k{process}-{n}");
        let workspace = Workspace::make(dir, &key, None).unwrap();
        let copy = SourceCopy::make(&data, &content(), bundle, &key, None).unwrap();
        let rendering = renders.begin(None).unwrap();
        for file in 0..FILES {
            files(
                rendering.path(),
                &[
                    (&format!("_site/f{file}"), &text),
                    (&format!("f{file}"), "source"),
                ],
            );
        }
        let site_output_dir = Some(Path::new("_site"));
        let finish = Finish {
            bundle,
            job: &key,
            site_output_dir,
            index: Some(Path::new("f0")),
            now: at(1),
        };
        let record = renders.finish(rendering, &finish).unwrap();
        renders.activate(record.number).unwrap();
        copy.remove().unwrap();
        workspace.remove().unwrap();
        renders.retain(3, 0, at(1)).unwrap();
        Store::new(&data).retain_bundles(&content(), 2).unwrap();
    }
}

fn assert_whole(dir: &Path) {
    let texts: Vec<_> = (0..FILES)
        .map(|n| std::fs::read_to_string(dir.join(format!("f{n}"))).unwrap())
        .collect();
    assert!(
        texts[0] != "source" && texts.iter().all(|text| *text == texts[0]),
        "{}: {texts:?}",
        dir.display()
    );
    assert_eq!(listing(dir).len(), texts.len());
}

/// Proves: RD3 (L), AP2 (L), TD1 (L), RD1 (L)
#[test]
fn whatever_is_killed_whenever_what_is_served_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let store = Store::new(&data);
    let mut served = 0;
    let mut whole_run = Duration::ZERO;
    for round in 0..25 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "data::killed::child", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Every third process lives until it has served something, so that there is always something to keep.
        let start = Instant::now();
        while round % 3 == 0
            && renders(&data)
                .active()
                .unwrap()
                .is_none_or(|active| active <= served)
        {
            std::thread::sleep(Duration::from_millis(1));
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "nothing is ever served"
            );
        }
        whole_run = whole_run.max(start.elapsed());
        // Spread over the time that a run takes on this machine.
        std::thread::sleep(whole_run * (round * 37 % 50) / 50);
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "the child must not fail by itself"
        );
        child.kill().unwrap();
        child.wait().unwrap();
        for look in ["before the sweep", "after it"] {
            if let Some(active) = renders(&data).active().unwrap() {
                assert_whole(&renders(&data).path(active));
                assert!(active >= served, "{look}: {active} after {served}");
                served = active;
            }
            if let Some(active) = store.active(&content()).unwrap() {
                assert_whole(&data.path(format!("apps/sales/{active}")));
            }
            wait_until_unlocked(dir.path());
            let swept = sweep(&data, dir.path());
            assert!(swept.failed.is_empty(), "{swept:?}");
        }
        let list = renders(&data).list().unwrap();
        assert!(list.iter().all(|entry| entry.state == ResultState::Finished));
        for result in list {
            assert_whole(&result.path);
        }
        for path in listing(&dir.path().join("data")) {
            assert!(!path.contains("temp.render"), "round {round}: {path}");
            assert!(!path.contains(".staging"), "round {round}: {path}");
        }
        assert_eq!(listing(&dir.path().join("connect-workspaces")), [""; 0]);
    }
    println!("{served} results served, a run takes {whole_run:?}");
}
