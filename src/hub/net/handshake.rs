//! How the two sides of a connection get to know each other. Nothing is believed, kept or done before.

use std::io;

use hmac::Mac as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter, ReadHalf, WriteHalf};

use super::lines::{Opener, Sealer, hex, read_line, unhex};
use super::{Connection, HubKey};

/// Bytes of a number that a side chooses.
const NONCE: usize = 32;
const PROTOCOL: &str = "offhost-hub/1";

/// Longest line of the greeting.
const MOST: u64 = 1024;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hello {
    protocol: String,
    nonce: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    nonce: String,
    proof: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    proof: String,
}

struct Ends<S> {
    input: BufReader<ReadHalf<S>>,
    output: BufWriter<WriteHalf<S>>,
}

impl<S: AsyncRead + AsyncWrite> Ends<S> {
    fn new(stream: S) -> Self {
        let (input, output) = tokio::io::split(stream);
        Self {
            input: BufReader::new(input),
            output: BufWriter::new(output),
        }
    }

    async fn write(&mut self, message: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        self.output.write_all(&line).await?;
        self.output.flush().await
    }

    async fn read<T: serde::de::DeserializeOwned>(&mut self) -> io::Result<T> {
        use tokio::io::AsyncReadExt as _;
        let mut line = Vec::new();
        let mut input = (&mut self.input).take(MOST);
        if !read_line(&mut input, &mut line).await? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        serde_json::from_slice(&line).map_err(|_| wrong("what answers is no hub or gateway of this version"))
    }
}

/// The gateway's side.
pub(super) async fn call<S: AsyncRead + AsyncWrite>(stream: S, key: &HubKey) -> io::Result<Connection<S>> {
    let mut ends = Ends::new(stream);
    let own = nonce()?;
    let protocol = PROTOCOL.to_owned();
    ends.write(&Hello {
        protocol,
        nonce: hex(&own),
    })
    .await?;
    let reply: Reply = ends.read().await?;
    let theirs = unhex(reply.nonce.as_bytes()).ok_or_else(|| wrong("the hub sent no number"))?;
    check(key, "hub", &[&own, &theirs], &reply.proof)?;
    let proof = prove(key, "gateway", &[&own, &theirs]);
    ends.write(&Proof { proof }).await?;
    Ok(Connection {
        input: ends.input,
        output: ends.output,
        opener: Opener::new(key.derive("to gateway", &[&own, &theirs])),
        sealer: Sealer::new(key.derive("to hub", &[&own, &theirs])),
    })
}

/// The hub's side.
pub(super) async fn answer<S: AsyncRead + AsyncWrite>(stream: S, key: &HubKey) -> io::Result<Connection<S>> {
    let mut ends = Ends::new(stream);
    let hello: Hello = ends.read().await?;
    let theirs = unhex(hello.nonce.as_bytes()).filter(|nonce| nonce.len() == NONCE);
    let theirs = theirs.ok_or_else(|| wrong("the gateway sent no number"))?;
    if hello.protocol != PROTOCOL {
        return Err(wrong(
            "the gateway speaks another version; update gateways and controllers together",
        ));
    }
    let own = nonce()?;
    let proof = prove(key, "hub", &[&theirs, &own]);
    ends.write(&Reply {
        nonce: hex(&own),
        proof,
    })
    .await?;
    let proof: Proof = ends.read().await?;
    check(key, "gateway", &[&theirs, &own], &proof.proof)?;
    Ok(Connection {
        input: ends.input,
        output: ends.output,
        opener: Opener::new(key.derive("to hub", &[&theirs, &own])),
        sealer: Sealer::new(key.derive("to gateway", &[&theirs, &own])),
    })
}

fn prove(key: &HubKey, who: &str, nonces: &[&[u8]]) -> String {
    hex(&key.mac(who, nonces).finalize().into_bytes())
}

fn check(key: &HubKey, who: &str, nonces: &[&[u8]], proof: &str) -> io::Result<()> {
    let proof = unhex(proof.as_bytes()).unwrap_or_default();
    key.mac(who, nonces).verify_slice(&proof).map_err(|_| {
        io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("the {who} does not know the secret; give gateways and controllers the same 'Gateway.HubKeyFile'"),
        )
    })
}

fn nonce() -> io::Result<[u8; NONCE]> {
    let mut nonce = [0; NONCE];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut nonce)
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(nonce)
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}
