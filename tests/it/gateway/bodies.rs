//! Bodies: their framing, their size, and their sudden end.

use std::time::Duration;

use super::client::{Client, ask, get};
use super::process::{Connection, Process};
use super::rig::Rig;

/// Proves: PR1 (L, P)
#[tokio::test]
async fn bodies_keep_their_framing() {
    let process = Process::tcp(async |mut connection: Connection| {
        while let Some(head) = connection.head().await {
            let length = head
                .field("content-length")
                .map(|length| length.parse::<usize>().unwrap());
            let body = match length {
                Some(length) => connection.body(length).await,
                None if head.field("transfer-encoding").is_some() => {
                    let mut body = Vec::new();
                    while !body.ends_with(b"0\r\n\r\n") {
                        body.extend(connection.body(1).await);
                    }
                    body
                }
                None => Vec::new(),
            };
            let text = format!("{}{}", head.text, String::from_utf8_lossy(&body));
            connection.ok(&text).await;
        }
    })
    .await;
    let rig = Rig::new(&process.address);
    let post = "POST /content/app/ HTTP/1.1\r\nHost: gw.example\r\n";
    let sized = ask(rig.at, &format!("{post}Content-Length: 5\r\n\r\nhello")).await;
    assert!(sized.text().contains("content-length: 5\r\n") && sized.text().ends_with("\r\n\r\nhello"));
    let empty = ask(rig.at, &format!("{post}Content-Length: 0\r\n\r\n")).await;
    assert!(empty.text().contains("content-length: 0\r\n"), "{}", empty.text());
    let chunked = ask(
        rig.at,
        &format!("{post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    )
    .await;
    assert!(!chunked.text().contains("content-length"), "{}", chunked.text());
    assert!(
        chunked.text().ends_with("5\r\nhello\r\n0\r\n\r\n"),
        "{}",
        chunked.text()
    );
    let none = get(rig.at, "/content/app/", "").await;
    assert!(!none.text().contains("content-length") && !none.text().contains("transfer-encoding"));
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn an_answer_keeps_its_framing() {
    let process = Process::tcp(async |mut connection: Connection| {
        while let Some(head) = connection.head().await {
            let answer = match head.line() {
                "GET /chunked HTTP/1.1" => {
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n"
                }
                "HEAD / HTTP/1.1" => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
                "HEAD /none HTTP/1.1" => "HTTP/1.1 200 OK\r\n\r\n",
                "GET /304 HTTP/1.1" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
                "GET /204 HTTP/1.1" => "HTTP/1.1 204 No Content\r\n\r\n",
                "GET /early HTTP/1.1" => {
                    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 Fine\r\nContent-Length: 1\r\n\r\nx"
                }
                other => panic!("{other}"),
            };
            connection.send(answer).await;
        }
    })
    .await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    let mut send = async |line: &str, fields: &str| {
        client
            .send(format!("{line} HTTP/1.1\r\nHost: gw.example\r\n{fields}\r\n"))
            .await;
        client.head().await.unwrap()
    };
    let head = send("HEAD /content/app/", "").await;
    assert!(head.contains("content-length: 1234"), "{head}");
    let head = send("HEAD /content/app/none", "").await;
    assert!(!head.contains("content-length"), "{head}");
    let head = send("GET /content/app/304", "").await;
    assert!(
        head.starts_with("HTTP/1.1 304") && head.contains("etag: \"x\""),
        "{head}"
    );
    let head = send("GET /content/app/204", "").await;
    assert!(
        head.starts_with("HTTP/1.1 204") && !head.contains("content-length"),
        "{head}"
    );
    let early = get(rig.at, "/content/app/early", "").await;
    assert_eq!((early.status(), early.text()), (200, "x"));
    let mut client = Client::new(rig.at).await;
    client
        .send("GET /content/app/chunked HTTP/1.1\r\nHost: gw.example\r\nTE: trailers\r\n\r\n")
        .await;
    let head = client.head().await.unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    while !client.rest.ends_with(b"\r\n\r\n") {
        assert!(client.more().await);
    }
    assert_eq!(client.rest, b"3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n");
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn an_answer_that_is_cut_off_is_never_a_success() {
    let process = Process::tcp(async |mut connection: Connection| {
        let head = connection.head().await.unwrap();
        let framing = if head.line().contains("chunked") {
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        } else {
            "Content-Length: 10\r\n\r\nabc"
        };
        connection.send(format!("HTTP/1.1 200 OK\r\n{framing}")).await;
        // What has come is on its way to the visitor by then.
        tokio::time::sleep(Duration::from_millis(100)).await;
    })
    .await;
    let rig = Rig::new(&process.address);
    for path in ["chunked", "sized"] {
        let mut client = Client::new(rig.at).await;
        client
            .send(format!(
                "GET /content/app/{path} HTTP/1.1\r\nHost: gw.example\r\n\r\n"
            ))
            .await;
        client.head().await.unwrap();
        let body = client.until_closed().await;
        assert!(
            !body.ends_with(b"0\r\n\r\n") && body.len() < 10,
            "{path}: {body:?}"
        );
    }
    rig.hub.until_taken(0).await;
    assert!(rig.metrics.text().contains("offhost_gateway_cut_answers_total 2"));
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn no_answer_or_nonsense_is_a_bad_gateway() {
    for script in [
        "",
        "\r\n\r\n",
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ] {
        let process = Process::tcp(move |mut connection: Connection| async move {
            connection.head().await;
            connection.send(script).await;
        })
        .await;
        let rig = Rig::new(&process.address);
        let reply = get(rig.at, "/content/app/", "").await;
        assert_eq!(reply.status(), 502, "{script:?}");
        rig.hub.until_taken(0).await;
    }
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_body_of_any_size_passes_as_it_is_taken() {
    const PIECES: usize = 300;
    const PIECE: usize = 100_000;
    let process = Process::tcp(async |mut connection: Connection| {
        while let Some(head) = connection.head().await {
            let length: usize = head.field("content-length").unwrap_or("0").parse().unwrap();
            let mut left = length;
            while left > 0 {
                let some = connection.body(left.min(PIECE)).await;
                assert!(some.iter().all(|byte| *byte == b'x'));
                left -= some.len();
            }
            let all = PIECES * PIECE;
            connection
                .send(format!("HTTP/1.1 200 OK\r\nContent-Length: {all}\r\n\r\n"))
                .await;
            for _ in 0..PIECES {
                connection.send(vec![b'y'; PIECE]).await;
            }
        }
    })
    .await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    let all = PIECES * PIECE;
    client
        .send(format!(
            "PUT /content/app/ HTTP/1.1\r\nHost: gw.example\r\nContent-Length: {all}\r\n\r\n"
        ))
        .await;
    for _ in 0..PIECES {
        client.send(vec![b'x'; PIECE]).await;
    }
    let reply = client.reply().await.unwrap();
    assert_eq!(reply.body.len(), all);
    assert!(reply.body.iter().all(|byte| *byte == b'y'));
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_visitor_who_does_not_read_holds_the_process_back() {
    let (sender, mut sent) = tokio::sync::watch::channel(0_usize);
    let process = Process::tcp(move |mut connection: Connection| {
        let sender = sender.clone();
        async move {
            connection.head().await;
            connection
                .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await;
            while connection
                .try_send(format!("10000\r\n{}\r\n", "z".repeat(65536)))
                .await
                .is_ok()
            {
                sender.send_modify(|sent| *sent += 65536);
            }
        }
    })
    .await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    client
        .send("GET /content/app/ HTTP/1.1\r\nHost: gw.example\r\n\r\n")
        .await;
    client.head().await.unwrap();
    // Until nothing moves any more: what is on the way then lies in the kernel's buffers.
    while tokio::time::timeout(Duration::from_millis(500), sent.changed())
        .await
        .is_ok()
    {}
    let stuck = *sent.borrow();
    assert!(
        stuck < 32 * 1024 * 1024,
        "{stuck} bytes were taken for a visitor who reads none"
    );
    drop(client);
    rig.hub.until_taken(0).await;
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_visitor_who_goes_away_frees_the_process() {
    let process = Process::tcp(async |mut connection: Connection| {
        connection.head().await;
        connection.until_closed().await;
    })
    .await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    client
        .send("GET /content/app/ HTTP/1.1\r\nHost: gw.example\r\n\r\n")
        .await;
    rig.hub.until_taken(1).await;
    drop(client);
    rig.hub.until_taken(0).await;
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_body_is_asked_for_when_there_is_somebody_to_take_it() {
    let process = Process::tcp(async |mut connection: Connection| {
        let head = connection.head().await.unwrap();
        assert_eq!(head.field("expect"), None);
        let body = connection.body(5).await;
        connection.ok(&String::from_utf8(body).unwrap()).await;
    })
    .await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    client
        .send("POST /content/app/ HTTP/1.1\r\nHost: gw.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 100 "));
    client.send("hello").await;
    assert_eq!(client.reply().await.unwrap().text(), "hello");
    // Where there is nobody, it is not asked for.
    let mut client = Client::new(rig.at).await;
    client
        .send("POST /nowhere/ HTTP/1.1\r\nHost: gw.example\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        .await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 404 "));
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn an_answer_may_come_before_the_end_of_the_request() {
    let process = Process::tcp(async |mut connection: Connection| {
        connection.head().await;
        connection
            .send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
            .await;
        connection.until_closed().await;
    })
    .await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    client
        .send("POST /content/app/ HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 5000000\r\n\r\nbegin")
        .await;
    let reply = client.reply().await.unwrap();
    assert_eq!((reply.status(), reply.text()), (413, "big"));
    drop(client);
    rig.hub.until_taken(0).await;
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn events_come_one_by_one() {
    let process = Process::tcp(async |mut connection: Connection| {
        connection.head().await;
        connection
            .send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            .await;
        loop {
            if connection.try_send("data: 1\n\n").await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    client
        .send("GET /content/app/ HTTP/1.1\r\nHost: gw.example\r\n\r\n")
        .await;
    client.head().await.unwrap();
    for count in 1..5 {
        while String::from_utf8_lossy(&client.rest).matches("data: 1").count() < count {
            assert!(client.more().await);
        }
    }
    drop(client);
    rig.hub.until_taken(0).await;
}
