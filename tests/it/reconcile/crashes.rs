//! Whatever call fails and wherever the controller dies, each job ends once (OH2).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::fake_api::{Call, Fault};
use super::place::{Controller, Place};

/// Name of a job, and what it asks for.
type Asked = (&'static str, fn() -> Value);
/// What is done to the jobs, and in which round.
type Act = (usize, fn(&Place));

/// What a life of jobs is to come to.
struct Life {
    /// The jobs.
    jobs: &'static [Asked],
    /// Exit code of their processes.
    exit_code: i64,
    /// What happens to them.
    act: Option<Act>,
    /// How it is in the end.
    check: fn(&Place) -> Result<(), String>,
}

fn script() -> Value {
    json!({"content": "script", "bundle": {"path": "script"}, "task": "Run", "command": ["sh", "run.sh"]})
}

fn report() -> Value {
    json!({"content": "report", "bundle": {"path": "report"}, "task": "Render"})
}

fn packages() -> Value {
    json!({"content": "book", "bundle": {"path": "notebook"}, "task": "Run", "command": ["python3", "book.py"]})
}

/// A render whose result is served.
const RENDER: Life = Life {
    jobs: &[("report", report)],
    exit_code: 0,
    act: None,
    check: |place| {
        ended(place, "report", "True", 1)?;
        let served = std::fs::read_to_string(place.data("reports/v2/report/default/active/index.html"));
        same(
            "what is served",
            served.ok().as_deref(),
            Some("made by the process"),
        )?;
        let results = std::fs::read_dir(place.data("reports/v2/report/default")).unwrap();
        let numbers = results
            .flatten()
            .filter(|entry| entry.path().is_dir() && !entry.path().is_symlink());
        same("results", numbers.count(), 1)
    },
};

/// A command that fails, and is not tried again.
const FAILURE: Life = Life {
    jobs: &[("script", script)],
    exit_code: 3,
    act: None,
    check: |place| ended(place, "script", "False", 1),
};

/// Two jobs that need the same packages, which are installed once.
const INSTALLATION: Life = Life {
    jobs: &[("one", packages), ("two", packages)],
    exit_code: 0,
    act: None,
    check: |place| {
        ended(place, "one", "True", 1)?;
        ended(place, "two", "True", 1)?;
        same("Pods", place.api.all("pods").len(), 3)?;
        same("jobs", place.api.all("contentjobs").len(), 3)
    },
};

/// A job that is deleted while it runs.
const DELETION: Life = Life {
    jobs: &[("report", report)],
    exit_code: 0,
    act: Some((1, |place| {
        if place
            .job("report")
            .is_some_and(|job| job["metadata"]["deletionTimestamp"].is_null())
        {
            place.api.delete("contentjobs", "report");
        }
    })),
    check: |place| {
        same("jobs", place.api.all("contentjobs").len(), 0)?;
        same("Pods", place.api.all("pods").len(), 0)?;
        let served = place.data("reports/v2/report/default/active");
        same("served", served.exists(), false)?;
        left_over(place)
    },
};

/// A job that is suspended while it runs, and goes on later.
const SUSPENSION: Life = Life {
    jobs: &[("script", script)],
    exit_code: 0,
    act: Some((1, |place| {
        place.api.edit("contentjobs", "script", |job| {
            job["spec"]["suspended"] = json!(true)
        });
    })),
    check: |place| {
        same("suspended", place.succeeded("script").1.as_str(), "Suspended")?;
        same("attempts", attempts(place, "script") <= 1, true)?;
        let running = place
            .api
            .all("pods")
            .into_iter()
            .filter(|pod| pod["status"]["phase"] == "Running");
        same("running Pods", running.count(), 0)
    },
};

fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: T, wanted: T) -> Result<(), String> {
    if is == wanted {
        return Ok(());
    }
    Err(format!("{what}: {is:?}, not {wanted:?}"))
}

fn attempts(place: &Place, name: &str) -> usize {
    place.job(name).unwrap_or_default()["status"]["attempts"]
        .as_array()
        .map_or(0, Vec::len)
}

fn ended(place: &Place, name: &str, succeeded: &str, count: usize) -> Result<(), String> {
    same(
        &format!("{name} succeeded"),
        place.succeeded(name).0.as_str(),
        succeeded,
    )?;
    same(&format!("attempts of {name}"), attempts(place, name), count)
}

/// What an attempt works with is gone.
fn left_over(place: &Place) -> Result<(), String> {
    let mut copies = Vec::new();
    for entry in walk(&place.data("reports")) {
        if entry.contains("temp.render.") {
            copies.push(entry);
        }
    }
    same("copies", copies, Vec::new())
}

fn walk(directory: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        found.push(entry.path().display().to_string());
        if entry.path().is_dir() && !entry.path().is_symlink() {
            found.extend(walk(&entry.path()));
        }
    }
    found
}

/// What holds after every life.
fn check(place: &Place, life: &Life) -> Result<(), String> {
    (life.check)(place)?;
    for pod in place.api.all("pods") {
        let name = pod["metadata"]["name"].as_str().unwrap();
        let runs = pod["metadata"]["annotations"]["runs"].as_str().unwrap_or("0");
        same(
            &format!("starts of {name}"),
            runs.parse::<u32>().unwrap() <= 1,
            true,
        )?;
        same(
            &format!("finalizers of {name}"),
            pod["metadata"]["finalizers"] == json!([]),
            true,
        )?;
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_undisturbed_job_takes_few_calls() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.api.faults(|_, _| Fault::None);
    place.apply("report", report());
    assert!(controller.settle().await);
    assert_eq!(
        place.api.calls(),
        [
            "update contentjobs/status report",
            "patch contentjobs report",
            "create pods"
        ],
        "from the job to its Pod"
    );
    for _ in 0..3 {
        place.node(0);
        assert!(controller.settle().await);
    }
    assert_eq!(
        place.api.calls()[3..],
        [
            "update contentjobs/status report",
            "update contentjobs/status report",
            "patch pods report-00000100-1"
        ],
        "it runs, it has succeeded, its Pod may go"
    );
}

/// Lives through it with a fault at the call of that number; where that is the controller's death, another one comes.
/// `None` where there were not that many calls.
async fn live(life: &Life, number: usize, fault: Fault, dies: bool) -> Option<Place> {
    let place = Place::new();
    let mut controller = Some(place.controller().await);
    let (dead, happened) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (is_dead, has_happened) = (dead.clone(), happened.clone());
    place.api.faults(move |call, _: &Call| {
        if is_dead.load(Ordering::SeqCst) {
            return Fault::Refused(503, "the controller is dead");
        }
        if call != number {
            return Fault::None;
        }
        has_happened.store(true, Ordering::SeqCst);
        is_dead.store(dies, Ordering::SeqCst);
        fault
    });
    for (name, spec) in life.jobs {
        place.apply(name, spec());
    }
    for round in 0..12 {
        if let Some((when, act)) = life.act
            && when == round
        {
            act(&place);
        }
        let mut working: Controller = controller.take().expect("there is always one");
        working.settle().await;
        if dead.swap(false, Ordering::SeqCst) {
            drop(working);
            place.api.faults(|_, _| Fault::None);
            working = place.controller().await;
            working.settle().await;
        }
        place.node(life.exit_code);
        place.wait(5);
        controller = Some(working);
    }
    let mut working = controller.expect("there is always one");
    assert!(working.settle().await, "it comes to rest");
    happened.load(Ordering::SeqCst).then_some(place)
}

/// Every call of a life, each with this fault in turn.
async fn every_call(life: &Life, least: usize, faults: &[Fault], dies: bool) {
    for fault in faults {
        let mut number = 0;
        while let Some(place) = Box::pin(live(life, number, *fault, dies)).await {
            if let Err(wrong) = check(&place, life) {
                let jobs = place.api.all("contentjobs");
                panic!(
                    "{fault:?} at call {number} of {:#?}: {wrong}\n{jobs:#?}",
                    place.api.calls()
                );
            }
            number += 1;
        }
        assert!(number >= least, "{number} calls");
    }
}

/// The call is not made, or it is and nobody hears of it.
pub(super) const DEATHS: [Fault; 2] = [Fault::Refused(503, "the controller is dead"), Fault::Lost];

/// Proves: OH2 (P), RD3 (P)
#[tokio::test(start_paused = true)]
async fn a_render_ends_once_wherever_the_controller_dies() {
    every_call(&RENDER, 6, &DEATHS, true).await;
}

/// Proves: OH2 (P)
#[tokio::test(start_paused = true)]
async fn a_failure_is_told_once_wherever_the_controller_dies() {
    every_call(&FAILURE, 6, &DEATHS, true).await;
}

/// Proves: OH2 (P), PK2 (P)
#[tokio::test(start_paused = true)]
async fn packages_are_installed_once_wherever_the_controller_dies() {
    every_call(&INSTALLATION, 18, &DEATHS, true).await;
}

/// Proves: OH3 (P), SB7 (P)
#[tokio::test(start_paused = true)]
async fn a_deleted_job_leaves_nothing_wherever_the_controller_dies() {
    every_call(&DELETION, 6, &DEATHS, true).await;
}

/// Proves: SB7 (P)
#[tokio::test(start_paused = true)]
async fn a_suspended_job_does_not_run_wherever_the_controller_dies() {
    every_call(&SUSPENSION, 5, &DEATHS, true).await;
}

/// What an API server answers in bad times.
pub(super) const TROUBLE: [Fault; 8] = [
    Fault::Refused(409, "the object has been modified"),
    Fault::Refused(410, "the object is gone"),
    Fault::Refused(
        403,
        "pods is forbidden: User \"u\" cannot create resource \"pods\"",
    ),
    Fault::Refused(429, "too many requests"),
    Fault::Refused(500, "etcdserver: leader changed"),
    Fault::Refused(503, "apiserver is shutting down"),
    Fault::Lost,
    Fault::Silent,
];

/// Proves: OH2 (P)
#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_made_again_and_nothing_twice() {
    for life in [RENDER, FAILURE, DELETION, SUSPENSION] {
        every_call(&life, 5, &TROUBLE, false).await;
    }
}
