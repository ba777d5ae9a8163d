//! Seats: sessions, waiting for a process, and processes that come and go.

use std::sync::atomic::Ordering;
use std::time::Duration;

use offhost::apps::Address;
use offhost::gateway::{AppState, NoSeat, Purpose};

use super::client::{Client, get};
use super::process::{Connection, Process};
use super::rig::{Rig, options, processes};

/// Proves: SC5 (L, P)
#[tokio::test]
async fn a_visitor_stays_with_the_process_of_the_session() {
    let process = Process::echo().await;
    let mut kept = processes();
    kept.affinity = true;
    let rig = Rig::with(&process.address, options(), kept);
    let first = get(rig.at, "/content/app/", "").await;
    let cookie = first.field("set-cookie").unwrap();
    assert!(
        cookie.contains("Path=/content/app/") && cookie.contains("HttpOnly"),
        "{cookie}"
    );
    let value = cookie.split(';').next().unwrap().to_owned();
    let second = get(rig.at, "/content/app/", &format!("Cookie: a=1; {value}; b=2\r\n")).await;
    assert_eq!(second.field("set-cookie"), None);
    assert!(
        second.text().contains("cookie: a=1; b=2\r\n"),
        "ours is not passed on:\n{}",
        second.text()
    );
    let claims = rig.hub.claims.lock().unwrap().clone();
    let ids: Vec<u128> = claims
        .iter()
        .map(|claim| claim.session.as_ref().unwrap().id)
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert_eq!(claims[1].session.as_ref().unwrap().process, Some("p1".into()));
    let middle = value.len() / 2;
    let other = if &value[middle..=middle] == "A" { "B" } else { "A" };
    let changed = format!("{}{other}{}", &value[..middle], &value[middle + 1..]);
    for forged in ["offhost-session=x", &changed] {
        let reply = get(rig.at, "/content/app/", &format!("Cookie: {forged}\r\n")).await;
        assert!(reply.field("set-cookie").is_some(), "a new session begins");
    }
    // The process is gone: the hub seats the visitor elsewhere, and a new session begins.
    let other = Process::echo().await;
    rig.hub.moved_to("p2", &other.address);
    let moved = get(rig.at, "/content/app/", &format!("Cookie: {value}\r\n")).await;
    assert!(
        moved
            .field("set-cookie")
            .is_some_and(|new| !new.starts_with(&value))
    );
}

/// Proves: SC5 (L, P)
#[tokio::test]
async fn a_session_is_believed_for_as_long_as_the_settings_say() {
    let process = Process::echo().await;
    let mut kept = processes();
    kept.affinity = true;
    let mut options = options();
    options.session_lifetime = Duration::from_secs(1);
    let rig = Rig::with(&process.address, options, kept);
    let first = get(rig.at, "/content/app/", "").await;
    let cookie = first.field("set-cookie").unwrap();
    let fields = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
    assert_eq!(
        get(rig.at, "/content/app/", &fields).await.field("set-cookie"),
        None
    );
    // Cookies count whole seconds.
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let reply = get(rig.at, "/content/app/", &fields).await;
    assert!(reply.field("set-cookie").is_some(), "a new session begins");
}

/// Proves: SC1 (L, P)
#[tokio::test]
async fn a_program_waits_for_a_process_and_a_person_is_shown_that_it_starts() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    *rig.hub.delay.lock().unwrap() = Duration::from_millis(300);
    let begun = std::time::Instant::now();
    assert_eq!(get(rig.at, "/content/app/", "").await.status(), 200);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let page = get(
        rig.at,
        "/content/app/",
        "Sec-Fetch-Mode: navigate\r\nAccept: text/html\r\n",
    )
    .await;
    assert_eq!(page.status(), 503);
    assert!(page.field("retry-after").is_some());
    let claims = rig.hub.claims.lock().unwrap().clone();
    assert_eq!(
        (claims[0].purpose, claims[1].purpose),
        (Purpose::Request, Purpose::Page)
    );
    assert!(
        rig.metrics
            .text()
            .contains("offhost_gateway_start_seconds_count{stage=\"total\"} 1")
    );
}

/// Proves: SC2 (L, P), SC3 (L, P)
#[tokio::test]
async fn who_gets_no_seat_is_told_when_to_come_back() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    for refusal in [NoSeat::Busy, NoSeat::QueueFull, NoSeat::Closing] {
        rig.hub.refusals.lock().unwrap().push_back(refusal.clone());
        let reply = get(rig.at, "/content/app/", "").await;
        assert_eq!(reply.status(), 503, "{refusal:?}");
        assert!(reply.field("retry-after").is_some(), "{refusal:?}");
    }
    rig.hub.refusals.lock().unwrap().push_back(NoSeat::Unknown);
    assert_eq!(get(rig.at, "/content/app/", "").await.status(), 404);
    assert_eq!(get(rig.at, "/content/app/", "").await.status(), 200);
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_not_the_visitors_concern() {
    // Each connection takes one request and is closed when the next comes, or at once.
    for at_once in [true, false] {
        let process = Process::tcp(move |mut connection: Connection| async move {
            connection.head().await;
            connection.ok("one").await;
            if !at_once {
                connection.head().await;
            }
        })
        .await;
        let rig = Rig::new(&process.address);
        let mut client = Client::new(rig.at).await;
        for _ in 0..4 {
            client
                .send("GET /content/app/ HTTP/1.1\r\nHost: gw.example\r\n\r\n")
                .await;
            assert_eq!(client.reply().await.unwrap().status(), 200);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(process.connections.load(Ordering::SeqCst) >= 4);
    }
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn what_changes_something_is_sent_once() {
    let process = Process::tcp(async |mut connection: Connection| {
        connection.head().await;
        connection.ok("one").await;
        connection.head().await;
    })
    .await;
    let rig = Rig::with(
        &process.address,
        {
            let mut one = options();
            one.threads = 1;
            one
        },
        processes(),
    );
    let mut client = Client::new(rig.at).await;
    client
        .send("GET /content/app/ HTTP/1.1\r\nHost: gw.example\r\n\r\n")
        .await;
    assert_eq!(client.reply().await.unwrap().status(), 200);
    client
        .send("POST /content/app/ HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(client.reply().await.unwrap().status(), 502);
    assert_eq!(process.connections.load(Ordering::SeqCst), 1);
}

/// Proves: SC1 (L, P)
#[tokio::test]
async fn a_seat_at_a_process_that_is_not_there_any_more_is_changed_for_another() {
    let gone = Address::Tcp("127.0.0.1:1".parse().unwrap());
    let rig = Rig::new(&gone);
    let process = Process::echo().await;
    let hub = rig.hub.clone();
    let address = process.address.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(80)).await;
        hub.moved_to("p2", &address);
    });
    assert_eq!(get(rig.at, "/content/app/", "").await.status(), 200);
    rig.hub.moved_to("p3", &gone);
    assert_eq!(get(rig.at, "/content/app/", "").await.status(), 502);
    rig.hub.until_taken(0).await;
}

/// Proves: SC1 (L)
#[tokio::test]
async fn a_process_whose_queue_is_full_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let family = rustix::net::AddressFamily::UNIX;
    let socket = rustix::net::socket(family, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &rustix::net::SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let rig = Rig::new(&Address::Unix(path));
    let waiting: Vec<_> = (0..5).map(|_| tokio::spawn(get_app(rig.at))).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let listener = std::os::unix::net::UnixListener::from(socket);
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::UnixListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection = Connection {
                io: Box::pin(stream),
                rest: Vec::new(),
            };
            tokio::spawn(super::process::echo(connection));
        }
    });
    for one in waiting {
        assert_eq!(one.await.unwrap(), 200);
    }
}

async fn get_app(at: std::net::SocketAddr) -> u16 {
    get(at, "/content/app/", "").await.status()
}

/// Proves: SB5 (L)
#[tokio::test]
async fn a_socket_that_content_swapped_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let own = rustix::process::getuid().as_raw();
    let _process = Process::unix(&directory.path().join("app.sock"), super::process::echo);
    let at = |name: &str, uid: u32| Address::UnixOf {
        directory: directory.path().to_owned(),
        name: name.to_owned(),
        uid,
    };
    assert_eq!(get_app(Rig::new(&at("app.sock", own)).at).await, 200);
    assert_eq!(
        get_app(Rig::new(&at("app.sock", own + 1)).at).await,
        502,
        "another account listens"
    );
    std::os::unix::fs::symlink("app.sock", directory.path().join("link.sock")).unwrap();
    assert_eq!(get_app(Rig::new(&at("link.sock", own)).at).await, 502, "a link");
    std::fs::write(directory.path().join("file.sock"), "").unwrap();
    assert_eq!(get_app(Rig::new(&at("file.sock", own)).at).await, 502, "a file");
    assert_eq!(
        get_app(Rig::new(&at("../app.sock", own)).at).await,
        502,
        "a way out"
    );
}

/// Proves: SC1 (L, P)
#[tokio::test]
async fn a_page_that_waits_learns_when_it_is_ready() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    rig.hub.state.send_replace(AppState::Starting {
        since: std::time::Instant::now(),
    });
    let now = get(rig.at, "/content/app/__offhost__/state", "").await;
    assert!(now.text().contains("\"starting\""), "{}", now.text());
    let mut client = Client::new(rig.at).await;
    client
        .send("GET /content/app/__offhost__/state HTTP/1.1\r\nHost: gw.example\r\nAccept: text/event-stream\r\n\r\n")
        .await;
    client.head().await.unwrap();
    rig.hub.state.send_replace(AppState::Ready);
    while !String::from_utf8_lossy(&client.rest).contains("\"ready\"") {
        assert!(client.more().await);
    }
    assert_eq!(
        get(rig.at, "/content/app/__offhost__/other", "").await.status(),
        404
    );
    assert_eq!(rig.hub.taken(), 0);
}
