use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::data::{JobRecord, JobState};

fn open(dir: &tempfile::TempDir) -> State {
    State::open(&Address::Sqlite(dir.path().join("db"))).unwrap()
}

impl State {
    /// Keeps SQLite from others until what is given is dropped.
    pub(crate) fn hold(&self) -> Held {
        let (pool, (end, ended)) = (self.pool(), std::sync::mpsc::channel::<()>());
        let (begun, begins) = std::sync::mpsc::channel();
        let holder = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let held = runtime.block_on(pool.begin_with("BEGIN IMMEDIATE")).unwrap();
            begun.send(()).unwrap();
            let _ = ended.recv();
            runtime.block_on(held.rollback()).unwrap();
        });
        begins.recv().unwrap();
        Held(Some(end), Some(holder))
    }
}

/// See [`State::hold`].
pub(crate) struct Held(
    Option<std::sync::mpsc::Sender<()>>,
    Option<std::thread::JoinHandle<()>>,
);

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.take());
        if let Some(holder) = self.1.take() {
            holder.join().unwrap();
        }
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn record(state: JobState, started: i64) -> JobRecord {
    JobRecord {
        name: "report".into(),
        tag: "build_report".into(),
        bundle: 3,
        variant: "default".into(),
        rendering: Some("7".into()),
        started: at(started),
        finished: (state != JobState::Running).then(|| at(started + 1)),
        state,
        exit_code: (state == JobState::Failed).then_some(70),
        reason: (state == JobState::Failed).then(|| "ProcessFailed".into()),
        message: None,
    }
}

fn outcome(succeeded: bool) -> Outcome {
    Outcome {
        digest: "d".into(),
        succeeded,
        finished: at(100),
        content: Some("sales".into()),
        message: "done".into(),
    }
}

fn mine(state: &State, work: &str, lease: Duration) -> Claim {
    match state.claim(work, lease).unwrap() {
        Claimed::Mine(claim, _) => claim,
        Claimed::Elsewhere => panic!("{work} is another server's"),
    }
}

fn is_elsewhere(state: &State, work: &str) -> bool {
    matches!(state.claim(work, LEASE).unwrap(), Claimed::Elsewhere)
}

/// Proves: CN3 (L), PK10 (L)
#[test]
fn jobs_are_remembered_as_they_were_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let state = open(&dir);
    state
        .put_job("sales", "k1", &record(JobState::Running, 10))
        .unwrap();
    state
        .put_job("sales", "k2", &record(JobState::Failed, 20))
        .unwrap();
    state
        .put_job("other", "k3", &record(JobState::Succeeded, 5))
        .unwrap();
    assert_eq!(state.open_jobs().unwrap().len(), 1);
    state
        .put_job("sales", "k1", &record(JobState::Succeeded, 10))
        .unwrap();
    drop(state);
    let state = open(&dir);
    let jobs = state.jobs("sales").unwrap();
    let keys: Vec<&str> = jobs.iter().map(|job| job.key.as_str()).collect();
    assert_eq!(keys, ["k1", "k2"]);
    assert_eq!(jobs[0].record, record(JobState::Succeeded, 10));
    assert_eq!(jobs[1].record, record(JobState::Failed, 20));
    state.forget_jobs("sales", &["k1".to_owned()]).unwrap();
    assert_eq!(state.jobs("sales").unwrap().len(), 1);
    state.forget_content("sales").unwrap();
    assert!(state.jobs("sales").unwrap().is_empty());
}

/// Proves: CN3 (L)
#[test]
fn work_has_one_holder_and_only_that_one_finishes() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(&dir), open(&dir));
    let claim = mine(&first, "job/a", Duration::from_millis(300));
    let begun = Before {
        content: "sales".to_owned(),
        key: "k1".to_owned(),
        digest: Some("d".to_owned()),
    };
    first.note_job(&claim, begun.clone()).unwrap();
    assert!(is_elsewhere(&second, "job/a"));
    assert!(is_elsewhere(&first, "job/a"));
    first.renew(Duration::from_millis(600)).unwrap();
    std::thread::sleep(Duration::from_millis(400));
    assert!(is_elsewhere(&second, "job/a"), "it said that it lives");
    std::thread::sleep(Duration::from_millis(400));
    let Claimed::Mine(taken, before) = second.claim("job/a", LEASE).unwrap() else {
        panic!("its time is over");
    };
    assert_eq!(before, Some(begun));
    let lost = first.finish_job(&claim, "a", &outcome(true)).unwrap_err();
    assert!(matches!(lost, StateError::Lost { .. }), "{lost}");
    assert!(matches!(first.confirm(&claim), Err(StateError::Lost { .. })));
    assert_eq!(
        first.outcome("a").unwrap(),
        None,
        "what a former holder says is not written"
    );
    second.confirm(&taken).unwrap();
    second.finish_job(&taken, "a", &outcome(true)).unwrap();
    assert_eq!(first.outcome("a").unwrap(), Some(outcome(true)));
    first.forget_job("a").unwrap();
    assert_eq!(second.outcome("a").unwrap(), None);
}

/// Proves: CN3 (L)
#[test]
fn a_claim_outlives_what_it_was_confirmed_for_and_no_clock_that_is_set_back() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(&dir), open(&dir));
    let claim = mine(&first, "job/a", Duration::from_millis(300));
    first.confirm(&claim).unwrap();
    std::thread::sleep(Duration::from_millis(400));
    assert!(is_elsewhere(&second, "job/a"), "what is made is put in force now");
    // As of a server that is gone, and a clock that was an hour ahead.
    let pool = second.pool();
    let sql = "UPDATE claims SET until = until + 3600000";
    second
        .ask(async move { sqlx::query(sql).execute(&pool).await.map(drop) })
        .unwrap();
    mine(&second, "job/a", LEASE);
    assert!(matches!(first.confirm(&claim), Err(StateError::Lost { .. })));
}

/// Proves: CN3 (L)
#[test]
fn the_end_of_work_can_be_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(&dir), open(&dir));
    let claims = [mine(&first, "run/a", LEASE), mine(&first, "run/b", LEASE)];
    assert_eq!(first.renew(LEASE).unwrap(), Vec::<String>::new());
    second.ask_to_stop("run/b").unwrap();
    assert_eq!(first.renew(LEASE).unwrap(), ["run/b"]);
    // What was let go of and not given up is this server's still, and no more renewed.
    drop(claims);
    assert_eq!(first.renew(LEASE).unwrap(), Vec::<String>::new());
    assert!(is_elsewhere(&second, "run/b"));
    mine(&first, "run/b", LEASE);
}

/// Proves: CN3 (L)
#[test]
fn each_time_of_a_schedule_is_begun_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (open(&dir), open(&dir));
    let new = first.ledger("sales", at(50)).unwrap();
    assert_eq!(second.ledger("sales", at(60)).unwrap(), new);
    assert_eq!(new.since, at(50));
    assert!(first.begin_run("sales", at(120)).unwrap());
    assert!(!second.begin_run("sales", at(120)).unwrap());
    assert!(
        !second.begin_run("sales", at(60)).unwrap(),
        "an earlier time is over"
    );
    let claim = mine(&second, "run/sales/120", LEASE);
    let end = End {
        finished: at(130),
        succeeded: true,
        message: "done".into(),
    };
    assert_eq!(first.run_end("sales", at(120)).unwrap(), None);
    second.finish_run(&claim, "sales", at(120), &end).unwrap();
    assert_eq!(first.run_end("sales", at(120)).unwrap(), Some(end.clone()));
    let ledger = first.ledger("sales", at(500)).unwrap();
    assert_eq!(
        (ledger.last, ledger.last_successful),
        (Some(at(120)), Some(at(130)))
    );
    assert_eq!(ledger.runs.len(), 1);
    first.forget_runs("sales", &[at(120)]).unwrap();
    assert!(
        !first.begin_run("sales", at(120)).unwrap(),
        "a run that is forgotten does not come back"
    );
    first.forget_schedule("sales").unwrap();
    assert_eq!(first.ledger("sales", at(700)).unwrap().since, at(700));
}

/// Proves: CN3 (L)
#[test]
fn everything_moves_to_another_database() {
    let dir = tempfile::tempdir().unwrap();
    let old = open(&dir);
    old.put_job("sales", "k1", &record(JobState::Failed, 10)).unwrap();
    old.ledger("sales", at(50)).unwrap();
    old.begin_run("sales", at(120)).unwrap();
    old.import_outcome("a", &outcome(false)).unwrap();
    let item = Item {
        content: "sales".to_owned(),
        name: "Sales".to_owned(),
        created: at(5),
        run_as: "ann".to_owned(),
        bundles: vec![Bundle {
            bundle: 3,
            deployed: at(6),
            digest: "d".to_owned(),
            facts: Facts::default(),
            active: true,
        }],
        results: vec![Made {
            variant: "default".to_owned(),
            result: 7,
            bundle: 3,
            job: "k1".to_owned(),
            finished: at(11),
            bytes: 12,
            active: true,
        }],
    };
    old.put_item(&item).unwrap();
    let served = Served {
        name: "page".to_owned(),
        content: "sales".to_owned(),
        access: "All".to_owned(),
        run_as: "ann".to_owned(),
    };
    old.put_served(&served).unwrap();
    let place = tempfile::tempdir().unwrap();
    let new = open(&place);
    move_all(&old, &new).unwrap();
    assert_eq!(new.item("sales").unwrap(), Some(item));
    assert_eq!(new.served().unwrap(), [served]);
    assert_eq!(counts(&old).unwrap(), counts(&new).unwrap());
    assert_eq!(new.jobs("sales").unwrap(), old.jobs("sales").unwrap());
    assert_eq!(
        new.ledger("sales", at(0)).unwrap(),
        old.ledger("sales", at(0)).unwrap()
    );
    assert_eq!(new.outcome("a").unwrap(), Some(outcome(false)));
    move_all(&old, &new).unwrap();
    assert_eq!(
        counts(&old).unwrap(),
        counts(&new).unwrap(),
        "done twice it is done once"
    );
}

/// Proves: CN3 (L)
#[test]
fn a_database_that_is_locked_or_full_says_so_and_recovers() {
    let dir = tempfile::tempdir().unwrap();
    let address = Address::Sqlite(dir.path().join("db"));
    let state = State::open(&address).unwrap();
    let small = State::open_with(&address, "PRAGMA max_page_count = 40; PRAGMA busy_timeout = 100").unwrap();
    let large = JobRecord {
        message: Some("x".repeat(100_000)),
        ..record(JobState::Failed, 1)
    };
    let full = (0..20).find_map(|key| small.put_job("sales", &key.to_string(), &large).err());
    let full = full.unwrap();
    assert!(
        matches!(full, StateError::Full { .. }) && full.to_string().contains("make room"),
        "{full}"
    );
    state.put_job("sales", "k", &record(JobState::Failed, 1)).unwrap();
    {
        let _held = state.hold();
        let locked = small.mark("x").unwrap_err();
        assert!(matches!(locked, StateError::Locked { .. }), "{locked}");
    }
    small.mark("x").unwrap();
}

/// Proves: CN3 (L)
#[test]
fn nobody_who_answers_is_told_with_the_place_and_without_the_password() {
    let address = Address::postgres("postgres://me@127.0.0.1:9/x", "hunter2").unwrap();
    let error = State::open(&address).unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, StateError::Away { .. }), "{error:?}");
    assert!(
        said.contains("127.0.0.1:9/x") && said.contains("can not be reached"),
        "{said}"
    );
    assert!(!format!("{said}{error:?}").contains("hunter2"));
}

/// Proves: CN3 (L)
#[tokio::test]
async fn log_ins_outlive_the_server() {
    use std::sync::Arc;

    use crate::gateway::LoginStore;
    use crate::visitors::{Lifetimes, Login, LoginId, Visitor};

    let dir = tempfile::tempdir().unwrap();
    let login = |id: u128, seen| Login {
        id: LoginId(id),
        visitor: Arc::new(Visitor {
            user: "ann".to_owned(),
            groups: vec!["staff".to_owned(), "a b".to_owned()],
            // Of one the machine knows no account.
            uid: (id == 7).then_some(u32::MAX - 1),
        }),
        since: 100,
        seen,
    };
    let state = open(&dir);
    state.begin(login(u128::MAX, 100)).await.unwrap();
    state.begin(login(7, 100)).await.unwrap();
    drop(state);
    let state = open(&dir);
    assert_eq!(
        state.find(LoginId(u128::MAX)).await.unwrap(),
        Some(login(u128::MAX, 100))
    );
    state.seen(LoginId(7), 900).await.unwrap();
    state.seen(LoginId(7), 500).await.unwrap();
    assert_eq!(state.find(LoginId(7)).await.unwrap(), Some(login(7, 900)));
    assert_eq!(state.of_user("ann").await.unwrap().len(), 2);
    assert!(state.of_user("bob").await.unwrap().is_empty());
    let lifetimes = Lifetimes {
        lifetime: Duration::ZERO,
        inactivity: Duration::from_secs(60),
    };
    state.sweep(lifetimes, 920).await.unwrap();
    assert_eq!(state.of_user("ann").await.unwrap(), [LoginId(7)]);
    state.end(LoginId(7)).await.unwrap();
    assert_eq!(state.find(LoginId(7)).await.unwrap(), None);
}
