//! A link between the hub and a gateway: two queues, on one machine as over the network.

use std::fmt;
use std::io;

use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::{HubHandle, Input, LinkId, OUTBOX};
use crate::apps::wire::{ToGateway, ToHub};

/// A gateway's end of a link. It is over when the hub's end is dropped.
#[derive(Debug)]
pub struct Line {
    /// To the hub.
    pub to_hub: mpsc::Sender<ToHub>,
    /// From the hub.
    pub from_hub: mpsc::Receiver<ToGateway>,
}

/// Finds the hub.
pub trait Dial: Send + Sync + fmt::Debug + 'static {
    /// Makes a link.
    ///
    /// # Errors
    /// There is no hub to be found, or it does not answer or does not know the secret.
    fn dial(&self) -> BoxFuture<'_, io::Result<Line>>;
}

/// Links inside one program.
#[derive(Clone, Debug)]
pub struct LocalDial(pub(super) HubHandle);

/// Messages to the hub that wait in a link.
const TO_HUB: usize = 256;

impl Dial for LocalDial {
    fn dial(&self) -> BoxFuture<'_, io::Result<Line>> {
        Box::pin(async {
            let (to_hub, mut heard) = mpsc::channel(TO_HUB);
            let (to_gateway, from_hub) = mpsc::channel(OUTBOX);
            let end = HubEnd::attach(&self.0, to_gateway)
                .ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the hub has ended"))?;
            tokio::spawn(async move {
                while let Some(message) = heard.recv().await {
                    if !end.heard(message).await {
                        break;
                    }
                }
            });
            Ok(Line { to_hub, from_hub })
        })
    }
}

/// The hub's end of a link; dropped, the link is over.
#[derive(Debug)]
pub(super) struct HubEnd {
    hub: HubHandle,
    link: LinkId,
}

impl HubEnd {
    pub(super) fn attach(hub: &HubHandle, to: mpsc::Sender<ToGateway>) -> Option<Self> {
        let link = hub.next_link();
        hub.control.send(Input::Linked { link, to }).ok()?;
        Some(Self {
            hub: hub.clone(),
            link,
        })
    }

    /// Hands a message to the hub; `false` when that has ended.
    pub(super) async fn heard(&self, message: ToHub) -> bool {
        let link = self.link;
        self.hub.heard.send(Input::Heard { link, message }).await.is_ok()
    }
}

impl Drop for HubEnd {
    fn drop(&mut self) {
        let _ended = self.hub.control.send(Input::Unlinked { link: self.link });
    }
}
