//! Limits on what is slow or too much.

use std::time::{Duration, Instant};

use super::client::{Client, get};
use super::process::{Connection, Process};
use super::rig::{Rig, options, processes};

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_header_that_does_not_come_is_not_waited_for() {
    let process = Process::echo().await;
    let mut options = options();
    options.header_timeout = Duration::from_millis(300);
    let rig = Rig::with(&process.address, options, processes());
    let begun = Instant::now();
    let mut silent = Client::new(rig.at).await;
    let mut slow = Client::new(rig.at).await;
    let mut half = Client::new(rig.at).await;
    let mut preface = Client::new(rig.at).await;
    slow.send("GET /content/app/ HTTP/1.1\r\n").await;
    half.send("G").await;
    preface.send("PRI * HTT").await;
    for client in [&mut silent, &mut slow, &mut half, &mut preface] {
        client.until_closed().await;
    }
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(250) && took < Duration::from_secs(3),
        "{took:?}"
    );
}

/// Proves: SC3 (L, P)
#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let process = Process::echo_after_body().await;
    let mut limited = processes();
    limited.read_timeout = Some(Duration::from_millis(200));
    let rig = Rig::with(&process.address, options(), limited);
    let mut client = Client::new(rig.at).await;
    client
        .send("POST /content/app/ HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 10\r\n\r\nabc")
        .await;
    assert_eq!(client.reply().await.unwrap().status(), 408);
    rig.hub.until_taken(0).await;
}

/// Proves: SC3 (L, P)
#[tokio::test]
async fn a_process_that_says_nothing_is_not_waited_for_longer_than_the_settings_let() {
    let process = Process::tcp(async |mut connection: Connection| {
        let head = connection.head().await.unwrap();
        if head.line().contains("begin") {
            connection
                .send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
                .await;
        }
        connection.until_closed().await;
    })
    .await;
    let mut limited = processes();
    limited.connection_timeout = Some(Duration::from_millis(200));
    let rig = Rig::with(&process.address, options(), limited);
    assert_eq!(get(rig.at, "/content/app/", "").await.status(), 504);
    let mut client = Client::new(rig.at).await;
    client
        .send("GET /content/app/begin HTTP/1.1\r\nHost: gw.example\r\n\r\n")
        .await;
    client.head().await.unwrap();
    assert_eq!(client.until_closed().await, b"ab");
    rig.hub.until_taken(0).await;
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn too_many_connections_are_turned_away() {
    let process = Process::echo().await;
    let mut options = options();
    options.max_connections = 2;
    let rig = Rig::with(&process.address, options, processes());
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut client = Client::new(rig.at).await;
        client
            .send("GET /content/app/ HTTP/1.1\r\nHost: gw.example\r\n\r\n")
            .await;
        assert_eq!(client.reply().await.unwrap().status(), 200);
        kept.push(client);
    }
    let mut third = Client::new(rig.at).await;
    let reply = third.reply().await.unwrap();
    assert_eq!((reply.status(), reply.field("retry-after")), (503, Some("10")));
    drop(kept);
    let again = async {
        while get(rig.at, "/content/app/", "").await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), again)
        .await
        .expect("places are free again");
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn requests_are_finished_and_nobody_new_is_taken_while_it_drains() {
    let process = Process::tcp(async |mut connection: Connection| {
        while connection.head().await.is_some() {
            tokio::time::sleep(Duration::from_millis(300)).await;
            connection.ok("late").await;
        }
    })
    .await;
    let mut options = options();
    options.admin = vec!["127.0.0.1:0".parse().unwrap()];
    options.leave_delay = Duration::from_millis(200);
    let rig = Rig::with(&process.address, options, processes());
    let admin = rig.gateway.admin()[0];
    assert_eq!(get(admin, "/readyz", "").await.status(), 200);
    assert!(get(admin, "/livez", "").await.status() == 200);
    let mut idle = Client::new(rig.at).await;
    let mut busy = Client::new(rig.at).await;
    busy.send("GET /content/app/ HTTP/1.1\r\nHost: gw.example\r\n\r\n")
        .await;
    rig.hub.until_taken(1).await;
    let gateway = rig.gateway.clone();
    let drained = tokio::spawn(async move { gateway.drain().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(
        get(admin, "/readyz", "").await.status(),
        503,
        "first load balancers are told"
    );
    let mut late = Client::new(rig.at).await;
    late.send("GET /content/app/ HTTP/1.1\r\nHost: gw.example\r\n\r\n")
        .await;
    let reply = busy.reply().await.unwrap();
    assert_eq!(reply.text(), "late");
    assert_eq!(late.reply().await.unwrap().text(), "late");
    assert!(idle.until_closed().await.is_empty());
    assert!(busy.until_closed().await.is_empty());
    drained.await.unwrap();
    assert!(tokio::net::TcpStream::connect(rig.at).await.is_err());
}
