//! Asks the other gateways who has a session.

use std::io;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::way::{Facts, Way, way};
use super::words::{self, Question, Reply};
use super::{Peers, Sought};
use crate::apps::GatewayId;
use crate::apps::wire::PeerGateway;
use crate::gateway::peer::Peer;

/// How long a gateway may take to say whether it has a session.
const PATIENCE: Duration = Duration::from_secs(3);

/// A gateway that has a session, and the connection that the request can go over.
pub(in crate::gateway) struct Found {
    pub(super) gateway: PeerGateway,
    pub(super) stream: TlsStream<TcpStream>,
}

impl Peers {
    /// The gateway that a request goes to; none where it is answered here.
    pub(in crate::gateway) async fn find(
        &self,
        facts: Facts,
        sought: Sought<'_>,
        visitor: &Peer,
    ) -> Option<Found> {
        let key = sought.key()?;
        let all = self.all.borrow().clone();
        let remembered = self.owners().get(&key).cloned();
        let names = all.iter().map(|one| &one.gateway);
        let Way::Ask { first, others } = way(facts, &self.own, names, remembered.as_ref()) else {
            return None;
        };
        let _permit = self.asking.acquire().await.ok()?;
        let one_of = |name: &GatewayId| all.iter().find(|one| one.gateway == *name);
        if let Some(found) = self
            .first_of(first.into_iter().filter_map(one_of), sought, visitor)
            .await
        {
            return Some(found);
        }
        let found = self
            .first_of(others.into_iter().filter_map(one_of), sought, visitor)
            .await;
        let mut owners = self.owners();
        match &found {
            Some(found) => owners.set(key, found.gateway.gateway.clone()),
            None => owners.remove(&key),
        }
        found
    }

    /// The first of these to say that it has the session.
    async fn first_of<'a>(
        &self,
        asked: impl Iterator<Item = &'a PeerGateway>,
        sought: Sought<'_>,
        visitor: &Peer,
    ) -> Option<Found> {
        let asked =
            asked.map(|one| async move { (one, timeout(PATIENCE, self.ask(one, sought, visitor)).await) });
        let mut asked: FuturesUnordered<_> = asked.collect();
        while let Some((one, answer)) = asked.next().await {
            match answer {
                Ok(Ok(Some(stream))) => {
                    let gateway = one.clone();
                    return Some(Found { gateway, stream });
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => {
                    tracing::debug!(gateway = %one.gateway, at = %one.address, %error, "another gateway can not be asked");
                }
                Err(_) => {
                    tracing::debug!(gateway = %one.gateway, at = %one.address, "another gateway does not answer");
                }
            }
        }
        None
    }

    async fn ask(
        &self,
        one: &PeerGateway,
        sought: Sought<'_>,
        visitor: &Peer,
    ) -> io::Result<Option<TlsStream<TcpStream>>> {
        let mut stream = self.channel.connect(one).await?;
        let question = Question {
            to: one.gateway.clone(),
            app: sought.app.clone(),
            session: sought.session.map(str::to_owned),
            line: sought.line.map(str::to_owned),
            address: visitor.address,
            is_tls: visitor.is_tls,
        };
        words::write(&mut stream, &question).await?;
        let reply: Reply = words::read(&mut stream).await?;
        Ok(reply.has.then_some(stream))
    }
}
