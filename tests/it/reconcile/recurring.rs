//! Jobs with a schedule: their runs are jobs, each made once, whatever happens to controllers, answers and clocks.

use std::time::Duration;

use serde_json::{Value, json};

use super::fake_api::{Call, Fault};
use super::place::{Controller, Place};

/// The place's time begins at 2026-01-01T00:00:00Z.
const MIDNIGHT: i64 = 29_453_760;

fn scheduled(schedule: Value) -> Value {
    json!({
        "content": "script", "bundle": {"path": "script"}, "task": "Run", "command": ["sh", "run.sh"],
        "schedule": schedule,
    })
}

fn hourly() -> Value {
    scheduled(json!({"cron": "0 * * * *"}))
}

fn run(hour: i64) -> String {
    format!("a-{}", MIDNIGHT + hour * 60)
}

/// The runs that there are.
fn runs(place: &Place) -> Vec<String> {
    let jobs = place.api.all("contentjobs").into_iter();
    let names = jobs.map(|job| job["metadata"]["name"].as_str().unwrap().to_owned());
    names.filter(|name| name != "a").collect()
}

fn status(place: &Place) -> Value {
    place.job("a").unwrap()["status"]["schedule"].clone()
}

fn made(calls: &[String]) -> usize {
    calls.iter().filter(|call| *call == "create contentjobs").count()
}

async fn to_the_end(place: &Place, controller: &mut Controller, exit_code: i64) {
    for _ in 0..4 {
        assert!(controller.settle().await, "{:#?}", place.api.calls());
        place.node(exit_code);
        place.wait(2);
    }
    assert!(controller.settle().await, "{:#?}", place.api.calls());
}

#[tokio::test(start_paused = true)]
async fn a_run_is_a_job_of_its_own_at_its_time() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.apply("a", hourly());
    assert!(controller.settle().await);
    assert_eq!(runs(&place), Vec::<String>::new());
    let accepted = place.condition("a", "Accepted");
    assert_eq!(accepted["status"], "True");
    assert_eq!(accepted["message"], "runs are made at '0 * * * *' in UTC");
    assert_eq!(status(&place)["nextScheduleTime"], "2026-01-01T01:00:00Z");
    place.wait(3600);
    assert!(controller.settle().await);
    assert_eq!(runs(&place), [run(1)]);
    let job = place.job(&run(1)).unwrap();
    assert_eq!(job["metadata"]["ownerReferences"][0]["name"], "a");
    assert_eq!(job["metadata"]["labels"]["offhost.dev/schedule"], "a");
    assert_eq!(job["spec"]["schedule"], Value::Null);
    assert_eq!(job["spec"]["command"], json!(["sh", "run.sh"]));
    assert_eq!(status(&place)["lastScheduleTime"], "2026-01-01T01:00:00Z");
    assert_eq!(status(&place)["active"], json!([run(1)]));
    to_the_end(&place, &mut controller, 0).await;
    assert_eq!(place.succeeded(&run(1)).0, "True");
    assert_eq!(status(&place)["active"], Value::Null);
    assert!(status(&place)["lastSuccessfulTime"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_run_is_made_once_whatever_is_lost() {
    for lost in ["create contentjobs", "update contentjobs/status a"] {
        let place = Place::new();
        let mut controller = place.controller().await;
        place.apply("a", hourly());
        assert!(controller.settle().await);
        place.wait(3600);
        place
            .api
            .faults(move |_, call: &Call| if call.0 == lost { Fault::Lost } else { Fault::None });
        controller.sync();
        controller.look("a").await;
        // That controller dies, and the clock of the next one is behind.
        drop(controller);
        place.api.faults(|_, _| Fault::None);
        place.wait(-120);
        let mut next = place.controller().await;
        assert!(next.settle().await, "{lost}");
        place.wait(120);
        to_the_end(&place, &mut next, 0).await;
        assert_eq!(runs(&place), [run(1)], "{lost}");
        let pods = place.api.all("pods");
        assert!(pods.len() <= 1, "{lost}: {pods:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_passed_without_a_controller_is_made_up_for_once_or_not() {
    for (missed, expected) in [("RunOnce", vec![run(5)]), ("Skip", vec![])] {
        let place = Place::new();
        place.apply("a", scheduled(json!({"cron": "0 * * * *", "missed": missed})));
        place.wait(5 * 3600 + 120);
        let mut controller = place.controller().await;
        assert!(controller.settle().await);
        assert_eq!(runs(&place), expected, "{missed}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_earlier_run_is_waited_for_joined_or_ended() {
    for (policy, after_second, at_the_end) in [
        ("Forbid", vec![run(1)], vec![run(1), run(2)]),
        ("Allow", vec![run(1), run(2)], vec![run(1), run(2)]),
        ("Replace", vec![run(1)], vec![run(2)]),
    ] {
        let place = Place::new();
        let mut controller = place.controller().await;
        let schedule = json!({"cron": "0 * * * *", "concurrencyPolicy": policy});
        place.apply("a", scheduled(schedule));
        assert!(controller.settle().await);
        place.wait(3600);
        assert!(controller.settle().await);
        place.node(0);
        place.wait(3600);
        assert!(controller.settle().await, "{policy}");
        assert_eq!(runs(&place), after_second, "{policy}");
        to_the_end(&place, &mut controller, 0).await;
        place.wait(10);
        to_the_end(&place, &mut controller, 0).await;
        assert_eq!(runs(&place), at_the_end, "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn older_runs_go_by_the_limits_and_never_before_they_are_written_down() {
    let place = Place::new();
    let mut controller = place.controller().await;
    let mut spec = scheduled(json!({
        "cron": "0 * * * *", "successfulJobsHistoryLimit": 1, "failedJobsHistoryLimit": 0,
    }));
    place.apply("a", spec.clone());
    for _ in 0..3 {
        assert!(controller.settle().await);
        place.wait(3600 - 8);
        to_the_end(&place, &mut controller, 0).await;
        to_the_end(&place, &mut controller, 0).await;
    }
    assert_eq!(runs(&place).len(), 1, "{:?}", runs(&place));
    // A life of no time does not bring a run back.
    let place = Place::new();
    let mut controller = place.controller().await;
    spec["ttlSecondsAfterFinished"] = json!(0);
    place.apply("a", spec);
    assert!(controller.settle().await);
    place.api.faults(|_, _| Fault::None);
    place.wait(3600);
    to_the_end(&place, &mut controller, 0).await;
    to_the_end(&place, &mut controller, 0).await;
    assert_eq!(runs(&place), Vec::<String>::new());
    assert_eq!(made(&place.api.calls()), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_while_suspended_and_what_means_nothing_is_told() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.apply("a", scheduled(json!({"cron": "0 * * * *", "suspended": true})));
    place.apply("b", scheduled(json!({"cron": "0 * * *"})));
    place.apply(
        "c",
        scheduled(json!({"cron": "@daily", "timeZone": "Europe/Berlim"})),
    );
    place.apply(&"d".repeat(53), hourly());
    place.wait(7200);
    assert!(controller.settle().await);
    assert_eq!(place.api.all("contentjobs").len(), 4);
    assert_eq!(status(&place)["nextScheduleTime"], Value::Null);
    let said = |name: &str| {
        place.condition(name, "Accepted")["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(
        said("a").contains("none while spec.schedule.suspended is true"),
        "{}",
        said("a")
    );
    assert!(said("b").contains("4 fields and not 5"), "{}", said("b"));
    assert!(said("c").contains("Europe/Berlin"), "{}", said("c"));
    assert!(said(&"d".repeat(53)).contains("at most 52 characters"));
    assert_eq!(place.condition("b", "Accepted")["reason"], "InvalidInput");
}

/// A job that has the name of a run and is none of its schedule.
#[tokio::test(start_paused = true)]
async fn a_run_whose_name_is_another_job_s_is_left_out_and_told() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.apply("a", hourly());
    let mut other = hourly();
    other.as_object_mut().unwrap().remove("schedule");
    place.apply(&run(1), other);
    to_the_end(&place, &mut controller, 0).await;
    place.wait(3600);
    assert!(controller.settle().await);
    assert_eq!(runs(&place), [run(1)]);
    assert_eq!(status(&place)["lastScheduleTime"], "2026-01-01T01:00:00Z");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let notes = place.api.all("events.events.k8s.io");
    let told = notes.iter().filter(|event| event["reason"] == "RunLeftOut");
    let told: Vec<&str> = told.map(|event| event["note"].as_str().unwrap()).collect();
    assert_eq!(told.len(), 1, "{notes:#?}");
    assert!(told[0].contains(&format!("'{}' is left out", run(1))), "{told:?}");
    place.wait(3600);
    assert!(controller.settle().await);
    assert_eq!(runs(&place), [run(1), run(2)], "the next one is made");
}

/// A run of a schedule of the same name that was deleted is about to go.
#[tokio::test(start_paused = true)]
async fn a_run_waits_until_what_an_earlier_schedule_left_is_gone() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.apply("a", hourly());
    assert!(controller.settle().await);
    place.wait(3600);
    assert!(controller.settle().await);
    to_the_end(&place, &mut controller, 0).await;
    // The schedule is made again, by a clock that is behind.
    place.api.edit("contentjobs", "a", |job| {
        job["metadata"]["uid"] = json!("another");
        job["status"] = Value::Null;
    });
    place.wait(-3600);
    assert!(controller.settle().await);
    place.wait(3600);
    assert!(controller.settle().await);
    assert_eq!(
        status(&place)["lastScheduleTime"],
        Value::Null,
        "it is not taken for its own"
    );
    place.api.delete("contentjobs", &run(1));
    place.wait(10);
    assert!(controller.settle().await);
    assert_eq!(status(&place)["lastScheduleTime"], "2026-01-01T01:00:00Z");
    assert_eq!(runs(&place), [run(1)]);
}

/// The clock of a controller was years ahead while it led.
#[tokio::test(start_paused = true)]
async fn a_clock_that_was_far_ahead_costs_no_run_and_doubles_none() {
    const YEARS: i64 = 10 * 365 * 24 * 3600;
    let place = Place::new();
    let mut controller = place.controller().await;
    place.apply("a", hourly());
    assert!(controller.settle().await);
    place.wait(3600);
    to_the_end(&place, &mut controller, 0).await;
    place.wait(YEARS);
    to_the_end(&place, &mut controller, 0).await;
    assert_eq!(runs(&place).len(), 2);
    place.wait(-YEARS);
    let mut controller = place.controller().await;
    assert!(controller.settle().await);
    assert_eq!(status(&place)["nextScheduleTime"], "2026-01-01T02:00:00Z");
    assert_eq!(runs(&place), [run(1)], "that of the wrong clock is not kept");
    place.wait(3600);
    to_the_end(&place, &mut controller, 0).await;
    assert_eq!(runs(&place), [run(1), run(2)]);
    assert_eq!(made(&place.api.calls()), 3);
}
