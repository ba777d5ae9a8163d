//! What ends with a log-in, and what an application can not say for the whole host.

use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::login::{Book, Browser, HOURS, PASSWORD, rig, value};
use super::process::{Connection, Process};

/// Begins an answer, and never ends it.
async fn endless(mut connection: Connection) {
    if connection.head().await.is_none() {
        return;
    }
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.send(format!("{head}9\r\ndata: 0\n\n\r\n")).await;
    connection.until_closed().await;
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn an_answer_that_still_comes_ends_with_the_log_in() {
    let (process, book) = (Process::tcp(endless).await, Arc::new(Book::default()));
    let rig = rig(&process, &book, HOURS);
    let (mut bob, mut ann) = (Browser::new(&rig), Browser::new(&rig));
    bob.log_in("bob", PASSWORD, "/").await;
    ann.log_in("ann", PASSWORD, "/").await;
    let mut answers = Vec::new();
    for browser in [&bob, &ann] {
        let mut client = Client::new(rig.at).await;
        let asked = format!(
            "GET /content/app/events HTTP/1.1\r\nHost: gw.example\r\n{}\r\n",
            browser.cookies()
        );
        client.send(asked).await;
        assert!(client.head().await.unwrap().starts_with("HTTP/1.1 200"));
        answers.push(client);
    }
    rig.hub.until_taken(2).await;
    let page = bob.get("/__offhost__/logout").await;
    let body = format!("token={}", value(page.text(), "token"));
    assert_eq!(bob.post("/__offhost__/logout", &body, "").await.status(), 303);
    let rest = answers[0].until_closed().await;
    assert!(
        !rest.ends_with(b"0\r\n\r\n"),
        "it is cut off, and does not look whole"
    );
    rig.hub.until_taken(1).await;
    // Others go on.
    let more = tokio::time::timeout(Duration::from_secs(2), answers[1].until_closed()).await;
    assert!(more.is_err());
}

/// Answers with what is meant for a whole host.
async fn greedy(mut connection: Connection) {
    while connection.head().await.is_some() {
        let fields =
            "Service-Worker-Allowed: /\r\nClear-Site-Data: \"*\"\r\nSet-Cookie: offhost-login=x; Path=/";
        connection
            .send(format!(
                "HTTP/1.1 200 OK\r\n{fields}\r\nContent-Length: 0\r\n\r\n"
            ))
            .await;
    }
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn an_application_says_nothing_for_the_whole_host() {
    let (process, book) = (Process::tcp(greedy).await, Arc::new(Book::default()));
    let rig = rig(&process, &book, HOURS);
    let told = Browser::new(&rig).get("/content/open/").await;
    assert_eq!(told.status(), 200);
    for field in ["service-worker-allowed", "clear-site-data"] {
        assert_eq!(told.field(field), None, "{field}");
    }
    let cookies = told.all("set-cookie");
    assert!(
        !cookies.iter().any(|cookie| cookie.starts_with("offhost-login")),
        "{cookies:?}"
    );
}

/// Proves: CU3 (L), PR1 (L)
#[tokio::test]
async fn a_log_in_is_that_of_an_account_and_not_of_its_name() {
    let (process, book) = (Process::echo().await, Arc::new(Book::default()));
    let rig = rig(&process, &book, HOURS);
    let set = |user: &str, uid: Option<u32>| {
        let mut accounts = book.accounts.lock().unwrap();
        match uid {
            Some(uid) => drop(accounts.insert(user.to_owned(), uid)),
            None => drop(accounts.remove(user)),
        }
    };
    set("ann", Some(1000));
    set("bob", Some(1001));
    let [mut ann, mut elsewhere, mut bob] = [(); 3].map(|()| Browser::new(&rig));
    ann.log_in("ann", PASSWORD, "/").await;
    elsewhere.log_in("ANN", PASSWORD, "/").await;
    bob.log_in("bob", PASSWORD, "/").await;
    assert_eq!(ann.get("/content/app/").await.status(), 200);
    // The account is gone: the page to log in. A directory that was away for a moment costs nobody the log-in.
    set("ann", None);
    let gone = ann.get("/content/app/").await;
    assert_eq!(gone.status(), 303);
    assert!(gone.field("location").unwrap().starts_with("/__offhost__/login?"));
    assert_eq!(
        ann.get("/__offhost__/login").await.status(),
        200,
        "no redirection in a circle"
    );
    set("ann", Some(1000));
    assert_eq!(ann.get("/content/app/").await.status(), 200);
    // The name is another account's: all log-ins of the old one end, and what was kept of the password goes.
    set("ann", Some(1002));
    assert_eq!(ann.get("/content/app/").await.status(), 303);
    assert_eq!(*book.forgotten.lock().unwrap(), ["ann"]);
    set("ann", Some(1000));
    assert_eq!(
        ann.get("/content/app/").await.status(),
        303,
        "what has ended stays ended"
    );
    assert_eq!(elsewhere.get("/content/app/").await.status(), 303);
    // The new one begins anew, also in a browser that still has the other's seat at a process.
    set("ann", Some(1002));
    ann.log_in("ann", PASSWORD, "/").await;
    assert_eq!(ann.get("/content/app/").await.status(), 200);
    assert_eq!(
        bob.get("/content/app/").await.status(),
        200,
        "others notice nothing"
    );
    // Nobody is let in while it can not be told, and nobody loses the log-in.
    set("bob", Some(0));
    assert_eq!(bob.get("/content/app/").await.status(), 503);
    set("bob", Some(1001));
    assert_eq!(bob.get("/content/app/").await.status(), 200);
}
