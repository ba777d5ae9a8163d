//! What no good visitor sends.

use super::client::Client;
use super::process::Process;
use super::rig::{Rig, options, processes};

/// The status of the first answer; `None` where the connection ends without.
async fn status(rig: &Rig, bytes: impl AsRef<[u8]>) -> Option<u16> {
    let mut client = Client::new(rig.at).await;
    client.send(bytes).await;
    let head = client.head().await?;
    Some(head.split(' ').nth(1).unwrap().parse().unwrap())
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    let post = "POST /content/app/ HTTP/1.1\r\nHost: gw.example\r\n";
    for bad in [
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "Content-Length: 5, 6\r\n\r\nhello",
        "Content-Length: +5\r\n\r\nhello",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 5x\r\n\r\nhello",
        "Transfer-Encoding: identity\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "X: a\r\n b\r\n\r\n",
        "X : a\r\n\r\n",
        " X: a\r\n\r\n",
        "X\0: a\r\n\r\n",
        "X: a\0b\r\n\r\n",
        "X: a\rb\r\n\r\n",
        "no colon\r\n\r\n",
    ] {
        assert_eq!(status(&rig, format!("{post}{bad}")).await, Some(400), "{bad:?}");
    }
    for bad in [
        "GET /content/app/ HTTP/1.1\r\n\r\n",
        "GET /content/app/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /content/app/ HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET  /content/app/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /content/app/ x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /content/app/ HTTP/3.0\r\nHost: a\r\n\r\n",
        "G@T /content/app/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00",
    ] {
        let status = status(&rig, format!("{bad}\r\n\r\n")).await;
        assert!(matches!(status, None | Some(400)), "{bad:?}: {status:?}");
    }
    rig.hub.until_taken(0).await;
}

/// What both says is one thing for every server behind: the length is gone.
///
/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_request_with_two_lengths_reaches_the_process_with_one() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    client
        .send(
            "POST /content/app/ HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
             5\r\nhello\r\n0\r\n\r\n",
        )
        .await;
    let reply = client.reply().await.unwrap();
    if reply.status() != 400 {
        assert!(!reply.text().contains("content-length"), "{}", reply.text());
        assert!(
            reply.text().contains("transfer-encoding: chunked"),
            "{}",
            reply.text()
        );
    }
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn a_large_header_passes_and_a_huge_one_does_not() {
    let process = Process::echo().await;
    let mut options = options();
    options.max_header_size = 32 * 1024;
    let rig = Rig::with(&process.address, options, processes());
    let with = |size: usize| {
        format!(
            "GET /content/app/ HTTP/1.1\r\nHost: gw.example\r\nX: {}\r\n\r\n",
            "x".repeat(size)
        )
    };
    assert_eq!(status(&rig, with(16 * 1024)).await, Some(200));
    assert_eq!(status(&rig, with(30 * 1024)).await, Some(200));
    assert_eq!(status(&rig, with(40 * 1024)).await, Some(431));
    let many = "X: 1\r\n".repeat(1000);
    let many = format!("GET /content/app/ HTTP/1.1\r\nHost: gw.example\r\n{many}\r\n");
    assert_eq!(status(&rig, many).await, Some(431));
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn methods_that_are_for_proxies_are_not_answered() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    for line in [
        "TRACE /content/app/ HTTP/1.1",
        "CONNECT other.example:443 HTTP/1.1",
    ] {
        let status = status(&rig, format!("{line}\r\nHost: gw.example\r\n\r\n")).await;
        assert_eq!(status, Some(405), "{line}");
    }
    assert_eq!(
        status(&rig, "OPTIONS * HTTP/1.1\r\nHost: gw.example\r\n\r\n").await,
        Some(404)
    );
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn an_absolute_address_counts_more_than_the_host() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    client
        .send("GET http://a.example/content/app/x HTTP/1.1\r\nHost: b.example\r\n\r\n")
        .await;
    let reply = client.reply().await.unwrap();
    assert!(
        reply.text().starts_with("GET /x HTTP/1.1\r\n"),
        "{}",
        reply.text()
    );
    assert!(
        reply.text().contains("\r\nhost: a.example\r\n"),
        "{}",
        reply.text()
    );
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn several_requests_may_be_sent_at_once() {
    let process = Process::echo().await;
    let rig = Rig::new(&process.address);
    let mut client = Client::new(rig.at).await;
    let requests: Vec<String> = (0..20)
        .map(|number| format!("GET /content/app/{number} HTTP/1.1\r\nHost: gw.example\r\n\r\n"))
        .collect();
    client.send(requests.concat()).await;
    for number in 0..20 {
        let reply = client.reply().await.unwrap();
        assert!(
            reply.text().starts_with(&format!("GET /{number} ")),
            "{}",
            reply.text()
        );
    }
}
