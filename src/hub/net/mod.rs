//! The link over the network: lines of JSON, each with its proof, between a gateway and the leading controller.
//!
//! Both sides show first that they know the secret (`Gateway.HubKeyFile`), each with a number that the other chose. Every
//! line is then signed with keys of this one connection, and the count of the lines goes in: what was changed, dropped,
//! repeated or put in by somebody else ends the connection, and the next begins with everything that the gateway holds.

mod client;
mod handshake;
mod key;
mod lines;
mod server;

#[cfg(test)]
mod tests;

pub use client::NetDial;
pub use key::{HubKey, HubKeyError};
pub use server::serve;

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use crate::apps::wire::LOST;
use lines::{Opener, Sealer, read_line};

/// Time for a connection to be made, and for each side to show that it knows the secret.
const GREETING: Duration = Duration::from_secs(5);

/// A connection of which both sides know each other.
struct Connection<S> {
    input: BufReader<ReadHalf<S>>,
    output: BufWriter<WriteHalf<S>>,
    opener: Opener,
    sealer: Sealer,
}

/// Takes what comes over a connection.
trait Hand: Sync {
    type Message: DeserializeOwned + Send;

    /// Takes a message; `false` when nobody wants more.
    fn hand(&self, message: Self::Message) -> impl Future<Output = bool> + Send;
}

impl<T: DeserializeOwned + Send> Hand for mpsc::Sender<T> {
    type Message = T;

    async fn hand(&self, message: T) -> bool {
        self.send(message).await.is_ok()
    }
}

impl<S: AsyncRead + AsyncWrite> Connection<S> {
    /// Carries messages both ways until one side has no more to say, or something is wrong.
    async fn carry<Out, H>(self, out: &mut mpsc::Receiver<Out>, hand: &H) -> io::Result<()>
    where
        Out: Serialize,
        H: Hand,
    {
        let Self {
            input,
            output,
            opener,
            sealer,
        } = self;
        tokio::select! {
            ended = send(output, sealer, out) => ended,
            ended = receive(input, opener, hand) => ended,
        }
    }
}

async fn send<S: AsyncRead + AsyncWrite, Out: Serialize>(
    mut output: BufWriter<WriteHalf<S>>,
    mut sealer: Sealer,
    out: &mut mpsc::Receiver<Out>,
) -> io::Result<()> {
    while let Some(message) = out.recv().await {
        let line = sealer.seal(&message)?;
        in_time(output.write_all(&line)).await?;
        if out.is_empty() {
            in_time(output.flush()).await?;
        }
    }
    in_time(output.shutdown()).await
}

async fn receive<S: AsyncRead + AsyncWrite>(
    mut input: BufReader<ReadHalf<S>>,
    mut opener: Opener,
    hand: &impl Hand,
) -> io::Result<()> {
    let mut line = Vec::new();
    while read_line(&mut input, &mut line).await? {
        if !hand.hand(opener.open(&line)?).await {
            break;
        }
    }
    Ok(())
}

/// A side that takes nothing for so long is lost.
async fn in_time(what: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    tokio::time::timeout(LOST, what)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}
