//! The hub's end of the network.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::handshake::answer;
use super::{GREETING, Hand, HubKey};
use crate::apps::wire::{ToGateway, ToHub};
use crate::hub::link::HubEnd;
use crate::hub::{HubHandle, OUTBOX};

/// Connections that have not shown yet that they know the secret.
const STRANGERS: usize = 64;
/// Pause after a connection that could not be taken: descriptors may be short for a while.
const PAUSE: Duration = Duration::from_millis(100);

impl Hand for HubEnd {
    type Message = ToHub;

    async fn hand(&self, message: ToHub) -> bool {
        self.heard(message).await
    }
}

/// Takes the links of gateways until it is dropped; then they end at once.
pub async fn serve(listener: TcpListener, hub: HubHandle, key: HubKey) {
    let strangers = Arc::new(Semaphore::new(STRANGERS));
    let mut links = JoinSet::new();
    loop {
        let Ok(permit) = strangers.clone().acquire_owned().await else {
            return;
        };
        while links.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, from)) => {
                let (hub, key) = (hub.clone(), key.clone());
                links.spawn(async move {
                    let greeted = timeout(GREETING, greet(stream, key)).await;
                    drop(permit);
                    match greeted {
                        Ok(Ok(connection)) => link(connection, hub, from).await,
                        Ok(Err(error)) => tracing::warn!(%from, %error, "a link was refused"),
                        Err(_) => tracing::warn!(%from, "a link was refused: no greeting came in time"),
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a link of a gateway could not be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn greet(stream: TcpStream, key: HubKey) -> std::io::Result<super::Connection<TcpStream>> {
    stream.set_nodelay(true)?;
    answer(stream, &key).await
}

async fn link(connection: super::Connection<TcpStream>, hub: HubHandle, from: SocketAddr) {
    let (to_gateway, mut out) = mpsc::channel::<ToGateway>(OUTBOX);
    let Some(end) = HubEnd::attach(&hub, to_gateway) else {
        return;
    };
    if let Err(error) = connection.carry(&mut out, &end).await {
        tracing::warn!(%from, %error, "the link of a gateway is broken");
    }
}
