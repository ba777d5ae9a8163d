//! What one gateway asks another before it passes a request on: a length, and so much JSON.

use std::io;
use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::apps::{AppId, GatewayId};

/// Longest question.
const MOST: usize = 4096;

/// Whether the other has a session; if so, the request follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Question {
    /// Who is asked: an address may have become another gateway's.
    pub(super) to: GatewayId,
    pub(super) app: AppId,
    pub(super) session: Option<String>,
    pub(super) line: Option<String>,
    /// The other end of the visitor's connection, and whether that is HTTPS.
    pub(super) address: SocketAddr,
    pub(super) is_tls: bool,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Reply {
    pub(super) has: bool,
}

pub(super) async fn write<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), words: &T) -> io::Result<()> {
    let text = serde_json::to_vec(words)?;
    let length = u16::try_from(text.len()).map_err(io::Error::other)?;
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend_from_slice(&text);
    stream.write_all(&bytes).await?;
    stream.flush().await
}

pub(super) async fn read<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let length = usize::from(stream.read_u16().await?);
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "a message of another version");
    if length > MOST {
        return Err(wrong());
    }
    let mut text = vec![0; length];
    stream.read_exact(&mut text).await?;
    serde_json::from_slice(&text).map_err(|_| wrong())
}
