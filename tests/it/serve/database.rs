//! What is kept in PostgreSQL, as it is in SQLite.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use offhost::gateway::LoginStore;
use offhost::state::{Address, State};
use offhost::visitors::{Lifetimes, Login, LoginId, Visitor};

use super::may_run;
use super::shared::Postgres;

fn login(id: u128, uid: Option<u32>, seen: u64) -> Login {
    let groups = ["staff", "a b", "größe"].map(str::to_owned).to_vec();
    let user = "ann".to_owned();
    Login {
        id: LoginId(id),
        visitor: Arc::new(Visitor { user, groups, uid }),
        since: 100,
        seen,
    }
}

/// Proves: CN3 (L)
#[test]
fn log_ins_and_schedules_are_kept_in_postgresql_as_in_sqlite() {
    if !may_run() {
        return;
    }
    let postgres = Postgres::start();
    let open = || State::open(&Address::postgres(&postgres.url(), "").unwrap()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (first, second) = (open(), open());

    let ids = [
        (u128::MAX, None),
        (7, Some(0)),
        (8, Some(1000)),
        (9, Some(u32::MAX - 1)),
    ];
    for (id, uid) in ids {
        runtime.block_on(first.begin(login(id, uid, 100))).unwrap();
        let found = runtime.block_on(second.find(LoginId(id))).unwrap();
        assert_eq!(found, Some(login(id, uid, 100)));
    }
    for seen in [900, 500] {
        runtime.block_on(second.seen(LoginId(9), seen)).unwrap();
    }
    let found = runtime.block_on(first.find(LoginId(9))).unwrap();
    assert_eq!(found, Some(login(9, Some(u32::MAX - 1), 900)));
    let lifetimes = Lifetimes {
        lifetime: Duration::ZERO,
        inactivity: Duration::from_secs(60),
    };
    runtime.block_on(first.sweep(lifetimes, 920)).unwrap();
    assert_eq!(runtime.block_on(second.of_user("ann")).unwrap(), [LoginId(9)]);
    runtime.block_on(second.end(LoginId(9))).unwrap();
    assert_eq!(runtime.block_on(first.find(LoginId(9))).unwrap(), None);

    // The server's clock, whatever ours is.
    let (now, wrong) = (Timestamp::now(), Timestamp::from_second(1).unwrap());
    let told = first.clock(wrong).unwrap();
    assert!(told.duration_since(now).unsigned_abs() < Duration::from_secs(600));
    let at = |second| Timestamp::from_second(second).unwrap();
    assert_eq!(first.ledger("sales", at(50)).unwrap().since, at(50));
    assert_eq!(second.ledger("sales", at(60)).unwrap().since, at(50));
    assert!(first.begin_run("sales", at(5000)).unwrap());
    assert!(!second.begin_run("sales", at(5000)).unwrap());
    assert!(
        !second.begin_run("sales", at(120)).unwrap(),
        "an earlier time is over"
    );
    second.set_back("sales", at(100)).unwrap();
    let ledger = first.ledger("sales", at(130)).unwrap();
    assert_eq!((ledger.since, ledger.last), (at(50), Some(at(100))));
    assert!(second.begin_run("sales", at(120)).unwrap());
}
