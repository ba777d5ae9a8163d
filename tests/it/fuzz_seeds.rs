//! The seeds of the fuzzing programs, and many small changes to each, as an ordinary test: what was once found stays found.

#[path = "../../fuzz/src/targets.rs"]
mod targets;

use std::path::Path;

/// Changes tried on each seed.
const CHANGES: u64 = 300;

/// A seed with some bytes changed, left out or doubled; the same for the same number.
fn changed(seed: &[u8], number: u64) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below.max(1)).unwrap()).unwrap()
    };
    let mut bytes = seed.to_vec();
    for _ in 0..=next(4) {
        let at = next(bytes.len());
        match next(4) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << next(8),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, b"\0\n\"[{%\xff-"[next(8)]),
            _ => {
                let end = at + next(bytes.len() - at);
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}

/// Proves: CN1 (L), EX1 (L), PK9 (L), SB7 (L)
#[test]
fn no_parser_panics_on_seeds_and_what_is_like_them() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (name, target) in targets::TARGETS {
        let mut files: Vec<_> = std::fs::read_dir(seeds.join(name))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no seed");
        for file in files {
            let seed = std::fs::read(&file).unwrap();
            targets::named(name).unwrap()(&seed);
            for number in 0..CHANGES {
                target(&changed(&seed, number));
            }
        }
    }
}

/// Proves: SB7 (L)
#[test]
fn the_seed_of_a_specification_is_one() {
    let seed = include_bytes!("../../fuzz/seeds/spec/spec.json");
    offhost::sandbox::read(seed).expect("it is a specification");
}
