//! What is given goes over the link in parts, so that no other message waits for it; here they come together again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::given::MOST;
use super::is_id;
use super::words::{Parcel, Part};

/// Bytes of a part; as text a third more.
const PART: usize = 48 * 1024;
/// What is being sent at a time, by number and by bytes.
const MOST_OPEN: usize = 16;
const MOST_BYTES: usize = 2 * MOST;
/// How long it waits for its next part, or to be asked for.
const STAYS: Duration = Duration::from_secs(60);

/// Too much is being sent.
pub const BUSY: &str =
    "Many passwords and files are being sent at the moment: wait a minute and send the answers again";

impl Parcel {
    /// Of what is sent.
    #[must_use]
    pub fn of(sealed: &[u8]) -> Self {
        Self {
            bytes: sealed.len(),
            digest: digest(sealed),
        }
    }

    /// In how many parts it comes.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.bytes.div_ceil(PART)
    }

    fn is_fit(&self) -> bool {
        (1..=MOST).contains(&self.bytes) && self.digest.len() == 64
    }

    /// Bytes of that part.
    fn length(&self, number: usize) -> usize {
        PART.min(self.bytes.saturating_sub(number * PART))
    }
}

impl Part {
    /// That part of what is sent for a result.
    #[must_use]
    pub fn of(id: &str, parcel: &Parcel, sealed: &[u8], number: usize) -> Self {
        let at = (number * PART).min(sealed.len());
        Self {
            id: id.to_owned(),
            parcel: parcel.clone(),
            number,
            text: STANDARD.encode(&sealed[at..][..parcel.length(number).min(sealed.len() - at)]),
        }
    }
}

/// What has come of one.
#[derive(Debug)]
struct Tray {
    parcel: Parcel,
    parts: Vec<Option<Vec<u8>>>,
    heard: Instant,
}

/// Everything that is being sent, by application and id.
#[derive(Debug, Default)]
pub struct Trays(HashMap<(String, String), Tray>);

/// Why a part is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// Too much is being sent.
    Busy,
    /// It is none.
    Wrong,
}

impl Trays {
    /// Takes a part. One that comes again changes nothing.
    ///
    /// # Errors
    /// [`Untaken`].
    pub fn put(&mut self, app: &str, part: &Part, now: Instant) -> Result<(), Untaken> {
        self.0
            .retain(|_, tray| now.saturating_duration_since(tray.heard) < STAYS);
        if !is_id(&part.id) || !part.parcel.is_fit() || part.number >= part.parcel.parts() {
            return Err(Untaken::Wrong);
        }
        let bytes = STANDARD.decode(&part.text).map_err(|_| Untaken::Wrong)?;
        if bytes.len() != part.parcel.length(part.number) {
            return Err(Untaken::Wrong);
        }
        let key = (app.to_owned(), part.id.clone());
        if !self.0.contains_key(&key) && !self.has_room(part.parcel.bytes) {
            return Err(Untaken::Busy);
        }
        let tray = self.0.entry(key).or_insert_with(|| Tray {
            parcel: part.parcel.clone(),
            parts: vec![None; part.parcel.parts()],
            heard: now,
        });
        if tray.parcel != part.parcel {
            return Err(Untaken::Wrong);
        }
        tray.heard = now;
        tray.parts[part.number] = Some(bytes);
        Ok(())
    }

    fn has_room(&self, bytes: usize) -> bool {
        let taken: usize = self.0.values().map(|tray| tray.parcel.bytes).sum();
        self.0.len() < MOST_OPEN && taken + bytes <= MOST_BYTES
    }

    /// Whether all parts have come.
    #[must_use]
    pub fn is_whole(&self, app: &str, id: &str, parcel: &Parcel) -> bool {
        let tray = self.0.get(&(app.to_owned(), id.to_owned()));
        tray.is_some_and(|tray| tray.parcel == *parcel && tray.parts.iter().all(Option::is_some))
    }

    /// Takes out what has come of one, one part after the other. Whether it is what was sent, its seal says.
    pub fn take(&mut self, app: &str, id: &str) -> Option<Vec<u8>> {
        let tray = self.0.remove(&(app.to_owned(), id.to_owned()))?;
        let mut sealed = Vec::with_capacity(tray.parcel.bytes);
        for part in tray.parts {
            sealed.extend(part?);
        }
        Some(sealed)
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> String {
        format!("v{number:032x}")
    }

    fn parts(id: &str, sealed: &[u8]) -> (Parcel, Vec<Part>) {
        let parcel = Parcel::of(sealed);
        let all = (0..parcel.parts()).map(|number| Part::of(id, &parcel, sealed, number));
        (parcel.clone(), all.collect())
    }

    /// Proves: PK6 (P)
    #[test]
    fn parts_come_in_any_order_and_again_and_are_what_was_sent() {
        let sealed: Vec<u8> = (0..u32::try_from(PART).unwrap())
            .flat_map(u32::to_le_bytes)
            .collect();
        let (parcel, mut parts) = parts(&id(1), &sealed);
        assert_eq!(parts.len(), 4);
        assert!(parts.iter().all(|part| part.text.len() <= 64 * 1024));
        parts.reverse();
        let (mut trays, now) = (Trays::default(), Instant::now());
        for part in parts.iter().chain(&parts[1..2]) {
            assert!(!trays.is_whole("a", &id(1), &parcel));
            assert_eq!(trays.put("a", part, now), Ok(()));
            if part.number == 0 {
                break;
            }
        }
        assert!(trays.is_whole("a", &id(1), &parcel));
        assert!(!trays.is_whole("b", &id(1), &parcel), "another application's");
        assert_eq!(trays.take("a", &id(1)), Some(sealed.clone()));
        assert_eq!(trays.take("a", &id(1)), None, "once");
        assert_ne!(parcel, Parcel::of(&sealed[1..]));
    }

    /// Proves: PK6 (P)
    #[test]
    fn what_is_cut_off_or_of_another_length_is_not_whole() {
        let sealed = vec![1; PART + 10];
        let (parcel, parts) = parts(&id(1), &sealed);
        let (mut trays, now) = (Trays::default(), Instant::now());
        let mut wrong = parts[1].clone();
        wrong.text = parts[0].text.clone();
        assert_eq!(trays.put("a", &wrong, now), Err(Untaken::Wrong));
        wrong.number = 2;
        assert_eq!(trays.put("a", &wrong, now), Err(Untaken::Wrong));
        assert_eq!(trays.put("a", &parts[1], now), Ok(()));
        assert!(!trays.is_whole("a", &id(1), &parcel));
        let mut other = parts[0].clone();
        other.parcel.digest = "0".repeat(64);
        assert_eq!(trays.put("a", &other, now), Err(Untaken::Wrong));
        assert_eq!(trays.take("a", &id(1)), None);
        let mut path = parts[0].clone();
        path.id = "../x".to_owned();
        assert_eq!(trays.put("a", &path, now), Err(Untaken::Wrong));
    }

    /// Proves: PK6 (P), SC7 (P)
    #[test]
    fn memory_has_a_bound_and_what_nobody_goes_on_with_goes() {
        let (mut trays, now) = (Trays::default(), Instant::now());
        for number in 0..MOST_OPEN {
            let (_, parts) = parts(&id(number), b"x");
            assert_eq!(trays.put("a", &parts[0], now), Ok(()));
        }
        let (_, more) = parts(&id(99), b"x");
        assert_eq!(trays.put("a", &more[0], now), Err(Untaken::Busy));
        assert_eq!(trays.put("a", &more[0], now + STAYS), Ok(()));
        assert_eq!(trays.0.len(), 1);
        let mut large = more[0].clone();
        large.parcel.bytes = MOST;
        large.text = STANDARD.encode(vec![0; PART]);
        for (number, expected) in [(1, Ok(())), (2, Err(Untaken::Busy))] {
            large.id = id(number);
            assert_eq!(trays.put("a", &large, now + STAYS), expected);
        }
        large.parcel.bytes = MOST + 1;
        assert_eq!(trays.put("a", &large, now + STAYS), Err(Untaken::Wrong));
    }
}
