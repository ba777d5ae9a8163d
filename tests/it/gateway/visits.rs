//! What reaches an application, and what comes back.

use offhost::apps::Failure;
use offhost::gateway::Serves;

use super::client::{Client, ask, get};
use super::process::{Process, echo};
use super::rig::{Rig, options, processes, route};

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_request_reaches_the_process_below_its_path() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    let reply = get(rig.at, "/content/app/a/b%20c?d=%2F&e", "").await;
    assert_eq!(reply.status(), 200);
    assert!(
        reply.text().starts_with("GET /a/b%20c?d=%2F&e HTTP/1.1\r\n"),
        "{}",
        reply.text()
    );
    assert!(reply.field("x-request-id").is_some());
    rig.hub.until_taken(0).await;
}

/// Proves: PR1 (L)
#[tokio::test]
async fn a_process_may_listen_on_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::unix(&directory.path().join("app.sock"), echo);
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    for _ in 0..3 {
        client
            .send("GET /content/app/ HTTP/1.1\r\nHost: gw.example\r\n\r\n")
            .await;
        assert_eq!(client.reply().await.unwrap().status(), 200);
    }
    let connections = process.connections.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(connections, 1, "the connection is used again");
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn an_application_is_told_how_it_was_asked_and_nothing_that_a_visitor_made_up() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    let forged = [
        "X-Forwarded-For: 1.2.3.4",
        "X_Forwarded_For: 1.2.3.4",
        "X-Forwarded-Prefix: /evil",
        "Forwarded: for=1.2.3.4",
        "Shiny-Server-Credentials: {\"user\":\"root\"}",
        "RStudio-Connect-Credentials: {\"user\":\"root\"}",
        "Posit-Connect-User-Session-Token: x",
        "X-RStudio-Root-Path: /evil",
        "SCRIPT_NAME: /evil",
        "Path-Info: /evil",
        "Connection: close, X-Secret",
        "X-Secret: 1",
        "Keep-Alive: timeout=5",
        "TE: trailers",
        "Proxy-Authorization: Basic x",
        "X-Kept: yes",
    ];
    let reply = get(
        rig.at,
        "/content/app/x?q=1",
        &format!("{}\r\n", forged.join("\r\n")),
    )
    .await;
    let seen = super::process::Head {
        text: reply.text().to_owned(),
    };
    assert_eq!(seen.field("host"), Some("gw.example"));
    assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.field("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.field("x-forwarded-host"), Some("gw.example"));
    assert_eq!(seen.field("x-forwarded-port"), Some("80"));
    assert_eq!(seen.field("x-forwarded-prefix"), Some("/content/app"));
    assert_eq!(
        seen.field("rstudio-connect-app-base-url"),
        Some("http://gw.example/content/app")
    );
    assert_eq!(
        seen.field("x-rsc-request"),
        Some("http://gw.example/content/app/x?q=1")
    );
    assert_eq!(seen.field("x-request-id"), reply.field("x-request-id"));
    assert_eq!(seen.field("x-kept"), Some("yes"));
    for gone in [
        "x_forwarded_for",
        "forwarded",
        "shiny-server-credentials",
        "rstudio-connect-credentials",
        "posit-connect-user-session-token",
        "x-rstudio-root-path",
        "script_name",
        "path-info",
        "x-secret",
        "keep-alive",
        "te",
        "proxy-authorization",
        "upgrade",
    ] {
        assert_eq!(seen.field(gone), None, "{gone}");
    }
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let process = Process::echo().await;
    let mut options = options();
    options.trusted = vec![offhost::settings::values::parse_network("127.0.0.0/8").unwrap()];
    let rig = Rig::with(&process.address, options, processes());
    let fields =
        "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: outer.example\r\n";
    let reply = get(rig.at, "/content/app/x", fields).await;
    let seen = super::process::Head {
        text: reply.text().to_owned(),
    };
    assert_eq!(seen.field("x-forwarded-for"), Some("203.0.113.9, 127.0.0.1"));
    assert_eq!(seen.field("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.field("x-forwarded-port"), Some("443"));
    assert_eq!(seen.field("host"), Some("outer.example"));
    assert_eq!(
        seen.field("x-rsc-request"),
        Some("https://outer.example/content/app/x")
    );
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn an_application_that_knows_its_path_gets_it() {
    let process = Process::echo().await;
    let mut processes = processes();
    processes.keeps_prefix = true;
    let rig = Rig::with(&process.address, options(), processes);
    let reply = get(rig.at, "/content/app/x?y", "").await;
    assert!(
        reply.text().starts_with("GET /content/app/x?y HTTP/1.1\r\n"),
        "{}",
        reply.text()
    );
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn paths_lead_where_their_bytes_say() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    let redirected = get(rig.at, "/content/app?x=1", "").await;
    assert_eq!(redirected.status(), 307);
    assert_eq!(redirected.field("location"), Some("/content/app/?x=1"));
    for path in [
        "/",
        "/content",
        "/content/",
        "/content/ap",
        "/content/appx/",
        "//content/app/",
        "/content//app/",
        "/content%2fapp/",
        "/content/%61pp/",
        "/content/./app/",
        "/x/../content/app/",
        "/CONTENT/app/",
    ] {
        assert_eq!(get(rig.at, path, "").await.status(), 404, "{path}");
    }
    for path in [
        "/content/app//",
        "/content/app/../other/",
        "/content/app/%2e%2e/x",
        "/content/app/a%2fb",
    ] {
        let reply = get(rig.at, path, "").await;
        let below = path.strip_prefix("/content/app").unwrap();
        assert!(
            reply.text().starts_with(&format!("GET {below} HTTP/1.1\r\n")),
            "{path}: {}",
            reply.text()
        );
    }
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn an_application_with_a_host_is_found_there_alone() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    let mut own = route("own", "/content/own", Serves::Processes(processes()));
    own.host = Some("own.example".to_owned());
    rig.routes.set(own).unwrap();
    let at = async |host: &str, path: &str| ask_host(rig.at, host, path).await;
    assert_eq!(at("Own.Example:3939", "/content/own/x").await.status(), 200);
    let root = at("own.example", "/").await;
    assert_eq!(
        (root.status(), root.field("location")),
        (307, Some("/content/own/"))
    );
    assert_eq!(at("own.example", "/content/app/").await.status(), 404);
    let shared = at("gw.example:3939", "/content/own/x?y=1").await;
    assert_eq!(shared.status(), 307);
    assert_eq!(
        shared.field("location"),
        Some("http://own.example:3939/content/own/x?y=1")
    );
}

async fn ask_host(at: std::net::SocketAddr, host: &str, path: &str) -> super::client::Reply {
    ask(at, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn what_an_application_says_of_itself_is_put_below_its_path() {
    let process = Process::tcp(async |mut connection: super::process::Connection| {
        while connection.head().await.is_some() {
            connection
                .send(
                    "HTTP/1.1 302 Found\r\nLocation: /other?a=1\r\nSet-Cookie: s=1; Path=/; HttpOnly\r\n\
                     Set-Cookie: offhost-session=forged; Path=/\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\
                     Keep-Alive: timeout=5\r\nContent-Length: 0\r\n\r\n",
                )
                .await;
        }
    })
    .await;
    let rig = Rig::new(&process.address);
    let reply = get(rig.at, "/content/app/", "").await;
    assert_eq!(reply.status(), 302);
    assert_eq!(reply.field("location"), Some("/content/app/other?a=1"));
    assert_eq!(reply.all("set-cookie"), ["s=1; HttpOnly; Path=/content/app/"]);
    assert_eq!((reply.field("x-hop"), reply.field("keep-alive")), (None, None));
}

/// Proves: SC3 (L, P)
#[tokio::test]
async fn a_visitor_is_told_why_nothing_runs() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    let failure = Failure {
        reason: "Suspended".to_owned(),
        message: "'held' is suspended; its owner can let it run again.".to_owned(),
        process: None,
        exit_code: None,
    };
    rig.routes
        .set(route("held", "/content/held", Serves::Held(failure.clone())))
        .unwrap();
    let reply = get(rig.at, "/content/held/", "Accept: application/json\r\n").await;
    assert_eq!(reply.status(), 503);
    assert!(reply.field("retry-after").is_some());
    let said: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(said["detail"], failure.message);
    let text = get(rig.at, "/content/held/", "").await;
    assert_eq!(text.text(), format!("{}\n", failure.message));
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_route_changes_at_once() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    let mut status = async |path: &str| {
        client
            .send(format!("GET {path} HTTP/1.1\r\nHost: gw.example\r\n\r\n"))
            .await;
        client.reply().await.unwrap().status()
    };
    assert_eq!(status("/content/app/").await, 200);
    rig.routes
        .set(route("app", "/moved", Serves::Processes(processes())))
        .unwrap();
    assert_eq!(status("/content/app/").await, 404);
    assert_eq!(status("/moved/").await, 200);
    rig.routes.remove(&"app".into());
    assert_eq!(status("/moved/").await, 404);
}
