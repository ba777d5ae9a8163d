//! The parts of a file that a request asks for (RFC 9110, section 14). Pure.

/// More parts than any viewer asks for at once; a request with more gets the whole file.
const MOST: usize = 16;

/// Bytes of a file, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) start: u64,
    pub(super) length: u64,
}

impl Part {
    /// As `Content-Range` has it.
    pub(super) fn spelled(self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.start, self.start + self.length - 1)
    }
}

/// What of a file is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parts {
    /// All of it: what was asked is not understood, is too much, or asks for something twice.
    Whole,
    /// Nothing of what was asked is there.
    None,
    /// These, in the order in which they were asked for.
    Some(Vec<Part>),
}

impl Parts {
    /// Reads the header `Range` of a request for a file of so many bytes.
    pub(super) fn parse(header: &str, size: u64) -> Self {
        let Some((unit, list)) = header.split_once('=') else {
            return Self::Whole;
        };
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return Self::Whole;
        }
        let mut parts = Vec::new();
        let mut count = 0;
        for given in list.split(',').map(str::trim).filter(|given| !given.is_empty()) {
            count += 1;
            match (part(given, size), count) {
                (_, count) if count > MOST => return Self::Whole,
                (None, _) => return Self::Whole,
                (Some(part), _) => parts.extend(part),
            }
        }
        match parts.len() {
            0 if count == 0 => Self::Whole,
            0 => Self::None,
            1 => Self::Some(parts),
            _ if overlap(&parts) => Self::Whole,
            _ => Self::Some(parts),
        }
    }
}

/// One part; `None` where it is not understood, `Some(None)` where it lies behind the end.
#[allow(
    clippy::option_option,
    reason = "not understood and not there are two answers"
)]
fn part(given: &str, size: u64) -> Option<Option<Part>> {
    let (first, last) = given.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        let length = number(last)?.min(size);
        let start = size - length;
        return Some((length > 0).then_some(Part { start, length }));
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if last < first {
        return None;
    }
    let end = last.saturating_add(1).min(size);
    Some((first < size).then(|| Part {
        start: first,
        length: end - first,
    }))
}

/// A number of any length; what is too large for any file is the largest.
fn number(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn overlap(parts: &[Part]) -> bool {
    let mut sorted: Vec<Part> = parts.to_vec();
    sorted.sort_unstable_by_key(|part| part.start);
    sorted
        .windows(2)
        .any(|two| two[0].start + two[0].length > two[1].start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(list: &[(u64, u64)]) -> Parts {
        let parts = list.iter().map(|(start, length)| Part {
            start: *start,
            length: *length,
        });
        Parts::Some(parts.collect())
    }

    /// Proves: PK7 (L, P)
    #[test]
    fn parts_are_read_as_rfc_9110_says() {
        for (header, expected) in [
            ("bytes=0-0", parts(&[(0, 1)])),
            ("bytes=0-499", parts(&[(0, 100)])),
            ("bytes=10-", parts(&[(10, 90)])),
            ("bytes=-10", parts(&[(90, 10)])),
            ("bytes=-1000", parts(&[(0, 100)])),
            ("bytes=99-99999999999999999999999999", parts(&[(99, 1)])),
            ("BYTES = 1 - 2", parts(&[(1, 2)])),
            ("bytes=0-1, 50-59,,-1", parts(&[(0, 2), (50, 10), (99, 1)])),
            ("bytes=0-1,200-", parts(&[(0, 2)])),
            ("bytes=90-,0-1", parts(&[(90, 10), (0, 2)])),
            ("bytes=100-", Parts::None),
            ("bytes=-0", Parts::None),
            ("bytes=200-300,400-", Parts::None),
            ("bytes=5-4", Parts::Whole),
            ("bytes=", Parts::Whole),
            ("bytes", Parts::Whole),
            ("items=0-1", Parts::Whole),
            ("bytes=a-b", Parts::Whole),
            ("bytes=0x1-2", Parts::Whole),
            ("bytes=+1-2", Parts::Whole),
            ("bytes=--1", Parts::Whole),
            ("bytes=1", Parts::Whole),
            ("bytes=0-9,5-14", Parts::Whole),
            ("bytes=0-,0-,0-", Parts::Whole),
        ] {
            assert_eq!(Parts::parse(header, 100), expected, "{header}");
        }
        assert_eq!(Parts::parse("bytes=0-", 0), Parts::None);
        assert_eq!(
            Parts::parse(&format!("bytes={}", "1-1,".repeat(17)), 100),
            Parts::Whole
        );
        assert_eq!(Part { start: 3, length: 4 }.spelled(9), "bytes 3-6/9");
    }

    proptest! {
        #[test]
        fn no_header_asks_for_more_than_there_is(header in "bytes=[-0-9, ]{0,40}|\\PC{0,40}", size in 0_u64..1000) {
            if let Parts::Some(parts) = Parts::parse(&header, size) {
                prop_assert!(!parts.is_empty() && parts.len() <= MOST);
                for part in &parts {
                    prop_assert!(part.length > 0 && part.start + part.length <= size);
                }
                prop_assert!(parts.iter().map(|part| part.length).sum::<u64>() <= size);
            }
        }
    }
}
