//! What is decided about applications: a table of worlds, and what holds whatever happens.

use jiff::{SignedDuration, Timestamp};
use offhost::api::app::ContentAppSpec;
use offhost::api::app_resource::ContentApp;
use offhost::api::app_status::{ContentAppStatus, ProcessFailure};
use offhost::reason::Reason;
use offhost::status::{
    AppNext, AppNumbers, AppPlanned, AppReady, AppWorld, BundleSeen, EnvironmentState, Problem, next_app,
};
use proptest::prelude::*;

use super::fixture::{environment, problem, time};

fn app(spec: ContentAppSpec) -> ContentApp {
    let metadata = serde_json::json!({
        "name": "sales", "namespace": "content", "uid": super::fixture::JOB_UID, "generation": 1,
    });
    ContentApp {
        api_version: "offhost.dev/v1alpha1".to_owned(),
        kind: "ContentApp".to_owned(),
        metadata: serde_json::from_value(metadata).unwrap(),
        spec,
        status: None,
    }
}

fn processes(states: &[EnvironmentState]) -> AppPlanned {
    AppPlanned::Ready(AppReady {
        runtime: "R 4.4".to_owned(),
        image: "registry.example.com/content/r:4.4.2".to_owned(),
        environments: states.iter().cloned().map(environment).collect(),
    })
}

fn world(planned: AppPlanned) -> AppWorld {
    AppWorld {
        bundle: Some(BundleSeen {
            content: "sales".to_owned(),
            bundle: "3".to_owned(),
        }),
        app_mode: Some("shiny".to_owned()),
        planned,
        numbers: AppNumbers::default(),
        starting: None,
        url: Some("/content/sales".to_owned()),
        selector: Some("offhost.dev/app-uid=1".to_owned()),
    }
}

fn numbers(processes: i32, ready: i32) -> AppNumbers {
    AppNumbers {
        processes,
        ready,
        ..AppNumbers::default()
    }
}

fn failure() -> ProcessFailure {
    ProcessFailure {
        time: None,
        reason: "OutOfMemory".to_owned(),
        message: "the application needed more than 1Gi; raise resources.memory".to_owned(),
        process: Some("p1".to_owned()),
        exit_code: Some(137),
    }
}

fn now() -> Timestamp {
    time("2026-03-02T10:00:00Z")
}

fn said(status: &ContentAppStatus, kind: &str) -> String {
    let found = status.conditions.iter().find(|one| one.type_ == kind);
    found.map_or_else(String::new, |one| {
        format!("{} {}: {}", one.status, one.reason, one.message)
    })
}

/// A world, and what is decided in it.
struct Row {
    name: &'static str,
    suspended: bool,
    planned: AppPlanned,
    numbers: AppNumbers,
    starting: Option<Problem>,
    /// The beginnings of what the conditions say.
    ready: &'static str,
    active: &'static str,
    /// Why no process may start, and how many environments are to be installed.
    held: Option<Reason>,
    install: usize,
    /// Reasons of the events.
    events: &'static [&'static str],
}

impl Default for Row {
    fn default() -> Self {
        Self {
            name: "",
            suspended: false,
            planned: processes(&[]),
            numbers: AppNumbers::default(),
            starting: None,
            ready: "True Accepted: bundle 3 of content item 'sales' can be served with runtime 'R 4.4'",
            active: "False Idle: no process runs, as nobody visits",
            held: None,
            install: 0,
            events: &["Accepted", "Idle"],
        }
    }
}

#[rustfmt::skip]
#[allow(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    use EnvironmentState as E;
    let waiting = || AppPlanned::Waiting(problem(Reason::NothingToServe, "there is no result yet"));
    let refused = || AppPlanned::Refused(problem(Reason::InvalidInput, "it is a script"));
    vec![
        Row { name: "nobody visits", ..Row::default() },
        Row {
            name: "one process starts",
            numbers: numbers(1, 0),
            active: "False Starting: no process takes visitors yet; one starts or ends",
            events: &["Accepted", "Starting"],
            ..Row::default()
        },
        Row {
            name: "one process takes visitors",
            numbers: numbers(2, 1),
            active: "True Running: one process takes visitors",
            events: &["Accepted", "Running"],
            ..Row::default()
        },
        Row {
            name: "several processes take visitors",
            numbers: numbers(3, 3),
            active: "True Running: 3 processes take visitors",
            events: &["Accepted", "Running"],
            ..Row::default()
        },
        Row {
            name: "a process that starts does not get on",
            numbers: numbers(1, 0),
            starting: Some(problem(Reason::ImageUnavailable, "image 'x' can not be pulled")),
            active: "False ImageUnavailable: image 'x' can not be pulled",
            events: &["Accepted", "ImageUnavailable"],
            ..Row::default()
        },
        Row {
            name: "why it does not get on is told before what failed earlier",
            numbers: AppNumbers { failure: Some(failure()), ..numbers(1, 0) },
            starting: Some(problem(Reason::Unschedulable, "no node has room")),
            active: "False Unschedulable: no node has room",
            events: &["Accepted", "OutOfMemory"],
            ..Row::default()
        },
        Row {
            name: "the last process failed, which is told once",
            numbers: AppNumbers { failure: Some(failure()), ..numbers(0, 0) },
            active: "False OutOfMemory: the application needed more than 1Gi",
            events: &["Accepted", "OutOfMemory"],
            ..Row::default()
        },
        Row {
            name: "one failed and another takes visitors",
            numbers: AppNumbers { failure: Some(failure()), ..numbers(1, 1) },
            active: "True Running: one process takes visitors",
            events: &["Accepted", "Running", "OutOfMemory"],
            ..Row::default()
        },
        Row {
            name: "files need no process",
            planned: AppPlanned::Files,
            ready: "True Accepted: bundle 3 of content item 'sales' is served from its files",
            active: "True NotNeeded: files need no process",
            events: &["Accepted", "NotNeeded"],
            ..Row::default()
        },
        Row {
            name: "suspended",
            suspended: true,
            planned: processes(&[E::Missing]),
            ready: "False Suspended: the application is suspended; set spec.suspended to false",
            active: "False Suspended",
            held: Some(Reason::Suspended),
            events: &["Suspended"],
            ..Row::default()
        },
        Row {
            name: "suspended while a process still takes its visitors",
            suspended: true,
            numbers: numbers(1, 1),
            ready: "False Suspended",
            active: "True Running: one process takes visitors",
            held: Some(Reason::Suspended),
            events: &["Suspended", "Running"],
            ..Row::default()
        },
        Row {
            name: "what is missing may come",
            planned: waiting(),
            ready: "False NothingToServe: there is no result yet",
            active: "False NothingToServe: there is no result yet",
            held: Some(Reason::NothingToServe),
            events: &["NothingToServe"],
            ..Row::default()
        },
        Row {
            name: "what can not be served is refused",
            planned: refused(),
            ready: "False InvalidInput: it is a script",
            active: "False InvalidInput: it is a script",
            held: Some(Reason::InvalidInput),
            events: &["InvalidInput"],
            ..Row::default()
        },
        Row {
            name: "a new deployment that is refused does not end the old one",
            planned: refused(),
            numbers: numbers(1, 1),
            ready: "False InvalidInput: it is a script",
            active: "True Running: one process takes visitors",
            held: Some(Reason::InvalidInput),
            events: &["InvalidInput", "Running"],
            ..Row::default()
        },
        Row {
            name: "packages that are missing are installed first",
            planned: processes(&[E::Missing, E::Ready]),
            ready: "False Installing: the R packages are missing, and job 'install-00112233aabbccdd' is made",
            active: "False Installing",
            held: Some(Reason::Installing),
            install: 1,
            events: &["Installing"],
            ..Row::default()
        },
        Row {
            name: "packages that are being installed are waited for",
            planned: processes(&[E::Installing("attempt 1 runs".to_owned())]),
            ready: "False Installing: job 'install-00112233aabbccdd' installs the R packages: attempt 1 runs",
            active: "False Installing",
            held: Some(Reason::Installing),
            events: &["Installing"],
            ..Row::default()
        },
        Row {
            name: "packages that can not be installed are told by the name of their job, and no others are begun",
            planned: processes(&[E::Failed("it ended with exit code 1".to_owned()), E::Missing]),
            ready: "False InstallFailed: job 'install-00112233aabbccdd' could not install the R packages: it ended",
            active: "False InstallFailed",
            held: Some(Reason::InstallFailed),
            events: &["InstallFailed"],
            ..Row::default()
        },
    ]
}

/// Proves: OH1 (P)
#[test]
fn in_these_worlds_this_is_decided() {
    let mut wrong = Vec::new();
    for row in rows() {
        let world = AppWorld {
            numbers: row.numbers,
            starting: row.starting,
            ..world(row.planned)
        };
        let app = app(ContentAppSpec {
            suspended: row.suspended,
            ..ContentAppSpec::default()
        });
        let next = next_app(&app, &world, now());
        let events: Vec<&str> = next.events.iter().map(|event| event.reason.as_str()).collect();
        let (ready, active) = (said(&next.status, "Ready"), said(&next.status, "Active"));
        let is_so = ready.starts_with(row.ready)
            && active.starts_with(row.active)
            && next.held.as_ref().map(|problem| problem.reason) == row.held
            && next.install.len() == row.install
            && events == row.events;
        if !is_so {
            wrong.push(format!(
                "{}:\n  {ready}\n  {active}\n  {:?}, {} to install\n  {events:?}",
                row.name,
                next.held,
                next.install.len()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Proves: OH1 (P)
#[test]
fn a_failure_stays_until_a_process_is_ready() {
    let mut app = app(ContentAppSpec::default());
    let mut look = |numbers: AppNumbers| {
        let world = AppWorld {
            numbers,
            ..world(processes(&[]))
        };
        let next = next_app(&app, &world, now());
        app.status = Some(next.status.clone());
        next.status
    };
    let failed = AppNumbers {
        failure: Some(failure()),
        ..numbers(0, 0)
    };
    assert_eq!(look(failed).last_failure, Some(failure()));
    assert_eq!(look(numbers(1, 0)).last_failure, Some(failure()));
    assert_eq!(look(numbers(1, 1)).last_failure, None);
}

/// Proves: OH1 (P)
#[test]
fn the_last_use_is_written_now_and_then_and_at_the_end() {
    let mut app = app(ContentAppSpec::default());
    let mut look = |after: i64, sessions: i32| {
        let used = now() + SignedDuration::from_secs(after);
        let world = AppWorld {
            numbers: AppNumbers {
                sessions,
                last_use: Some(used),
                ..numbers(1, 1)
            },
            ..world(processes(&[]))
        };
        app.status = Some(next_app(&app, &world, used).status);
        let last = app.status.as_ref().unwrap().last_use_time.as_ref().unwrap().0;
        last.duration_since(now()).as_secs()
    };
    assert_eq!(look(0, 1), 0);
    assert_eq!(look(59, 2), 0);
    assert_eq!(look(60, 2), 60);
    assert_eq!(look(70, 1), 60);
    assert_eq!(look(70, 0), 70);
}

fn planned() -> impl Strategy<Value = AppPlanned> {
    let state = prop_oneof![
        Just(EnvironmentState::Ready),
        Just(EnvironmentState::Missing),
        Just(EnvironmentState::Installing("attempt 1 runs".to_owned())),
        Just(EnvironmentState::Failed("it ended with exit code 1".to_owned())),
    ];
    prop_oneof![
        4 => proptest::collection::vec(state, 0..3).prop_map(|states| processes(&states)),
        1 => Just(AppPlanned::Files),
        1 => some_problem().prop_map(AppPlanned::Refused),
        1 => some_problem().prop_map(AppPlanned::Waiting),
    ]
}

fn some_problem() -> impl Strategy<Value = Problem> {
    (proptest::sample::select(Reason::ALL.to_vec()), 1_usize..6000)
        .prop_map(|(reason, length)| problem(reason, &"ä".repeat(length)))
}

fn some_numbers() -> impl Strategy<Value = AppNumbers> {
    let failure = proptest::option::of(some_problem().prop_map(|problem| ProcessFailure {
        reason: problem.reason.name().to_owned(),
        message: problem.message,
        ..failure()
    }));
    (
        0_i32..4,
        0_i32..4,
        0_i32..3,
        proptest::option::of(0_i64..200_000),
        any::<bool>(),
        failure,
    )
        .prop_map(|(processes, ready, sessions, used, queued, failure)| AppNumbers {
            processes: processes.max(ready),
            ready,
            sessions,
            queued,
            last_use: used.map(|millis| now() + SignedDuration::from_millis(millis)),
            failure,
        })
}

fn some_world() -> impl Strategy<Value = AppWorld> {
    let starting = proptest::option::of(some_problem());
    (planned(), some_numbers(), starting, any::<bool>()).prop_map(|(planned, numbers, starting, is_known)| {
        let known = world(planned);
        AppWorld {
            bundle: known.bundle.clone().filter(|_| is_known),
            app_mode: known.app_mode.clone().filter(|_| is_known),
            numbers,
            starting,
            ..known
        }
    })
}

/// What every decision promises.
fn check(app: &ContentApp, world: &AppWorld, next: &AppNext) -> Result<(), TestCaseError> {
    let status = &next.status;
    let kinds: Vec<&str> = status.conditions.iter().map(|one| one.type_.as_str()).collect();
    prop_assert_eq!(kinds, ["Ready", "Active"]);
    let is_true = |at: usize| status.conditions[at].status == "True";
    prop_assert_eq!(is_true(0), next.held.is_none());
    let is_file = matches!(world.planned, AppPlanned::Files) && !app.spec.suspended;
    prop_assert_eq!(is_true(1), world.numbers.ready > 0 || is_file);
    for condition in &status.conditions {
        prop_assert!(condition.message.chars().count() <= 4096);
        prop_assert_eq!(condition.observed_generation, app.metadata.generation);
    }
    prop_assert!(next.events.iter().all(|event| event.note.len() <= 1024));
    // Nothing is installed for what may not run, or can not.
    prop_assert!(
        next.install.is_empty()
            || next
                .held
                .as_ref()
                .is_some_and(|held| held.reason == Reason::Installing)
    );
    Ok(())
}

proptest! {
    /// Proves: OH1 (P), OH2 (P)
    #[test]
    fn whatever_happens_a_second_look_changes_nothing(
        worlds in proptest::collection::vec((some_world(), any::<bool>(), 0_i64..100_000), 1..8)
    ) {
        let mut app = app(ContentAppSpec::default());
        let mut at = now();
        for (world, suspended, millis) in worlds {
            if app.spec.suspended != suspended {
                app.spec.suspended = suspended;
                app.metadata.generation = app.metadata.generation.map(|generation| generation + 1);
            }
            at += SignedDuration::from_millis(millis);
            let first = next_app(&app, &world, at);
            check(&app, &world, &first)?;
            // As the API server has it, and later.
            let written = serde_json::to_value(&first.status).unwrap();
            app.status = Some(serde_json::from_value(written).unwrap());
            let second = next_app(&app, &world, at + SignedDuration::from_secs(7));
            prop_assert_eq!(&second.status, &first.status);
            prop_assert_eq!(second.events, vec![]);
            prop_assert_eq!((second.held, second.install), (first.held, first.install));
        }
    }
}
