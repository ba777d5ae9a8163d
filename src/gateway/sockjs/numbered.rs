//! Messages that survive a broken connection: each side numbers its own from 0, keeps them until the other says that it has
//! them, and says after a break which one it expects.
//!
//! `HEX#text` and `HEX*base64` are messages, `ACK HEX` and `CONTINUE HEX` name the number that is expected next, and `BYE`
//! says that the page goes away and will not come back.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes that are kept for a page before the process is made to wait; the last message may exceed it.
pub const WINDOW: usize = 1024 * 1024;
/// What a message that waits takes beside what it says.
pub(super) const OVERHEAD: usize = 64;
/// Messages of the page after which it is told that they have come, also where there is nothing else to say.
const ACK_AFTER: u64 = 16;

/// A message of a page or of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Message {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// What it counts for where room is counted: one that says nothing takes memory, too.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.len() + OVERHEAD
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a page sends that it may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// It is none of the forms.
    #[error("a packet that is none")]
    Form,
    /// A message is confirmed that was never sent.
    #[error("a number that does not fit")]
    Number,
    /// Messages are missing before it.
    #[error("a message after others that did not come")]
    Gap,
    /// After a break, something comes before the number that is expected.
    #[error("a packet before CONTINUE")]
    Early,
}

/// What a page has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A message that has not come before.
    Message(Message),
    /// Nothing for the process.
    Nothing,
    /// The page goes away.
    Bye,
}

/// The numbers of both directions of one connection.
#[derive(Clone, Debug, Default)]
pub struct Numbered {
    /// What the page has not confirmed.
    kept: VecDeque<Message>,
    kept_bytes: usize,
    /// Number of the first that is kept.
    first: u64,
    /// Number of the next to be sent, and of the next that never was.
    cursor: u64,
    highest: u64,
    /// Number of the next that the page sends, and what it was told of that.
    expected: u64,
    told: u64,
    owes_continue: bool,
    awaits_continue: bool,
}

impl Numbered {
    /// Whether nothing has come of the page yet.
    #[must_use]
    pub fn is_nascent(&self) -> bool {
        self.expected == 0 && self.first == 0 && !self.owes_continue && !self.awaits_continue
    }

    /// Begins again from 0 over another connection, as nothing has come yet.
    pub fn begin_again(&mut self) {
        self.cursor = 0;
    }

    /// Goes on over another connection.
    pub fn go_on(&mut self) {
        self.owes_continue = true;
        self.awaits_continue = true;
    }

    /// Whether the process may say more.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.kept_bytes < WINDOW
    }

    /// A message of the process.
    pub fn push(&mut self, message: Message) {
        self.kept_bytes += message.weight();
        self.kept.push_back(message);
    }

    /// Whether all that is to be said was said.
    #[must_use]
    pub fn has_said_all(&self) -> bool {
        !self.owes_continue && !self.awaits_continue && self.unsent().is_none()
    }

    fn unsent(&self) -> Option<&Message> {
        let at = usize::try_from(self.cursor - self.first).ok()?;
        self.kept.get(at)
    }

    /// The next packet for the page.
    pub fn say(&mut self) -> Option<String> {
        if self.owes_continue {
            self.owes_continue = false;
            self.told = self.expected;
            return Some(format!("CONTINUE {:X}", self.expected));
        }
        if self.awaits_continue {
            return None;
        }
        let owed = self.expected - self.told;
        if owed >= ACK_AFTER || owed > 0 && self.unsent().is_some() {
            self.told = self.expected;
            return Some(format!("ACK {:X}", self.expected));
        }
        let packet = match self.unsent()? {
            Message::Text(text) => format!("{:X}#{text}", self.cursor),
            Message::Binary(bytes) => format!("{:X}*{}", self.cursor, STANDARD.encode(bytes)),
        };
        self.cursor += 1;
        self.highest = self.highest.max(self.cursor);
        Some(packet)
    }

    /// A packet of the page.
    ///
    /// # Errors
    /// [`Bad`].
    pub fn receive(&mut self, packet: &str) -> Result<Received, Bad> {
        if packet == "BYE" {
            return Ok(Received::Bye);
        }
        if let Some(number) = packet.strip_prefix("CONTINUE ") {
            return self.is_continued(parse(number)?);
        }
        if self.awaits_continue {
            return Err(Bad::Early);
        }
        if let Some(number) = packet.strip_prefix("ACK ") {
            self.confirm(parse(number)?)?;
            return Ok(Received::Nothing);
        }
        let mark = packet.find(['#', '*']).ok_or(Bad::Form)?;
        let number = parse(&packet[..mark])?;
        if number > self.expected {
            return Err(Bad::Gap);
        }
        let payload = &packet[mark + 1..];
        let message = if packet.as_bytes()[mark] == b'#' {
            Message::Text(payload.to_owned())
        } else {
            Message::Binary(STANDARD.decode(payload).map_err(|_| Bad::Form)?)
        };
        // One that has come before was sent again after a break.
        if number < self.expected {
            return Ok(Received::Nothing);
        }
        self.expected += 1;
        Ok(Received::Message(message))
    }

    fn is_continued(&mut self, number: u64) -> Result<Received, Bad> {
        if !self.awaits_continue {
            // A browser may send a request again whose answer was lost.
            return self.confirm(number).map(|()| Received::Nothing);
        }
        if number < self.first {
            return Err(Bad::Number);
        }
        self.confirm(number)?;
        self.cursor = number;
        self.awaits_continue = false;
        Ok(Received::Nothing)
    }

    /// The page has all before this number.
    fn confirm(&mut self, number: u64) -> Result<(), Bad> {
        if number > self.highest {
            return Err(Bad::Number);
        }
        while self.first < number {
            let Some(message) = self.kept.pop_front() else {
                return Err(Bad::Number);
            };
            self.kept_bytes -= message.weight();
            self.first += 1;
        }
        self.cursor = self.cursor.max(number);
        Ok(())
    }
}

fn parse(number: &str) -> Result<u64, Bad> {
    let is_number = (1..=15).contains(&number.len()) && number.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = is_number.then(|| u64::from_str_radix(number, 16).ok()).flatten();
    number.ok_or(Bad::Form)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Message {
        Message::Text(text.to_owned())
    }

    /// Proves: PR2 (L, P)
    #[test]
    fn messages_are_numbered_confirmed_and_sent_again() {
        let mut numbered = Numbered::default();
        numbered.push(text("a"));
        numbered.push(Message::Binary(vec![1, 2]));
        assert!(numbered.is_nascent());
        assert_eq!(numbered.say().unwrap(), "0#a");
        assert_eq!(numbered.say().unwrap(), "1*AQI=");
        assert_eq!(numbered.say(), None);
        assert_eq!(numbered.receive("0#x"), Ok(Received::Message(text("x"))));
        assert_eq!(numbered.receive("ACK 1"), Ok(Received::Nothing));
        assert!(!numbered.is_nascent());
        numbered.go_on();
        assert_eq!(numbered.say().unwrap(), "CONTINUE 1");
        assert_eq!(numbered.say(), None, "what the page has is not known yet");
        assert_eq!(numbered.receive("1#y"), Err(Bad::Early));
        assert_eq!(numbered.receive("CONTINUE 1"), Ok(Received::Nothing));
        assert_eq!(numbered.say().unwrap(), "1*AQI=");
        assert_eq!(numbered.receive("0#x"), Ok(Received::Nothing), "it came before");
        assert_eq!(
            numbered.receive("1*eQ=="),
            Ok(Received::Message(Message::Binary(b"y".to_vec())))
        );
        numbered.push(text("c"));
        assert_eq!(numbered.say().unwrap(), "ACK 2");
        assert_eq!(numbered.say().unwrap(), "2#c");
        assert!(numbered.has_said_all());
        assert_eq!(numbered.receive("BYE"), Ok(Received::Bye));
    }

    /// Proves: PR2 (L, P)
    #[test]
    fn what_does_not_fit_is_refused() {
        let mut numbered = Numbered::default();
        numbered.push(text("a"));
        assert_eq!(numbered.receive("1#x"), Err(Bad::Gap));
        for packet in ["ACK 1", "ACK 0FFFFFFFFFFFFFF", "CONTINUE 1"] {
            assert_eq!(numbered.receive(packet), Err(Bad::Number), "{packet}");
        }
        for packet in [
            "",
            "x",
            "#x",
            "-1#x",
            "+0#x",
            "ACK",
            "ACK ",
            "ACK 1 ",
            "bye",
            "0*?",
            "0000000000000000#",
        ] {
            assert_eq!(numbered.receive(packet), Err(Bad::Form), "{packet}");
        }
        numbered.say();
        numbered.go_on();
        assert_eq!(numbered.receive("CONTINUE 2"), Err(Bad::Number));
        assert_eq!(numbered.receive("CONTINUE 1"), Ok(Received::Nothing));
        assert_eq!(
            numbered.receive("CONTINUE 0"),
            Ok(Received::Nothing),
            "sent again by a browser"
        );
        assert_eq!(numbered.receive("ACK 0"), Ok(Received::Nothing));
        numbered.go_on();
        assert_eq!(
            numbered.receive("CONTINUE 0"),
            Err(Bad::Number),
            "it was confirmed"
        );
    }

    /// Proves: PR2 (L, P)
    #[test]
    fn the_process_waits_while_too_much_is_kept() {
        let mut numbered = Numbered::default();
        numbered.push(text(&"x".repeat(WINDOW)));
        assert!(!numbered.has_room());
        numbered.say();
        assert!(!numbered.has_room());
        numbered.receive("ACK 1").unwrap();
        assert!(numbered.has_room());
        for number in 0..ACK_AFTER {
            assert_eq!(numbered.say(), None);
            numbered.receive(&format!("{number:X}#")).unwrap();
        }
        assert_eq!(numbered.say().unwrap(), format!("ACK {ACK_AFTER:X}"));
    }

    proptest! {
        #[test]
        fn no_packet_is_too_odd(packets in proptest::collection::vec("(ACK |CONTINUE )?[0-9A-F]{0,3}[#*]?.{0,3}", 0..20)) {
            let mut numbered = Numbered::default();
            for packet in packets {
                numbered.push(text("a"));
                let _ = numbered.say();
                if numbered.receive(&packet).is_err() {
                    numbered.go_on();
                }
                prop_assert!(numbered.first <= numbered.cursor && numbered.cursor <= numbered.highest);
                let weight: usize = numbered.kept.iter().map(Message::weight).sum();
                prop_assert_eq!(numbered.kept_bytes, weight);
            }
        }
    }
}
