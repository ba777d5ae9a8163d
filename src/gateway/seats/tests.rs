//! Seats and hub together, with processes that only say that they are there. Time is the test's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::apps::{Address, AppSpec, Bounds, Deployment, EndCause, Failure, ProcessId};
use crate::gateway::backend::{Purpose, SessionClaim};
use crate::hub::{self, Fleet, FleetEvent, HubHandle, HubOptions};

mod peers;
mod pools;

/// What becomes of a process that is started.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    ReadyAfter(Duration),
    FailsAfter(Duration),
    Never,
}

#[derive(Debug)]
struct FakeFleet {
    hub: Mutex<HubHandle>,
    fate: Mutex<Fate>,
    started: Mutex<Vec<(AppId, ProcessId)>>,
    alive: Arc<Mutex<BTreeMap<ProcessId, (AppId, Deployment)>>>,
    ended: Mutex<Vec<(ProcessId, EndCause)>>,
}

fn address() -> Address {
    Address::Tcp("127.0.0.1:8000".parse().unwrap())
}

impl FakeFleet {
    fn new(hub: &HubHandle, fate: Fate) -> Arc<Self> {
        Arc::new(Self {
            hub: Mutex::new(hub.clone()),
            fate: Mutex::new(fate),
            started: Mutex::default(),
            alive: Arc::default(),
            ended: Mutex::default(),
        })
    }

    fn starts(&self) -> usize {
        self.started.lock().unwrap().len()
    }
}

impl Fleet for FakeFleet {
    fn start(&self, app: &AppId, process: &ProcessId, deployment: &Deployment) {
        self.started.lock().unwrap().push((app.clone(), process.clone()));
        self.alive
            .lock()
            .unwrap()
            .insert(process.clone(), (app.clone(), deployment.clone()));
        let hub = self.hub.lock().unwrap().clone();
        let (app, process) = (app.clone(), process.clone());
        let fate = *self.fate.lock().unwrap();
        let alive = self.alive.clone();
        tokio::spawn(async move {
            match fate {
                Fate::ReadyAfter(time) => {
                    tokio::time::sleep(time).await;
                    hub.tell(FleetEvent::Ready {
                        app,
                        process,
                        address: address(),
                    });
                }
                Fate::FailsAfter(time) => {
                    tokio::time::sleep(time).await;
                    alive.lock().unwrap().remove(&process);
                    let failure = Some(failure("it exited"));
                    hub.tell(FleetEvent::Ended {
                        app,
                        process,
                        failure,
                    });
                }
                Fate::Never => {}
            }
        });
    }

    fn end(&self, app: &AppId, process: &ProcessId, cause: EndCause) {
        self.ended.lock().unwrap().push((process.clone(), cause));
        self.alive.lock().unwrap().remove(process);
        self.hub.lock().unwrap().tell(FleetEvent::Ended {
            app: app.clone(),
            process: process.clone(),
            failure: None,
        });
    }
}

fn failure(message: &str) -> Failure {
    Failure {
        reason: "ProcessFailed".into(),
        message: message.into(),
        process: None,
        exit_code: Some(1),
    }
}

fn spec() -> AppSpec {
    AppSpec {
        deployment: "1".into(),
        bounds: Bounds {
            min_processes: 0,
            max_processes: 3,
            max_connections: 20,
            load_factor_thousandths: 500,
            init_timeout: Duration::from_secs(60),
            idle_timeout: Some(Duration::from_secs(5)),
            drain_timeout: Duration::from_secs(3600),
        },
        held: None,
        has_pools: false,
    }
}

fn small(max_processes: u32, max_connections: u32) -> AppSpec {
    let mut spec = spec();
    spec.bounds.max_processes = max_processes;
    spec.bounds.max_connections = max_connections;
    spec
}

struct World {
    hub: HubHandle,
    fleet: Arc<FakeFleet>,
    task: tokio::task::JoinHandle<()>,
}

fn world(fate: Fate, options: HubOptions) -> World {
    let (hub, inbox) = hub::channel();
    let fleet = FakeFleet::new(&hub, fate);
    let task = tokio::spawn(hub::run(inbox, fleet.clone(), options));
    World { hub, fleet, task }
}

impl World {
    fn set(&self, app: &str, spec: AppSpec) {
        self.hub.tell(FleetEvent::AppSet {
            app: app.into(),
            spec,
        });
    }

    fn complete(&self) {
        self.hub.tell(FleetEvent::Complete);
    }

    async fn seats(&self, name: &str) -> Arc<Seats> {
        seats(name, Arc::new(self.hub.dial())).await
    }
}

async fn seats(name: &str, dial: Arc<dyn Dial>) -> Arc<Seats> {
    let options = SeatsOptions {
        gateway: name.into(),
        queue_length: 1000,
        address: None,
    };
    let seats = Arc::new(Seats::start(options, dial));
    seats.known().await;
    seats
}

fn alone() -> HubOptions {
    HubOptions {
        gateways: Some(["one".into()].into()),
        ..HubOptions::default()
    }
}

fn claim(app: &str, session: u128, home: Option<&ProcessId>, purpose: Purpose) -> Claim {
    Claim {
        app: app.into(),
        session: Some(SessionClaim {
            id: session,
            process: home.cloned(),
        }),
        visitor: None,
        account: None,
        purpose,
        patience: Duration::from_secs(30),
    }
}

fn bare(app: &str) -> Claim {
    Claim {
        app: app.into(),
        session: None,
        visitor: None,
        account: None,
        purpose: Purpose::Request,
        patience: Duration::from_secs(30),
    }
}

const READY: Fate = Fate::ReadyAfter(Duration::from_millis(300));

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Proves: SC1 (L, P), SC3 (L, P)
#[tokio::test(start_paused = true)]
async fn the_first_request_starts_a_process_and_it_ends_when_idle() {
    let world = world(READY, alone());
    world.set("a", spec());
    world.complete();
    let seats = world.seats("one").await;
    let began = tokio::time::Instant::now();
    let seat = seats.take(bare("a")).await.unwrap();
    assert!(
        began.elapsed() < Duration::from_millis(305),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(world.fleet.starts(), 1);
    pass(60).await;
    assert!(world.fleet.ended.lock().unwrap().is_empty());
    drop(seat);
    pass(6).await;
    assert_eq!(world.fleet.ended.lock().unwrap()[0].1, EndCause::Idle);
    assert_eq!(world.hub.app(&"a".into()).unwrap().processes, 0);
    assert_eq!(seats.take(bare("b")).await.unwrap_err(), NoSeat::Unknown);
    drop(seats.take(bare("a")).await.unwrap());
    assert_eq!(world.fleet.starts(), 2);
}

/// Proves: SC2 (L, P)
#[tokio::test(start_paused = true)]
async fn ten_thousand_visitors_at_once_are_held_in_order_or_refused_at_once() {
    let world = world(READY, alone());
    world.set("a", spec());
    world.complete();
    let seats = world.seats("one").await;
    let mut tasks = Vec::new();
    for session in 0..10_000 {
        let seats = seats.clone();
        tasks.push(tokio::spawn(async move {
            seats.take(claim("a", session, None, Purpose::Socket)).await
        }));
        tokio::task::yield_now().await;
    }
    let mut held = Vec::new();
    let (mut refused, mut busy) = (0, 0);
    for (index, task) in tasks.into_iter().enumerate() {
        match task.await.unwrap() {
            Ok(seat) => held.push((index, seat)),
            Err(NoSeat::QueueFull) => refused += 1,
            Err(NoSeat::Busy) => busy += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(held.len(), 60, "three processes of twenty");
    assert!(
        held.iter().all(|(index, _)| *index < 60),
        "first come, first seated"
    );
    assert_eq!((refused, busy), (9000, 940));
    assert_eq!(world.fleet.starts(), 3);
}

/// Proves: SC3 (L, P)
#[tokio::test(start_paused = true)]
async fn a_crash_at_the_start_is_told_to_all_who_wait_and_not_tried_for_each() {
    let world = world(Fate::FailsAfter(Duration::from_millis(100)), alone());
    world.set("a", spec());
    world.complete();
    let seats = world.seats("one").await;
    let waiting: Vec<_> = (0..5)
        .map(|session| {
            let seats = seats.clone();
            tokio::spawn(async move { seats.take(claim("a", session, None, Purpose::Page)).await })
        })
        .collect();
    for task in waiting {
        assert!(matches!(task.await.unwrap(), Err(NoSeat::Failed(f)) if f.message == "it exited"));
    }
    assert_eq!(world.fleet.starts(), 1);
    assert!(matches!(seats.take(bare("a")).await, Err(NoSeat::Failed(_))));
    assert_eq!(world.fleet.starts(), 1);
    pass(2).await;
    assert!(matches!(seats.take(bare("a")).await, Err(NoSeat::Failed(_))));
    assert_eq!(world.fleet.starts(), 2);
    let shown = world.hub.app(&"a".into()).unwrap();
    assert_eq!(shown.last_failure.as_ref().unwrap().0.message, "it exited");
    *world.fleet.fate.lock().unwrap() = READY;
    pass(3).await;
    drop(seats.take(bare("a")).await.unwrap());
    assert_eq!(world.hub.app(&"a".into()).unwrap().last_failure, None);
}

/// Proves: SC3 (L, P)
#[tokio::test(start_paused = true)]
async fn a_process_that_is_never_ready_is_ended_and_visitors_are_told() {
    let world = world(Fate::Never, alone());
    let mut spec = spec();
    spec.bounds.init_timeout = Duration::from_secs(10);
    world.set("a", spec);
    world.complete();
    let seats = world.seats("one").await;
    let mut impatient = bare("a");
    impatient.patience = Duration::from_secs(1);
    assert!(matches!(
        seats.take(impatient).await,
        Err(NoSeat::Starting { .. })
    ));
    let told = seats.take(bare("a")).await.unwrap_err();
    assert!(
        matches!(&told, NoSeat::Failed(f) if f.message.contains("10 s")),
        "{told:?}"
    );
    assert_eq!(world.fleet.ended.lock().unwrap()[0].1, EndCause::NotReady);
}

/// Proves: SC3 (P)
#[tokio::test(start_paused = true)]
async fn the_time_to_get_ready_counts_from_when_a_process_has_a_place_to_run_in() {
    let world = world(Fate::Never, alone());
    let mut spec = spec();
    spec.bounds.init_timeout = Duration::from_secs(10);
    spec.bounds.min_processes = 1;
    world.set("a", spec);
    world.complete();
    pass(1).await;
    let (app, process) = world.fleet.started.lock().unwrap()[0].clone();
    let placed = |waits| {
        world.hub.tell(FleetEvent::Placed {
            app: app.clone(),
            process: process.clone(),
            waits,
        });
    };
    placed(true);
    pass(120).await;
    assert_eq!(world.fleet.ended.lock().unwrap().len(), 0);
    placed(false);
    pass(8).await;
    assert_eq!(world.fleet.ended.lock().unwrap().len(), 0);
    pass(4).await;
    assert_eq!(
        world.fleet.ended.lock().unwrap()[0],
        (process.clone(), EndCause::NotReady)
    );
    // What never gets one is given up too.
    let (_, next) = world.fleet.started.lock().unwrap().last().unwrap().clone();
    world.hub.tell(FleetEvent::Placed {
        app: app.clone(),
        process: next.clone(),
        waits: true,
    });
    pass(3600).await;
    let ended = world.fleet.ended.lock().unwrap();
    assert!(ended.iter().any(|(process, _)| *process == next), "{ended:?}");
}

/// Proves: SC5 (L, P)
#[tokio::test(start_paused = true)]
async fn a_session_goes_back_to_its_process_also_when_that_is_full() {
    let world = world(READY, alone());
    world.set("a", small(2, 1));
    world.complete();
    let seats = world.seats("one").await;
    let one = seats.take(claim("a", 1, None, Purpose::Socket)).await.unwrap();
    let two = seats.take(claim("a", 2, None, Purpose::Socket)).await.unwrap();
    assert_ne!(one.process, two.process);
    pass(1).await;
    assert_eq!(
        seats
            .take(claim("a", 3, None, Purpose::Socket))
            .await
            .unwrap_err(),
        NoSeat::Busy
    );
    let back = seats
        .take(claim("a", 1, Some(&one.process), Purpose::Socket))
        .await
        .unwrap();
    assert_eq!(back.process, one.process);
    assert!(!back.new_session && one.new_session);
    let gone = seats
        .take(claim("a", 1, Some(&"gone".into()), Purpose::Socket))
        .await;
    assert_eq!(gone.unwrap_err(), NoSeat::Busy);
    drop((one, back));
    pass(1).await;
    let anew = seats
        .take(claim("a", 1, Some(&"gone".into()), Purpose::Socket))
        .await
        .unwrap();
    assert!(anew.new_session);
}

/// Proves: SC4 (L, P)
#[tokio::test(start_paused = true)]
async fn two_gateways_share_the_seats_of_one_process() {
    let world = world(READY, HubOptions::default());
    world.set("a", small(1, 4));
    world.complete();
    let one = world.seats("one").await;
    let two = world.seats("two").await;
    let mut held = Vec::new();
    for session in 0..4 {
        let gateway = if session % 2 == 0 { &one } else { &two };
        held.push(
            gateway
                .take(claim("a", session, None, Purpose::Socket))
                .await
                .unwrap(),
        );
    }
    pass(1).await;
    for gateway in [&one, &two] {
        let refused = gateway.take(claim("a", 9, None, Purpose::Socket)).await;
        assert_eq!(refused.unwrap_err(), NoSeat::Busy);
    }
    // A seat that is left at one gateway is taken at the other.
    held.remove(0);
    pass(1).await;
    held.push(two.take(claim("a", 9, None, Purpose::Socket)).await.unwrap());
    assert_eq!(world.fleet.starts(), 1);
}

/// Proves: SC4 (L, P)
#[tokio::test(start_paused = true)]
async fn two_applications_want_the_last_place() {
    let options = HubOptions {
        max_processes_total: 1,
        ..alone()
    };
    let world = world(READY, options);
    world.set("a", spec());
    world.set("b", spec());
    world.complete();
    let seats = world.seats("one").await;
    let first = seats.take(bare("a")).await.unwrap();
    let second = {
        let seats = seats.clone();
        tokio::spawn(async move { seats.take(bare("b")).await })
    };
    pass(10).await;
    assert_eq!(world.fleet.starts(), 1);
    drop(first);
    let second = second.await.unwrap().unwrap();
    assert_eq!(world.fleet.starts(), 2);
    let mut claim = bare("a");
    claim.patience = Duration::from_secs(1);
    assert_eq!(seats.take(claim).await.unwrap_err(), NoSeat::Queued);
    drop(second);
}

/// Whoever has a session is sent away with a page that comes back; the application keeps its turn meanwhile.
///
/// Proves: SC4 (L, P)
#[tokio::test(start_paused = true)]
async fn an_application_keeps_its_turn_for_the_last_place_for_a_while() {
    let options = HubOptions {
        max_processes_total: 1,
        ..alone()
    };
    let world = world(READY, options);
    for name in ["a", "b", "c"] {
        world.set(name, spec());
    }
    world.complete();
    let seats = world.seats("one").await;
    let first = seats.take(bare("a")).await.unwrap();
    let refused = |name| claim(name, 1, None, Purpose::Socket);
    assert_eq!(seats.take(refused("b")).await.unwrap_err(), NoSeat::Queued);
    assert_eq!(seats.take(refused("c")).await.unwrap_err(), NoSeat::Queued);
    pass(20).await;
    assert_eq!(seats.take(refused("c")).await.unwrap_err(), NoSeat::Queued);
    // Nobody of the first that waited has come back, and its turn is over.
    pass(15).await;
    drop(first);
    pass(20).await;
    let starts = world.fleet.started.lock().unwrap();
    let starts: Vec<&str> = starts.iter().map(|(app, _)| app.as_str()).collect();
    assert_eq!(starts, ["a", "c"]);
}

/// Proves: SC5 (P), SC4 (P)
#[tokio::test(start_paused = true)]
async fn a_new_leader_goes_on_where_the_old_one_was_lost() {
    let dial = Arc::new(Movable::default());
    let old = world(READY, HubOptions::default());
    *dial.0.lock().unwrap() = Some(old.hub.clone());
    old.set("a", small(1, 2));
    old.complete();
    let one = seats("one", dial.clone()).await;
    let two = seats("two", dial.clone()).await;
    let held = one.take(claim("a", 1, None, Purpose::Socket)).await.unwrap();
    old.task.abort();
    pass(1).await;

    let new = world(
        READY,
        HubOptions {
            term: 1,
            ..HubOptions::default()
        },
    );
    new.set("a", small(1, 2));
    new.hub.tell(FleetEvent::Adopted {
        app: "a".into(),
        process: held.process.clone(),
        deployment: "1".into(),
        address: Some(address()),
    });
    *dial.0.lock().unwrap() = Some(new.hub.clone());
    // The session goes on before the new leader knows anything.
    let again = one
        .take(claim("a", 1, Some(&held.process), Purpose::Request))
        .await
        .unwrap();
    assert_eq!(again.process, held.process);
    let waiting = {
        let two = two.clone();
        let home = held.process.clone();
        tokio::spawn(async move {
            let came_back = two
                .take(claim("a", 7, Some(&home), Purpose::Socket))
                .await
                .unwrap();
            let began = two.take(claim("a", 8, None, Purpose::Socket)).await;
            (came_back, began)
        })
    };
    pass(3).await;
    new.complete();
    let (came_back, began) = waiting.await.unwrap();
    assert_eq!(came_back.process, held.process);
    assert!(!came_back.new_session);
    assert_eq!(new.fleet.starts(), 0, "there is one process already");
    assert!(began.is_err(), "both seats are taken: {began:?}");
}

/// Proves: SC1 (P)
#[tokio::test(start_paused = true)]
async fn a_leader_lost_in_the_middle_of_a_start_is_no_loss() {
    let dial = Arc::new(Movable::default());
    let old = world(Fate::Never, HubOptions::default());
    *dial.0.lock().unwrap() = Some(old.hub.clone());
    old.set("a", spec());
    old.complete();
    let one = seats("one", dial.clone()).await;
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let one = one.clone();
            tokio::spawn(async move { one.take(bare("a")).await })
        })
        .collect();
    pass(1).await;
    let (_, process) = old.fleet.started.lock().unwrap()[0].clone();
    let before = old.fleet.starts();
    old.task.abort();

    let new = world(
        READY,
        HubOptions {
            term: 1,
            ..HubOptions::default()
        },
    );
    for (_, process) in old.fleet.started.lock().unwrap().iter() {
        new.hub.tell(FleetEvent::Adopted {
            app: "a".into(),
            process: process.clone(),
            deployment: "1".into(),
            address: None,
        });
    }
    new.set("a", spec());
    new.complete();
    *dial.0.lock().unwrap() = Some(new.hub.clone());
    pass(3).await;
    new.hub.tell(FleetEvent::Ready {
        app: "a".into(),
        process,
        address: address(),
    });
    let mut seated = 0;
    for task in waiting {
        seated += usize::from(task.await.unwrap().is_ok());
    }
    assert_eq!(seated, 100, "requests leave at once and make room");
    assert_eq!(before + new.fleet.starts(), 3);
}

/// Finds whichever hub the test names.
#[derive(Debug, Default)]
struct Movable(Mutex<Option<HubHandle>>);

impl Dial for Movable {
    fn dial(&self) -> BoxFuture<'_, std::io::Result<crate::hub::Line>> {
        let hub = self.0.lock().unwrap().clone();
        Box::pin(async move {
            let hub = hub.ok_or(std::io::ErrorKind::NotFound)?;
            hub.dial().dial().await
        })
    }
}

/// Proves: SC4 (P)
#[tokio::test(start_paused = true)]
async fn a_lost_gateway_gives_its_seats_back_after_a_while() {
    let world = world(READY, HubOptions::default());
    world.set("a", small(1, 2));
    world.complete();
    let one = world.seats("one").await;
    let two = world.seats("two").await;
    let held = one.take(claim("a", 1, None, Purpose::Socket)).await.unwrap();
    let other = one.take(claim("a", 2, None, Purpose::Socket)).await.unwrap();
    pass(1).await;
    drop(one);
    pass(5).await;
    assert!(two.take(claim("a", 3, None, Purpose::Socket)).await.is_err());
    pass(6).await;
    let seat = two.take(claim("a", 3, None, Purpose::Socket)).await;
    assert!(seat.is_ok(), "{seat:?}");
    drop((held, other));
}

/// Proves: SC6 (L, P), AP2 (L, P)
#[tokio::test(start_paused = true)]
async fn a_new_deployment_takes_new_sessions_and_the_old_one_drains() {
    let world = world(READY, alone());
    world.set("a", spec());
    world.complete();
    let seats = world.seats("one").await;
    let old = seats.take(claim("a", 1, None, Purpose::Socket)).await.unwrap();
    let mut next = spec();
    next.deployment = "2".into();
    world.set("a", next);
    pass(1).await;
    assert_eq!(world.fleet.starts(), 2);
    let new = seats.take(claim("a", 2, None, Purpose::Socket)).await.unwrap();
    assert_ne!(old.process, new.process);
    let back = seats
        .take(claim("a", 1, Some(&old.process), Purpose::Request))
        .await
        .unwrap();
    assert_eq!(back.process, old.process);
    pass(60).await;
    assert_eq!(world.fleet.alive.lock().unwrap().len(), 2);
    let process = old.process.clone();
    drop((old, back));
    pass(7).await;
    assert_eq!(*world.fleet.ended.lock().unwrap(), [(process, EndCause::Drained)]);
    drop(new);
}

/// Proves: SC2 (L, P)
#[tokio::test(start_paused = true)]
async fn a_minimum_runs_from_the_beginning_and_is_restored() {
    let world = world(READY, alone());
    let mut spec = spec();
    spec.bounds.min_processes = 2;
    world.set("a", spec);
    world.complete();
    pass(60).await;
    assert_eq!(world.fleet.starts(), 2);
    let (app, process) = world.fleet.started.lock().unwrap()[0].clone();
    world.hub.tell(FleetEvent::Ended {
        app,
        process,
        failure: Some(failure("killed")),
    });
    pass(5).await;
    assert_eq!(world.fleet.starts(), 3);
    assert_eq!(world.hub.app(&"a".into()).unwrap().ready, 2);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_while_waiting_gives_up_the_place() {
    let world = world(READY, alone());
    world.set("a", small(1, 1));
    world.complete();
    let seats = world.seats("one").await;
    let first = seats.take(bare("a")).await.unwrap();
    for _ in 0..3 {
        let gone = tokio::time::timeout(Duration::from_millis(10), seats.take(bare("a"))).await;
        assert!(gone.is_err());
    }
    let last = {
        let seats = seats.clone();
        tokio::spawn(async move { seats.take(bare("a")).await })
    };
    tokio::task::yield_now().await;
    drop(first);
    drop(last.await.unwrap().unwrap());
    pass(1).await;
    let shown = world.hub.app(&"a".into()).unwrap();
    assert_eq!((shown.waiting, shown.sessions), (0, 0));
}

/// Proves: SC6 (L, P)
#[tokio::test(start_paused = true)]
async fn an_application_that_is_suspended_lets_its_visitors_go_shortly() {
    let world = world(READY, alone());
    world.set("a", spec());
    world.complete();
    let seats = world.seats("one").await;
    let held = seats.take(claim("a", 1, None, Purpose::Socket)).await.unwrap();
    let mut off = spec();
    off.held = Some(failure("it is suspended"));
    world.set("a", off);
    pass(1).await;
    let refused = seats.take(claim("a", 2, None, Purpose::Page)).await.unwrap_err();
    assert!(matches!(refused, NoSeat::Held(_)), "{refused:?}");
    assert!(world.fleet.ended.lock().unwrap().is_empty());
    pass(11).await;
    assert_eq!(world.fleet.ended.lock().unwrap()[0].1, EndCause::Held);
    drop(held);
    world.set("a", spec());
    pass(1).await;
    drop(seats.take(bare("a")).await.unwrap());
    world.hub.tell(FleetEvent::AppGone { app: "a".into() });
    pass(1).await;
    assert_eq!(seats.take(bare("a")).await.unwrap_err(), NoSeat::Unknown);
    assert!(world.fleet.alive.lock().unwrap().is_empty());
}

/// Proves: SC5 (L, P)
#[tokio::test(start_paused = true)]
async fn a_page_keeps_its_seat_for_the_socket_that_follows() {
    let world = world(READY, alone());
    world.set("a", small(1, 1));
    world.complete();
    let seats = world.seats("one").await;
    let page = seats.take(claim("a", 1, None, Purpose::Page)).await.unwrap();
    let process = page.process.clone();
    drop(page);
    pass(5).await;
    assert_eq!(
        seats.take(claim("a", 2, None, Purpose::Page)).await.unwrap_err(),
        NoSeat::Busy
    );
    let socket = seats
        .take(claim("a", 1, Some(&process), Purpose::Socket))
        .await
        .unwrap();
    drop(socket);
    pass(1).await;
    let page = seats.take(claim("a", 2, None, Purpose::Page)).await.unwrap();
    drop(page);
    pass(11).await;
    drop(seats.take(claim("a", 3, None, Purpose::Page)).await.unwrap());
}

/// A network between gateway and hub that a test can spoil.
#[derive(Debug)]
struct Spoiler {
    /// Every connection ends.
    cut: tokio::sync::Notify,
    /// The next bytes to the hub come twice.
    doubles: std::sync::atomic::AtomicBool,
    /// Nothing gets through.
    holds: std::sync::atomic::AtomicBool,
}

async fn spoiled(to: std::net::SocketAddr) -> (Arc<Spoiler>, std::net::SocketAddr) {
    let spoiler = Arc::new(Spoiler {
        cut: tokio::sync::Notify::new(),
        doubles: false.into(),
        holds: false.into(),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let all = spoiler.clone();
    tokio::spawn(async move {
        while let Ok((from_gateway, _)) = listener.accept().await {
            let Ok(to_hub) = tokio::net::TcpStream::connect(to).await else {
                continue;
            };
            let spoiler = all.clone();
            tokio::spawn(async move {
                let ((from_gateway, to_gateway), (from_hub, to_hub)) =
                    (from_gateway.into_split(), to_hub.into_split());
                tokio::select! {
                    () = spoiler.cut.notified() => {}
                    () = copy(from_gateway, to_hub, &spoiler, true) => {}
                    () = copy(from_hub, to_gateway, &spoiler, false) => {}
                }
            });
        }
    });
    (spoiler, at)
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    spoiler: &Spoiler,
    is_to_hub: bool,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut bytes = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        while spoiler.holds.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let times = if is_to_hub && spoiler.doubles.swap(false, Ordering::Relaxed) {
            2
        } else {
            1
        };
        for _ in 0..times {
            if to.write_all(&bytes[..length]).await.is_err() {
                return;
            }
        }
    }
}

async fn linked(seats: &Seats, is_linked: bool) {
    let mut synced = seats.shared.is_synced.subscribe();
    let waited = synced.wait_for(|synced| *synced == is_linked);
    tokio::time::timeout(Duration::from_secs(20), waited)
        .await
        .unwrap()
        .unwrap();
}

/// Proves: SC4 (P), SC5 (P)
#[tokio::test]
async fn a_network_that_breaks_and_repeats_costs_no_session() {
    let world = world(Fate::ReadyAfter(Duration::from_millis(10)), HubOptions::default());
    world.set("a", small(1, 3));
    world.complete();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (spoiler, at) = spoiled(listener.local_addr().unwrap()).await;
    let key = hub::net::HubKey::new(&[b'k'; 32]).unwrap();
    tokio::spawn(hub::net::serve(listener, world.hub.clone(), key.clone()));
    let (_address, found) = watch::channel(Some(at));
    let one = seats("one", Arc::new(hub::net::NetDial::new(found, key))).await;
    let first = one.take(claim("a", 1, None, Purpose::Socket)).await.unwrap();

    spoiler.cut.notify_waiters();
    linked(&one, false).await;
    // Nobody is needed for a session that is there, nor for seats that were granted before.
    let home = first.process.clone();
    let again = one
        .take(claim("a", 1, Some(&home), Purpose::Request))
        .await
        .unwrap();
    assert_eq!(again.process, home);
    let second = one.take(claim("a", 2, None, Purpose::Socket)).await.unwrap();
    linked(&one, true).await;

    spoiler.doubles.store(true, Ordering::Relaxed);
    linked(&one, false).await;
    linked(&one, true).await;
    let third = one.take(claim("a", 3, None, Purpose::Socket)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let refused = one.take(claim("a", 4, None, Purpose::Socket)).await;
    assert_eq!(refused.unwrap_err(), NoSeat::Busy);
    assert_eq!(world.fleet.starts(), 1);
    assert_eq!(world.hub.app(&"a".into()).unwrap().sessions, 3);
    drop((first, again, second, third));
}

/// Proves: SC4 (P)
#[tokio::test(start_paused = true)]
async fn a_new_leader_grants_nothing_that_a_silent_gateway_may_still_spend() {
    let (to_one, to_two) = (Arc::new(Movable::default()), Arc::new(Movable::default()));
    let old = world(READY, HubOptions::default());
    for dial in [&to_one, &to_two] {
        *dial.0.lock().unwrap() = Some(old.hub.clone());
    }
    old.set("a", small(1, 2));
    old.complete();
    let one = seats("one", to_one.clone()).await;
    let two = seats("two", to_two.clone()).await;
    let first = one.take(claim("a", 1, None, Purpose::Socket)).await.unwrap();
    pass(1).await;
    *to_one.0.lock().unwrap() = None;
    old.task.abort();

    let options = HubOptions {
        term: 1,
        ..HubOptions::default()
    };
    let new = world(READY, options);
    let began = tokio::time::Instant::now();
    new.set("a", small(1, 2));
    new.hub.tell(FleetEvent::Adopted {
        app: "a".into(),
        process: first.process.clone(),
        deployment: "1".into(),
        address: Some(address()),
    });
    new.complete();
    *to_two.0.lock().unwrap() = Some(new.hub.clone());
    let waiting = {
        let two = two.clone();
        tokio::spawn(async move { two.take(claim("a", 3, None, Purpose::Socket)).await })
    };
    pass(3).await;
    let second = one.take(claim("a", 2, None, Purpose::Socket)).await.unwrap();
    let third = waiting.await.unwrap().unwrap();
    assert!(
        began.elapsed() >= Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    drop((first, second, third));
}

/// A link on which the gateway is not heard, though it hears.
#[derive(Debug)]
struct Mute {
    hub: HubHandle,
    is_mute: Arc<AtomicBool>,
}

impl Dial for Mute {
    fn dial(&self) -> BoxFuture<'_, std::io::Result<crate::hub::Line>> {
        Box::pin(async {
            let line = self.hub.dial().dial().await?;
            let (to_hub, mut said) = tokio::sync::mpsc::channel(256);
            let is_mute = self.is_mute.clone();
            tokio::spawn(async move {
                while let Some(message) = said.recv().await {
                    if !is_mute.load(Ordering::Relaxed) && line.to_hub.send(message).await.is_err() {
                        return;
                    }
                }
            });
            let from_hub = line.from_hub;
            Ok(crate::hub::Line { to_hub, from_hub })
        })
    }
}

/// Proves: SC4 (P)
#[tokio::test(start_paused = true)]
async fn a_gateway_that_is_not_heard_stops_spending_before_its_seats_are_given_away() {
    let world = world(READY, HubOptions::default());
    world.set("a", small(1, 2));
    world.complete();
    let is_mute = Arc::new(AtomicBool::new(false));
    let dial = Mute {
        hub: world.hub.clone(),
        is_mute: is_mute.clone(),
    };
    let one = seats("one", Arc::new(dial)).await;
    let two = world.seats("two").await;
    let first = one.take(claim("a", 1, None, Purpose::Socket)).await.unwrap();
    pass(2).await;
    is_mute.store(true, Ordering::Relaxed);
    pass(9).await;
    let mut hasty = claim("a", 2, None, Purpose::Socket);
    hasty.patience = Duration::from_millis(100);
    assert_eq!(one.take(hasty).await.unwrap_err(), NoSeat::Closing);
    let back = claim("a", 1, Some(&first.process), Purpose::Request);
    assert!(one.take(back).await.is_ok(), "a session goes on");
    pass(2).await;
    let third = two.take(claim("a", 3, None, Purpose::Socket)).await.unwrap();
    let fourth = two.take(claim("a", 4, None, Purpose::Socket)).await.unwrap();
    is_mute.store(false, Ordering::Relaxed);
    pass(15).await;
    drop(first);
    let mut next = claim("a", 5, None, Purpose::Socket);
    next.patience = Duration::from_secs(1);
    assert_eq!(
        one.take(next.clone()).await.unwrap_err(),
        NoSeat::Busy,
        "two others sit there"
    );
    drop((third, fourth));
    pass(1).await;
    assert!(one.take(next).await.is_ok());
}
