//! A schedule with `Replace`: a time comes while the run of an earlier one goes on.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use offhost::state::{Address, State};

use super::may_run;
use super::site::Site;
use crate::faults::place::LIMIT;
use crate::faults::wait_for;

const JOB: &str = "monthly";
/// The first run goes on until it is asked to end, and says that it was; the second one waits to be let go.
const CODE: &str = r#"
before_render() {
    trap 'touch "$FAULTS_SYNC/asked"; exit 143' TERM
    if [ ! -e "$FAULTS_SYNC/first.reached" ]; then
        touch "$FAULTS_SYNC/first.reached"
        while :; do sleep 0.05 || true; done
    fi
    meet second
}
"#;

fn schedule(site: &Site, bundle: &str, time: Timestamp) {
    let time = time.to_zoned(TimeZone::UTC);
    let text = format!(
        "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata: {{name: {JOB}}}\nspec:\n  bundle: {{path: {bundle}}}\n  \
         content: report\n  schedule: {{cron: '{} {} * * *', concurrencyPolicy: Replace}}\n",
        time.minute(),
        time.hour()
    );
    site.write_manifest(JOB, &text);
}

/// The states of the schedule's runs, the earlier ones first, with what is said of them.
fn runs(site: &Site) -> Vec<(String, String)> {
    let done = site.run(&["apps", "list", "-o", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&done.stdout).unwrap_or_default();
    let jobs = shown["jobs"].as_array().cloned().unwrap_or_default();
    let text = |job: &serde_json::Value, name: &str| job[name].as_str().unwrap_or_default().to_owned();
    let runs = jobs
        .iter()
        .filter(|job| text(job, "name").starts_with(&format!("{JOB}-")));
    runs.map(|job| (text(job, "state"), text(job, "message")))
        .collect()
}

fn states(site: &Site) -> Vec<String> {
    runs(site).into_iter().map(|(state, _)| state).collect()
}

/// Proves: CN3 (L)
#[test]
fn a_run_that_goes_on_is_ended_in_order_for_the_next_one() {
    if !may_run() {
        return;
    }
    let site = Site::of_documents("");
    let bundle = site.place.notebook("report", "0", CODE);
    let now = Timestamp::now();
    let ago = |minutes| now - SignedDuration::from_mins(minutes);
    // The schedule is there for longer than its server: its last time is made up for at once.
    let database = Address::Sqlite(site.place.path("data/db"));
    let state = State::open(&database).unwrap();
    state.ledger(JOB, ago(60)).unwrap();
    drop(state);
    schedule(&site, &bundle, ago(20));
    let server = site.start();
    site.place.reached("first");
    wait_for("the first run", LIMIT, || {
        (states(&site) == ["Running"]).then_some(())
    });
    // Another time, which is over too, but later than that of the first run.
    schedule(&site, &bundle, ago(10));
    site.place.reached("second");
    assert!(
        site.place.path("sync/asked").exists(),
        "the first was asked to end"
    );
    wait_for("the second run alone", LIMIT, || {
        (states(&site) == ["Failed", "Running"]).then_some(())
    });
    assert_eq!(runs(&site)[0].1, "was ended for the next run");
    site.place.go("second");
    wait_for("the end of the second run", LIMIT, || {
        (states(&site) == ["Failed", "Succeeded"]).then_some(())
    });
    let history = site.jobs("report");
    let mut codes: Vec<i64> = history
        .iter()
        .filter_map(|job| job["record"]["exitCode"].as_i64())
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 143], "{history:?}");
    site.place.assert_no_process_but_server();
    server.end();
    site.assert_gone();
}
