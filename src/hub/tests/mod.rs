//! What must hold whatever happens: a hub and gateways in a simulated world, where messages are late, links break,
//! leaders change, and processes crash or are never ready.

mod actors;
mod world;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::sync::mpsc;

use crate::apps::wire::{Report, ToGateway, ToHub, VERSION};
use crate::apps::{AppSpec, Bounds, Moment};
use crate::hub::state::State;
use crate::hub::{FleetEvent, HubOptions, Input, LinkId, OUTBOX};
use actors::{Order, Orders};
use world::{Action, Shape, World};

fn bounds() -> impl Strategy<Value = Bounds> {
    (0..3_u32, 0..4_u32, 1..6_u32, 0..=4_u32, prop::bool::ANY).prop_map(
        |(min, more, seats, quarters, ends)| Bounds {
            min_processes: min,
            max_processes: (min + more).max(1),
            max_connections: seats,
            load_factor_thousandths: quarters * 250,
            init_timeout: Duration::from_secs(6),
            idle_timeout: ends.then_some(Duration::from_secs(4)),
            drain_timeout: Duration::from_secs(30),
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let gateway = 0..3_usize;
    prop_oneof![
        8 => (gateway.clone(), 1..4_usize, 0..4_usize)
            .prop_map(|(gateway, count, who)| Action::Come { gateway, count, who }),
        4 => any::<prop::sample::Index>().prop_map(Action::Leave),
        3 => (gateway.clone(), any::<prop::sample::Index>()).prop_map(|(gateway, who)| Action::Return { gateway, who }),
        8 => (0..5000_u64).prop_map(Action::Pass),
        2 => any::<prop::sample::Index>().prop_map(Action::Crash),
        1 => Just(Action::Redeploy),
        1 => bounds().prop_map(Action::SetBounds),
        2 => gateway.clone().prop_map(Action::Break),
        2 => (gateway.clone(), prop::bool::ANY, 0..20_000_u64)
            .prop_map(|(gateway, to_hub, time)| Action::Stall { gateway, to_hub, time }),
        1 => gateway.prop_map(Action::Kill),
        1 => (0..12_000_u64).prop_map(Action::LoseLeader),
        1 => prop::bool::ANY.prop_map(Action::Hold),
    ]
}

fn live(mut world: World, actions: Vec<Action>) {
    for action in actions {
        world.act(action);
    }
    world.heal();
    world.pass(60_000);
    world.check_all_served();
    let before = world.turns();
    world.pass(120_000);
    assert_eq!(world.turns(), before, "constant demand starts and ends nothing");
    world.everybody_leaves();
    // An old process may be kept for a minute after its last visitor, and only then has a new one room.
    world.pass(90_000);
    world.check_idle();
}

/// Few and small processes, which nothing ends but need.
fn tight() -> Bounds {
    Bounds {
        min_processes: 0,
        max_processes: 2,
        max_connections: 3,
        load_factor_thousandths: 250,
        init_timeout: Duration::from_secs(6),
        idle_timeout: None,
        drain_timeout: Duration::from_secs(30),
    }
}

fn come(gateway: usize, count: usize, who: usize) -> Action {
    Action::Come { gateway, count, who }
}

/// Proves: AP2 (L, P), SC4 (L, P)
#[test]
fn a_new_deployment_gets_the_room_of_the_old_one() {
    let always_one = Bounds {
        min_processes: 1,
        ..tight()
    };
    let mut world = World::new(1, always_one, Shape::Several(3));
    world.heal();
    world.act(come(0, 1, 0));
    world.pass(30_000);
    world.act(Action::Redeploy);
    // Those that nobody uses go first; the one with a visitor has its time to drain.
    world.pass(100_000);
    assert_eq!(world.deployed(), 3);
}

/// Proves: SC4 (P)
#[test]
fn a_new_leader_counts_what_runs_before_it_starts_more() {
    let mut world = World::new(1, tight(), Shape::Several(2));
    world.heal();
    world.act(come(0, 1, 1));
    world.act(come(1, 1, 2));
    world.pass(30_000);
    world.act(come(2, 1, 0));
    world.act(Action::LoseLeader(500));
    // The world looks at the bound whenever a process is started.
    world.pass(60_000);
    assert_eq!(world.deployed(), 2);
}

/// Proves: CU3 (L), SC4 (L)
#[test]
fn a_session_beyond_the_seats_of_its_process_keeps_no_process_from_others() {
    let mut world = World::new(1, tight(), Shape::Accounts);
    world.heal();
    world.act(come(2, 1, 2));
    world.pass(30_000);
    // Four connections of one session are at a process of three, and another process is there for comfort.
    (0..3).for_each(|gateway| world.come_back(gateway, 0));
    world.pass(30_000);
    world.act(come(1, 4, 1));
    world.pass(60_000);
    world.check_all_served();
}

/// Proves: SC4 (L, P)
#[test]
fn the_end_of_an_old_link_undoes_nothing_that_the_new_one_said() {
    let orders = Arc::new(Orders::default());
    let mut state = State::new(orders.clone(), HubOptions::default(), Arc::default());
    let spec = AppSpec {
        deployment: "0".into(),
        bounds: tight(),
        held: None,
        has_pools: false,
    };
    let app = "app".into();
    state.take(Input::Fleet(FleetEvent::AppSet { app, spec }), Moment::ZERO);
    state.take(Input::Fleet(FleetEvent::Complete), Moment::ZERO);
    let _first = greet(&mut state, 1, 0);
    state.settle(Moment::ZERO);
    // All of it before the hub decides again.
    state.take(Input::Unlinked { link: 1 }, Moment::from_secs(1));
    let _second = greet(&mut state, 2, 1);
    state.settle(Moment::from_secs(1));
    assert!(matches!(orders.0.lock().unwrap().as_slice(), [Order::Start(..)]));
}

/// A gateway greets on a link, with so many who wait. What it is told goes where this leads.
fn greet(state: &mut State, link: LinkId, waiting: u32) -> mpsc::Receiver<ToGateway> {
    let (to, told) = mpsc::channel(OUTBOX);
    state.take(Input::Linked { link, to }, Moment::ZERO);
    let hello = ToHub::Hello {
        gateway: "gateway".into(),
        version: VERSION,
        address: None,
    };
    let held = ToHub::Held(Report {
        app: "app".into(),
        waiting,
        uses: Vec::new(),
    });
    for message in [hello, held, ToHub::Told] {
        state.take(Input::Heard { link, message }, Moment::ZERO);
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Proves: SC2 (L, P), SC3 (L, P), SC4 (L, P), SC5 (L, P), SC6 (L, P)
    #[test]
    fn bounds_hold_and_everybody_is_served_in_the_end(
        seed in any::<u64>(),
        bounds in bounds(),
        actions in prop::collection::vec(action(), 1..60),
    ) {
        live(World::new(seed, bounds, Shape::One), actions);
    }

    /// Proves: CU3 (L), SC4 (L)
    #[test]
    fn accounts_have_processes_of_their_own_and_none_starves(
        seed in any::<u64>(),
        bounds in bounds(),
        actions in prop::collection::vec(action(), 1..60),
    ) {
        let with_room = |bounds: Bounds| Bounds {
            max_processes: bounds.max_processes.max(bounds.min_processes + 1),
            ..bounds
        };
        let actions = actions.into_iter().map(|action| match action {
            Action::SetBounds(bounds) => Action::SetBounds(with_room(bounds)),
            action => action,
        });
        live(World::new(seed, with_room(bounds), Shape::Accounts), actions.collect());
    }
    /// Proves: SC4 (L, P)
    #[test]
    fn applications_share_what_the_installation_may_have(
        seed in any::<u64>(),
        total in 1..8_u32,
        bounds in bounds(),
        actions in prop::collection::vec(action(), 1..60),
    ) {
        live(World::new(seed, bounds, Shape::Several(total)), actions);
    }
}
