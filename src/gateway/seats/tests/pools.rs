//! Visitors whose accounts have processes of their own.

use super::*;
use crate::apps::AccountName;

fn own(max_processes: u32, max_connections: u32) -> AppSpec {
    AppSpec {
        has_pools: true,
        ..small(max_processes, max_connections)
    }
}

fn of(account: &str, claim: Claim) -> Claim {
    let account = Some(AccountName::marked(account, 1));
    Claim { account, ..claim }
}

fn socket(session: u128, home: Option<&ProcessId>) -> Claim {
    claim("a", session, home, Purpose::Socket)
}

fn pool_of(world: &World, seat: &Seat) -> String {
    let started = world.fleet.started.lock().unwrap();
    let found = started.iter().find(|(_, process)| *process == seat.process);
    found.map(|(app, _)| app.to_string()).unwrap()
}

/// Proves: CU2 (L), CU3 (L), SC5 (L)
#[tokio::test(start_paused = true)]
async fn each_account_has_processes_of_its_own_whatever_cookie_comes() {
    let world = world(READY, alone());
    world.set("a", own(3, 20));
    world.complete();
    let seats = world.seats("one").await;
    let ana = seats.take(of("ana", socket(1, None))).await.unwrap();
    let ben = seats.take(of("ben", socket(2, None))).await.unwrap();
    let nobody = seats.take(socket(3, None)).await.unwrap();
    let pools = [&ana, &ben, &nobody].map(|seat| pool_of(&world, seat));
    assert_eq!(pools, ["a@ana/00000001", "a@ben/00000001", "a"]);
    // The same account comes to its process, and nobody comes to another's: with its cookie, its session's number, or both.
    let again = seats
        .take(of("ana", socket(1, Some(&ana.process))))
        .await
        .unwrap();
    assert_eq!((again.process == ana.process, again.new_session), (true, false));
    for thief in [
        seats
            .take(of("ben", socket(1, Some(&ana.process))))
            .await
            .unwrap(),
        seats.take(of("ben", socket(1, None))).await.unwrap(),
    ] {
        assert_eq!(thief.process, ben.process);
    }
    let thief = seats.take(socket(1, Some(&ana.process))).await.unwrap();
    assert_eq!(thief.process, nobody.process);
    let shown = world.hub.app(&"a".into()).unwrap();
    assert_eq!((shown.processes, shown.ready), (3, 3));
}

/// Proves: CU3 (L), SC2 (L)
#[tokio::test(start_paused = true)]
async fn accounts_share_the_bound_and_an_unused_process_makes_room() {
    let world = world(READY, alone());
    let mut spec = own(1, 20);
    spec.bounds.idle_timeout = None;
    world.set("a", spec);
    world.complete();
    let seats = world.seats("one").await;
    let ana = seats.take(of("ana", socket(1, None))).await.unwrap();
    // While it is used, the other one waits, and is told so in the end.
    let refused = seats.take(of("ben", socket(2, None))).await.unwrap_err();
    assert_eq!(refused, NoSeat::Busy);
    drop(ana);
    pass(60).await;
    assert!(
        world.fleet.ended.lock().unwrap().is_empty(),
        "nobody needs its room"
    );
    let began = tokio::time::Instant::now();
    let ben = seats.take(of("ben", socket(2, None))).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(pool_of(&world, &ben), "a@ben/00000001");
    assert_eq!(world.fleet.ended.lock().unwrap()[0].1, EndCause::Idle);
    assert_eq!(world.fleet.alive.lock().unwrap().len(), 1);
}

/// Proves: CU3 (L)
#[tokio::test(start_paused = true)]
async fn a_pool_that_nobody_needed_is_forgotten_and_made_again() {
    let world = world(READY, alone());
    world.set("a", own(3, 20));
    world.set("b", spec());
    world.complete();
    let seats = world.seats("one").await;
    for round in 1..4 {
        drop(seats.take(of("ana", socket(round, None))).await.unwrap());
        pass(60).await;
        assert_eq!(world.fleet.alive.lock().unwrap().len(), 0);
        let pool = AppId::from("a@ana/00000001");
        assert!(seats.state(&pool).is_none(), "it is forgotten");
    }
    // An application that does not ask for it has none, and one that is gone neither.
    let refused = seats
        .take(of("ana", claim("b", 1, None, Purpose::Page)))
        .await
        .unwrap_err();
    assert_eq!(refused, NoSeat::Closing);
    let refused = seats
        .take(of("ana", claim("c", 1, None, Purpose::Page)))
        .await
        .unwrap_err();
    assert_eq!(refused, NoSeat::Unknown);
}

/// Proves: CU3 (L)
#[tokio::test(start_paused = true)]
async fn what_fails_for_one_account_does_not_fail_for_another() {
    let world = world(Fate::FailsAfter(Duration::from_millis(10)), alone());
    world.set("a", own(3, 20));
    world.complete();
    let seats = world.seats("one").await;
    let failed = seats.take(of("ana", socket(1, None))).await.unwrap_err();
    assert!(matches!(failed, NoSeat::Failed(_)), "{failed:?}");
    *world.fleet.fate.lock().unwrap() = READY;
    assert!(seats.take(of("ben", socket(2, None))).await.is_ok());
    let failed = seats.take(of("ana", socket(3, None))).await;
    assert!(matches!(failed, Err(NoSeat::Failed(_))), "{failed:?}");
    pass(5).await;
    assert!(seats.take(of("ana", socket(3, None))).await.is_ok());
    // With the application, all of it ends.
    world.hub.tell(FleetEvent::AppGone { app: "a".into() });
    pass(1).await;
    assert!(world.fleet.alive.lock().unwrap().is_empty());
    assert_eq!(
        seats.take(of("ben", socket(4, None))).await.unwrap_err(),
        NoSeat::Unknown
    );
}
