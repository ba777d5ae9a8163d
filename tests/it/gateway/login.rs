//! Logging in at the gateway, with real requests: the way in, the way out, and everything that is no way in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, FutureExt as _, ready};
use futures::{SinkExt as _, StreamExt as _};
use offhost::api::access::{Access, AccessType};
use offhost::gateway::{Door, LogIns, LogInsOptions, MemoryLogins, Processes, Serves};
use offhost::visitors::{
    AccessLimits, AccessRule, CheckError, Checked, Lifetimes, NotTold, Passwords, Standing, Visitor, rule_of,
};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};
use tokio_tungstenite::{WebSocketStream, client_async};
use zeroize::Zeroizing;

use super::client::{Reply, get};
use super::process::{Connection, Process, echo};
use super::rig::{Rig, options, processes, route};

/// Knows `ann` and `bob`; `ANN` is another spelling of the first.
#[derive(Debug, Default)]
pub(super) struct Book {
    checked: Mutex<Vec<String>>,
    pub(super) forgotten: Mutex<Vec<String>>,
    /// The machine's accounts, where it has any.
    pub(super) accounts: Mutex<BTreeMap<String, u32>>,
}

impl Book {
    fn uid(&self, user: &str) -> Option<u32> {
        self.accounts.lock().unwrap().get(user).copied()
    }
}

pub(super) const PASSWORD: &[u8] = b"p\xff&=+ %\0\"'<";

impl Passwords for Book {
    fn check(
        &self,
        user: &str,
        password: Zeroizing<Vec<u8>>,
        _from: IpAddr,
    ) -> BoxFuture<'_, Result<Checked, CheckError>> {
        self.checked.lock().unwrap().push(user.to_owned());
        let is_known = ["ann", "ANN", "bob", "old"].contains(&user);
        let is_right = is_known && [PASSWORD, b"right horse"].contains(&password.as_slice());
        let groups = if user == "bob" {
            vec!["sales".to_owned()]
        } else {
            Vec::new()
        };
        let refused = CheckError::Refused {
            is_known,
            why: "the password does not match".to_owned(),
        };
        let answer = match (user, is_right) {
            ("broken", _) => Err(CheckError::Unavailable("nobody is there".to_owned())),
            ("old", true) => Err(CheckError::Expired),
            (_, true) => Ok(Checked {
                user: user.to_lowercase(),
                groups,
                uid: self.uid(&user.to_lowercase()),
            }),
            (_, false) => Err(refused),
        };
        ready(answer).boxed()
    }

    fn standing<'a>(&'a self, visitor: &'a Visitor) -> BoxFuture<'a, Result<Standing, NotTold>> {
        let answer = match visitor.user.as_str() {
            "bob" if self.uid("bob") == Some(0) => Err(NotTold("nobody is there".to_owned())),
            user => Ok(Standing::of(visitor.uid, self.uid(user))),
        };
        ready(answer).boxed()
    }

    fn forget(&self, user: &str) {
        self.forgotten.lock().unwrap().push(user.to_owned());
    }
}

/// Cookies by name, and what is asked with them.
pub(super) struct Browser {
    at: std::net::SocketAddr,
    pub(super) jar: Vec<(String, String)>,
}

const HTML: &str = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n";

pub(super) fn encoded(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

impl Browser {
    pub(super) fn new(rig: &Rig) -> Self {
        Self {
            at: rig.at,
            jar: Vec::new(),
        }
    }

    pub(super) fn cookies(&self) -> String {
        let pairs: Vec<String> = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if pairs.is_empty() {
            String::new()
        } else {
            format!("Cookie: {}\r\n", pairs.join("; "))
        }
    }

    fn keep(&mut self, reply: &Reply) {
        for field in reply.all("set-cookie") {
            let (pair, _) = field.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.jar.retain(|(other, _)| other != name);
            if !field.contains("Max-Age=0") {
                self.jar.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Reply {
        let reply = get(self.at, path, &format!("{HTML}{}", self.cookies())).await;
        self.keep(&reply);
        reply
    }

    pub(super) async fn post(&mut self, path: &str, body: &str, fields: &str) -> Reply {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: gw.example\r\n{HTML}{}{fields}Content-Type: \
             application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.cookies(),
            body.len(),
        );
        let reply = super::client::ask(self.at, &request).await;
        self.keep(&reply);
        reply
    }

    /// Fills in the form to log in, as a person does.
    pub(super) async fn log_in(&mut self, user: &str, password: &[u8], back: &str) -> Reply {
        let page = self.get(&format!("/__offhost__/login?return={back}")).await;
        let token = value(page.text(), "token");
        let back = value(page.text(), "return").replace("&amp;", "&");
        let body = format!(
            "user={}&password={}&token={token}&return={}",
            encoded(user.as_bytes()),
            encoded(password),
            encoded(back.as_bytes()),
        );
        self.post("/__offhost__/login", &body, "Origin: http://gw.example\r\n")
            .await
    }
}

/// The value of a field of a form.
pub(super) fn value<'a>(page: &'a str, name: &str) -> &'a str {
    let field = format!("name=\"{name}\" value=\"");
    let (_, rest) = page
        .split_once(&field)
        .unwrap_or_else(|| panic!("no {name} in:\n{page}"));
    rest.split_once('"').unwrap().0
}

pub(super) fn access(r#type: AccessType, users: &[&str], groups: &[&str]) -> AccessRule {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let access = Access {
        r#type,
        users: owned(users),
        groups: owned(groups),
    };
    let limits = AccessLimits {
        has_provider: true,
        most: AccessType::All,
    };
    rule_of(Some(&access), limits).unwrap()
}

pub(super) const HOURS: Lifetimes = Lifetimes {
    lifetime: Duration::from_secs(24 * 3600),
    inactivity: Duration::from_secs(8 * 3600),
};

pub(super) fn rig(process: &Process, book: &Arc<Book>, lifetimes: Lifetimes) -> Rig {
    let door = Door::Page(Box::new(LogIns::new(LogInsOptions {
        passwords: book.clone(),
        store: Arc::new(MemoryLogins::default()),
        lifetimes,
        notice: "Only for <staff>.".to_owned(),
    })));
    let shiny = Processes {
        affinity: true,
        is_shiny: true,
        ..processes()
    };
    let rig = Rig::behind(door, &process.address, options(), shiny.clone());
    for (name, access, serves) in [
        (
            "app",
            access(AccessType::LoggedIn, &[], &[]),
            Serves::Processes(shiny.clone()),
        ),
        (
            "bobs",
            access(AccessType::Named, &["bob"], &[]),
            Serves::Processes(processes()),
        ),
        (
            "sales",
            access(AccessType::Named, &["nobody"], &["sales"]),
            Serves::Processes(processes()),
        ),
        ("open", AccessRule::All, Serves::Processes(processes())),
        (
            "held",
            access(AccessType::LoggedIn, &[], &[]),
            Serves::Held(offhost::apps::Failure {
                reason: "Suspended".into(),
                message: "it is suspended".into(),
                process: None,
                exit_code: None,
            }),
        ),
    ] {
        let mut route = route(name, &format!("/content/{name}"), serves);
        route.access = access;
        rig.routes.set(route).unwrap();
    }
    rig
}

#[tokio::test]
async fn a_visitor_logs_in_is_told_to_the_application_and_logs_out() {
    let (process, book) = (Process::echo().await, Arc::new(Book::default()));
    let rig = rig(&process, &book, HOURS);
    let mut browser = Browser::new(&rig);
    let sent_on = browser.get("/content/app/a?b=c%20d&e").await;
    assert_eq!(sent_on.status(), 303);
    assert_eq!(sent_on.field("cache-control"), Some("no-store"));
    let location = sent_on.field("location").unwrap().to_owned();
    assert_eq!(
        location,
        "/__offhost__/login?return=/content/app/a%3Fb%3Dc%2520d%26e"
    );
    let page = browser.get(&location).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().contains("Only for &lt;staff&gt;."));
    let policy = page.field("content-security-policy").unwrap();
    assert!(
        policy.contains("form-action 'self'; frame-ancestors 'none'"),
        "{policy}"
    );
    let back = location.split_once("return=").unwrap().1;
    let done = browser.log_in("ANN", PASSWORD, back).await;
    assert_eq!(
        (done.status(), done.field("location")),
        (303, Some("/content/app/a?b=c%20d&e"))
    );
    let cookie = done.all("set-cookie");
    assert!(
        cookie[0].starts_with("offhost-login=") && cookie[0].ends_with("; Path=/; HttpOnly; SameSite=Lax"),
        "{cookie:?}"
    );
    assert_eq!(
        browser.jar.len(),
        1,
        "the form's cookie is taken away: {:?}",
        browser.jar
    );
    // The application learns who it is, by the name that the check gave, and nothing of how.
    browser.jar.push(("own".to_owned(), "1".to_owned()));
    let app = browser.get("/content/app/a").await;
    assert_eq!((app.status(), app.field("cache-control")), (200, Some("private")));
    for header in ["rstudio-connect-credentials", "shiny-server-credentials"] {
        assert!(
            app.text()
                .contains(&format!("\r\n{header}: {{\"user\":\"ann\",\"groups\":[]}}\r\n")),
            "{}",
            app.text()
        );
    }
    assert!(app.text().contains("\r\ncookie: own=1\r\n"), "{}", app.text());
    let open = browser.get("/content/open/").await;
    assert!(
        open.text()
            .contains("rstudio-connect-credentials: {\"user\":\"ann\"")
    );
    assert!(
        !open.text().contains("shiny-server-credentials"),
        "it is no Shiny application"
    );
    logs_out(&rig, &book, browser).await;
}

/// Who is logged in at a gateway logs out.
async fn logs_out(rig: &Rig, book: &Book, mut browser: Browser) {
    // Logged in, the page to log in sends on.
    assert_eq!(
        browser
            .get("/__offhost__/login?return=/content/open/")
            .await
            .field("location"),
        Some("/content/open/")
    );
    let stolen = browser.cookies();
    let out = browser.get("/__offhost__/logout").await;
    assert!(out.text().contains("You are logged in as ann."));
    let body = format!("token={}", value(out.text(), "token"));
    assert_eq!(
        browser.get("/__offhost__/logout?token=x").await.status(),
        200,
        "a GET logs nobody out"
    );
    let done = browser.post("/__offhost__/logout", &body, "").await;
    assert_eq!(
        (done.status(), done.field("location")),
        (303, Some("/__offhost__/logout"))
    );
    assert!(
        browser
            .get("/__offhost__/logout")
            .await
            .text()
            .contains("You are logged out")
    );
    assert_eq!(*book.forgotten.lock().unwrap(), ["ann"]);
    // A copy of the cookie is worth nothing any more.
    assert_eq!(get(rig.at, "/content/app/", &stolen).await.status(), 401);
    let text = rig.metrics.text();
    for line in [
        "logins_total{why=\"logged_in\"} 1",
        "logins_total{why=\"logged_out\"} 1",
        "access_refused_total{why=\"not_logged_in\"} 2",
    ] {
        assert!(
            text.contains(&format!("offhost_gateway_{line}")),
            "{line}: {text}"
        );
    }
}

#[tokio::test]
async fn who_may_not_see_it_sees_nothing_of_it() {
    let (process, book) = (Process::echo().await, Arc::new(Book::default()));
    let rig = rig(&process, &book, HOURS);
    // Whatever is asked for, and however: a program is told, and no process is.
    for (path, fields) in [
        ("/content/app/", ""),
        ("/content/app/", "Accept: */*\r\nSec-Fetch-Mode: cors\r\n"),
        (
            "/content/app/",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAccept: text/html\r\n",
        ),
        ("/content/app/__offhost__/state", "Accept: text/event-stream\r\n"),
        ("/content/held/", ""),
        (
            "/content/sales/a",
            "Cookie: offhost-login=x; offhost-session=y\r\n",
        ),
        (
            "/content/app/",
            "RStudio-Connect-Credentials: {\"user\":\"bob\"}\r\nX-Auth-Username: bob\r\n",
        ),
    ] {
        let reply = get(rig.at, path, fields).await;
        assert_eq!(reply.status(), 401, "{path} {fields}");
        assert!(reply.field("www-authenticate").unwrap().starts_with("Cookie "));
        assert!(!reply.text().contains("suspended"));
    }
    let reply = get(rig.at, "/content/app/", "Accept: application/json\r\n").await;
    let problem: serde_json::Value = serde_json::from_str(reply.text()).unwrap();
    assert_eq!(
        (problem["status"].as_u64(), problem["reason"].as_str()),
        (Some(401), Some("not-logged-in"))
    );
    let posted = "POST /content/app/a HTTP/1.1\r\nHost: gw.example\r\nAccept: text/html\r\nContent-Length: 3\r\n\r\nabc";
    let reply = super::client::ask(rig.at, posted).await;
    assert_eq!(reply.status(), 401);
    assert!(
        reply
            .text()
            .contains("href=\"/__offhost__/login?return=/content/app\""),
        "{}",
        reply.text()
    );
    assert_eq!(rig.hub.claims.lock().unwrap().len(), 0);

    let (mut ann, mut bob) = (Browser::new(&rig), Browser::new(&rig));
    assert_eq!(ann.log_in("ann", PASSWORD, "/").await.status(), 303);
    assert_eq!(bob.log_in("bob", PASSWORD, "/").await.status(), 303);
    for (path, of_ann, of_bob) in [
        ("/content/app/", 200, 200),
        ("/content/bobs/", 403, 200),
        ("/content/sales/", 403, 200),
        ("/content/sales/__offhost__/state", 403, 200),
        ("/content/open/", 200, 200),
        ("/content/held/", 503, 503),
    ] {
        assert_eq!(ann.get(path).await.status(), of_ann, "{path}");
        assert_eq!(bob.get(path).await.status(), of_bob, "{path}");
    }
    let refused = ann.get("/content/sales/").await;
    assert!(
        refused
            .text()
            .contains("You are logged in as ann, who may not see this.")
    );
    assert!(
        bob.get("/content/sales/")
            .await
            .text()
            .contains("{\"user\":\"bob\",\"groups\":[\"sales\"]}")
    );
}

#[tokio::test]
async fn wrong_passwords_and_unknown_names_are_answered_alike_and_not_often() {
    let (process, book) = (Process::echo().await, Arc::new(Book::default()));
    let rig = rig(&process, &book, HOURS);
    let attempt = async |user: &str, password: &[u8]| {
        let begun = Instant::now();
        let mut browser = Browser::new(&rig);
        let reply = browser.log_in(user, password, "/content/app/").await;
        assert!(browser.jar.iter().all(|(name, _)| name != "offhost-login"));
        (reply, begun.elapsed())
    };
    let (wrong, nobody) = tokio::join!(attempt("ann", b"x"), attempt("xyz", PASSWORD));
    for (reply, took) in [&wrong, &nobody] {
        assert_eq!(reply.status(), 401);
        assert!(reply.text().contains("The name or the password is wrong."));
        assert!(*took >= Duration::from_secs(1), "{took:?}");
    }
    let same = |reply: &Reply, user: &str| {
        let plain = reply
            .text()
            .replace(value(reply.text(), "token"), "")
            .replace(&format!("value=\"{user}\""), "");
        plain.split("class=\"soft reference\"").next().unwrap().to_owned()
    };
    assert_eq!(same(&wrong.0, "ann"), same(&nobody.0, "xyz"));
    let (old, _) = attempt("old", PASSWORD).await;
    assert_eq!(
        (old.status(), old.text().contains("Your password has expired")),
        (403, true)
    );
    let (broken, _) = attempt("broken", PASSWORD).await;
    assert_eq!(
        (broken.status(), broken.text().contains("nobody is there")),
        (503, false)
    );
    // Nine more are let through, and no more for that name, whoever tries.
    let nine = (0..9).map(|_| attempt("ann", b"y"));
    assert!(
        futures::future::join_all(nine)
            .await
            .iter()
            .all(|(reply, _)| reply.status() == 401)
    );
    let before = book.checked.lock().unwrap().len();
    let (throttled, _) = attempt("ann", PASSWORD).await;
    assert_eq!(throttled.status(), 429);
    assert!(throttled.field("retry-after").unwrap().parse::<u64>().unwrap() <= 31);
    assert_eq!(book.checked.lock().unwrap().len(), before, "nobody is asked");
    let (spelled, _) = attempt("ANN", PASSWORD).await;
    assert_eq!(spelled.status(), 429, "another spelling is no other name");
    assert_eq!(
        attempt("bob", b"").await.0.status(),
        400,
        "an empty one is not tried"
    );
    let mut bob = Browser::new(&rig);
    assert_eq!(
        bob.log_in("bob", PASSWORD, "/").await.status(),
        303,
        "others are not held up"
    );
}

#[tokio::test]
async fn a_form_is_taken_from_the_page_it_was_shown_on_alone() {
    let (process, book) = (Process::echo().await, Arc::new(Book::default()));
    let rig = rig(&process, &book, HOURS);
    let (mut browser, mut other) = (Browser::new(&rig), Browser::new(&rig));
    let page = browser.get("/__offhost__/login").await;
    let others = other.get("/__offhost__/login").await;
    let fields = |page: &Reply| {
        format!(
            "user=ann&password={}&token={}",
            encoded(PASSWORD),
            value(page.text(), "token")
        )
    };
    let (good, foreign) = (fields(&page), fields(&others));
    let none = "user=ann&password=x&token=";
    for (body, fields, status) in [
        (&*good, "Origin: https://evil.example\r\n", 403),
        (&good, "Sec-Fetch-Site: cross-site\r\n", 403),
        (&foreign, "", 400),
        (none, "", 400),
        ("", "", 400),
        ("user=%zz", "", 400),
        ("user=a&user=b", "", 400),
        (&"x".repeat(20_000), "", 413),
    ] {
        let reply = browser.post("/__offhost__/login", body, fields).await;
        assert_eq!(reply.status(), status, "{body:.60} {fields}");
    }
    let plain = "POST /__offhost__/login HTTP/1.1\r\nHost: gw.example\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx";
    assert_eq!(super::client::ask(rig.at, plain).await.status(), 415);
    let put = "PUT /__offhost__/login HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(super::client::ask(rig.at, put).await.status(), 405);
    assert!(book.checked.lock().unwrap().is_empty());
    assert_eq!(browser.post("/__offhost__/login", &good, "").await.status(), 303);
    // Nobody is sent to another host.
    for bad in [
        "//evil.example/",
        "https://evil.example",
        "/%5Cevil.example",
        "%0d%0aX:%20y",
        "/__offhost__/logout",
    ] {
        let done = Browser::new(&rig).log_in("bob", PASSWORD, bad).await;
        assert_eq!((done.status(), done.field("location")), (303, Some("/")), "{bad}");
    }
    // Another's form logs nobody out.
    let mut bob = Browser::new(&rig);
    bob.log_in("bob", PASSWORD, "/").await;
    let bobs = bob.get("/__offhost__/logout").await;
    let body = format!("token={}", value(bobs.text(), "token"));
    assert_eq!(browser.post("/__offhost__/logout", &body, "").await.status(), 200);
    assert_eq!(browser.get("/content/app/").await.status(), 200);
    assert_eq!(
        browser
            .post("/__offhost__/logout", &body, "Origin: https://evil.example\r\n")
            .await
            .status(),
        403
    );
}

#[tokio::test]
async fn cookies_that_are_forged_old_or_of_a_key_that_is_gone_do_not_count() {
    let (process, book) = (Process::echo().await, Arc::new(Book::default()));
    let short = Lifetimes {
        inactivity: Duration::from_secs(1),
        ..HOURS
    };
    let (rig, other, brief) = (
        rig(&process, &book, HOURS),
        rig(&process, &book, HOURS),
        rig(&process, &book, short),
    );
    let mut browser = Browser::new(&rig);
    browser.log_in("ann", PASSWORD, "/").await;
    assert_eq!(browser.get("/content/app/").await.status(), 200);
    let value_of =
        |browser: &Browser, name: &str| browser.jar.iter().find(|(own, _)| own == name).unwrap().1.clone();
    let login = value_of(&browser, "offhost-login");
    let session = value_of(&browser, "offhost-session");
    let asked = async |at, cookie: &str| {
        get(
            at,
            "/content/app/",
            &format!("Cookie: offhost-login={cookie}\r\n"),
        )
        .await
        .status()
    };
    assert_eq!(asked(rig.at, &login).await, 200);
    let mut changed = login.clone().into_bytes();
    changed[20] = if changed[20] == b'A' { b'B' } else { b'A' };
    for bad in [
        String::from_utf8(changed).unwrap(),
        login[..login.len() - 1].to_owned(),
        session,
        String::new(),
        "A".repeat(4000),
    ] {
        assert_eq!(asked(rig.at, &bad).await, 401, "{bad:.30}");
    }
    assert_eq!(asked(other.at, &login).await, 401, "another server's key");
    // One that was logged in and then away for too long.
    let mut away = Browser::new(&brief);
    away.log_in("ann", PASSWORD, "/").await;
    assert_eq!(away.get("/content/app/").await.status(), 200);
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(away.get("/content/app/").await.status(), 303);
    // The key is taken away: it counts no more, though the log-in is known.
    let key = "k".repeat(64);
    std::fs::write(rig.directory.path().join("keys"), key).unwrap();
    let mut left = 100;
    while asked(rig.at, &login).await == 200 {
        left -= 1;
        assert!(left > 0, "the old key still counts");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Proves: SC5 (L, P)
#[tokio::test]
async fn nobody_is_seated_in_anothers_session() {
    let (process, book) = (Process::echo().await, Arc::new(Book::default()));
    let rig = rig(&process, &book, HOURS);
    let (mut ann, mut bob) = (Browser::new(&rig), Browser::new(&rig));
    ann.log_in("ann", PASSWORD, "/").await;
    bob.log_in("bob", PASSWORD, "/").await;
    ann.get("/content/app/").await;
    ann.get("/content/app/").await;
    let session = ann
        .jar
        .iter()
        .find(|(name, _)| name == "offhost-session")
        .unwrap()
        .clone();
    bob.jar.push(session);
    bob.get("/content/app/").await;
    let claims = rig.hub.claims.lock().unwrap();
    let of = |index: usize| {
        let claim = &claims[index];
        let session = claim.session.clone().unwrap();
        (
            claim.visitor.as_ref().unwrap().user.clone(),
            session.id,
            session.process.is_some(),
        )
    };
    assert_eq!((of(0).0.as_str(), of(0).2), ("ann", false));
    assert_eq!(
        of(1),
        ("ann".to_owned(), of(0).1, true),
        "her own session goes on"
    );
    assert_eq!(
        (of(2).0.as_str(), of(2).2),
        ("bob", false),
        "with her cookie he begins another"
    );
    assert_ne!(of(2).1, of(0).1);
}

/// What the program has written down.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_says_who_and_never_a_password() {
    const TYPED: &str = "xyzzy-typed-into-a-field";
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter("offhost=trace,hyper=trace,http=trace")
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("no other test takes the log");
    let (process, book) = (Process::echo().await, Arc::new(Book::default()));
    let rig = rig(&process, &book, HOURS);
    for (user, password) in [
        ("ann", TYPED),
        (TYPED, "right horse"),
        ("old", "right horse"),
        ("broken", TYPED),
    ] {
        assert_ne!(
            Browser::new(&rig)
                .log_in(user, password.as_bytes(), "/")
                .await
                .status(),
            303
        );
    }
    let mut bob = Browser::new(&rig);
    assert_eq!(bob.log_in("bob", b"right horse", "/").await.status(), 303);
    let cookie = bob.jar[0].1.clone();
    let page = bob.get("/__offhost__/logout").await;
    bob.post(
        "/__offhost__/logout",
        &format!("token={}", value(page.text(), "token")),
        "",
    )
    .await;
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let audit: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("offhost::audit"))
        .collect();
    for (user, said) in [
        ("user=\"ann\"", "log-in refused: the password does not match"),
        (
            "user=\"(nobody's name)\"",
            "log-in refused: the password does not match",
        ),
        ("user=\"old\"", "log-in refused: the password has expired"),
        ("address=127.0.0.1", "log-in not possible: nobody is there"),
        ("user=\"bob\"", "logged in"),
        ("user=\"bob\"", "logged out"),
    ] {
        let is_there = audit
            .iter()
            .any(|line| line.contains(user) && line.contains(said));
        assert!(is_there, "{user} {said}: {audit:#?}");
    }
    for secret in [
        TYPED,
        "right horse",
        &encoded(TYPED.as_bytes()),
        &encoded(b"right horse"),
        &cookie,
    ] {
        assert!(!log.contains(secret), "{secret}");
    }
}

/// Opens a WebSocket and tells what it was asked with first.
async fn teller(mut connection: Connection) {
    let Some(head) = connection.head().await else {
        return;
    };
    let Some(key) = head.field("sec-websocket-key").map(str::to_owned) else {
        connection.ok(&head.text).await;
        return echo(connection).await;
    };
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    connection.send(answer).await;
    let mut socket = WebSocketStream::from_raw_socket(connection.io, Role::Server, None).await;
    socket.send(Message::text(head.text)).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
}

#[tokio::test]
async fn a_websocket_is_its_visitors_and_ends_with_the_log_in() {
    let (process, book) = (Process::tcp(teller).await, Arc::new(Book::default()));
    let rig = rig(&process, &book, HOURS);
    let mut browser = Browser::new(&rig);
    browser.log_in("bob", PASSWORD, "/").await;
    let url = format!("ws://gw.example:{}/content/app/websocket/", rig.at.port());
    let mut request = url.into_client_request().unwrap();
    let cookies = browser.cookies();
    let cookies = cookies.trim_start_matches("Cookie: ").trim_end();
    for (name, value) in [
        ("cookie", cookies),
        ("shiny-server-credentials", "{\"user\":\"root\"}"),
        ("shiny_server_credentials", "x"),
    ] {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(rig.at).await.unwrap();
    let (mut socket, _) = client_async(request, stream).await.unwrap();
    let told = socket
        .next()
        .await
        .unwrap()
        .unwrap()
        .into_text()
        .unwrap()
        .to_string();
    let credentials: Vec<&str> = told
        .lines()
        .filter(|line| line.to_lowercase().contains("credentials"))
        .collect();
    assert_eq!(
        credentials,
        [
            "rstudio-connect-credentials: {\"user\":\"bob\",\"groups\":[\"sales\"]}",
            "shiny-server-credentials: {\"user\":\"bob\",\"groups\":[\"sales\"]}"
        ]
    );
    // He logs out on another device, everywhere.
    let mut phone = Browser::new(&rig);
    phone.log_in("bob", PASSWORD, "/").await;
    let page = phone.get("/__offhost__/logout").await;
    let body = format!("token={}&everywhere=yes", value(page.text(), "token"));
    phone.post("/__offhost__/logout", &body, "").await;
    let end = tokio::time::timeout(Duration::from_secs(5), socket.next())
        .await
        .unwrap();
    assert!(matches!(end, Some(Ok(Message::Close(_)))), "{end:?}");
    assert_eq!(browser.get("/content/app/").await.status(), 303);
    rig.hub.until_taken(0).await;
}
