//! A visitor who sends bytes as they are.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::process::find;

/// A connection to a gateway.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) rest: Vec<u8>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let named = fields.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// No test waits longer than this for anything.
const PATIENCE: Duration = Duration::from_secs(20);

impl Client {
    pub(crate) async fn new(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            rest: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads a header; `None` where the connection ends before.
    pub(crate) async fn head(&mut self) -> Option<String> {
        timeout(PATIENCE, async {
            loop {
                if let Some(end) = find(&self.rest, b"\r\n\r\n") {
                    let rest = self.rest.split_off(end + 4);
                    let head = std::mem::replace(&mut self.rest, rest);
                    return Some(String::from_utf8(head).unwrap());
                }
                if !self.more().await {
                    return None;
                }
            }
        })
        .await
        .expect("an answer comes in time")
    }

    /// Reads some more; false at the end.
    pub(crate) async fn more(&mut self) -> bool {
        let mut piece = vec![0; 65536];
        match timeout(PATIENCE, self.stream.read(&mut piece))
            .await
            .expect("bytes come in time")
        {
            Ok(0) | Err(_) => false,
            Ok(read) => {
                self.rest.extend_from_slice(&piece[..read]);
                true
            }
        }
    }

    /// Reads an answer that has a length, or none.
    pub(crate) async fn reply(&mut self) -> Option<Reply> {
        let head = self.head().await?;
        let mut reply = Reply {
            head,
            body: Vec::new(),
        };
        let length: usize = reply
            .field("content-length")
            .map_or(0, |length| length.parse().unwrap());
        while self.rest.len() < length {
            if !self.more().await {
                return None;
            }
        }
        let rest = self.rest.split_off(length);
        reply.body = std::mem::replace(&mut self.rest, rest);
        Some(reply)
    }

    /// Reads until the connection ends.
    pub(crate) async fn until_closed(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.rest)
    }
}

/// One request on a connection of its own.
pub(crate) async fn ask(at: SocketAddr, request: &str) -> Reply {
    let mut client = Client::new(at).await;
    client.send(request).await;
    client.reply().await.expect("there is an answer")
}

/// `GET` with these fields.
pub(crate) async fn get(at: SocketAddr, path: &str, fields: &str) -> Reply {
    ask(
        at,
        &format!("GET {path} HTTP/1.1\r\nHost: gw.example\r\n{fields}\r\n"),
    )
    .await
}
