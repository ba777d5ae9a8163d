//! WebSockets through the gateway.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::client::{Client, ask};
use super::process::{Connection, Process};
use super::rig::{Rig, options, processes};

/// The handshake of a test that has no use for a true one, and its answer's header.
const HANDSHAKE: &str = "GET /content/app/websocket/ HTTP/1.1\r\nHost: gw.example\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
const SWITCHED: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// A process that echoes messages; `bye` makes it go without a word.
pub(super) async fn talker(mut connection: Connection) {
    let Some(head) = connection.head().await else {
        return;
    };
    let Some(key) = head.field("sec-websocket-key") else {
        connection.ok("no socket").await;
        return;
    };
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    let protocol = head
        .field("sec-websocket-protocol")
        .map_or(String::new(), |protocols| {
            format!(
                "Sec-WebSocket-Protocol: {}\r\n",
                protocols.split(',').next().unwrap()
            )
        });
    connection
        .send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{protocol}\r\n"
        ))
        .await;
    let role = tokio_tungstenite::tungstenite::protocol::Role::Server;
    let mut socket = WebSocketStream::from_raw_socket(connection.io, role, None).await;
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(text) if text == "bye" => return,
            Message::Text(_) | Message::Binary(_) => drop(socket.send(message).await),
            _ => {}
        }
    }
}

async fn open(rig: &Rig, fields: &[(&'static str, &str)]) -> Result<WebSocketStream<TcpStream>, u16> {
    let stream = TcpStream::connect(rig.at).await.unwrap();
    let url = format!("ws://gw.example:{}/content/app/websocket/", rig.at.port());
    let mut request = url.into_client_request().unwrap();
    for (name, value) in fields {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn messages_pass_in_both_directions_and_hold_one_seat() {
    let process = Process::tcp(talker).await;
    let rig = Rig::new(&process.address);
    let mut socket = open(&rig, &[("sec-websocket-protocol", "one, two")])
        .await
        .unwrap();
    rig.hub.until_taken(1).await;
    for size in [0, 1, 125, 126, 65_535, 65_536, 3_000_000] {
        let message = Message::binary(vec![7; size]);
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.send(Message::Ping(vec![1, 2].into())).await.unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap(),
        Message::Pong(vec![1, 2].into())
    );
    assert!(rig.metrics.text().contains("offhost_gateway_tunnels 1"));
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    rig.hub.until_taken(0).await;
    assert!(rig.metrics.text().contains("offhost_gateway_tunnels 0"));
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_page_of_another_host_opens_no_socket() {
    let process = Process::tcp(talker).await;
    let rig = Rig::new(&process.address);
    assert_eq!(
        open(&rig, &[("origin", "https://evil.example")])
            .await
            .unwrap_err(),
        403
    );
    assert_eq!(open(&rig, &[("origin", "null")]).await.unwrap_err(), 403);
    for (accept, form, part) in [
        (
            "text/html",
            "text/html; charset=utf-8",
            "<p id=\"text\">A page of https://evil.example may not open a WebSocket to gw.example.</p>",
        ),
        (
            "application/json",
            "application/problem+json",
            "\"detail\":\"A page of https://evil.example may not open a WebSocket to gw.example.\"",
        ),
    ] {
        let request = format!("{HANDSHAKE}Origin: https://evil.example\r\nAccept: {accept}\r\n\r\n");
        let refused = ask(rig.at, &request).await;
        assert_eq!(
            (refused.status(), refused.field("content-type")),
            (403, Some(form))
        );
        let id = refused.field("x-request-id").unwrap();
        assert!(refused.text().contains(part), "{}", refused.text());
        assert!(refused.text().contains(id), "{}", refused.text());
    }
    let own = format!("http://gw.example:{}", rig.at.port());
    assert!(open(&rig, &[("origin", &own)]).await.is_ok());
    assert!(
        open(
            &rig,
            &[("origin", "https://x.example"), ("sec-fetch-site", "same-origin")]
        )
        .await
        .is_ok()
    );
}

/// Proves: SC3 (L, P)
#[tokio::test]
async fn who_sits_at_a_process_that_ends_is_told_that_it_restarts() {
    let process = Process::tcp(talker).await;
    let rig = Rig::new(&process.address);
    let mut socket = open(&rig, &[]).await.unwrap();
    socket.send(Message::text("bye")).await.unwrap();
    let begun = std::time::Instant::now();
    match socket.next().await.unwrap().unwrap() {
        Message::Close(Some(close)) => assert_eq!(close.code, CloseCode::Restart),
        other => panic!("{other:?}"),
    }
    // Long before the limit of a silent peer.
    assert!(begun.elapsed() < Duration::from_secs(10));
    drop(socket);
    rig.hub.until_taken(0).await;
}

/// Proves: SC3 (L, P)
#[tokio::test]
async fn no_frame_is_cut_by_the_goodbye() {
    let process = Process::tcp(async |mut connection: Connection| {
        connection.head().await;
        connection.send(SWITCHED).await;
        // The header of ten bytes, and five of them.
        connection.send(b"\x82\x0a12345").await;
    })
    .await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    client.send(format!("{HANDSHAKE}\r\n")).await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 101"));
    assert_eq!(client.until_closed().await, b"\x82\x0a12345");
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn what_comes_with_the_handshake_is_passed_on() {
    let process = Process::tcp(async |mut connection: Connection| {
        connection.head().await;
        connection.send(format!("{SWITCHED}early")).await;
        let said = connection.body(8).await;
        connection.send(said).await;
        connection.until_closed().await;
    })
    .await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    client.send(format!("{HANDSHAKE}\r\nas early")).await;
    client.head().await.unwrap();
    while client.rest.len() < 13 {
        assert!(client.more().await);
    }
    assert_eq!(client.rest, b"earlyas early");
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_process_may_refuse_a_socket() {
    let process = Process::tcp(async |mut connection: Connection| {
        while connection.head().await.is_some() {
            connection
                .send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
                .await;
        }
    })
    .await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    client.send(format!("{HANDSHAKE}\r\n")).await;
    let reply = client.reply().await.unwrap();
    assert_eq!((reply.status(), reply.text()), (403, "no"));
    rig.hub.until_taken(0).await;
}

/// Proves: SC3 (L, P)
#[tokio::test]
async fn a_silent_socket_ends_by_the_settings_alone() {
    let process = Process::tcp(async |mut connection: Connection| {
        connection.head().await;
        connection.send(SWITCHED).await;
        // Speaks, and is not answered.
        while connection.try_send(b"\x81\x01x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let mut limited = processes();
    limited.connection_timeout = Some(Duration::from_millis(400));
    let rig = Rig::with(&process.address, options(), limited.clone());
    let mut client = Client::new(rig.at).await;
    client.send(format!("{HANDSHAKE}\r\n")).await;
    client.head().await.unwrap();
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(900) {
        assert!(client.more().await, "one side still speaks");
    }
    limited.read_timeout = Some(Duration::from_millis(300));
    let rig = Rig::with(&process.address, options(), limited);
    let mut client = Client::new(rig.at).await;
    client.send(format!("{HANDSHAKE}\r\n")).await;
    client.head().await.unwrap();
    let said = client.until_closed().await;
    assert!(
        said.ends_with(b"\x88\x02\x03\xf4"),
        "the visitor is silent for too long"
    );
    rig.hub.until_taken(0).await;
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_socket_outlives_a_drain_until_its_time_is_over() {
    let process = Process::tcp(talker).await;
    let mut options = options();
    options.drain_timeout = Duration::from_millis(500);
    let rig = Rig::with(&process.address, options, processes());
    let mut socket = open(&rig, &[]).await.unwrap();
    let gateway = rig.gateway.clone();
    let drained = tokio::spawn(async move { gateway.drain().await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(TcpStream::connect(rig.at).await.is_err(), "nobody new is taken");
    socket.send(Message::text("still here")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("still here"));
    match socket.next().await.unwrap().unwrap() {
        Message::Close(Some(close)) => assert_eq!(close.code, CloseCode::Restart),
        other => panic!("{other:?}"),
    }
    drop(socket);
    drained.await.unwrap();
    rig.hub.until_taken(0).await;
}
