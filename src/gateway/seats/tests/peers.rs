//! Gateways that are told of each other.

use super::*;

/// Proves: PR2 (P)
#[tokio::test(start_paused = true)]
async fn gateways_are_told_of_each_other_and_of_those_that_are_lost() {
    let world = world(READY, HubOptions::default());
    world.complete();
    let gateway = async |name: &str, port| {
        let options = SeatsOptions {
            gateway: name.into(),
            queue_length: 1,
            address: Some(SocketAddr::from(([10, 0, 0, 1], port))),
        };
        let seats = Seats::start(options, Arc::new(world.hub.dial()));
        seats.known().await;
        seats
    };
    let names = |all: &Vec<PeerGateway>| -> Vec<String> {
        let ports = all
            .iter()
            .map(|one| format!("{} {}", one.gateway, one.address.port()));
        ports.collect()
    };
    let until = async |seats: &Seats, wanted: &[&str]| {
        let mut peers = seats.peers();
        let told = peers.wait_for(|all| names(all) == wanted);
        let told = tokio::time::timeout(Duration::from_secs(60), told).await;
        assert!(told.is_ok(), "{wanted:?}");
    };
    let one = gateway("one", 1).await;
    let two = gateway("two", 2).await;
    until(&one, &["one 1", "two 2"]).await;
    until(&two, &["one 1", "two 2"]).await;
    // Who comes later knows of all before anybody is served.
    let three = gateway("three", 3).await;
    assert_eq!(names(&three.peers().borrow()), ["one 1", "three 3", "two 2"]);
    until(&one, &["one 1", "three 3", "two 2"]).await;
    drop(two);
    until(&one, &["one 1", "three 3"]).await;
    // Seats without an address are nobody's peer.
    let _alone = world.seats("alone").await;
    until(&three, &["one 1", "three 3"]).await;
}
