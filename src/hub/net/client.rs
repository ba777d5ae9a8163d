//! The gateway's end of the network.

use std::io;
use std::net::SocketAddr;

use futures::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::handshake::call;
use super::{Connection, GREETING, HubKey};
use crate::apps::wire::{ToGateway, ToHub};
use crate::hub::{Dial, Line, OUTBOX};

/// Messages to the hub that wait for the network.
const TO_HUB: usize = 256;

/// Finds the hub by an address that somebody else watches over. When the address changes, the link to the old hub ends.
#[derive(Clone, Debug)]
pub struct NetDial {
    address: watch::Receiver<Option<SocketAddr>>,
    key: HubKey,
}

impl NetDial {
    /// Dials whatever address there is at the time.
    #[must_use]
    pub fn new(address: watch::Receiver<Option<SocketAddr>>, key: HubKey) -> Self {
        Self { address, key }
    }

    async fn connect(&self) -> io::Result<Line> {
        let mut address = self.address.clone();
        let closed = |_| io::Error::new(io::ErrorKind::NotConnected, "nobody looks for the hub any more");
        let found = address.wait_for(Option::is_some).await.map(|found| *found);
        let at = found.map_err(closed)?.ok_or(io::ErrorKind::NotFound)?;
        address.mark_unchanged();
        let greet = async {
            let stream = TcpStream::connect(at).await?;
            stream.set_nodelay(true)?;
            call(stream, &self.key).await
        };
        let connection = timeout(GREETING, greet).await.map_err(|_| {
            io::Error::new(
                io::ErrorKind::TimedOut,
                format!("the hub at {at} does not answer"),
            )
        })??;
        let (to_hub, heard) = mpsc::channel(TO_HUB);
        let (to_gateway, from_hub) = mpsc::channel(OUTBOX);
        tokio::spawn(carry(connection, heard, to_gateway, address, at));
        Ok(Line { to_hub, from_hub })
    }
}

impl Dial for NetDial {
    fn dial(&self) -> BoxFuture<'_, io::Result<Line>> {
        Box::pin(self.connect())
    }
}

async fn carry(
    connection: Connection<TcpStream>,
    mut to_hub: mpsc::Receiver<ToHub>,
    to_gateway: mpsc::Sender<ToGateway>,
    mut address: watch::Receiver<Option<SocketAddr>>,
    at: SocketAddr,
) {
    let moved = async {
        let elsewhere = |now: &Option<SocketAddr>| now.is_some_and(|now| now != at);
        if address.wait_for(elsewhere).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let carried = connection.carry(&mut to_hub, &to_gateway);
    tokio::select! {
        ended = carried => if let Err(error) = ended {
            tracing::warn!(%at, %error, "the connection to the hub is broken");
        },
        () = moved => tracing::info!(%at, "another controller leads"),
    }
}
