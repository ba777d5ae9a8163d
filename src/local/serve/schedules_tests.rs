use super::*;
use crate::state::{Address, Claimed, End, LEASE};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn job(schedule: &str) -> JobFile {
    let text = format!(
        "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata: {{name: sales}}\nspec:\n  content: sales\n  schedule: {{{schedule}}}\n"
    );
    crate::api::parse_job(&text, "sales.yaml").unwrap()
}

/// A server and its state.
struct Place {
    schedules: Schedules,
    state: State,
    _dir: tempfile::TempDir,
}

impl Place {
    fn new(schedule: &str, since: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open(&Address::Sqlite(dir.path().to_owned())).unwrap();
        let mut place = Self {
            schedules: Schedules::default(),
            state,
            _dir: dir,
        };
        place.put(schedule);
        assert_eq!(place.turn(since), (Vec::new(), Vec::new()));
        place
    }

    fn put(&mut self, schedule: &str) {
        self.schedules
            .put("sales.yaml".to_owned(), job(schedule), PathBuf::new());
    }

    /// A server starts, upon what the one before has written down.
    fn starts(&mut self, schedule: &str) {
        self.schedules = Schedules::default();
        self.put(schedule);
    }

    /// What is done and ended after a look at a moment.
    fn turn(&mut self, now: &str) -> (Vec<String>, Vec<String>) {
        let plan = self.schedules.plans().remove(0);
        let looked = plan.look(&self.state, at(now)).unwrap();
        let (pieces, ended) = self.schedules.looked("sales", looked);
        for piece in &pieces {
            assert_eq!(piece.job.spec.schedule, None);
            assert_eq!(piece.known(&self.state).unwrap(), None);
        }
        let begun = pieces.iter().map(|piece| piece.name().to_owned()).collect();
        (begun, ended)
    }

    fn over(&mut self, time: &str, succeeded: bool) {
        let end = End {
            finished: at(time),
            succeeded,
            message: "over".to_owned(),
        };
        let Claimed::Mine(claim, _) = self.state.claim(time, LEASE).unwrap() else {
            panic!("somebody else has it");
        };
        self.state.finish_run(&claim, "sales", at(time), &end).unwrap();
        self.schedules.over("sales", at(time));
    }

    fn lines(&self) -> Vec<(String, String)> {
        let lines = self.schedules.lines().into_iter();
        lines.map(|line| (line.name, line.state)).collect()
    }
}

fn names(times: &[&str]) -> Vec<String> {
    times.iter().map(|time| run_name("sales", at(time))).collect()
}

#[test]
fn each_time_has_one_run_whatever_happens_to_server_and_clock() {
    let hourly = "cron: '0 * * * *'";
    let mut place = Place::new(hourly, "2026-05-01T08:30:00Z");
    assert_eq!(place.turn("2026-05-01T08:59:59Z").0, Vec::<String>::new());
    assert_eq!(place.schedules.next(), Some(at("2026-05-01T09:00:00Z")));
    assert_eq!(
        place.turn("2026-05-01T09:00:00Z").0,
        names(&["2026-05-01T09:00:00Z"])
    );
    assert_eq!(place.turn("2026-05-01T09:00:01Z").0, Vec::<String>::new());
    // The server dies, and the clock goes back: what was not over is run again, under its own name, and nothing else.
    place.starts(hourly);
    assert_eq!(
        place.turn("2026-05-01T08:58:00Z").0,
        names(&["2026-05-01T09:00:00Z"])
    );
    place.over("2026-05-01T09:00:00Z", true);
    assert_eq!(place.turn("2026-05-01T09:00:00Z").0, Vec::<String>::new());
    place.starts(hourly);
    assert_eq!(place.turn("2026-05-01T09:00:30Z").0, Vec::<String>::new());
    // Three times pass without a server: the last is made up for.
    place.starts(hourly);
    assert_eq!(
        place.turn("2026-05-01T12:10:00Z").0,
        names(&["2026-05-01T12:00:00Z"])
    );
}

#[test]
fn a_run_waits_for_the_one_before_or_ends_it() {
    let mut place = Place::new("cron: '*/5 * * * *'", "2026-05-01T09:00:30Z");
    assert_eq!(
        place.turn("2026-05-01T09:05:00Z").0,
        names(&["2026-05-01T09:05:00Z"])
    );
    assert_eq!(place.turn("2026-05-01T09:10:00Z").0, Vec::<String>::new());
    let said = place.schedules.lines().remove(0).message.unwrap();
    assert!(said.contains("waits for the one before"), "{said}");
    place.over("2026-05-01T09:05:00Z", true);
    assert_eq!(
        place.turn("2026-05-01T09:12:00Z").0,
        names(&["2026-05-01T09:10:00Z"])
    );
    // Its manifest says something else by now.
    place.put("cron: '*/5 * * * *', concurrencyPolicy: Replace");
    let (begun, ended) = place.turn("2026-05-01T09:15:00Z");
    assert_eq!((begun, ended), (Vec::new(), names(&["2026-05-01T09:10:00Z"])));
    place.over("2026-05-01T09:10:00Z", false);
    assert_eq!(
        place.turn("2026-05-01T09:15:01Z").0,
        names(&["2026-05-01T09:15:00Z"])
    );
}

#[test]
fn older_runs_are_forgotten_and_the_rest_is_told() {
    let schedule = "cron: '* * * * *', successfulJobsHistoryLimit: 1";
    let mut place = Place::new(schedule, "2026-05-01T09:00:30Z");
    for (minute, succeeded) in [(1, true), (2, false), (3, true), (4, false)] {
        let time = format!("2026-05-01T09:0{minute}:00Z");
        assert_eq!(place.turn(&time).0.len(), 1);
        place.over(&time, succeeded);
    }
    place.turn("2026-05-01T09:05:00Z");
    place.schedules.running("sales", at("2026-05-01T09:05:00Z"));
    let runs = names(&[
        "2026-05-01T09:03:00Z",
        "2026-05-01T09:04:00Z",
        "2026-05-01T09:05:00Z",
    ]);
    let states = ["Succeeded", "Failed", "Running"].map(str::to_owned);
    let mut expected = vec![("sales".to_owned(), "Scheduled".to_owned())];
    expected.extend(runs.into_iter().zip(states));
    assert_eq!(place.lines(), expected);
}

/// Proves: CN3 (L)
#[test]
fn two_servers_that_share_the_state_begin_one_run() {
    let mut place = Place::new("cron: '0 * * * *'", "2026-05-01T08:30:00Z");
    let mut other = Schedules::default();
    other.put("sales.yaml".to_owned(), job("cron: '0 * * * *'"), PathBuf::new());
    let now = at("2026-05-01T09:00:00Z");
    assert_eq!(place.turn("2026-05-01T09:00:00Z").0.len(), 1);
    let looked = other.plans().remove(0).look(&place.state, now).unwrap();
    let (pieces, _) = other.looked("sales", looked);
    assert_eq!(
        pieces[0].work(),
        format!("run/{}", names(&["2026-05-01T09:00:00Z"])[0])
    );
    let first = place.state.claim(&pieces[0].work(), LEASE).unwrap();
    assert!(matches!(first, Claimed::Mine(..)));
    let second = place.state.claim(&pieces[0].work(), LEASE).unwrap();
    assert!(matches!(second, Claimed::Elsewhere));
    place.over("2026-05-01T09:00:00Z", true);
    assert!(pieces[0].known(&place.state).unwrap().unwrap().succeeded);
    // What has not begun when its manifest goes is not begun.
    assert!(pieces[0].is_wanted());
    other.keep_only(|_| false);
    assert!(!pieces[0].is_wanted());
}

/// A clock was years ahead while the server ran, and is set right.
#[test]
fn a_clock_that_was_far_ahead_costs_no_run_and_doubles_none() {
    let mut place = Place::new("cron: '0 * * * *'", "2026-05-01T08:30:00Z");
    assert_eq!(place.turn("2026-05-01T09:00:10Z").0.len(), 1);
    place.over("2026-05-01T09:00:00Z", true);
    for time in ["2036-05-01T07:00:00Z", "2036-05-01T08:00:00Z"] {
        assert_eq!(place.turn(time).0, names(&[time]));
        place.over(time, true);
    }
    assert_eq!(place.turn("2026-05-01T09:30:00Z").0, Vec::<String>::new());
    assert_eq!(place.schedules.next(), Some(at("2026-05-01T10:00:00Z")));
    assert_eq!(
        place.turn("2026-05-01T10:00:00Z").0,
        names(&["2026-05-01T10:00:00Z"])
    );
    assert_eq!(place.turn("2026-05-01T10:00:10Z").0, Vec::<String>::new());
    let told: Vec<String> = place.lines().into_iter().map(|(name, _)| name).collect();
    let kept = names(&["2026-05-01T09:00:00Z", "2026-05-01T10:00:00Z"]);
    assert_eq!(
        told[1..],
        kept,
        "what has a time of years to come is not shown for years"
    );
}

/// A clock was hours ahead: a time that had its run does not get another one.
#[test]
fn a_time_that_a_clock_has_run_through_before_is_not_run_again() {
    let mut place = Place::new("cron: '0 * * * *'", "2026-05-01T08:30:00Z");
    for time in ["2026-05-01T11:00:00Z", "2026-05-01T12:00:00Z"] {
        assert_eq!(place.turn(time).0, names(&[time]));
        place.over(time, true);
    }
    for time in [
        "2026-05-01T09:30:00Z",
        "2026-05-01T11:00:00Z",
        "2026-05-01T12:00:00Z",
    ] {
        assert_eq!(place.turn(time).0, Vec::<String>::new(), "{time}");
    }
    assert_eq!(
        place.turn("2026-05-01T13:00:00Z").0,
        names(&["2026-05-01T13:00:00Z"])
    );
}

/// A schedule that was first seen by a clock that was ahead.
#[test]
fn a_schedule_that_is_older_than_its_clock_says_begins_now() {
    let mut place = Place::new("cron: '0 * * * *'", "2036-05-01T08:30:00Z");
    assert_eq!(place.turn("2026-05-01T09:30:00Z").0, Vec::<String>::new());
    assert_eq!(
        place.turn("2026-05-01T10:00:00Z").0,
        names(&["2026-05-01T10:00:00Z"])
    );
}
