//! Where one WebSocket frame ends and the next begins, so that the gateway can say goodbye at such a place when a process
//! ends without. Nothing else is looked at, and nothing is changed.

/// Close, 1012: the service restarts. Clients come back at once, and know that nobody's fault it was.
pub const RESTART: [u8; 4] = [0x88, 0x02, 0x03, 0xf4];
const CLOSE: u8 = 0x8;
const LONGEST_HEADER: usize = 14;

/// Follows the frames of one direction.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    header: [u8; LONGEST_HEADER],
    have: u8,
    /// Bytes of the payload that are still to come.
    payload: u64,
    has_closed: bool,
}

impl Frames {
    /// These bytes have passed.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let skipped = usize::try_from(self.payload)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                self.payload -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header[usize::from(self.have)] = bytes[0];
            self.have += 1;
            bytes = &bytes[1..];
            if let Some(payload) = self.complete() {
                self.has_closed |= self.header[0] & 0x0f == CLOSE;
                self.payload = payload;
                self.have = 0;
            }
        }
    }

    /// The length of the payload, once the header is whole.
    fn complete(&self) -> Option<u64> {
        let have = usize::from(self.have);
        if have < 2 {
            return None;
        }
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        let (more, length) = match self.header[1] & 0x7f {
            126 => (2, u64::from(u16::from_be_bytes([self.header[2], self.header[3]]))),
            127 => {
                let mut length = [0; 8];
                length.copy_from_slice(&self.header[2..10]);
                (8, u64::from_be_bytes(length))
            }
            short => (0, u64::from(short)),
        };
        (have == 2 + more + mask).then_some(length)
    }

    /// Whether another frame may begin here.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.have == 0 && self.payload == 0 && !self.has_closed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(first: u8, is_masked: bool, length: usize) -> Vec<u8> {
        let mask = if is_masked { 0x80 } else { 0 };
        let mut bytes = vec![first];
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if short < 126 => bytes.push(mask | short),
            (_, Ok(middle)) => {
                bytes.push(mask | 126);
                bytes.extend(middle.to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(std::iter::repeat_n(0x88, length + if is_masked { 4 } else { 0 }));
        bytes
    }

    proptest! {
        #[test]
        fn the_place_between_two_frames_is_found_however_they_are_cut(
            lengths in proptest::collection::vec((any::<bool>(), prop_oneof![0_usize..300, 65_000_usize..66_000]), 1..5),
            piece in 1_usize..5000,
        ) {
            let mut frames = Frames::default();
            for (is_masked, length) in lengths {
                let bytes = frame(0x82, is_masked, length);
                let (last, others) = bytes.split_last().unwrap();
                for piece in others.chunks(piece) {
                    frames.pass(piece);
                    prop_assert!(!frames.is_between());
                }
                frames.pass(&[*last]);
                prop_assert!(frames.is_between());
            }
            frames.pass(&frame(0x88, false, 2));
            prop_assert!(!frames.is_between(), "nothing follows a close");
        }
    }
}
