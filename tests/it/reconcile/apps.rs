//! Looks at applications, and their processes: what goes in, which calls come out, and what becomes of them whatever call
//! fails and wherever the controller dies (OH2, SC4).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::crashes::{DEATHS, TROUBLE};
use super::fake_api::{Call, Fault};
use super::place::{Controller, Place};

/// One row: an application, and what one look at it does.
struct Row {
    name: &'static str,
    spec: Value,
    /// What else is there.
    given: fn(&Place),
    /// What becomes of a call.
    fault: fn(&Call) -> Fault,
    /// The calls that are made.
    calls: &'static [&'static str],
    /// Condition, its status, its reason, and a part of its message.
    conditions: &'static [(&'static str, &'static str, &'static str, &'static str)],
}

impl Default for Row {
    fn default() -> Self {
        Self {
            name: "",
            spec: shiny(),
            given: |_| {},
            fault: |_| Fault::None,
            calls: &[],
            conditions: &[],
        }
    }
}

fn shiny() -> Value {
    json!({"content": "shiny", "minProcesses": 1, "initTimeoutSeconds": 86_400})
}

fn pages() -> Value {
    json!({"content": "pages", "bundle": {"path": "pages"}})
}

fn flask() -> Value {
    json!({
        "content": "flask", "appMode": "python-api", "bundle": {"path": "flask"}, "minProcesses": 1,
        "initTimeoutSeconds": 86_400,
    })
}

fn with(mut spec: Value, field: &str, value: Value) -> Value {
    spec[field] = value;
    spec
}

const STATUS: &str = "update contentapps/status a";

#[rustfmt::skip]
#[allow(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "what nobody has deployed may come",
            calls: &[STATUS],
            conditions: &[
                ("Ready", "False", "ReferenceNotFound", "'shiny'"),
                ("Active", "False", "ReferenceNotFound", "'shiny'"),
            ],
            ..Row::default()
        },
        Row {
            name: "a suspended application waits",
            spec: with(shiny(), "suspended", json!(true)),
            calls: &[STATUS],
            conditions: &[("Ready", "False", "Suspended", "set spec.suspended to false")],
            ..Row::default()
        },
        Row {
            name: "an application of another version is told so, and left alone",
            spec: with(shiny(), "futureField", json!(1)),
            calls: &[STATUS],
            conditions: &[("Ready", "False", "InvalidInput", "unknown field `futureField`")],
            ..Row::default()
        },
        Row {
            name: "more processes than may be are refused",
            spec: with(shiny(), "maxProcesses", json!(999)),
            calls: &[STATUS],
            conditions: &[("Ready", "False", "InvalidInput", "spec.maxProcesses is 999")],
            ..Row::default()
        },
        Row {
            name: "what it brings is deployed by a job, and files need no process",
            spec: pages(),
            calls: &[STATUS, "create contentjobs", "update contentjobs/status a-deploy-", STATUS],
            conditions: &[
                ("Ready", "True", "Accepted", "is served from its files"),
                ("Active", "True", "NotNeeded", ""),
            ],
            ..Row::default()
        },
        Row {
            name: "a job of that name that is there already is as good",
            spec: pages(),
            fault: |call| match call.0.as_str() {
                "create contentjobs" => Fault::Lost,
                _ => Fault::None,
            },
            calls: &[STATUS, "create contentjobs", "update contentjobs/status a-deploy-", STATUS],
            conditions: &[("Ready", "True", "Accepted", "is served from its files")],
            ..Row::default()
        },
        Row {
            name: "a path that is not there is told by the job's words",
            spec: with(pages(), "bundle", json!({"path": "nowhere"})),
            calls: &[STATUS, "create contentjobs", "update contentjobs/status a-deploy-", STATUS],
            conditions: &[("Ready", "False", "ReferenceNotFound", "deploys spec.bundle: ")],
            ..Row::default()
        },
        Row {
            name: "a script is no application",
            spec: json!({"content": "script", "appMode": "script"}),
            given: |place| place.apply("s", json!({
                "content": "script", "bundle": {"path": "script"}, "task": "Deploy", "appMode": "script",
            })),
            calls: &["update contentjobs/status s", STATUS],
            conditions: &[("Ready", "False", "InvalidInput", "run it with a ContentJob")],
            ..Row::default()
        },
        Row {
            name: "a report without a result has nothing to serve",
            spec: json!({"content": "report"}),
            given: |place| place.apply("r", json!({
                "content": "report", "bundle": {"path": "report"}, "task": "Deploy",
            })),
            calls: &["update contentjobs/status r", STATUS],
            conditions: &[("Ready", "False", "NothingToServe", "render it with a ContentJob")],
            ..Row::default()
        },
        Row {
            name: "an account that is not known is refused",
            spec: with(shiny(), "runAs", json!("no-such-account")),
            given: deploy_shiny,
            calls: &["update contentjobs/status d", STATUS],
            conditions: &[("Ready", "False", "AccountRefused", "no-such-account")],
            ..Row::default()
        },
        Row {
            name: "what is deployed can be served",
            given: deploy_shiny,
            calls: &["update contentjobs/status d", STATUS],
            conditions: &[
                ("Ready", "True", "Accepted", "bundle 1 of content item 'shiny'"),
                ("Active", "False", "Idle", ""),
            ],
            ..Row::default()
        },
        Row {
            name: "a status that somebody else has changed meanwhile is decided anew",
            given: deploy_shiny,
            fault: {
                static FIRST: AtomicBool = AtomicBool::new(true);
                |call| match call.0.as_str() {
                    STATUS if FIRST.swap(false, Ordering::SeqCst) => {
                        Fault::Refused(409, "the object has been modified")
                    }
                    _ => Fault::None,
                }
            },
            calls: &["update contentjobs/status d", STATUS, STATUS],
            conditions: &[("Ready", "True", "Accepted", "")],
            ..Row::default()
        },
        Row {
            name: "packages that are missing are installed by a job of their own",
            spec: with(flask(), "bundle", json!({})),
            given: |place| place.apply("f", json!({
                "content": "flask", "bundle": {"path": "flask"}, "task": "Deploy", "appMode": "python-api",
            })),
            calls: &[
                "update contentjobs/status f", "create contentjobs", STATUS,
                "update contentjobs/status install-", "patch contentjobs install-", "create pods", STATUS,
            ],
            conditions: &[("Ready", "False", "Installing", "installs the Python packages: attempt 1")],
            ..Row::default()
        },
    ]
}

fn deploy_shiny(place: &Place) {
    place.apply(
        "d",
        json!({"content": "shiny", "bundle": {"path": "shiny"}, "task": "Deploy"}),
    );
}

/// Proves: OH1 (P), OH2 (P)
#[tokio::test(start_paused = true)]
async fn looks_at_an_application_make_these_calls_say_this_and_then_change_nothing() {
    let mut wrong = Vec::new();
    for row in rows() {
        let place = Place::new();
        let mut controller = place.controller().await;
        place.api.faults(|_, _| Fault::None);
        (row.given)(&place);
        controller.settle().await;
        let before = place.api.calls();
        let fault = row.fault;
        place.api.faults(move |_, call| fault(call));
        place.apply_app("a", row.spec.clone());
        if !controller.settle().await {
            wrong.push(format!("{}: it does not come to rest", row.name));
        }
        let calls = [before, place.api.calls()].concat();
        let is_so = calls.len() == row.calls.len()
            && calls
                .iter()
                .zip(row.calls)
                .all(|(call, begin)| call.starts_with(begin));
        if !is_so {
            wrong.push(format!("{}: {calls:#?}", row.name));
        }
        for (kind, status, reason, part) in row.conditions {
            let condition = place.app_condition("a", kind);
            let message = condition["message"].as_str().unwrap_or_default();
            if condition["status"] != *status || condition["reason"] != *reason || !message.contains(part) {
                wrong.push(format!("{}: {kind}: {condition:#}", row.name));
            }
        }
        place.api.faults(|_, _| Fault::None);
        look_again(&place, &mut controller).await;
        if !place.api.calls().is_empty() {
            wrong.push(format!("{}: a second look: {:#?}", row.name, place.api.calls()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every application is looked at, whether there is news of it or not.
async fn look_again(place: &Place, controller: &mut Controller) {
    for app in place.api.all("contentapps") {
        let name = app["metadata"]["name"].as_str().unwrap();
        controller.context.view.ask(format!("app/{name}"));
    }
    assert!(controller.settle().await, "it comes to rest");
}

/// Proves: PK2 (P), OH2 (P)
#[tokio::test(start_paused = true)]
async fn a_changed_application_has_its_packages_tried_again_also_where_a_call_fails() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.apply_app("a", flask());
    let reason = || place.app_condition("a", "Ready")["reason"].clone();
    for _ in 0..8 {
        controller.settle().await;
        place.node(3);
        place.wait(600);
    }
    controller.settle().await;
    assert_eq!(reason(), "InstallFailed");
    place.api.edit("contentapps", "a", |app| {
        app["spec"]["env"] = json!([{"name": "A", "value": "b"}]);
        app["metadata"]["generation"] = json!(2);
    });
    let is_first = AtomicBool::new(true);
    place.api.faults(move |_, call| {
        if call.0.starts_with("delete contentjobs") && is_first.swap(false, Ordering::SeqCst) {
            return Fault::Refused(500, "etcdserver: leader changed");
        }
        Fault::None
    });
    for _ in 0..8 {
        controller.settle().await;
        place.node(0);
        place.wait(5);
    }
    controller.settle().await;
    assert_eq!(reason(), "Accepted", "{:#?}", place.api.calls());
}

/// What is done to an application, and in which round.
type Act = (usize, fn(&Place));
/// A condition, its status and its reason.
type Said = (&'static str, &'static str, &'static str);

/// What a life of an application is to come to.
struct Life {
    spec: fn() -> Value,
    given: fn(&Place),
    act: Option<Act>,
    /// Pods that it has in the end.
    pods: usize,
    /// Its conditions in the end; nothing where it is to be gone.
    conditions: Option<[Said; 2]>,
}

const SERVED: Life = Life {
    spec: shiny,
    given: deploy_shiny,
    act: None,
    pods: 1,
    conditions: Some([("Ready", "True", "Accepted"), ("Active", "False", "Starting")]),
};

/// One that brings its deployment, whose packages are installed first.
const INSTALLED: Life = Life {
    spec: flask,
    given: |_| {},
    act: None,
    pods: 1,
    conditions: Some([("Ready", "True", "Accepted"), ("Active", "False", "Starting")]),
};

const SUSPENDED: Life = Life {
    spec: shiny,
    given: deploy_shiny,
    act: Some((4, |place| {
        place.api.edit("contentapps", "a", |app| {
            app["spec"]["suspended"] = json!(true);
            app["metadata"]["generation"] = json!(2);
        });
    })),
    pods: 0,
    conditions: Some([("Ready", "False", "Suspended"), ("Active", "False", "Suspended")]),
};

const DELETED: Life = Life {
    spec: shiny,
    given: deploy_shiny,
    act: Some((4, |place| {
        if place.api.get("contentapps", "a").is_some() {
            place.api.delete("contentapps", "a");
        }
    })),
    pods: 0,
    conditions: None,
};

/// Lives through it with a fault at the call of that number; where that is the controller's death, another one comes.
/// `None` where there were not that many calls.
async fn live(life: &Life, number: usize, fault: Fault, dies: bool) -> Option<(Place, Controller)> {
    let place = Place::new();
    let mut controller = place.controller().await;
    controller.serve();
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
    (life.given)(&place);
    place.apply_app("a", (life.spec)());
    for round in 0..14 {
        if let Some((when, act)) = life.act
            && when == round
        {
            act(&place);
        }
        work(&mut controller).await;
        if dead.swap(false, Ordering::SeqCst) {
            drop(controller);
            place.api.faults(|_, _| Fault::None);
            // Its tasks end, as its process would.
            tokio::time::sleep(Duration::from_millis(1)).await;
            controller = place.controller().await;
            controller.serve();
            work(&mut controller).await;
        }
        place.node(0);
        place.wait(15);
    }
    work(&mut controller).await;
    happened.load(Ordering::SeqCst).then_some((place, controller))
}

/// The looks that there are to be made, and what the hub has done meanwhile.
async fn work(controller: &mut Controller) {
    for _ in 0..3 {
        controller.settle().await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    controller.settle().await;
}

/// What holds after every life.
async fn check(place: &Place, controller: &mut Controller, life: &Life) -> Result<(), String> {
    let pods = place.api.all("pods");
    let own = pods
        .iter()
        .filter(|pod| pod["metadata"]["ownerReferences"][0]["kind"] == "ContentApp");
    let own: Vec<&Value> = own.collect();
    if own.len() != life.pods {
        return Err(format!("{} Pods: {own:#?}", own.len()));
    }
    for pod in &pods {
        let runs = pod["metadata"]["annotations"]["runs"].as_str().unwrap_or("0");
        if !matches!(runs, "0" | "1") {
            return Err(format!("{runs} starts of {}", pod["metadata"]["name"]));
        }
    }
    for (kind, status, reason) in life.conditions.into_iter().flatten() {
        let condition = place.app_condition("a", kind);
        // What went wrong is told until a process is ready.
        let is_told = kind == "Active" && condition["reason"] == "PodRefused";
        if condition["status"] != status || !(is_told || condition["reason"] == reason) {
            return Err(format!("{condition:#}"));
        }
    }
    let is_there = place.api.get("contentapps", "a").is_some();
    if is_there != life.conditions.is_some() {
        return Err(format!("the application is there: {is_there}"));
    }
    place.api.faults(|_, _| Fault::None);
    look_again(place, controller).await;
    match place.api.calls() {
        calls if calls.is_empty() => Ok(()),
        calls => Err(format!("a second look changes something: {calls:#?}")),
    }
}

/// Each call of a life, with each fault in turn.
async fn every_call(life: &Life, least: usize, faults: &[Fault], dies: bool) {
    for fault in faults {
        let mut number = 0;
        while let Some((place, mut controller)) = Box::pin(live(life, number, *fault, dies)).await {
            let calls = place.api.calls();
            if let Err(wrong) = check(&place, &mut controller, life).await {
                let app = place.api.get("contentapps", "a").unwrap_or_default();
                panic!("{fault:?} at call {number} of {calls:#?}: {wrong}\n{app:#}");
            }
            number += 1;
        }
        assert!(number >= least, "{number} calls");
    }
}

/// Proves: OH2 (P), SC4 (P)
#[tokio::test(start_paused = true)]
async fn an_application_has_one_process_wherever_the_controller_dies() {
    every_call(&SERVED, 3, &DEATHS, true).await;
}

/// Proves: OH2 (P), PK2 (P)
#[tokio::test(start_paused = true)]
async fn packages_of_an_application_are_installed_once_wherever_the_controller_dies() {
    every_call(&INSTALLED, 8, &DEATHS, true).await;
}

/// Proves: SC4 (P)
#[tokio::test(start_paused = true)]
async fn a_suspended_or_deleted_application_has_no_process_wherever_the_controller_dies() {
    every_call(&SUSPENDED, 4, &DEATHS, true).await;
    every_call(&DELETED, 3, &DEATHS, true).await;
}

/// Proves: OH2 (P), SC4 (P)
#[tokio::test(start_paused = true)]
async fn a_call_about_an_application_that_fails_is_made_again_and_nothing_twice() {
    for life in [SERVED, SUSPENDED, DELETED] {
        every_call(&life, 3, &TROUBLE, false).await;
    }
}
