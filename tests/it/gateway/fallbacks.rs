//! Pages of Shiny that speak with their process in other ways than by a WebSocket.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use offhost::gateway::{Fallbacks, NoSeat, Processes, Protocols};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::client::Client;
use super::process::{Connection, Process};
use super::rig::{Rig, options, processes};
use super::sockets::talker;

const LINE: &str = "a1b2c3d4e5f6g7h8i9";
const PATIENCE: Duration = Duration::from_secs(10);

fn shiny(protocols: Protocols, reconnect: Duration) -> Processes {
    Processes {
        affinity: true,
        fallbacks: Some(Fallbacks { protocols, reconnect }),
        ..processes()
    }
}

async fn rig(reconnect: Duration) -> (Rig, Process) {
    let process = Process::tcp(talker).await;
    let rig = Rig::with(
        &process.address,
        options(),
        shiny(Protocols::default(), reconnect),
    );
    (rig, process)
}

fn path(below: &str) -> String {
    format!("/content/app/__sockjs__/{below}")
}

/// A request whose answer is read as it comes.
async fn ask(rig: &Rig, method: &str, below: &str, more: &str, body: &str) -> Client {
    let mut client = Client::new(rig.at).await;
    let (path, length) = (path(below), body.len());
    client
        .send(format!(
            "{method} {path} HTTP/1.1\r\nHost: gw.example\r\nContent-Length: {length}\r\n{more}\r\n{body}"
        ))
        .await;
    client
}

/// Status, head and whole body.
pub(super) async fn whole(mut client: Client) -> (u16, String, String) {
    let head = client.head().await.unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head
        .to_ascii_lowercase()
        .split_once("content-length: ")
        .map(|(_, rest)| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
    let is_chunked = head.to_ascii_lowercase().contains("chunked");
    while match length {
        Some(length) => client.rest.len() < length,
        None => is_chunked && !client.rest.ends_with(b"0\r\n\r\n"),
    } {
        assert!(client.more().await, "the answer is whole");
    }
    let body = String::from_utf8(client.rest.clone()).unwrap();
    (status, head, if is_chunked { unchunked(&body) } else { body })
}

fn unchunked(body: &str) -> String {
    let (mut whole, mut rest) = (String::new(), body);
    while let Some((length, after)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.push_str(&after[..length]);
        rest = &after[length + 2..];
    }
    whole
}

/// Reads until this has come.
pub(super) async fn until(client: &mut Client, wanted: &str) {
    let seen = |client: &Client| String::from_utf8_lossy(&client.rest).contains(wanted);
    while !seen(client) {
        assert!(
            client.more().await,
            "{wanted} in {}",
            String::from_utf8_lossy(&client.rest)
        );
    }
}

async fn get(rig: &Rig, below: &str) -> (u16, String, String) {
    whole(ask(rig, "GET", below, "", "").await).await
}

async fn post(rig: &Rig, below: &str, body: &str) -> (u16, String, String) {
    whole(ask(rig, "POST", below, "", body).await).await
}

/// Proves: PR2 (L, P)
#[tokio::test]
async fn polls_carry_messages_in_both_directions() {
    let (rig, _process) = rig(Duration::ZERO).await;
    for (number, name) in ["xhr", "jsonp"].into_iter().enumerate() {
        let session = format!("{number}/{name}s");
        let poll = async |rig: &Rig| match name {
            "xhr" => post(rig, &format!("{session}/xhr"), "").await,
            _ => get(rig, &format!("{session}/jsonp?c=f")).await,
        };
        let (status, head, body) = poll(&rig).await;
        assert_eq!((status, body.contains('o')), (200, true), "{head}");
        let head = head.to_ascii_lowercase();
        for field in [
            "cache-control: no-store",
            "nosniff",
            "cross-origin-resource-policy: same-origin",
            "set-cookie: ",
        ] {
            assert!(head.contains(field), "{field} in {head}");
        }
        assert!(!head.contains("access-control-allow"));
        let sent = match name {
            "xhr" => post(&rig, &format!("{session}/xhr_send"), "[\"one\",\"ä\\u2028\"]").await,
            _ => {
                let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
                let body = "d=%5B%22one%22%2C%22%C3%A4%5Cu2028%22%5D";
                whole(ask(&rig, "POST", &format!("{session}/jsonp_send"), kind, body).await).await
            }
        };
        assert_eq!(sent.0, if name == "xhr" { 204 } else { 200 }, "{}", sent.2);
        let mut got = String::new();
        while !got.contains("u2028") {
            got.push_str(&poll(&rig).await.2);
        }
        assert!(got.contains("one") && got.contains('ä'), "{got}");
        rig.hub.until_taken(1).await;
        // Who asks no more has gone.
        let begun = std::time::Instant::now();
        rig.hub.until_taken(0).await;
        assert!(begun.elapsed() > Duration::from_secs(3));
    }
}

/// Proves: PR2 (L, P)
#[tokio::test]
async fn streams_carry_messages_and_end_when_they_are_long() {
    let (rig, _process) = rig(Duration::ZERO).await;
    for (method, name, query) in [
        ("POST", "xhr_streaming", ""),
        ("GET", "eventsource", ""),
        ("GET", "htmlfile", "?c=parent.x"),
    ] {
        let receive = format!("000/{name}/{name}{query}");
        let mut stream = ask(&rig, method, &receive, "", "").await;
        until(&mut stream, "o").await;
        let second = whole(ask(&rig, method, &receive, "", "").await).await.2;
        assert!(second.contains("c[2010"), "{second}");
        assert_eq!(
            post(&rig, &format!("000/{name}/xhr_send"), "[\"100%\"]").await.0,
            204
        );
        until(&mut stream, if name == "eventsource" { "100%25" } else { "100%" }).await;
        let long = format!("[\"{}\"]", "y".repeat(140_000));
        assert_eq!(post(&rig, &format!("000/{name}/xhr_send"), &long).await.0, 204);
        until(&mut stream, "0\r\n\r\n").await;
        // The same session goes on.
        let mut stream = ask(&rig, method, &receive, "", "").await;
        assert_eq!(
            post(&rig, &format!("000/{name}/xhr_send"), "[\"again\"]").await.0,
            204
        );
        until(&mut stream, "again").await;
        assert!(!String::from_utf8_lossy(&stream.rest).contains("\no\n"));
        assert_eq!(rig.hub.taken(), 1);
        drop(stream);
        rig.hub.until_taken(0).await;
        let gone = post(&rig, &format!("000/{name}/xhr_send"), "[\"late\"]").await;
        assert_eq!(gone.0, 404);
    }
}

async fn open(rig: &Rig, below: &str) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(rig.at).await.unwrap();
    let url = format!("ws://gw.example:{}{}", rig.at.port(), path(below));
    client_async(url.into_client_request().unwrap(), stream)
        .await
        .unwrap()
        .0
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> String {
    let message = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
    message.unwrap().unwrap().into_text().unwrap().as_str().to_owned()
}

/// Proves: PR2 (L, P)
#[tokio::test]
async fn a_websocket_carries_messages() {
    let (rig, _process) = rig(Duration::ZERO).await;
    let mut socket = open(&rig, "000/s/websocket").await;
    assert_eq!(next(&mut socket).await, "o");
    for (sent, got) in [
        ("[\"a\"]", "a[\"a\"]"),
        ("\"b\"", "a[\"b\"]"),
        ("", ""),
        ("[\"\"]", "a[\"\"]"),
    ] {
        socket.send(Message::text(sent)).await.unwrap();
        if !got.is_empty() {
            assert_eq!(next(&mut socket).await, got);
        }
    }
    socket.send(Message::text("[\"bye\"]")).await.unwrap();
    assert_eq!(next(&mut socket).await, "c[4503,\"The application has ended.\"]");
    rig.hub.until_taken(0).await;
    let mut socket = open(&rig, "000/s/websocket").await;
    assert_eq!(next(&mut socket).await, "o");
    socket.send(Message::text("[\"a\"")).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
    rig.hub.until_taken(0).await;
}

/// Proves: PR2 (L, P)
#[tokio::test]
async fn a_connection_that_comes_back_in_time_goes_on_by_any_way() {
    let (rig, process) = rig(Duration::from_secs(3)).await;
    let mut socket = open(&rig, &format!("n={LINE}/000/s1/websocket")).await;
    assert_eq!(next(&mut socket).await, "o");
    socket.send(Message::text("[\"0#a\",\"1*AQI=\"]")).await.unwrap();
    let mut got = String::new();
    while !got.contains("1*AQI=") {
        got.push_str(&next(&mut socket).await);
    }
    assert!(got.contains("ACK 2") && got.contains("0#a"), "{got}");
    drop(socket);
    // Both messages of the process count as lost, and one of the page's too.
    let back = format!("o={LINE}/000/s2");
    let opened = post(&rig, &format!("{back}/xhr"), "").await.2;
    assert_eq!(opened, "o\n");
    let sent = post(
        &rig,
        &format!("{back}/xhr_send"),
        "[\"CONTINUE 1\",\"1*AQI=\",\"2#b\"]",
    )
    .await;
    assert_eq!(sent.0, 204);
    let mut got = String::new();
    while !got.contains("2#b") {
        got.push_str(&post(&rig, &format!("{back}/xhr"), "").await.2);
    }
    assert!(
        got.contains("CONTINUE ") && got.contains("1*AQI=") && !got.contains("0#a"),
        "{got}"
    );
    assert_eq!(process.connections.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(rig.hub.claims.lock().unwrap().len(), 1);
    // Nobody else has taken it, and it can not begin again.
    let again = post(&rig, &format!("n={LINE}/000/s3/xhr"), "").await.2;
    assert!(again.contains("c[4705"), "{again}");
    let marked = post(&rig, &format!("{back}x/xhr?m=1&known"), "").await;
    assert_eq!(marked.0, 404);
    rig.hub.until_taken(0).await;
    // For a while a page that is too late is told so.
    let mut late = open(&rig, &format!("o={LINE}/000/s4/websocket")).await;
    assert_eq!(next(&mut late).await, "o");
    late.send(Message::text("[\"CONTINUE 2\"]")).await.unwrap();
    let mut got = String::new();
    while !got.contains("c[") {
        got.push_str(&next(&mut late).await);
    }
    assert!(got.contains("c[4706"), "{got}");
}

/// Proves: PR2 (L, P)
#[tokio::test]
async fn a_connection_that_was_never_there_does_not_come_back() {
    let (rig, _process) = rig(Duration::from_secs(60)).await;
    let late = post(&rig, &format!("o={LINE}/000/s4/xhr"), "").await.2;
    assert!(late.contains("c[4705"), "{late}");
    let mut late = open(&rig, &format!("o={LINE}/000/s5/websocket")).await;
    assert_eq!(next(&mut late).await, "o");
    assert!(next(&mut late).await.starts_with("c[4705"));
}

/// Proves: PR2 (L, P), SC5 (L, P)
#[tokio::test]
async fn another_gateway_takes_no_session_for_its_own() {
    let (one, process) = rig(Duration::from_secs(60)).await;
    let processes = shiny(Protocols::default(), Duration::from_secs(60));
    let other = Rig::with(&process.address, options(), processes);
    let session = format!("n={LINE}/000/s");
    assert_eq!(post(&one, &format!("{session}/xhr"), "").await.2, "o\n");
    // A page marks what it has begun, and tries again until it comes to its own.
    for below in [
        format!("{session}/xhr?m=1&known"),
        format!("{session}/xhr_send?known"),
    ] {
        assert_eq!(post(&other, &below, "[\"0#x\"]").await.0, 404);
    }
    let mut socket = open(&other, &format!("o={LINE}/000/t/websocket")).await;
    assert_eq!(next(&mut socket).await, "o");
    assert!(next(&mut socket).await.starts_with("c[4705"));
    assert_eq!(
        other.hub.claims.lock().unwrap().len(),
        0,
        "nothing was begun there"
    );
    let mut socket = open(&one, &format!("o={LINE}/000/u/websocket")).await;
    assert_eq!(next(&mut socket).await, "o");
    socket
        .send(Message::text("[\"CONTINUE 0\",\"0#x\"]"))
        .await
        .unwrap();
    let mut got = String::new();
    while !got.contains("0#x") {
        got.push_str(&next(&mut socket).await);
    }
    assert_eq!(one.hub.claims.lock().unwrap().len(), 1);
}

/// Proves: PR2 (L, P)
#[tokio::test]
async fn a_page_that_leaves_frees_its_place_at_once() {
    let (rig, _process) = rig(Duration::from_secs(60)).await;
    let mut socket = open(&rig, &format!("n={LINE}/000/s/websocket")).await;
    assert_eq!(next(&mut socket).await, "o");
    rig.hub.until_taken(1).await;
    socket.send(Message::text("[\"BYE\"]")).await.unwrap();
    rig.hub.until_taken(0).await;
}

/// Proves: PR2 (L, P), PR1 (L, P)
#[tokio::test]
async fn nobody_else_takes_part() {
    let (rig, _process) = rig(Duration::from_secs(60)).await;
    let first = post(&rig, "000/before/xhr", "").await.1;
    let cookie = first
        .split("set-cookie: ")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let own = format!("Cookie: {cookie}\r\n");
    let session = format!("n={LINE}/000/s");
    assert_eq!(
        whole(ask(&rig, "POST", &format!("{session}/xhr"), &own, "").await)
            .await
            .2,
        "o\n"
    );
    assert_eq!(
        post(&rig, &format!("{session}/xhr_send"), "[\"0#x\"]").await.0,
        404
    );
    // Nor may they take its names for something of their own.
    for below in [
        format!("o={LINE}/000/t/xhr"),
        format!("n={LINE}/000/u/xhr"),
        "000/s/xhr".to_owned(),
    ] {
        let stolen = post(&rig, &below, "").await.2;
        assert!(stolen.contains("c[4705"), "{below}: {stolen}");
    }
    let sent = ask(&rig, "POST", &format!("{session}/xhr_send"), &own, "[\"0#x\"]").await;
    assert_eq!(whole(sent).await.0, 204);
    for foreign in [
        "Origin: https://evil.example\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    ] {
        for (method, below) in [
            ("POST", "0/x/xhr"),
            ("GET", "0/x/jsonp?c=f"),
            ("GET", "info"),
            ("OPTIONS", "0/x/xhr"),
        ] {
            let answer = whole(ask(&rig, method, below, foreign, "").await).await;
            assert_eq!(answer.0, 403, "{foreign}{below}");
        }
    }
}

/// Proves: PR2 (L, P)
#[tokio::test]
async fn one_body_of_a_session_is_read_at_a_time() {
    let (rig, _process) = rig(Duration::ZERO).await;
    let mut stream = ask(&rig, "POST", "000/s/xhr_streaming", "", "").await;
    until(&mut stream, "\no\n").await;
    let mut first = Client::new(rig.at).await;
    let head = format!("POST {} HTTP/1.1\r\nHost: gw.example\r\n", path("000/s/xhr_send"));
    first
        .send(format!("{head}Content-Length: 8\r\nExpect: 100-continue\r\n\r\n"))
        .await;
    // It is being read from now on.
    until(&mut first, "100 Continue").await;
    let second = ask(&rig, "POST", "000/s/xhr_send", "", "[\"two;\"]").await;
    assert_eq!(get(&rig, "info").await.0, 200);
    first.send("[\"one;\"]").await;
    assert_eq!(whole(second).await.0, 204);
    until(&mut stream, "two;").await;
    let said = String::from_utf8_lossy(&stream.rest).into_owned();
    assert!(said.find("one;").unwrap() < said.find("two;").unwrap(), "{said}");
}

/// Proves: PR2 (L, P)
#[tokio::test]
async fn what_is_asked_for_wrongly_is_refused() {
    let process = Process::tcp(talker).await;
    let left = Protocols::without(&["websocket", "xhr-streaming"]);
    let rig = Rig::with(&process.address, options(), shiny(left, Duration::ZERO));
    assert_eq!(get(&rig, "").await.2, "Welcome to SockJS!\n");
    let info = get(&rig, "info").await.2;
    assert!(info.contains("\"websocket\":false"), "{info}");
    let frame = get(&rig, "iframe-1.6.1.html").await;
    assert!(
        frame.2.contains("/content/app/__offhost__/shiny.js?v="),
        "{}",
        frame.2
    );
    assert!(
        frame
            .1
            .to_ascii_lowercase()
            .contains("x-frame-options: sameorigin")
    );
    for (method, below, status) in [
        ("POST", "0/s/xhr_streaming", 404),
        ("GET", "0/s/websocket", 404),
        ("GET", "0/s/xhr", 405),
        ("POST", "0/s/jsonp?c=f", 405),
        ("PUT", "info", 405),
        ("OPTIONS", "0/s/xhr", 204),
        ("GET", "0/s/jsonp", 500),
        ("GET", "0/s/jsonp?c=alert(1)", 500),
        ("GET", "0/s/htmlfile?c=%3Cscript", 500),
        ("GET", "0/s.x/eventsource", 404),
        ("GET", "nothing", 404),
        ("POST", "0/unknown/xhr_send", 404),
    ] {
        let answer = whole(ask(&rig, method, below, "", "").await).await;
        assert_eq!(answer.0, status, "{method} {below}: {}", answer.2);
    }
    assert_eq!(
        rig.hub.claims.lock().unwrap().len(),
        0,
        "none of it costs a place"
    );
    assert_eq!(post(&rig, "0/s/xhr", "").await.2, "o\n");
    for (body, sentence) in [
        ("", "Payload expected."),
        ("[1]", "Broken JSON encoding."),
        ("[\"a", "Broken JSON encoding."),
    ] {
        let answer = post(&rig, "0/s/xhr_send", body).await;
        assert_eq!((answer.0, answer.2.as_str()), (500, sentence));
    }
}

/// Proves: PR2 (L, P), SC1 (L, P)
#[tokio::test]
async fn a_full_application_says_so_and_a_page_that_falls_back_takes_one_place() {
    let (rig, _process) = rig(Duration::from_secs(60)).await;
    rig.hub.refusals.lock().unwrap().push_back(NoSeat::Busy);
    let mut socket = open(&rig, "000/s/websocket").await;
    assert_eq!(next(&mut socket).await, "o");
    assert!(next(&mut socket).await.starts_with("c[4501"));
    let id = "z1b2c3d4e5f6g7h8i9";
    let first = open(&rig, &format!("n={id}/000/a/websocket")).await;
    let mut second = ask(&rig, "POST", &format!("n={id}/000/b/xhr_streaming"), "", "").await;
    until(&mut second, "\no\n").await;
    drop(first);
    assert_eq!(
        post(&rig, &format!("n={id}/000/b/xhr_send"), "[\"0#x\"]").await.0,
        204
    );
    until(&mut second, "0#x").await;
    assert_eq!(rig.hub.taken(), 1);
}

/// Proves: PR2 (L, P), SC3 (L, P)
#[tokio::test]
async fn a_gateway_that_ends_tells_its_pages() {
    let (rig, _process) = rig(Duration::from_secs(60)).await;
    let mut socket = open(&rig, &format!("n={LINE}/000/s/websocket")).await;
    let mut stream = ask(&rig, "POST", "000/t/xhr_streaming", "", "").await;
    until(&mut stream, "\no\n").await;
    assert_eq!(next(&mut socket).await, "o");
    let gateway = rig.gateway.clone();
    let drained = tokio::spawn(async move { gateway.drain().await });
    until(&mut stream, "c[4702").await;
    socket.send(Message::text("[\"0#still here\"]")).await.unwrap();
    let mut got = String::new();
    while !got.contains("still here") {
        got.push_str(&next(&mut socket).await);
    }
    rig.gateway.cut();
    while !got.contains("c[1012") {
        got.push_str(&next(&mut socket).await);
    }
    tokio::time::timeout(PATIENCE, drained).await.unwrap().unwrap();
    assert_eq!(rig.hub.taken(), 0);
}

/// Proves: PR2 (L, P)
#[tokio::test]
async fn pages_get_the_client_and_nothing_else_does() {
    let process = Process::tcp(|mut connection: Connection| async move {
        while let Some(head) = connection.head().await {
            let kind = if head.line().contains("/data") {
                "application/json"
            } else {
                "text/html; charset=utf-8"
            };
            let body = "<html><head><title>x</title></head><body></head></body></html>";
            let length = body.len();
            let body = if head.line().starts_with("HEAD") { "" } else { body };
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}");
            connection.send(head).await;
        }
    })
    .await;
    let rig = Rig::with(
        &process.address,
        options(),
        shiny(Protocols::without(&["websocket"]), Duration::from_secs(15)),
    );
    let visit = async |method: &str, below: &str| {
        let mut client = Client::new(rig.at).await;
        client
            .send(format!(
                "{method} /content/app{below} HTTP/1.1\r\nHost: a\r\n\r\n"
            ))
            .await;
        client
    };
    let (status, head, page) = whole(visit("GET", "/").await).await;
    assert_eq!(status, 200);
    assert!(!head.to_ascii_lowercase().contains("content-length"));
    let script = page
        .split_once("<title>x</title>")
        .unwrap()
        .1
        .split_once("</head><body></head>")
        .unwrap()
        .0;
    assert!(
        script.starts_with("<script src=\"/content/app/__offhost__/shiny.js?v="),
        "{script}"
    );
    assert!(
        script.contains("data-protocols=\"xhr-streaming iframe-eventsource ")
            && script.contains("data-reconnect=\"15000\"")
    );
    let (_, head, data) = whole(visit("GET", "/data").await).await;
    assert!(!data.contains("offhost") && head.to_ascii_lowercase().contains("content-length"));
    let address = script
        .split('"')
        .nth(1)
        .unwrap()
        .strip_prefix("/content/app")
        .unwrap();
    let (status, head, client) = whole(visit("GET", address).await).await;
    assert_eq!(status, 200);
    assert!(head.contains("text/javascript") && client.contains("createSocket"));
}
