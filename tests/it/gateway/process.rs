//! A process that answers as a test tells it to, over TCP or a Unix socket, byte for byte.

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use offhost::apps::Address;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;

/// A connection that the process has accepted.
pub(crate) struct Connection {
    pub(crate) io: Pin<Box<dyn Io>>,
    /// What was read beyond the last header.
    pub(crate) rest: Vec<u8>,
}

pub(crate) trait Io: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

/// The header of a request.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) text: String,
}

impl Head {
    /// The first line.
    pub(crate) fn line(&self) -> &str {
        self.text.lines().next().unwrap()
    }

    /// All values of a field.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.text.lines().skip(1).filter_map(|line| line.split_once(':'));
        let named = fields.filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }

    /// The one value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(
            all.len() < 2,
            "{name} comes {} times in:\n{}",
            all.len(),
            self.text
        );
        all.first().copied()
    }
}

impl Connection {
    /// Reads the header of a request; `None` where the connection ends.
    pub(crate) async fn head(&mut self) -> Option<Head> {
        loop {
            if let Some(end) = find(&self.rest, b"\r\n\r\n") {
                let rest = self.rest.split_off(end + 4);
                let text = String::from_utf8_lossy(&std::mem::replace(&mut self.rest, rest)).into_owned();
                return Some(Head { text });
            }
            let mut piece = [0; 4096];
            match self.io.read(&mut piece).await {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.rest.extend_from_slice(&piece[..read]),
            }
        }
    }

    /// Reads so many bytes of a body.
    pub(crate) async fn body(&mut self, length: usize) -> Vec<u8> {
        while self.rest.len() < length {
            let mut piece = [0; 4096];
            let read = self.io.read(&mut piece).await.unwrap();
            assert!(
                read > 0,
                "the body ended after {} of {length} bytes",
                self.rest.len()
            );
            self.rest.extend_from_slice(&piece[..read]);
        }
        let rest = self.rest.split_off(length);
        std::mem::replace(&mut self.rest, rest)
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A visitor may have gone.
        drop(self.try_send(bytes).await);
    }

    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.io.write_all(bytes.as_ref()).await?;
        self.io.flush().await
    }

    /// Answers 200 with a body.
    pub(crate) async fn ok(&mut self, body: &str) {
        let length = body.len();
        self.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await;
    }

    /// Waits for the end of the connection.
    pub(crate) async fn until_closed(&mut self) {
        let mut piece = [0; 4096];
        while matches!(self.io.read(&mut piece).await, Ok(1..)) {}
    }
}

pub(crate) fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// A process that listens; it ends when this is dropped.
pub(crate) struct Process {
    pub(crate) address: Address,
    /// Connections so far.
    pub(crate) connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Process {
    /// Over TCP; each connection is given to `script`.
    pub(crate) async fn tcp<F>(script: impl Fn(Connection) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(Connection {
                    io: Box::pin(stream),
                    rest: Vec::new(),
                }));
            }
        });
        Self {
            address,
            connections,
            task,
        }
    }

    /// Over a Unix socket.
    pub(crate) fn unix<F>(path: &Path, script: impl Fn(Connection) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = UnixListener::bind(path).unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(Connection {
                    io: Box::pin(stream),
                    rest: Vec::new(),
                }));
            }
        });
        Self {
            address: Address::Unix(path.to_owned()),
            connections,
            task,
        }
    }

    /// One that answers when the whole body has come.
    pub(crate) async fn echo_after_body() -> Self {
        Self::tcp(async |mut connection: Connection| {
            while let Some(head) = connection.head().await {
                let length = head.field("content-length").unwrap_or("0").parse().unwrap();
                connection.body(length).await;
                connection.ok("whole").await;
            }
        })
        .await
    }

    /// One that tells with what it was asked, and keeps the connection.
    pub(crate) async fn echo() -> Self {
        Self::tcp(echo).await
    }
}

/// Answers each request with its header.
pub(crate) async fn echo(mut connection: Connection) {
    while let Some(head) = connection.head().await {
        connection.ok(&head.text).await;
    }
}
