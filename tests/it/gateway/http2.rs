//! HTTP/2 from visitors, over TLS and without, and WebSockets over it.

use std::convert::Infallible;

use http::{Method, Request, Version};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::process::{Connection, Process};
use super::rig::Rig;

type Full2 = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn sender(rig: &Rig) -> http2::SendRequest<Full2> {
    let stream = TokioIo::new(TcpStream::connect(rig.at).await.unwrap());
    let (sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(method: Method, path: &str, body: Full2) -> Request<Full2> {
    let uri = format!("http://gw.example{path}");
    Request::builder().method(method).uri(uri).body(body).unwrap()
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn many_requests_share_a_connection() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    let sender = sender(&rig).await;
    let all = (0..50).map(|number| {
        let mut sender = sender.clone();
        async move {
            let path = format!("/content/app/{number}");
            let answer = sender
                .send_request(request(Method::GET, &path, Empty::new().boxed()))
                .await
                .unwrap();
            assert_eq!(
                (answer.status().as_u16(), answer.version()),
                (200, Version::HTTP_2)
            );
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(text.starts_with(&format!("GET /{number} HTTP/1.1\r\n")), "{text}");
            assert!(text.contains("\r\nhost: gw.example\r\n"), "{text}");
        }
    });
    futures::future::join_all(all).await;
    rig.hub.until_taken(0).await;
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_body_passes_with_its_length() {
    let process = Process::tcp(async |mut connection: Connection| {
        while let Some(head) = connection.head().await {
            let length = head.field("content-length").unwrap().parse().unwrap();
            connection.body(length).await;
            connection.ok(&length.to_string()).await;
        }
    })
    .await;
    let rig = Rig::new(&process.address);
    let mut sender = sender(&rig).await;
    let body = Full::new(Bytes::from(vec![b'x'; 3_000_000])).boxed();
    let answer = sender
        .send_request(request(Method::POST, "/content/app/", body))
        .await
        .unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "3000000");
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_websocket_over_http2_is_one_of_http1_to_the_process() {
    let process = Process::tcp(async |mut connection: Connection| {
        let head = connection.head().await.unwrap();
        assert_eq!(head.line(), "GET /websocket/ HTTP/1.1");
        assert_eq!(head.field("upgrade"), Some("websocket"));
        assert!(head.field("sec-websocket-key").is_some());
        connection
            .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
            .await;
        let said = connection.body(5).await;
        connection.send(said).await;
        connection.until_closed().await;
    })
    .await;
    let rig = Rig::new(&process.address);
    let mut sender = sender(&rig).await;
    let mut connect = request(Method::CONNECT, "/content/app/websocket/", Empty::new().boxed());
    connect
        .extensions_mut()
        .insert(hyper::ext::Protocol::from_static("websocket"));
    // The settings that allow it come with the first answer.
    let first = sender
        .send_request(request(Method::GET, "/nowhere", Empty::new().boxed()))
        .await
        .unwrap();
    assert_eq!(first.status().as_u16(), 404);
    let answer = sender.send_request(connect).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let mut stream = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
    stream.write_all(b"hello").await.unwrap();
    let mut said = [0; 5];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"hello");
    rig.hub.until_taken(1).await;
    drop(stream);
    rig.hub.until_taken(0).await;
}
