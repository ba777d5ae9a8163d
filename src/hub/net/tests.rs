//! The connection itself. What a broken one means for visitors is shown in `tests/it`-like worlds of the gateway.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::mpsc;

use super::handshake::{answer, call};
use super::lines::{Opener, Sealer, unhex};
use super::*;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn key(secret: &[u8]) -> HubKey {
    HubKey::new(secret).unwrap()
}

async fn both(
    gateway: &[u8],
    hub: &[u8],
) -> (
    io::Result<Connection<DuplexStream>>,
    io::Result<Connection<DuplexStream>>,
) {
    let (one, two) = tokio::io::duplex(1024);
    let (gateway, hub) = (key(gateway), key(hub));
    tokio::join!(call(one, &gateway), answer(two, &hub))
}

#[tokio::test]
async fn both_sides_must_know_the_secret() {
    let (gateway, hub) = both(SECRET, SECRET).await;
    assert!(gateway.is_ok() && hub.is_ok());
    let (gateway, hub) = both(SECRET, b"another secret, of at least 32 bytes").await;
    let error = gateway.err().unwrap().to_string();
    assert!(error.contains("the hub does not know the secret"), "{error}");
    assert!(hub.is_err());
    assert!(HubKey::new(b"short").is_none());
}

#[test]
fn a_key_file_says_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    assert!(
        HubKey::read(&path)
            .unwrap_err()
            .to_string()
            .contains("Gateway.HubKeyFile")
    );
    std::fs::write(&path, "short\n").unwrap();
    let error = HubKey::read(&path).unwrap_err().to_string();
    assert!(
        error.contains("has 5 bytes") && error.contains("openssl rand"),
        "{error}"
    );
    std::fs::write(&path, SECRET).unwrap();
    assert_eq!(format!("{:?}", HubKey::read(&path).unwrap()), "HubKey");
}

/// A proof that was heard once is worth nothing: the numbers are others each time.
#[tokio::test]
async fn a_greeting_can_not_be_repeated() {
    let key = key(SECRET);
    let (mut thief, hub) = tokio::io::duplex(1024);
    let hub = tokio::spawn({
        let key = key.clone();
        async move { answer(hub, &key).await.map(|_| ()) }
    });
    let nonce = "00".repeat(32);
    let hello = format!("{{\"protocol\":\"offhost-hub/1\",\"nonce\":\"{nonce}\"}}\n");
    thief.write_all(hello.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let length = thief.read(&mut answer).await.unwrap();
    let reply: Value = serde_json::from_slice(&answer[..length]).unwrap();
    let echoed = format!("{{\"proof\":{}}}\n", reply["proof"]);
    thief.write_all(echoed.as_bytes()).await.unwrap();
    assert!(hub.await.unwrap().is_err());
}

#[test]
fn a_line_that_is_changed_lost_or_repeated_is_noticed() {
    let sealed = || {
        let mut sealer = Sealer::new(key(SECRET));
        let line = |sealer: &mut Sealer, text: &str| {
            let mut line = sealer.seal(&text).unwrap();
            line.pop();
            line
        };
        [line(&mut sealer, "a"), line(&mut sealer, "b")]
    };
    let [first, second] = sealed();
    let mut opener = Opener::new(key(SECRET));
    assert_eq!(opener.open::<String>(&first).unwrap(), "a");
    assert!(opener.open::<String>(&first).is_err(), "repeated");
    assert_eq!(opener.open::<String>(&second).unwrap(), "b");
    assert!(Opener::new(key(SECRET)).open::<String>(&second).is_err(), "lost");
    let mut changed = first.clone();
    *changed.last_mut().unwrap() = b'x';
    assert!(
        Opener::new(key(SECRET)).open::<String>(&changed).is_err(),
        "changed"
    );
    assert!(Opener::new(key(SECRET)).open::<String>(b"").is_err());
    assert_eq!(unhex(b"0g"), None);
}

#[tokio::test]
async fn a_line_without_an_end_is_not_collected_for_ever() {
    let (gateway, hub) = both(SECRET, SECRET).await;
    let (mut gateway, hub) = (gateway.unwrap(), hub.unwrap());
    let (_to_gateway, mut out) = mpsc::channel::<Value>(1);
    let (heard, _inbox) = mpsc::channel::<Value>(1);
    let hub = tokio::spawn(async move { hub.carry(&mut out, &heard).await });
    let flood = tokio::spawn(async move { while gateway.output.write_all(&[b'x'; 4096]).await.is_ok() {} });
    let ended = tokio::time::timeout(Duration::from_secs(10), hub).await.unwrap();
    assert!(ended.unwrap().is_err());
    flood.abort();
}

#[tokio::test(start_paused = true)]
async fn a_side_that_reads_nothing_is_given_up() {
    let (gateway, hub) = both(SECRET, SECRET).await;
    let (_silent, hub) = (gateway.unwrap(), hub.unwrap());
    let (to_gateway, mut out) = mpsc::channel::<String>(1000);
    for _ in 0..1000 {
        to_gateway.try_send("x".repeat(100)).unwrap();
    }
    let (heard, _inbox) = mpsc::channel::<Value>(1);
    let ended = hub.carry(&mut out, &heard).await;
    assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
}
