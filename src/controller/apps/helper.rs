//! What the helper in a Pod says of its application, at a port of its own: a line when it can answer.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// Pauses between tries to reach it: doubled from the first to the last. It listens from the first moment of its
/// container on, which the address of the Pod may come before.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);
/// No line is longer: what comes from a content Pod is bounded.
const LONGEST: u64 = 4096;

/// A line of the helper.
#[derive(Debug, Deserialize)]
struct Line {
    event: String,
}

/// Waits until the helper at this address says that its application can answer. Never gives up: the Pod's own end, or
/// the hub's patience, ends the wait.
pub(super) async fn ready(address: SocketAddr) {
    let mut pause = PAUSES.0;
    loop {
        if let Ok(Ok(stream)) = timeout(CONNECT, TcpStream::connect(address)).await {
            pause = PAUSES.0;
            if says_ready(stream).await {
                return;
            }
        }
        sleep(pause).await;
        pause = pause.saturating_mul(2).min(PAUSES.1);
    }
}

async fn says_ready(stream: TcpStream) -> bool {
    use tokio::io::AsyncReadExt;
    let mut lines = BufReader::new(stream.take(LONGEST * 8));
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
        let word: Result<Line, _> = serde_json::from_slice(&line);
        if word.is_ok_and(|word| word.event == "ready") {
            return true;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn it_is_listened_to_until_it_says_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            // A connection that breaks says nothing.
            drop(listener.accept().await.unwrap());
            let (mut stream, _) = listener.accept().await.unwrap();
            stream
                .write_all(b"{\"event\":\"started\"}\nnoise\n")
                .await
                .unwrap();
            stream.write_all(b"{\"event\":\"ready\"}\n").await.unwrap();
            stream
        });
        timeout(Duration::from_secs(10), ready(address)).await.unwrap();
        drop(server.await.unwrap());
    }
}
