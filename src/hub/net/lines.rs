//! Lines with a proof: 32 hexadecimal digits, then JSON.

use std::io;

use hmac::Mac as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use super::key::HubKey;

/// Longest line; a message is about one application.
const MOST: u64 = 1 << 20;
/// Bytes of a proof, and the digits that show them.
const PROOF: usize = 16;
const DIGITS: usize = 2 * PROOF;

/// Signs the lines of one direction.
#[derive(Debug)]
pub(super) struct Sealer {
    key: HubKey,
    count: u64,
}

/// Checks the lines of one direction.
#[derive(Debug)]
pub(super) struct Opener {
    key: HubKey,
    count: u64,
}

impl Sealer {
    pub(super) fn new(key: HubKey) -> Self {
        Self { key, count: 0 }
    }

    pub(super) fn seal<T: Serialize>(&mut self, message: &T) -> io::Result<Vec<u8>> {
        let text = serde_json::to_vec(message)?;
        let proof = proof(&self.key, self.count, &text);
        self.count += 1;
        let mut line = Vec::with_capacity(DIGITS + text.len() + 1);
        line.extend_from_slice(hex(&proof.finalize().into_bytes()[..PROOF]).as_bytes());
        line.extend_from_slice(&text);
        line.push(b'\n');
        Ok(line)
    }
}

impl Opener {
    pub(super) fn new(key: HubKey) -> Self {
        Self { key, count: 0 }
    }

    pub(super) fn open<T: DeserializeOwned>(&mut self, line: &[u8]) -> io::Result<T> {
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let (digits, text) = line
            .split_at_checked(DIGITS)
            .ok_or_else(|| wrong("a line is too short"))?;
        let given = unhex(digits).ok_or_else(|| wrong("a line has no proof"))?;
        proof(&self.key, self.count, text)
            .verify_truncated_left(&given)
            .map_err(|_| wrong("a line was changed, lost or repeated"))?;
        self.count += 1;
        serde_json::from_slice(text).map_err(|_| wrong("a message of another version"))
    }
}

fn proof(key: &HubKey, count: u64, text: &[u8]) -> hmac::Hmac<sha2::Sha256> {
    key.mac("line", &[&count.to_be_bytes(), text])
}

/// Reads a line without its end; `false` at the end of the stream.
pub(super) async fn read_line(
    input: &mut (impl AsyncBufRead + Unpin),
    line: &mut Vec<u8>,
) -> io::Result<bool> {
    line.clear();
    input.take(MOST).read_until(b'\n', line).await?;
    match line.pop() {
        None => Ok(false),
        Some(b'\n') => Ok(true),
        Some(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads hexadecimal digits.
pub(super) fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |digit: u8| {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? * 16 + digit(*low)?))
        .collect()
}
