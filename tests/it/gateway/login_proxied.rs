//! Visitors by the word of a reverse proxy, and all who only say that they are one.

use http::{HeaderName, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use offhost::api::access::AccessType;
use offhost::gateway::{Door, Proxied, Serves};
use tokio::net::TcpStream;

use super::client::get;
use super::login::access;
use super::process::Process;
use super::rig::{Rig, options, processes, route};

/// A gateway that believes proxies at `from`.
fn rig(process: &Process, from: &str) -> Rig {
    let door = Door::Proxy(Proxied {
        header: HeaderName::from_static("x-auth-username"),
        groups: Some(HeaderName::from_static("x-auth-groups")),
        from: vec![offhost::settings::values::parse_network(from).unwrap()],
        cookie: "__Host-proxy".to_owned(),
    });
    let rig = Rig::behind(door, &process.address, options(), processes());
    let mut sales = route("sales", "/content/sales", Serves::Processes(processes()));
    sales.access = access(AccessType::Named, &[], &["sales"]);
    rig.routes.set(sales).unwrap();
    rig
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_proxy_that_is_named_says_who_visits() {
    let process = Process::echo().await;
    let rig = rig(&process, "127.0.0.0/8");
    let fields = "X-Auth-Username: ann\r\nX-Auth-Groups: staff, sales\r\nX_Auth_Username: root\r\nx-auth_groups: wheel\r\n";
    let told = get(rig.at, "/content/sales/", fields).await;
    assert_eq!(told.status(), 200);
    let lines: Vec<&str> = told
        .text()
        .lines()
        .filter(|line| line.to_lowercase().contains("auth") || line.contains("ann"))
        .collect();
    assert_eq!(
        lines,
        ["rstudio-connect-credentials: {\"user\":\"ann\",\"groups\":[\"staff\",\"sales\"]}"]
    );
    assert_eq!(
        get(rig.at, "/content/sales/", "X-Auth-Username: ann\r\n")
            .await
            .status(),
        403
    );
    for nobody in [
        "",
        "X-Auth-Username: \r\n",
        "X-Auth-Groups: sales\r\n",
        "X_Auth_Username: ann\r\n",
    ] {
        // There is no page to log in at: the proxy has it.
        let refused = get(
            rig.at,
            "/content/sales/",
            &format!("{nobody}Accept: text/html\r\n"),
        )
        .await;
        assert_eq!(refused.status(), 401, "{nobody}");
        assert!(
            refused
                .text()
                .contains("the proxy before this server did not say who you are")
        );
        let open = get(rig.at, "/content/app/", nobody).await;
        assert_eq!(open.status(), 200);
        assert!(
            !open.text().to_lowercase().contains("auth") && !open.text().contains("credentials"),
            "{}",
            open.text()
        );
    }
    for unclear in [
        "X-Auth-Username: ann\r\nX-Auth-Username: root\r\n",
        "X-Auth-Username: ann\r\nx-auth-username: ann\r\n",
        "X-Auth-Username: ann, root\r\n",
        "X-Auth-Username: a\u{1}b\r\n",
        "X-Auth-Username: ann\r\nX-Auth-Groups: a\r\nX-Auth-Groups: b\r\n",
    ] {
        for path in ["/content/sales/", "/content/app/"] {
            assert_eq!(get(rig.at, path, unclear).await.status(), 400, "{unclear}");
        }
    }
    assert_eq!(get(rig.at, "/__offhost__/login", "").await.status(), 404);
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn what_anybody_else_says_is_not_heard_and_not_passed_on() {
    let process = Process::echo().await;
    let rig = rig(&process, "10.0.0.0/8");
    let fields = "X-Auth-Username: root\r\nX-Auth-Groups: sales\r\nX-Forwarded-For: 10.0.0.1\r\n\
        RStudio-Connect-Credentials: {\"user\":\"root\"}\r\nrstudio_connect_credentials: {}\r\nShiny-Server-Credentials: {}\r\n";
    assert_eq!(get(rig.at, "/content/sales/", fields).await.status(), 401);
    let doubled = format!("{fields}X-Auth-Username: root\r\n");
    for fields in [fields, &doubled] {
        let told = get(rig.at, "/content/app/", fields).await;
        assert_eq!(told.status(), 200);
        assert!(
            !told.text().contains("root") && !told.text().to_lowercase().contains("credentials"),
            "{}",
            told.text()
        );
    }
    // Over HTTP/2 likewise.
    let stream = TokioIo::new(TcpStream::connect(rig.at).await.unwrap());
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get("http://gw.example/content/app/")
        .header("x-auth-username", "root")
        .header("rstudio-connect-credentials", "{\"user\":\"root\"}")
        .header("rstudio_connect-credentials", "{\"user\":\"root\"}")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let told = sender
        .send_request(request)
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    let told = String::from_utf8(told.to_vec()).unwrap();
    assert!(told.starts_with("GET / ") && !told.contains("root"), "{told}");
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn content_does_not_get_the_proxys_log_in() {
    let process = Process::echo().await;
    let rig = rig(&process, "127.0.0.0/8");
    let fields = "X-Auth-Username: ann\r\nCookie: a=1; __Host-proxy=x; __Host-proxy_0=x; __Host-proxyx=2\r\n\
        Cookie: __Host-proxy_csrf_7=x\r\n";
    let told = get(rig.at, "/content/app/", fields).await;
    assert_eq!(told.status(), 200);
    assert!(
        told.text().contains("\r\ncookie: a=1; __Host-proxyx=2\r\n"),
        "{}",
        told.text()
    );
}
