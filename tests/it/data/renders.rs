//! Results: two at once, cut off at every stage, activated in one step, kept and removed.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use offhost::data::{
    FileLock, JobDir, Probe, Renders, ResultError, ResultRecord, ResultState, SourceCopy, Workspace, sweep,
};

use crate::support::wait_until_unlocked;

use super::{at, content, deploy, files, finish, listing, new_data, rendered, renders};

fn finished(renders: &Renders<'_>, text: &str, seconds: i64) -> ResultRecord {
    renders.finish(rendered(renders, text), &finish(seconds)).unwrap()
}

fn served(renders: &Renders<'_>) -> Option<String> {
    let active = renders.active().unwrap()?;
    Some(std::fs::read_to_string(renders.path(active).join("index.html")).unwrap())
}

/// Proves: RD2 (L)
#[test]
fn renders_at_once_get_directories_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..10)
                        .map(|_| renders(&data).begin(None).unwrap().number())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=80).collect::<Vec<_>>());
}

/// Proves: RD3 (L)
#[test]
fn what_is_served_is_the_last_activated_result() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let renders = renders(&data);
    assert_eq!(served(&renders), None);
    let first = finished(&renders, "one", 1);
    assert_eq!(served(&renders), None, "only activation changes what is served");
    renders.activate(first.number).unwrap();
    let second = finished(&renders, "two", 2);
    assert_eq!(served(&renders).as_deref(), Some("one"));
    renders.activate(second.number).unwrap();
    assert_eq!(served(&renders).as_deref(), Some("two"));
    renders.activate(first.number).unwrap();
    assert_eq!(served(&renders).as_deref(), Some("one"));
    assert_eq!((first.files, first.bytes), (2, 4));
}

/// Somebody reads what is served all the time, while one result after the other is activated.
///
/// Proves: RD3 (L)
#[test]
fn a_reader_never_sees_nothing_or_half_a_result() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let renders = renders(&data);
    let numbers = [
        finished(&renders, "whole", 1).number,
        finished(&renders, "whole", 2).number,
    ];
    renders.activate(numbers[0]).unwrap();
    let link = data.path("reports/v2/sales/default/active/index.html");
    std::thread::scope(|scope| {
        let switching = scope.spawn(|| (0..300).for_each(|n| renders.activate(numbers[n % 2]).unwrap()));
        while !switching.is_finished() {
            assert_eq!(std::fs::read_to_string(&link).unwrap(), "whole");
        }
    });
}

/// A dropped value is what a kill leaves: the lock is gone, everything else stays.
///
/// Proves: RD3 (L), TD1 (L)
#[test]
fn a_render_cut_off_at_any_stage_changes_nothing_and_is_swept() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let temp = tempfile::tempdir().unwrap();
    let tree = dir.path().join("src");
    files(&tree, &[("a.Rmd", "x")]);
    let bundle = deploy(&data, &tree, true).record.bundle;
    let renders = renders(&data);
    renders.activate(finished(&renders, "good", 1).number).unwrap();
    let clean = listing(data.root());
    for stage in 0..6 {
        let job = JobDir::make(&data, &content(), &format!("k{stage}"), None).unwrap();
        let workspace = Workspace::make(temp.path(), &format!("k{stage}"), None).unwrap();
        files(workspace.path(), &[("Rtmp1/x", "")]);
        let copy = SourceCopy::make(&data, &content(), bundle, &format!("k{stage}"), None).unwrap();
        let rendering = renders.begin(None).unwrap();
        let number = rendering.number();
        let result = rendering.path().to_owned();
        let variant = result.parent().unwrap().to_owned();
        match stage {
            0 => {}
            1 => files(&result, &[("index.html", "hal")]),
            // Between the two renames that move a site up, and after them.
            2 => {
                files(&result, &[("_site/index.html", "site")]);
                std::fs::rename(
                    result.join("_site"),
                    variant.join(format!(".staging-site-{number}")),
                )
                .unwrap();
            }
            3 => {
                files(&result, &[("index.html", "site")]);
                files(
                    &variant.join(format!(".staging-site-{number}")),
                    &[("source.Rmd", "")],
                );
            }
            // The record is being written.
            4 => {
                files(&result, &[("index.html", "whole")]);
                std::fs::write(variant.join(format!(".staging-{number}.json")), "{\"num").unwrap();
            }
            _ => files(&result, &[("index.html", "whole")]),
        }
        let living = sweep(&data, temp.path());
        assert!(
            living.removed.is_empty() && living.failed.is_empty(),
            "stage {stage}: {living:?}"
        );
        assert!(copy.path().exists() && workspace.path().exists() && result.exists());
        drop((job, workspace, copy, rendering));
        wait_until_unlocked(dir.path());
        wait_until_unlocked(temp.path());
        if stage == 5 {
            // The link was about to be replaced.
            symlink(number.to_string(), variant.join(".staging-active")).unwrap();
        }
        assert!(matches!(
            renders.activate(number),
            Err(ResultError::Unfinished { .. })
        ));
        assert_eq!(
            renders.list().unwrap().last().map(|entry| entry.state),
            Some(ResultState::Abandoned)
        );
        assert_eq!(served(&renders).as_deref(), Some("good"), "stage {stage}");
        let swept = sweep(&data, temp.path());
        assert!(swept.failed.is_empty(), "stage {stage}: {swept:?}");
        assert!(swept.removed.len() >= 3, "stage {stage}: {swept:?}");
        let left: Vec<_> = listing(data.root())
            .into_iter()
            .filter(|path| !path.starts_with("jobs/") && !clean.contains(path))
            .collect();
        assert_eq!(left, ["reports/v2/sales/1/"], "stage {stage}");
        assert_eq!(listing(temp.path()), ["connect-workspaces/"], "stage {stage}");
        assert_eq!(served(&renders).as_deref(), Some("good"), "stage {stage}");
    }
    renders.activate(finished(&renders, "next", 9).number).unwrap();
    assert_eq!(served(&renders).as_deref(), Some("next"));
}

/// Proves: RD3 (L)
#[test]
fn a_server_killed_between_success_and_activation_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let first = finished(&renders(&data), "one", 1).number;
    renders(&data).activate(first).unwrap();
    let second = finished(&renders(&data), "two", 2).number;
    assert!(sweep(&data, dir.path()).removed.is_empty());
    let again = renders(&data);
    assert_eq!(served(&again).as_deref(), Some("one"));
    assert_eq!(
        again
            .list()
            .unwrap()
            .iter()
            .map(|entry| entry.state)
            .collect::<Vec<_>>(),
        [ResultState::Finished; 2]
    );
    again.activate(second).unwrap();
    assert_eq!(served(&again).as_deref(), Some("two"));
}

/// Proves: RD4 (L)
#[test]
fn old_results_are_listed_and_removed_by_count_and_age() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let renders = renders(&data);
    for n in 1..=6 {
        finished(&renders, &n.to_string(), n * 100);
    }
    let living = rendered(&renders, "now");
    renders.activate(1).unwrap();
    let numbers = |renders: &Renders<'_>| {
        renders
            .list()
            .unwrap()
            .iter()
            .map(|entry| entry.number)
            .collect::<Vec<_>>()
    };
    assert_eq!(renders.retain(0, 0, at(10_000)).unwrap(), [0; 0]);
    assert_eq!(
        renders.retain(4, 0, at(10_000)).unwrap(),
        [2],
        "the served one stays, whatever its rank"
    );
    assert_eq!(
        renders.retain(0, 250, at(650)).unwrap(),
        [3],
        "older than 250 seconds"
    );
    assert_eq!(numbers(&renders), [1, 4, 5, 6, 7]);
    assert!(matches!(renders.remove(1), Err(ResultError::Active { .. })));
    assert!(
        matches!(renders.remove(7), Err(ResultError::NotFound { .. })),
        "a living one is not removed"
    );
    renders.remove(6).unwrap();
    assert!(matches!(renders.activate(6), Err(ResultError::NotFound { .. })));
    assert_eq!(living.number(), 7);
    renders.discard(living).unwrap();
    assert_eq!(
        renders.begin(None).unwrap().number(),
        8,
        "numbers are never used twice"
    );
    let list = renders.list().unwrap();
    assert_eq!(
        list[0].record.as_ref().map(|record| record.finished),
        Some(at(100))
    );
    assert!(list[0].active && !list[1].active);
}

/// Proves: RD4 (L), RD3 (L)
#[test]
fn a_removal_that_is_cut_off_is_ended_by_the_sweep() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let renders = renders(&data);
    finished(&renders, "one", 1);
    finished(&renders, "two", 2);
    std::fs::rename(renders.path(1), renders.path(1).with_file_name(".staging-gone-1")).unwrap();
    assert!(matches!(renders.activate(1), Err(ResultError::NotFound { .. })));
    wait_until_unlocked(dir.path());
    assert_eq!(sweep(&data, dir.path()).removed.len(), 2);
    assert_eq!(
        listing(&data.path("reports/v2/sales")),
        [
            "default/",
            "default/2.json",
            "default/2/",
            "default/2/img/",
            "default/2/img/a.png",
            "default/2/index.html"
        ]
    );
}

/// Proves: TD1 (L), TD2 (L)
#[test]
fn only_dead_temporary_directories_of_this_program_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    let data = new_data(dir.path());
    let temp = dir.path().join("tmp");
    std::fs::create_dir(&temp).unwrap();
    let living = Workspace::make(&temp, "living", None).unwrap();
    let dead = Workspace::make(&temp, "dead", None).unwrap();
    files(&temp.join("connect-workspaces"), &[("foreign/x", "")]);
    files(dead.path(), &[("a/b", "")]);
    symlink(data.root(), dead.path().join("link")).unwrap();
    assert_eq!(living.path().metadata().unwrap().mode() & 0o777, 0o700);
    drop(dead);
    let workspaces = temp.join("connect-workspaces");
    while matches!(FileLock::probe(&workspaces.join(".dead.lock")), Ok(Probe::Held)) {
        std::thread::yield_now();
    }
    let swept = sweep(&data, &temp);
    assert_eq!(swept.removed.len(), 1);
    assert_eq!(
        listing(&temp),
        [
            "connect-workspaces/",
            "connect-workspaces/foreign/",
            "connect-workspaces/foreign/x",
            "connect-workspaces/living/"
        ]
    );
    assert!(data.root().exists());
    living.remove().unwrap();
    assert!(Workspace::make(&temp, "living", None).is_ok());
    std::fs::set_permissions(temp.join("connect-workspaces"), PermissionsExt::from_mode(0o777)).unwrap();
    let message = Workspace::make(&temp, "k", None).unwrap_err().to_string();
    assert!(message.contains("Server.TempDir"), "{message}");
}
