//! Several gateways of one installation, and pages that speak SockJS and come to any of them.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use offhost::apps::wire::PeerGateway;
use offhost::gateway::cookie_keys::KeyFile;
use offhost::gateway::{
    Door, Fallbacks, Gateway, OwnPages, Parts, PeersParts, Processes, Protocols, Routes, Serves,
};
use offhost::hub::net::HubKey;
use offhost::telemetry::gateway::GatewayMetrics;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::Message;

use super::client::Client;
use super::fallbacks::{until, whole};
use super::process::Process;
use super::rig::{Hub, options, processes, route};
use super::sockets::talker;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const PATIENCE: Duration = Duration::from_secs(60);
const LINE: &str = "a1b2c3d4e5f6g7h8i9";

struct Several {
    gateways: Vec<Arc<Gateway>>,
    all: watch::Sender<Vec<PeerGateway>>,
    hub: Arc<Hub>,
    _process: Process,
    _directory: tempfile::TempDir,
}

async fn several(count: usize) -> Several {
    let process = Process::tcp(talker).await;
    let directory = tempfile::tempdir().unwrap();
    let hub = Hub::new(&process.address);
    let all = watch::Sender::default();
    let (mut gateways, mut peers) = (Vec::new(), Vec::new());
    for number in 0..count {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = format!("g{number}");
        peers.push(PeerGateway {
            gateway: own.as_str().into(),
            address: listener.local_addr().unwrap(),
        });
        let routes = Arc::new(Routes::default());
        let shiny = Processes {
            affinity: true,
            fallbacks: Some(Fallbacks {
                protocols: Protocols::default(),
                reconnect: PATIENCE,
            }),
            ..processes()
        };
        let serves = Serves::Processes(shiny);
        routes.set(route("app", "/content/app", serves)).unwrap();
        let parts = Parts {
            routes,
            backend: hub.clone(),
            keys: Arc::new(KeyFile::open_or_make(directory.path().join("keys")).unwrap()),
            door: Door::Open,
            pages: Arc::new(OwnPages),
            metrics: Arc::new(GatewayMetrics::new()),
            peers: Some(PeersParts {
                own: own.as_str().into(),
                listener,
                all: all.subscribe(),
                key: HubKey::new(SECRET).unwrap(),
            }),
        };
        gateways.push(Arc::new(Gateway::start(options(), parts).unwrap()));
    }
    all.send_replace(peers);
    Several {
        gateways,
        all,
        hub,
        _process: process,
        _directory: directory,
    }
}

impl Several {
    fn at(&self, number: usize) -> SocketAddr {
        self.gateways[number].http()[0]
    }
}

async fn send(at: SocketAddr, method: &str, below: &str, more: &str, body: &str) -> Client {
    let mut client = Client::new(at).await;
    let length = body.len();
    let request = format!(
        "{method} /content/app/__sockjs__/{below} HTTP/1.1\r\nHost: gw.example\r\nContent-Length: {length}\r\n{more}\r\n{body}"
    );
    client.send(request).await;
    client
}

async fn ask(at: SocketAddr, method: &str, below: &str, body: &str) -> (u16, String) {
    let (status, _, body) = whole(send(at, method, below, "", body).await).await;
    (status, body)
}

/// Proves: PR2 (P)
#[tokio::test]
async fn polls_that_come_to_any_gateway_lose_and_double_nothing() {
    let several = several(3).await;
    for (name, receive, sends) in [("x", "xhr", "xhr_send"), ("j", "jsonp?c=f", "jsonp_send")] {
        let method = if name == "x" { "POST" } else { "GET" };
        let session = format!("000/{name}session");
        let first = ask(several.at(0), method, &format!("{session}/{receive}"), "").await;
        assert!(first.1.contains('o'), "{}", first.1);
        let (mut got, mut turn) = (String::new(), 0);
        for number in 0..6 {
            turn += 1;
            let sent = format!("[\"m{number};\"]");
            let below = format!("{session}/{sends}");
            assert!(ask(several.at(turn % 3), "POST", &below, &sent).await.0 < 300);
            while !got.contains(&format!("m{number};")) {
                turn += 1;
                let below = format!("{session}/{receive}");
                got.push_str(&ask(several.at(turn % 3), method, &below, "").await.1);
            }
        }
        for number in 0..6 {
            assert_eq!(got.matches(&format!("m{number};")).count(), 1, "{got}");
        }
    }
    assert_eq!(several.hub.claims.lock().unwrap().len(), 2, "each has one place");
}

/// Proves: PR2 (P)
#[tokio::test]
async fn streams_come_through_another_gateway_as_they_are_said() {
    let several = several(2).await;
    for (method, name, query) in [
        ("POST", "xhr_streaming", ""),
        ("GET", "eventsource", ""),
        ("GET", "htmlfile", "?c=parent.x"),
    ] {
        let session = format!("000/{name}");
        let receive = format!("{session}/{name}{query}");
        let mut first = send(several.at(0), method, &receive, "", "").await;
        until(&mut first, "o").await;
        // The first answer ends by its length, and the session goes on elsewhere.
        let long = format!("[\"{}\"]", "y".repeat(140_000));
        let sent = ask(several.at(1), "POST", &format!("{session}/xhr_send"), &long).await;
        assert_eq!(sent.0, 204);
        until(&mut first, "0\r\n\r\n").await;
        let mut second = send(several.at(1), method, &receive, "", "").await;
        for said in ["one;", "two;"] {
            let body = format!("[\"{said}\"]");
            let sent = ask(several.at(0), "POST", &format!("{session}/xhr_send"), &body).await;
            assert_eq!(sent.0, 204);
            until(&mut second, said).await;
        }
        // Who goes away there has gone here.
        drop(second);
        several.hub.until_taken(0).await;
    }
}

/// Proves: PR2 (P)
#[tokio::test]
async fn a_websocket_that_broke_comes_back_by_another_gateway() {
    let several = several(2).await;
    let first = ask(several.at(0), "POST", &format!("n={LINE}/000/s/xhr"), "").await;
    assert_eq!(first.1, "o\n");
    let stream = TcpStream::connect(several.at(1)).await.unwrap();
    let url = format!("ws://gw.example/content/app/__sockjs__/o={LINE}/000/t/websocket");
    let (mut socket, _) = client_async(url.into_client_request().unwrap(), stream)
        .await
        .unwrap();
    socket
        .send(Message::text("[\"CONTINUE 0\",\"0#x\"]"))
        .await
        .unwrap();
    let mut got = String::new();
    while !got.contains("0#x") {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
        got.push_str(message.unwrap().unwrap().to_text().unwrap());
    }
    assert_eq!(several.hub.claims.lock().unwrap().len(), 1);
}

/// Proves: PR2 (P), PR1 (P)
#[tokio::test]
async fn nobody_else_takes_part_by_another_gateway_nor_says_whom_they_speak_for() {
    let several = several(2).await;
    let (_, head, _) = whole(send(several.at(0), "POST", "000/before/xhr", "", "").await).await;
    let cookie = head.split("set-cookie: ").nth(1).unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let own = format!("Cookie: {cookie}\r\n");
    let session = format!("n={LINE}/000/s");
    let opened = send(several.at(0), "POST", &format!("{session}/xhr"), &own, "").await;
    assert_eq!(whole(opened).await.2, "o\n");
    // Without the cookie it is nobody's, with it it is the visitor's, wherever they come in.
    let foreign = ask(several.at(1), "POST", &format!("{session}/xhr_send"), "[\"0#x\"]").await;
    assert_eq!(foreign.0, 404);
    let sent = send(
        several.at(1),
        "POST",
        &format!("{session}/xhr_send"),
        &own,
        "[\"0#x\"]",
    )
    .await;
    assert_eq!(whole(sent).await.0, 204);
    // What listens for gateways tells nobody else anything.
    let at = several.all.borrow()[0].address;
    let mut stranger = Client::new(at).await;
    stranger.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let said = tokio::time::timeout(PATIENCE, stranger.until_closed())
        .await
        .unwrap();
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
}

/// Proves: PR2 (P), SC3 (P)
#[tokio::test]
async fn a_lost_gateway_ends_its_sessions_and_a_draining_one_keeps_them() {
    let several = several(3).await;
    let opened = ask(several.at(0), "POST", "000/a/xhr", "").await;
    assert_eq!(opened.1, "o\n");
    let opened = ask(several.at(1), "POST", "000/b/xhr", "").await;
    assert_eq!(opened.1, "o\n");
    // Pages receive all the time, by a gateway that is not theirs.
    let mut first = send(several.at(2), "POST", "000/a/xhr", "", "").await;
    let mut second = send(several.at(2), "POST", "000/b/xhr_streaming", "", "").await;
    for page in [&mut first, &mut second] {
        assert!(page.head().await.unwrap().contains("200"));
    }
    // One drains: what it has goes on by the others.
    let draining = several.gateways[0].clone();
    let drained = tokio::spawn(async move { draining.drain().await });
    let sent = ask(several.at(1), "POST", "000/a/xhr_send", "[\"still here\"]").await;
    assert_eq!(sent.0, 204);
    until(&mut first, "still here").await;
    let mut first = send(several.at(1), "POST", "000/a/xhr", "", "").await;
    let sent = ask(several.at(2), "POST", "000/a/xhr_send", "[\"and here\"]").await;
    assert_eq!(sent.0, 204);
    until(&mut first, "and here").await;
    // One is killed: its sessions are over, those of the others are not.
    several.gateways[0].cut();
    tokio::time::timeout(PATIENCE, drained).await.unwrap().unwrap();
    let lost = ask(several.at(1), "POST", "000/a/xhr_send", "[\"x\"]").await;
    assert_eq!(lost.0, 404);
    let lost = ask(several.at(2), "POST", "000/a/xhr?known", "").await;
    assert_eq!(lost.0, 404);
    let sent = ask(several.at(2), "POST", "000/b/xhr_send", "[\"here\"]").await;
    assert_eq!(sent.0, 204);
    until(&mut second, "here").await;
    // A client that begins again does so anywhere.
    assert_eq!(ask(several.at(2), "POST", "000/c/xhr", "").await.1, "o\n");
}
